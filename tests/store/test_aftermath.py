"""After the accept: cancelled by device, moved, completed, missed, late, given to another (R23, R29, R35-R38; P4, P9)."""

from typing import Any

import pytest

from dispatch.conduct import Cancellation, Lateness, Missed, Service
from dispatch.errors import Conflict, Unprocessable
from tests.store.scene import HOUR, MINUTE, NOON, Scene, everything
from tests.store.soundness import faults

SECOND = 1_000


async def sound(scene: Scene) -> bool:
    return await faults(scene.store, scene.market, scene.redis_url) == []


async def won(scene: Scene, name: str = "ada", **how: Any) -> None:
    await scene.open(**how)
    assert await scene.accept(name) == "won"


async def begun(scene: Scene, minutes: float = 5) -> None:
    """So many minutes after the start of a visit that was booked four hours before."""
    await scene.at(NOON + 4 * HOUR + round(minutes * MINUTE))


# -- R35: the provider cancels ----------------------------------------------------------------------------------------


@pytest.mark.proves("R35.a", "R17.b")
async def test_his_own_device_gives_a_visit_back_and_the_search_opens_again_r35(scene: Scene) -> None:
    await won(scene)
    assert await scene.give_back("ada", reason="my van broke down") == "done"
    record = await scene.record()
    assert (record.state, record.winner, record.deadline) == ("searching", None, NOON + 4 * HOUR - 15 * MINUTE)
    assert record.who["cancel_reason"] == "my van broke down"
    await scene.settle()
    assert (await scene.states())["ada"] == "withdrawn cancelled"
    assert (await scene.states())["dan"] == "open"
    assert await sound(scene)


async def test_nobody_gives_back_what_another_holds_r35(scene: Scene) -> None:
    await won(scene)
    assert await scene.give_back("ben") == "not_yours"
    assert await scene.give_back("ada", "b-none") == "not_yours"
    assert (await scene.record()).state == "accepted"


async def test_a_repeat_of_his_word_is_told_the_same_and_takes_nothing_from_the_next_p4(scene: Scene) -> None:
    await won(scene)
    assert await scene.give_back("ada", id="g") == "done"
    await scene.settle()
    assert await scene.accept("dan") == "won"
    assert await scene.give_back("ada", id="g") == "done"
    assert (await scene.record()).winner == scene.numbers["dan"]


@pytest.mark.proves("R35.a")
async def test_the_class_is_that_of_the_time_left_at_once_r35(scene: Scene) -> None:
    await won(scene, lead=30)
    await scene.later(hours=27)
    await scene.cancel(by="provider")
    assert (await scene.record()).urgency == "last_minute"
    assert await sound(scene)


@pytest.mark.proves("R17.b")
async def test_the_deadline_of_a_search_that_opens_again_is_a_setting_r17_r35(scene: Scene) -> None:
    await scene.settings(reopened_deadline_s=1_200)
    await won(scene)
    await scene.cancel(by="provider")
    assert (await scene.record()).deadline == NOON + 4 * HOUR - 20 * MINUTE


@pytest.mark.proves("R23.a", "R23.b", "R23.c")
@pytest.mark.parametrize("declares", [None, "illness", "force_majeure"])
async def test_how_early_and_why_is_a_fact_r23(scene: Scene, declares: str | None) -> None:
    await won(scene)
    await scene.later(minutes=90)
    await scene.give_back("ada", declares=declares)
    assert await scene.facts() == [
        Cancellation(p=scene.numbers["ada"], b=1, at=scene.now, early=150 * MINUTE, declared=declares),
    ]  # fmt: skip


async def test_what_the_client_cancels_is_no_fact_about_the_provider_r23(scene: Scene) -> None:
    await won(scene)
    await scene.cancel()
    assert await scene.facts() == []
    (cancelled,) = await scene.events("Cancelled")
    assert (cancelled.p, cancelled.early) == (scene.numbers["ada"], 4 * HOUR)


@pytest.mark.proves("R23.b")
async def test_only_a_provider_declares_what_hindered_him_r23(scene: Scene) -> None:
    await won(scene)
    assert await scene.cancel(by="provider", declares="illness") == "searching"
    with pytest.raises(Unprocessable, match="a provider's word"):
        await scene.cancel(by="client", declares="illness")


# -- R36: the client cancels or moves ---------------------------------------------------------------------------------


@pytest.mark.proves("R36.c")
async def test_a_visit_that_leaves_a_diary_is_on_the_log_for_whoever_waits_r18_r36(scene: Scene) -> None:
    await won(scene)
    await scene.cancel()
    assert [event.p for event in await scene.events("Freed")] == [scene.numbers["ada"]]


@pytest.mark.proves("R15.b", "R36.b")
async def test_those_who_were_asked_are_told_that_it_changed_r15_r36(scene: Scene) -> None:
    await scene.open()
    assert await scene.move(lead=6) == "searching"
    for name in ("ada", "ben", "cleo"):
        assert "withdrawn changed" in await scene.heard(name)
    assert await sound(scene)


@pytest.mark.proves("R2.l", "R36.e")
async def test_a_move_begins_a_new_round_in_which_everybody_is_asked_anew_r2_r36(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    await scene.settle()
    before = await scene.record()
    await scene.move(lead=6)
    for _ in range(3):
        await scene.settle()
        for name, state in (await scene.states()).items():
            if state == "open":
                await scene.refuse(name)
    record = await scene.record()
    assert (record.round, record.version, record.deadline) == (2, before.version + 1, NOON + 5 * HOUR)
    assert record.windows[0].start == NOON + 6 * HOUR
    assert [event.wave for event in await scene.events("WaveSent")] == [1, 2, 1, 2]
    assert {p.round for p in record.proposals.values()} == {2}
    assert await sound(scene)


@pytest.mark.proves("R2.l")
async def test_within_a_round_nobody_is_asked_twice_after_a_move_r2_r36(scene: Scene) -> None:
    await scene.open()
    await scene.move(lead=6)
    for _ in range(4):
        await scene.settle()
        for name, state in (await scene.states()).items():
            if state == "open":
                await scene.refuse(name)
    waves = [event for event in await scene.events("WaveSent") if event.at >= NOON]
    second = [pno for event in waves[1:] for pno in event.asked]
    assert len(second) == len(set(second)) == len(scene.numbers)


async def test_an_old_yes_is_told_that_the_booking_changed_r36(scene: Scene) -> None:
    await scene.open()
    old = await scene.record()
    await scene.move(lead=6)
    ada = scene.numbers["ada"]
    for id_ in ("before", "after"):
        answer = await scene.store.claims.accept(scene.market, ada, id_, f"{old.no}.1.{ada}", old.version)
        assert answer["outcome"] == "version_conflict"
        await scene.settle()
    assert (await scene.record()).state == "searching"


@pytest.mark.proves("R36.d")
async def test_after_a_move_the_winner_is_asked_first_and_alone_r36(scene: Scene) -> None:
    await won(scene)
    assert await scene.move(lead=5) == "searching"
    await scene.settle()
    assert (await scene.heard("ada"))[-2:] == ["booking searching", "proposal"]
    assert {name for name, state in (await scene.states()).items() if state == "open"} == {"ada"}
    proposal = (await scene.record()).proposals[scene.numbers["ada"]]
    assert (proposal.kind, proposal.round, proposal.wave) == ("direct", 2, 0)
    assert (await scene.record()).hold == NOON + 2 * MINUTE
    await scene.receive("ada")
    await scene.later(seconds=119)
    await scene.settle()
    assert {name for name, state in (await scene.states()).items() if state == "open"} == {"ada"}
    assert await scene.accept("ada") == "won"
    (_, accepted) = await scene.events("Accepted")
    assert (accepted.cause, (await scene.record()).winner) == ("direct", scene.numbers["ada"])
    assert await sound(scene)


@pytest.mark.proves("R36.d")
@pytest.mark.parametrize("ends", ["refusal", "hold", "grace"])
async def test_after_his_no_the_end_of_the_hold_or_of_the_grace_the_waves_begin_r14_r28_r36(scene: Scene, ends: str) -> None:
    await won(scene)
    await scene.move(lead=5)
    await scene.settle()
    if ends == "refusal":
        await scene.refuse("ada")
    elif ends == "grace":
        await scene.later(seconds=20)
    else:
        await scene.receive("ada")
        await scene.later(seconds=120)
    await scene.settle()
    states = await scene.states()
    assert sorted(name for name, state in states.items() if state == "open" and name != "ada") == ["ben", "cleo", "dan"]
    assert states["ada"] == {"refusal": "refused", "grace": "replaced", "hold": "open"}[ends]
    assert (await scene.record()).wave == 1
    assert await sound(scene)


async def test_who_held_it_is_not_woken_for_a_move_in_the_night_r12_r36(scene: Scene) -> None:
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    await won(scene, lead=48)
    await scene.at(NOON + 11 * HOUR)  # 23:00
    await scene.move(lead=30)
    await scene.settle()
    assert "open" not in (await scene.states()).values()
    await scene.at(NOON + 19 * HOUR + 10 * MINUTE)  # 7:10, when those whom the night held back have left
    await scene.settle()
    assert [name for name, state in (await scene.states()).items() if state == "open"] == ["ada"]


async def _off(scene: Scene) -> None:
    await scene.store.links.status(scene.market, scene.numbers["ada"], False, None, "phone")


async def _gone(scene: Scene) -> None:
    await scene.disconnect("ada")


async def _busy(scene: Scene) -> None:
    await scene.open("b-2", lead=8)
    await scene.only("ada", "b-2")
    await scene.accept("ada", "b-2")


async def _apart(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _other_catalogue(scene: Scene) -> None:
    await scene.provider("ada", reachable=False, catalogue=[])


@pytest.mark.parametrize("why", [_off, _gone, _busy, _apart, _other_catalogue])
async def test_a_winner_who_cannot_come_has_no_hold_and_the_waves_begin_at_once_r28_r36(scene: Scene, why: Any) -> None:
    await won(scene)
    await why(scene)
    await scene.move(lead=8.5)
    await scene.settle()
    record = await scene.record()
    assert [p for p in record.proposals.values() if p.kind == "direct"] == []
    assert record.wave == 1
    assert await sound(scene)


async def test_hours_do_not_bind_whoever_held_it_r28_r36(scene: Scene) -> None:
    await won(scene)
    await scene.provider("ada", reachable=False, hours="Mo-Su 02:00-03:00")
    await scene.move(lead=5)
    await scene.settle()
    assert (await scene.states())["ada"] == "open"
    assert await sound(scene)


@pytest.mark.proves("R36.c")
async def test_what_he_held_is_free_again_after_a_move_r36(scene: Scene) -> None:
    await won(scene)
    await scene.move(lead=24)
    assert "ada" in await scene.candidates(lead=4)


async def test_an_unfilled_booking_can_be_moved_and_searches_again_r17_r36(scene: Scene) -> None:
    await scene.open()
    await scene.later(hours=3)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    assert await scene.move(lead=4) == "searching"
    await scene.settle()
    assert "open" in (await scene.states()).values()
    assert await sound(scene)


@pytest.mark.proves("R10.a")
async def test_a_move_keeps_to_the_cut_off_unless_ops_say_so_r10_r36(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Unprocessable) as refused:
        await scene.move(lead=1.9)
    assert refused.value.code == "too_late"
    assert await scene.move(lead=1.9, ops=True) == "searching"
    (moved,) = await scene.events("Moved")
    assert moved.override
    assert (await scene.record()).who["override"] == "ops said so"


async def test_a_repeated_move_moves_once_p4(scene: Scene) -> None:
    await scene.open()
    await scene.move(lead=6, rid="r")
    before = everything(scene.redis_url, scene.market)
    await scene.move(lead=6, rid="r")
    assert everything(scene.redis_url, scene.market) == before
    with pytest.raises(Unprocessable) as refused:
        await scene.move(lead=7, rid="r")
    assert refused.value.code == "idempotency_mismatch"


@pytest.mark.parametrize("state", ["cancelled", "completed", "no_show"])
async def test_what_is_over_is_not_moved_r36(scene: Scene, state: str) -> None:
    await won(scene)
    if state == "cancelled":
        await scene.cancel()
    else:
        await begun(scene)
        await getattr(scene, {"completed": "complete", "no_show": "no_show"}[state])()
    with pytest.raises(Conflict, match=state):
        await scene.move(lead=6)


# -- R37: no-show, late, another provider -----------------------------------------------------------------------------


@pytest.mark.proves("R37.a")
@pytest.mark.parametrize(("seconds", "said"), [(0, False), (299.999, False), (300, True), (3_600, True)])
async def test_that_he_did_not_come_can_be_said_from_five_minutes_after_the_start_r37(scene: Scene, seconds: float, said: bool) -> None:
    await won(scene)
    await begun(scene, seconds / 60)
    for report in (scene.no_show, scene.late):
        if said:
            await report(rid=report.__name__) if report == scene.late else None
        else:
            with pytest.raises(Unprocessable) as refused:
                await report()
            assert refused.value.code == "too_early"
    if said:
        assert await scene.no_show() == "no_show"
    assert (await scene.record()).state == ("no_show" if said else "accepted")


@pytest.mark.proves("R23.a", "R37.a", "R37.b")
async def test_a_no_show_calls_ops_and_searches_for_nobody_by_itself_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    await scene.no_show(by="client", reason="nobody at the door")
    record = await scene.record()
    assert (record.state, record.alarm, record.winner) == ("no_show", "no_show", scene.numbers["ada"])
    assert record.who["no_show_reason"] == "nobody at the door"
    assert await scene.gauge("alarms.no_show") == 1
    assert await scene.gauge("count.no_shows") == 1
    assert (await scene.timers(), (await scene.heard("ada"))[-1]) == ({}, "booking no_show")
    assert await scene.facts() == [Missed(p=scene.numbers["ada"], b=1, at=scene.now)]
    assert await sound(scene)


@pytest.mark.parametrize(("wait_s", "minute"), [(0, 0), (600, 10)])
async def test_from_when_it_can_be_said_is_a_setting_r37(scene: Scene, wait_s: int, minute: int) -> None:
    await scene.settings(no_show_after_s=wait_s)
    await won(scene)
    await begun(scene, minute)
    assert await scene.no_show() == "no_show"


@pytest.mark.proves("R23.a", "R37.a")
async def test_late_calls_ops_and_leaves_him_his_visit_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene, 7)
    assert await scene.late(minutes=20) == "accepted"
    assert ((await scene.record()).alarm, await scene.gauge("alarms.late")) == ("late", 1)
    assert await scene.facts() == [Lateness(p=scene.numbers["ada"], b=1, at=scene.now, late=20 * MINUTE)]
    assert await sound(scene)


@pytest.mark.parametrize(("minutes", "alarm"), [(4, None), (5, "late"), (30, "late")])
async def test_his_own_warning_may_come_before_and_calls_ops_when_it_is_much_r37(scene: Scene, minutes: int, alarm: str | None) -> None:
    await won(scene)
    await scene.later(hours=3.5)
    assert await scene.will_be_late("ada", minutes=minutes) == "done"
    assert (await scene.record()).alarm == alarm
    assert await scene.facts() == [Lateness(p=scene.numbers["ada"], b=1, at=scene.now, late=minutes * MINUTE, warned=True)]
    assert await scene.will_be_late("ben", minutes=minutes) == "not_yours"
    assert await sound(scene)


@pytest.mark.proves("R17.c", "R37.b")
async def test_another_is_looked_for_on_ops_word_until_when_they_say_r17_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    await scene.no_show()
    assert await scene.search_again(lead=1, until=0.5) == "searching"
    record = await scene.record()
    assert (record.deadline, record.alarm, record.winner, record.round) == (scene.now + HOUR // 2, None, None, 2)
    await scene.settle()
    asked = {name for name, state in (await scene.states()).items() if state == "open"}
    assert len(asked) == 3
    assert "ada" not in asked
    assert await scene.gauge("alarms.no_show") == 0
    assert await sound(scene)


async def test_whoever_did_not_come_is_never_asked_for_the_replacement_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    await scene.no_show()
    await scene.search_again(leads=(1, 3))
    for _ in range(6):
        await scene.settle()
        for name, state in (await scene.states()).items():
            if state == "open":
                await scene.refuse(name)
    asked = [pno for event in (await scene.events("WaveSent"))[1:] for pno in event.asked]
    assert sorted(asked) == sorted(pno for name, pno in scene.numbers.items() if name != "ada")
    assert (await scene.states())["ada"] == "withdrawn ops"


@pytest.mark.proves("R37.b")
async def test_a_late_one_is_replaced_only_once_somebody_said_so_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    with pytest.raises(Conflict, match="nobody said"):
        await scene.search_again(lead=1)
    await scene.late()
    assert await scene.search_again(lead=1) == "searching"
    assert (await scene.heard("ada"))[-1] == "booking cancelled"
    assert "ada" in await scene.candidates(lead=0.5 + 2)
    assert await sound(scene)


@pytest.mark.proves("R17.c")
async def test_without_a_word_on_the_end_a_replacement_is_searched_until_the_start_r17_r37(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    await scene.no_show()
    await scene.search_again(lead=2)
    assert (await scene.record()).deadline == scene.now + 2 * HOUR


async def test_a_no_show_that_was_none_is_completed_and_the_client_may_give_up_r37_r38(scene: Scene) -> None:
    await won(scene)
    await begun(scene)
    await scene.no_show()
    await scene.later(minutes=40)
    assert await scene.complete() == "completed"
    assert (await scene.record()).alarm is None
    await scene.open("b-2", lead=3)
    await scene.only("ada", "b-2")
    await scene.accept("ada", "b-2")
    await scene.later(hours=3.2)
    await scene.no_show("b-2")
    assert await scene.cancel("b-2") == "cancelled"
    assert await sound(scene)


# -- R38: completed ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("R38.a")
async def test_a_completed_visit_is_a_fact_and_is_remembered_between_the_two_r26_r27_r38(scene: Scene) -> None:
    await scene.open(price_cents=4_500, currency="EUR")
    await scene.accept("ada")
    await begun(scene, 55)
    assert await scene.complete() == "completed"
    visit = (NOON + 4 * HOUR, NOON + 5 * HOUR)
    fact = Service(p=scene.numbers["ada"], b=1, at=scene.now, client=1, start=visit[0], end=visit[1], price=4_500, currency="EUR")
    assert await scene.facts() == [fact]
    assert await scene.items("ada") == []
    assert (await scene.heard("ada"))[-1] == "booking completed"
    assert await scene.store.acquaintances.served(scene.market, scene.numbers["ada"], 1)
    assert await scene.store.acquaintances.known_to(scene.market, 1) == {scene.numbers["ada"]: scene.now}
    assert await scene.redis.hget(f"{{{scene.market}}}:p:{scene.numbers['ada']}", "done") == b"1"
    assert await sound(scene)


async def test_a_visit_is_not_completed_before_it_begins_r38(scene: Scene) -> None:
    await won(scene)
    with pytest.raises(Unprocessable) as refused:
        await scene.complete()
    assert refused.value.code == "too_early"
    await begun(scene, 0)
    assert await scene.complete() == "completed"


async def test_what_nobody_won_is_not_completed_r38(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Conflict, match="searching"):
        await scene.complete()


@pytest.mark.proves("R2.g")
async def test_the_travel_gap_holds_after_a_visit_that_was_short_r2_r38(scene: Scene) -> None:
    await scene.settings(booking_cutoff_s=0)
    await won(scene)
    await begun(scene, 20)
    await scene.complete()
    for minutes, free in ((15, False), (29, False), (30, True)):
        assert ("ada" in await scene.candidates(lead=1, now=NOON + 4 * HOUR + minutes * MINUTE)) is free
    assert await sound(scene)


@pytest.mark.parametrize("fact", ["complete", "no_show", "late"])
async def test_a_fact_that_is_told_twice_is_one_p4(scene: Scene, fact: str) -> None:
    await won(scene)
    await begun(scene, 6)
    first = await getattr(scene, fact)(rid="r")
    before = everything(scene.redis_url, scene.market)
    assert await getattr(scene, fact)(rid="r") == first
    assert everything(scene.redis_url, scene.market) == before


# -- R29: a blacklisted client ----------------------------------------------------------------------------------------


async def blacklist(scene: Scene) -> None:
    await scene.desk.put_block(scene.market, "c-1", "does not pay")


@pytest.mark.proves("R29.b")
async def test_his_open_bookings_are_called_off_whatever_their_number_r29(scene: Scene) -> None:
    for number in range(45):
        await scene.open(f"b-{number}", lead=3 + number)
    await scene.open("b-other", client_id="c-2")
    await blacklist(scene)
    states = {(await scene.record(f"b-{number}")).state for number in range(45)}
    assert (states, (await scene.record("b-other")).state) == ({"cancelled"}, "searching")
    assert "withdrawn cancelled" in await scene.heard("ada")
    assert all((event.by, event.blocked) == ("ops", True) for event in await scene.events("Cancelled"))
    assert await sound(scene)


@pytest.mark.proves("R25.b", "R29.a")
async def test_he_cannot_book_nor_move_what_he_booked_r29(scene: Scene) -> None:
    await won(scene)
    await blacklist(scene)
    for call in (scene.open("b-2", lead=8), scene.move(lead=8)):
        with pytest.raises(Unprocessable) as refused:
            await call
        assert refused.value.code == "blocked"


@pytest.mark.proves("R29.c")
async def test_those_who_hold_visits_of_his_are_told_once_and_may_cancel_free_r23_r29(scene: Scene) -> None:
    await won(scene)
    await blacklist(scene)
    await blacklist(scene)
    notices = [m for m in await scene.told("ada") if m["type"] == "notice"]
    assert [(m["kind"], m["booking_id"]) for m in notices] == [("client_blocked", "b-1")]
    assert (await scene.record()).state == "accepted"
    assert await scene.give_back("ada") == "done"
    assert (await scene.record()).state == "cancelled", "nobody searches for somebody who may not book"
    assert await scene.facts() == [Cancellation(p=scene.numbers["ada"], b=1, at=NOON, early=4 * HOUR, free=True)]
    assert await sound(scene)


@pytest.mark.proves("R29.c")
async def test_it_stays_free_when_the_client_is_taken_off_the_list_after_he_was_told_r29(scene: Scene) -> None:
    await won(scene)
    await blacklist(scene)
    await scene.desk.delete_block(scene.market, "c-1")
    await scene.give_back("ada")
    assert (await scene.record()).state == "searching"
    assert [fact.free for fact in await scene.facts()] == [True]


async def test_a_visit_that_has_begun_is_not_free_to_cancel_r29(scene: Scene) -> None:
    await won(scene)
    await begun(scene, 0)
    await blacklist(scene)
    assert "notice" not in await scene.heard("ada")


# -- R25: reports -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("R25.a")
async def test_a_report_is_kept_where_it_can_be_erased_and_told_without_its_words_r25_p14b(scene: Scene) -> None:
    await scene.settings(webhook={"url": "https://example.org/x", "secret": "whsec_" + "A" * 24})
    await scene.open()
    assert await scene.report("ada", reason="the address of my neighbour Zoé") == "done"
    (event,) = await scene.events("Reported")
    assert (event.p, event.client) == (scene.numbers["ada"], 1)
    dumps = everything(scene.redis_url, scene.market)
    assert [name for name, dump in dumps.items() if b"neighbour" in dump] == ["bw:1"]
    (sent,) = await scene.store.outbox.due(10)
    assert sent.type == "proposal.reported"
    face = await scene.desk.booking(scene.market, "b-1")
    assert [(one["provider_id"], one["reason"]) for one in face["reports"]] == [("ada", "the address of my neighbour Zoé")]
    assert (await scene.states())["ada"] == "open", "a report answers nothing"


async def test_a_report_repeated_is_one_and_of_what_he_was_not_asked_none_p4(scene: Scene) -> None:
    await scene.open()
    assert [await scene.report("ada", id="p") for _ in range(2)] == ["done", "done"]
    assert len(await scene.events("Reported")) == 1
    assert await scene.report("dan") == "not_asked"
    assert await sound(scene)


async def test_whoever_held_it_can_report_it_afterwards_r25(scene: Scene) -> None:
    await won(scene)
    await begun(scene, 55)
    await scene.complete()
    assert await scene.report("ada") == "done"
