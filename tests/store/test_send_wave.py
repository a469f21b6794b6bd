"""Turns of a plan: who is asked, whose seat is given away, and that nobody acts on what he knew (R12-R14; P3, P6)."""

from typing import Any

import pytest

from dispatch import waves
from dispatch.store import Record, closing, sending
from tests.store.scene import HOUR, MINUTE, NOON, Scene
from tests.store.soundness import faults

SLOW = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 3600}]}


async def decided(scene: Scene, booking_id: str = "b-1") -> tuple[Record, waves.Step]:
    """A booking as a worker reads it now, and what he decides."""
    record = await scene.record(booking_id)
    market = await scene.desk.market(scene.market)
    return record, waves.next_step(market.settings, record.search(), market.now)


async def acted(scene: Scene, record: Record, step: waves.Step) -> str:
    """The store's word when he acts on it."""
    turn = closing(record.no, record.rev) if step.close else sending(record, step, minute=0, ready=0)
    return str((await scene.take(turn))["word"])


# -- whoever is late acts in vain -------------------------------------------------------------------------------------


async def _refuse(scene: Scene) -> None:
    await scene.refuse("ada")


async def _accept(scene: Scene) -> None:
    await scene.accept("ada")


async def _win_elsewhere(scene: Scene) -> None:
    await scene.accept("ada", "b-2")


async def _cancel(scene: Scene) -> None:
    await scene.cancel()


async def _win_and_give_back(scene: Scene) -> None:
    await scene.accept("ben")
    await scene.cancel(by="provider")


async def _block(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _retire(scene: Scene) -> None:
    await scene.provider("ada", status="inactive", reachable=False)


async def _turn(scene: Scene) -> None:
    await scene.settle()


async def _receive(scene: Scene) -> None:
    await scene.receive("ada")


@pytest.mark.parametrize(
    ("meanwhile", "word"),
    [
        (_refuse, "STALE"),
        (_accept, "STALE"),
        (_win_elsewhere, "STALE"),
        (_cancel, "STALE"),
        (_win_and_give_back, "STALE"),
        (_block, "STALE"),
        (_retire, "STALE"),
        (_turn, "STALE"),
        (_receive, "SENT"),  # it came after the grace: the seat may go
    ],
)
@pytest.mark.parametrize("after_s", [20, 180, 600])
async def test_a_worker_who_acts_on_what_he_knew_changes_nothing(scene: Scene, meanwhile: Any, word: str, after_s: int) -> None:
    """A fill, the next wave, and the end of live times: each decided before something happened, and sent after it."""
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=4.25)
    await scene.later(seconds=after_s)
    known = await decided(scene)
    await meanwhile(scene)
    timer = (await scene.timers()).get(1)
    assert await acted(scene, *known) == word
    assert word != "STALE" or (await scene.timers()).get(1) == timer, "a timer that was set meanwhile is kept"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_of_two_workers_one_sends_p6(scene: Scene) -> None:
    await scene.open()
    await scene.later(minutes=3)
    first, second = await decided(scene), await decided(scene)
    assert [await acted(scene, *first), await acted(scene, *second)] == ["SENT", "STALE"]
    assert await scene.gauge("count.waves") == 2


async def test_a_worker_who_is_late_does_not_close_what_was_taken_p1(scene: Scene) -> None:
    await scene.open()
    await scene.later(hours=3)
    known = await decided(scene)
    assert known[1].close
    await scene.at(scene.now - 1)
    await scene.accept("ada")
    await scene.later(seconds=1)
    assert await acted(scene, *known) == "STALE"
    assert (await scene.record()).state == "accepted"


async def test_nobody_closes_before_the_deadline_p3(scene: Scene) -> None:
    await scene.open()
    await scene.later(hours=2, minutes=59, seconds=59)
    record = await scene.record()
    assert (await scene.take(closing(record.no, record.rev)))["word"] == "EARLY"
    await scene.later(seconds=1)
    assert (await scene.take(closing(record.no, record.rev)))["word"] == "CLOSED"
    assert (await scene.take(closing(record.no, record.rev)))["word"] == "STALE"


@pytest.mark.parametrize("bno", [1, 77])
async def test_a_timer_of_nothing_is_removed(scene: Scene, bno: int) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.redis.zadd(f"{{{scene.market}}}:due", {str(bno): scene.now})
    assert await scene.settle() is None
    assert await scene.timers() == {}


# -- waves ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R12.a", "R12.b")
async def test_the_next_wave_leaves_when_its_pause_is_over_and_not_before_r12_p6(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.receive(name)
    await scene.at(NOON + 3 * MINUTE - 1)
    assert await scene.settle() == NOON + 3 * MINUTE
    assert "dan" not in await scene.states()
    await scene.later(seconds=0.001)
    await scene.settle()
    assert await scene.states() == {"ada": "open", "ben": "open", "cleo": "open", "dan": "open"}
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_lateness_counts_from_when_it_was_due_and_somebody_could_send_it_p6(scene: Scene) -> None:
    await scene.settings(**SLOW)
    await scene.open()
    await scene.receive("ada")
    await scene.later(hours=1, seconds=2)
    record, step = await decided(scene)
    ready = scene.now - 500
    reply = await scene.take(sending(record, step, minute=0, ready=ready))
    assert (reply["word"], reply["late"]) == ("SENT", 500)
    sent = [event for event in await scene.store.bookings.timeline(scene.market, 1) if event["type"] == "WaveSent"][-1]
    assert (sent["due"], sent["ready"], sent["late"]) == (NOON + HOUR, ready, 500)


async def test_nobody_left_to_ask_is_no_wave(scene: Scene) -> None:
    await scene.settings(**SLOW)
    await scene.provider("dan", status="inactive")
    await scene.open()
    for hours, names in ((1, ["ada", "ben"]), (2, ["ada", "ben", "cleo"]), (2.9, ["ada", "ben", "cleo"])):
        await scene.at(NOON + round(hours * HOUR))
        await scene.settle()
        assert list(await scene.states()) == names
    record = await scene.record()
    assert (record.wave, await scene.gauge("count.waves")) == (3, 3)


@pytest.mark.proves("R2.l")
async def test_a_provider_is_asked_once_in_a_round_whatever_he_answered_r2(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    for minutes in range(3, 170, 3):
        await scene.at(NOON + minutes * MINUTE)
        await scene.settle()
    asked = [pno for event in await scene.store.bookings.timeline(scene.market, 1) for pno in event.get("asked", ())]
    assert sorted(asked) == sorted(scene.numbers.values())


@pytest.mark.proves("R2.k")
async def test_one_with_as_many_proposals_as_he_may_have_is_not_asked_until_one_is_over_r2(scene: Scene) -> None:
    await scene.settings(open_proposals_cap=2)
    for number in range(3):
        await scene.open(f"b-{number}", lead=3 + number)
    assert [list(await scene.states(f"b-{number}")) for number in range(3)] == [
        ["ada", "ben", "cleo"],
        ["ada", "ben", "dan"],
        ["cleo", "dan"],
    ]
    await scene.refuse("ada", "b-0")
    await scene.open("b-3", lead=5.5)
    assert list(await scene.states("b-3")) == ["ada"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R2.k")
async def test_a_cap_that_is_lowered_or_raised_binds_at_once_r2(scene: Scene) -> None:
    await scene.open("b-1", lead=3)
    await scene.settings(open_proposals_cap=1)
    assert await scene.candidates(lead=12) == ["dan"]
    await scene.settings(open_proposals_cap=2)
    assert len(await scene.candidates(lead=12)) == 4
    assert await faults(scene.store, scene.market, scene.redis_url) == []


# -- R13 --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R13.a")
async def test_the_last_no_brings_the_next_wave_in_the_same_look_of_a_worker_r13(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=5)
    for name in ("ada", "ben"):
        await scene.refuse(name)
    assert await scene.settle() == NOON + 20_000, "one is still thinking"
    await scene.refuse("cleo")
    assert (await scene.timers())[1] == scene.now
    await scene.turn()
    assert (await scene.states())["dan"] == "open"
    sent = [event for event in await scene.store.bookings.timeline(scene.market, 1) if event["type"] == "WaveSent"][-1]
    assert (sent["wave"], sent["kind"], sent["due"], sent["late"]) == (2, "wave", NOON + 5_000, 0)


async def test_a_no_after_the_grace_of_the_others_brings_the_next_wave_r13_r14(scene: Scene) -> None:
    await scene.open()
    await scene.receive("ada")
    for name in ("dan", "cleo"):
        await scene.disconnect(name)
    await scene.later(seconds=20)
    await scene.settle()
    assert await scene.states() == {"ada": "open", "ben": "replaced", "cleo": "replaced"}
    await scene.connect("dan")
    await scene.refuse("ada")
    await scene.settle()
    assert (await scene.states())["dan"] == "open"
    assert (await scene.record()).wave == 2


async def test_a_no_that_found_nobody_does_not_keep_the_worker_busy_r13(scene: Scene) -> None:
    await scene.disconnect("dan")
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    due = await scene.settle()
    assert due is not None
    assert due > scene.now
    assert (await scene.record()).paced_at == scene.now


# -- R12b, R14 --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R14.b", "R14.c")
async def test_the_seat_of_the_undelivered_goes_to_the_next_and_he_may_still_accept_r14(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben"):
        await scene.receive(name)
    await scene.later(seconds=20)
    await scene.settle()
    assert await scene.states() == {"ada": "open", "ben": "open", "cleo": "replaced", "dan": "open"}
    assert (await scene.record()).wave == 1
    assert await scene.gauge("count.fills") == 1
    assert await scene.accept("cleo") == "won"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R12b.a", "R12b.b")
async def test_what_is_live_counts_for_the_cap_and_what_is_stale_does_not_r12b(scene: Scene) -> None:
    await scene.open()
    await scene.receive("ada")
    assert (await scene.desk.provider(scene.market, "ada"))["live_proposals"] == 1
    await scene.later(minutes=10)
    await scene.settle()
    assert (await scene.states())["ada"] == "stale"
    assert (await scene.desk.provider(scene.market, "ada"))["live_proposals"] == 0
    assert await scene.items("ada") == ["1.1.1"]
    faded = [event for event in await scene.store.bookings.timeline(scene.market, 1) if event["type"] == "Faded"]
    assert {event["p"]: event["delivered"] for event in faded}[scene.numbers["ada"]] is True
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_one_who_went_stale_after_his_seat_was_given_away_is_not_counted_twice_r14(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=20)
    await scene.settle()
    await scene.receive("ada")
    await scene.later(minutes=11)
    await scene.settle()
    assert (await scene.states())["ada"] == "stale"
    assert await scene.refuse("ada") == "done"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


# -- a travel gap that changes while waves are sent -------------------------------------------------------------------


async def test_nobody_is_sent_a_proposal_without_windows_when_the_travel_gap_has_just_grown(scene: Scene) -> None:
    """The settings are written first, the index follows: meanwhile it may name somebody whose every window is too near to a visit."""
    await scene.settings(travel_gap_s=0)
    await scene.open("b-1", lead=5)
    await scene.accept("ada", "b-1")
    await scene.redis.hset(f"{{{scene.market}}}:market", "gap", 7_200_000)
    await scene.open("b-2", leads=(6, 6.25))
    for name, pno in scene.numbers.items():
        proposal = (await scene.record("b-2")).proposals.get(pno)
        assert proposal is None or proposal.windows, name
    assert await scene.accept("ada", "b-2") in ("not_asked", "overlap")
