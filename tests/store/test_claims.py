"""Claims: who wins, what the others are told, and what a repeat is answered (R11, R15, R20; P1, P3, P4, P7)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch.errors import BadRequest
from dispatch.store import Marks, Store
from dispatch.store.calls import Calls, make_redis
from tests.store.scene import HOUR, NOON, Scene, everything
from tests.store.soundness import faults

CROWD = 100
WIDE = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 50, "pause_s": 1}]}


async def crowd(scene: Scene) -> list[str]:
    """A hundred providers who all hold a proposal of the booking b-1."""
    names = [f"p-{number:03}" for number in range(CROWD)]
    await scene.settings(**WIDE)
    for name in names:
        await scene.provider(name, hours="24/7")
    await scene.open(services=["cut"])
    await scene.later(seconds=1)
    await scene.settle()
    await scene.later(seconds=1)
    await scene.settle()
    return [name for name, state in (await scene.states()).items() if state == "open"]


async def race(scene: Scene, names: list[str], claim: Callable[[Any, str], Awaitable[str]]) -> dict[str, str]:
    """Everybody claims at once, on a connection of his own that is open already; what each was told."""
    pools = [make_redis(scene.redis_url, connections=len(names)) for _ in range(4)]
    lanes = [pools[number % len(pools)] for number in range(len(names))]
    await asyncio.gather(*(redis.ping() for redis in lanes))
    told = await asyncio.gather(*(claim(redis, name) for redis, name in zip(lanes, names, strict=True)))
    for pool in pools:
        await pool.aclose()
    return dict(zip(names, told, strict=True))


# -- P1: one winner ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("R15.a", "R15.b")
async def test_of_a_hundred_who_accept_at_once_on_several_connections_one_wins_and_each_other_is_told_once_p1(scene: Scene) -> None:
    names = await crowd(scene)
    assert len(names) >= CROWD
    record = await scene.record()

    async def claim(redis: Any, name: str) -> str:
        calls = Calls(redis, scene.store.clock)
        mine = scene.proposal(name, record)
        return str((await Store(calls, calls).claims.accept(scene.market, scene.numbers[name], f"tap-{name}", mine, 1))["outcome"])

    outcomes = await race(scene, names, claim)
    assert Counter(outcomes.values()) == {"won": 1, "lost": len(names) - 1}
    (winner,) = [name for name, outcome in outcomes.items() if outcome == "won"]
    assert (await scene.record()).winner == scene.numbers[winner]
    for name in names:
        heard = await scene.heard(name)
        assert heard == (
            ["proposal", "withdrawn answered_elsewhere", "booking accepted"] if name == winner else ["proposal", "withdrawn taken"]
        )
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_the_same_race_with_a_naive_claim_has_many_winners(scene: Scene) -> None:
    """The control: reading first and writing then, as one would without thinking, sells the booking several times in this very race."""
    names = await crowd(scene)
    slot = f"{{{scene.market}}}:naive"

    async def claim(redis: Any, name: str) -> str:
        if await redis.hget(slot, "winner"):
            return "lost"
        await redis.hset(slot, "winner", name)
        return "won"

    assert Counter((await race(scene, names, claim)).values())["won"] > 1


async def test_a_double_tap_wins_once_whatever_ids_the_taps_have_p1_p4(scene: Scene) -> None:
    await scene.open()
    taps = [scene.accept("ada", id=id_) for id_ in ("same", "same", "other", "same")]
    assert Counter(await asyncio.gather(*taps)) == {"won": 3, "already_yours": 1}
    assert (await scene.story()).count("Accepted") == 1


async def test_the_winner_gets_the_whole_booking_and_the_losers_nothing_of_it_r15(scene: Scene) -> None:
    await scene.open(note="third floor", place={"lat": 48.861, "lng": 2.341, "address": "1 rue de Rivoli"})
    won = await scene.accepted("ada")
    lost = await scene.accepted("ben")
    assert won["booking"]["place"] == {"lat_e6": 48_861_000, "lng_e6": 2_341_000, "address": "1 rue de Rivoli"}
    assert (won["booking"]["client"], won["booking"]["note"]) == ({"client_id": "c-1"}, "third floor")
    assert won["booking"]["state"] == "accepted"
    assert "booking" not in lost
    assert "Rivoli" not in str(await scene.told("ben"))


# -- who may not win, and why -----------------------------------------------------------------------------------------


async def _taken(scene: Scene) -> None:
    await scene.accept("ben")


async def _cancelled(scene: Scene) -> None:
    await scene.cancel()


async def _won_and_cancelled(scene: Scene) -> None:
    await scene.accept("ada")
    await scene.cancel()


async def _gave_back(scene: Scene) -> None:
    await scene.accept("ada")
    await scene.cancel(by="provider")


async def _expired(scene: Scene) -> None:
    await scene.later(hours=3)
    await scene.settle()


async def _due(scene: Scene) -> None:
    await scene.later(hours=3)


async def _refused(scene: Scene) -> None:
    await scene.refuse("ada")


async def _barred(scene: Scene) -> None:
    await scene.provider("ada", status="inactive", reachable=False)


async def _blocked(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _busy(scene: Scene) -> None:
    await scene.open("b-2", lead=4.5)
    await scene.accept("ada", "b-2")


@pytest.mark.proves("R15.a")
@pytest.mark.parametrize(
    ("before", "outcome", "state"),
    [
        (_taken, "lost", "withdrawn taken"),
        (_cancelled, "cancelled", "withdrawn cancelled"),
        (_won_and_cancelled, "cancelled", "accepted"),
        (_gave_back, "cancelled", "withdrawn cancelled"),
        (_expired, "expired", "expired expired"),
        (_due, "expired", "open"),  # the worker has not closed it yet: the deadline holds all the same
        (_refused, "not_asked", "refused"),
        (_barred, "not_asked", "withdrawn ops"),
        (_blocked, "not_asked", "withdrawn ops"),
        (_busy, "overlap", "withdrawn overlap"),
    ],
)
async def test_an_accept_that_comes_too_late_is_told_why_r15(scene: Scene, before: Any, outcome: str, state: str) -> None:
    await scene.open()
    await before(scene)
    assert await scene.accept("ada") == outcome
    assert (await scene.states())["ada"] == state
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize(
    "proposal",
    ["1.1.4", "1.2.1", "99.1.1", "0.0.1", "", "1.1", "1.1.1.1", "a.b.c", "-1.1.1", "1.1.1 ", "9" * 60 + ".1.1", "é.1.1"],
)
async def test_a_proposal_that_is_not_his_names_no_booking(scene: Scene, proposal: str) -> None:
    """Also those of another round, of another provider, and what no server ever wrote."""
    await scene.open()
    answer = await scene.store.claims.accept(scene.market, scene.numbers["ada"], "x", proposal, 1)
    assert answer == {"type": "result", "id": "x", "outcome": "not_asked", "proposal": proposal}
    assert (await scene.record()).state == "searching"


async def test_an_accept_of_a_former_version_is_a_conflict(scene: Scene) -> None:
    await scene.open(leads=(3, 9))
    await scene.later(hours=2)
    await scene.settle()
    assert (await scene.record()).version == 2
    assert await scene.accept("ada", version=1) == "version_conflict"
    assert await scene.accept("ada", version=2) == "won"


async def test_a_window_that_was_not_shown_is_no_answer_and_leaves_the_id_free(scene: Scene) -> None:
    await scene.open(leads=(4, 6))
    for window in (2, 4, -1):
        with pytest.raises(BadRequest, match="window"):
            await scene.accept("ada", id="x", window=window)
    assert await scene.accept("ada", id="x", window=1) == "won"
    assert (await scene.record()).window == 1


async def test_an_index_counts_the_windows_that_were_shown_to_him(scene: Scene) -> None:
    """He works in the afternoon only: his window 0 is the booking's second."""
    await scene.provider("eve", hours="Mo-Su 18:00-23:00", initial_rank={"tier": "premier", "score": 9})
    await scene.open(leads=(4, 7))
    (proposal,) = [m for m in await scene.told("eve") if m["type"] == "proposal"]
    assert proposal["booking"]["windows"] == [{"start": NOON + 7 * HOUR, "end": NOON + 8 * HOUR}]
    assert await scene.accept("eve", window=0) == "won"
    assert (await scene.record()).window == 1


@pytest.mark.proves("R11.d")
async def test_a_window_whose_search_is_over_cannot_be_won_while_a_later_one_can_r11(scene: Scene) -> None:
    await scene.open(leads=(3, 6))
    await scene.later(hours=2)  # nobody has looked yet
    assert await scene.accept("ada", window=0) == "expired"
    assert await scene.accept("ada", window=1) == "won"


@pytest.mark.proves("R12b.b")
async def test_a_stale_proposal_can_still_be_accepted_while_the_booking_searches_r12b(scene: Scene) -> None:
    await scene.open()
    await scene.receive("ada")
    await scene.later(minutes=11)
    await scene.settle()
    assert (await scene.states())["ada"] == "stale"
    assert await scene.accept("ada") == "won"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_one_whose_settings_are_just_being_replaced_can_win(scene: Scene) -> None:
    """An import or a long PUT marks him as loading for some calls; his proposals stand."""
    await scene.open()
    await scene.redis.hset(f"{{{scene.market}}}:p:{scene.numbers['ada']}", "status", "loading")
    assert await scene.accept("ada") == "won"


# -- P4: repeats ------------------------------------------------------------------------------------------------------


async def test_a_repeat_gets_the_same_answer_and_changes_nothing_even_when_the_world_moved_on_p4(scene: Scene) -> None:
    await scene.open()
    won = await scene.accepted("ada", id="yes")
    lost = await scene.accepted("ben", id="yes")  # ids are each provider's own
    await scene.refuse("cleo", id="no")
    await scene.cancel(by="provider")
    await scene.settle()
    before = everything(scene.redis_url, scene.market)
    assert await scene.accepted("ada", id="yes") == won
    assert await scene.accepted("ben", id="yes") == lost
    assert await scene.refuse("cleo", id="no") == "done"
    assert everything(scene.redis_url, scene.market) == before


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"window": 0}, {"window": 1}),
        ({"version": 1}, {"version": 2}),
        ({"booking_id": "b-1"}, {"booking_id": "b-2"}),
    ],
)
async def test_the_same_id_with_other_content_is_a_bad_request_p4(scene: Scene, first: Any, then: Any) -> None:
    await scene.open("b-1", leads=(4, 6))
    await scene.open("b-2", leads=(8, 10))
    await scene.accept("ada", **{"booking_id": "b-1", **first}, id="x")
    before = everything(scene.redis_url, scene.market)
    with pytest.raises(BadRequest, match="other content"):
        await scene.accept("ada", **{"booking_id": "b-1", **then}, id="x")
    assert everything(scene.redis_url, scene.market) == before


async def test_an_id_used_to_refuse_cannot_accept_p4(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada", id="x", reason="too far")
    for again in (scene.accept("ada", id="x"), scene.refuse("ada", id="x"), scene.refuse("ada", id="x", reason="ill")):
        with pytest.raises(BadRequest):
            await again
    assert await scene.refuse("ada", id="x", reason="too far") == "done"


async def test_ids_are_remembered_until_ten_minutes_after_the_visit(scene: Scene) -> None:
    """In wall time of a clock that stands still, for ever; so it is asked with one that runs."""
    await scene.at_wall()
    await scene.open(lead=3)
    await scene.accept("ada", id="x")
    left_ms = await scene.redis.pttl(f"{{{scene.market}}}:r:{scene.numbers['ada']}:x")
    assert 4 * HOUR + 9 * 60_000 < left_ms <= 4 * HOUR + 10 * 60_000
    await scene.store.claims.accept(scene.market, scene.numbers["ada"], "y", "99.1.1", 1)
    assert 9 * 60_000 < await scene.redis.pttl(f"{{{scene.market}}}:r:{scene.numbers['ada']}:y") <= 10 * 60_000


# -- P7: no overlap ---------------------------------------------------------------------------------------------------


async def test_of_two_overlapping_bookings_accepted_at_once_by_one_provider_he_wins_one_p7(scene: Scene) -> None:
    for round_ in range(10):
        one, other = f"b-{round_}a", f"b-{round_}b"
        await scene.open(one, lead=2.5 + round_ * 3)
        await scene.open(other, lead=3 + round_ * 3)
        for name in (one, other):
            assert (await scene.states(name))["ada"] == "open"
        outcomes = await asyncio.gather(scene.accept("ada", one), scene.accept("ada", other))
        assert sorted(outcomes) == ["overlap", "won"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R2.g")
@pytest.mark.parametrize(
    ("gap_min", "apart_min", "outcome"),
    [
        (30, 30, "won"),
        (30, 29, "overlap"),
        (30, 0, "overlap"),
        (30, -30, "overlap"),
        (0, 0, "won"),
        (0, -1, "overlap"),
        (120, 119, "overlap"),
    ],
)
async def test_the_travel_gap_lies_between_two_visits_p7(scene: Scene, gap_min: int, apart_min: int, outcome: str) -> None:
    await scene.settings(travel_gap_s=gap_min * 60)
    await scene.open("b-1", lead=5)
    await scene.open("b-2", lead=6 + apart_min / 60)
    assert await scene.accept("ada", "b-1") == "won"
    assert await scene.accept("ada", "b-2") == outcome


async def test_his_other_proposals_that_overlap_are_withdrawn_and_their_seats_go_to_others_at_once_p7_r13(scene: Scene) -> None:
    await scene.settings(cadence=[{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 3600}])
    for booking_id, lead in (("b-1", 4), ("b-2", 4.5), ("b-3", 9)):
        await scene.open(booking_id, lead=lead)
        await scene.only("ada", booking_id)
    await scene.provider("eve")
    assert await scene.accept("ada", "b-1") == "won"
    assert [(await scene.states(booking_id))["ada"] for booking_id in ("b-1", "b-2", "b-3")] == ["accepted", "withdrawn overlap", "open"]
    assert "withdrawn overlap" in await scene.heard("ada")
    await scene.settle()
    assert (await scene.states("b-2"))["eve"] == "open"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_proposal_with_a_window_that_still_fits_stays(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", leads=(4, 8))
    await scene.accept("ada", "b-1")
    assert (await scene.states("b-2"))["ada"] == "open"
    assert await scene.accept("ada", "b-2", window=0) == "overlap"
    assert await scene.accept("ada", "b-2", window=1) == "won"


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R20.a")
async def test_a_refusal_frees_the_seat_and_costs_nothing_r20(scene: Scene) -> None:
    await scene.open()
    before = await scene.desk.provider(scene.market, "ada")
    assert await scene.refuse("ada", reason="too far") == "done"
    after = await scene.desk.provider(scene.market, "ada")
    assert before | {"live_proposals": 0} == after
    assert (await scene.states())["ada"] == "refused"
    assert await scene.heard("ada") == ["proposal", "withdrawn answered_elsewhere"]
    face = await scene.desk.booking(scene.market, "b-1")
    assert [p["reason"] for p in face["proposals"]] == ["too far", None, None]


@pytest.mark.parametrize(
    ("before", "outcome"),
    [(_refused, "done"), (_taken, "done"), (_cancelled, "done"), (_expired, "done"), (_busy, "done"), (_won_and_cancelled, "not_asked")],
)
async def test_a_refusal_of_what_is_over_is_no_error(scene: Scene, before: Any, outcome: str) -> None:
    await scene.open()
    await before(scene)
    kept = (await scene.states())["ada"]
    assert await scene.refuse("ada") == outcome
    assert (await scene.states())["ada"] == kept


@pytest.mark.proves("R23.a")
async def test_a_winner_cannot_refuse_what_he_won_r23(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    assert await scene.refuse("ada") == "not_asked"
    assert (await scene.record()).winner == scene.numbers["ada"]


@pytest.mark.proves("R20.b")
async def test_whoever_lost_and_whoever_refused_at_that_instant_stand_the_same_r20(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.accept("ben")
    await scene.refuse("cleo")
    faces = [await scene.desk.provider(scene.market, name) for name in ("ben", "cleo")]
    assert faces[0] | {"provider_id": "", "name": ""} == faces[1] | {"provider_id": "", "name": ""}


@pytest.mark.proves("R20.a")
async def test_a_refusal_leaves_nothing_with_him_but_that_he_has_answered_r20(scene: Scene) -> None:
    """No number anywhere in what the store knows of him says that it was a no."""
    await scene.open()
    key = f"{{{scene.market}}}:p:{scene.numbers['ada']}"
    before = dict.fromkeys((b"answered",), b"0") | pairs(await scene.redis.hgetall(key))
    await scene.refuse("ada", reason="too far")
    after = pairs(await scene.redis.hgetall(key))
    changed = {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
    assert changed == {b"live": (b"1", b"0"), b"seq": (b"1", b"2"), b"answered": (b"0", b"1")}


@pytest.mark.proves("R20.a", "R20.c")
async def test_whoever_refuses_keeps_his_turn_r20(scene: Scene) -> None:
    """He was asked at the same moment as those who say nothing, and goes on waiting since then."""
    await scene.open()
    await scene.later(seconds=5)
    assert await scene.candidates(lead=12) == ["dan", "ada", "ben", "cleo"]
    await scene.refuse("ada")
    assert await scene.candidates(lead=12) == ["dan", "ada", "ben", "cleo"]


def pairs(raw: Any) -> dict[bytes, bytes]:
    """HGETALL in either protocol version."""
    return dict(raw) if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))


# -- receipts ---------------------------------------------------------------------------------------------------------


async def test_a_receipt_counts_once_and_what_was_seen_was_received_r22(scene: Scene) -> None:
    await scene.open()
    record = await scene.record()
    await scene.later(seconds=5)
    which = scene.proposal("ada", record)
    claims, ada = scene.store.claims, scene.numbers["ada"]
    assert await claims.receipts(scene.market, [(ada, [], [which])]) == Marks([5_000], [0])
    await scene.later(seconds=5)
    assert await scene.store.claims.receipts(scene.market, [(ada, [which], [which])]) == Marks()
    proposal = (await scene.record()).proposals[ada]
    assert (proposal.received_at, proposal.seen_at) == (NOON + 5_000, NOON + 5_000)
    assert (await scene.story())[2:] == ["Received", "Seen"]


@pytest.mark.parametrize("proposal", ["1.1.2", "1.2.1", "7.1.1", "nonsense", ""])
async def test_a_receipt_for_what_he_was_not_sent_is_ignored(scene: Scene, proposal: str) -> None:
    await scene.open()
    before = everything(scene.redis_url, scene.market)
    assert await scene.store.claims.receipts(scene.market, [(scene.numbers["ada"], [proposal], [proposal])]) == Marks()
    assert everything(scene.redis_url, scene.market) == before


# -- a provider who may not work any more -----------------------------------------------------------------------------


@pytest.mark.proves("R2.a")
async def test_a_provider_put_out_of_service_loses_his_open_proposals_and_keeps_his_visits(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=8)
    await scene.accept("ada", "b-1")
    await scene.provider("ada", status="inactive", reachable=False)
    assert (await scene.states("b-2"))["ada"] == "withdrawn ops"
    assert await scene.items("ada") == ["b-1"]
    assert (await scene.record("b-1")).winner == scene.numbers["ada"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_provider_whose_settings_change_keeps_his_proposals_and_visits(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=8)
    await scene.accept("ada", "b-1")
    await scene.provider("ada", hours="Mo-Su 00:00-01:00", initial_rank={"tier": "premier", "score": 9.9}, reachable=False)
    assert await scene.items("ada") == ["2.1.1", "b-1"]
    assert await scene.accept("ada", "b-2") == "won"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_block_takes_back_his_proposals_of_that_client_alone(scene: Scene) -> None:
    await scene.open("b-1", client_id="c-1", lead=4)
    await scene.open("b-2", client_id="c-2", lead=8)
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")
    assert [(await scene.states(b))["ada"] for b in ("b-1", "b-2")] == ["withdrawn ops", "open"]
