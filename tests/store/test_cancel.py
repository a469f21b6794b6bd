"""Ends and new beginnings: cancelled by whom, with which effect, and what is free again (R35, R36; P3, P4)."""

import asyncio
from typing import Any

import msgspec
import pytest

from dispatch.errors import Conflict, NotFound, Unprocessable
from tests.store.scene import HOUR, MINUTE, NOON, Scene, everything
from tests.store.soundness import faults, strangers


async def _nothing(scene: Scene) -> None:
    await scene.open()


async def _accepted(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")


async def _unfilled(scene: Scene) -> None:
    await scene.open()
    await scene.later(hours=3)
    await scene.settle()


async def _cancelled(scene: Scene) -> None:
    await scene.open()
    await scene.cancel()


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [
        (_nothing, "client", "cancelled"),
        (_nothing, "ops", "cancelled"),
        (_nothing, "provider", None),
        (_accepted, "client", "cancelled"),
        (_accepted, "ops", "cancelled"),
        (_accepted, "provider", "searching"),
        (_unfilled, "client", "cancelled"),
        (_unfilled, "provider", None),
        (_cancelled, "client", None),
        (_cancelled, "provider", None),
    ],
)
async def test_each_state_can_be_cancelled_by_whom_it_can(scene: Scene, before: Any, by: str, after: str | None) -> None:
    await before(scene)
    state = (await scene.record()).state
    if after is None:
        with pytest.raises(Conflict, match=state):
            await scene.cancel(by=by)
    assert after is None or await scene.cancel(by=by) == after
    assert (await scene.record()).state == (after or state)
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_nobody_cancels_what_is_not_there(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.cancel("b-none")


@pytest.mark.proves("R15.b", "R36.a")
async def test_holders_and_the_winner_are_told_r15_r36(scene: Scene) -> None:
    await scene.open("b-1")
    await scene.cancel("b-1")
    assert await scene.heard("ben") == ["proposal", "withdrawn cancelled"]
    await scene.open("b-2")
    await scene.accept("ada", "b-2")
    await scene.cancel("b-2")
    assert (await scene.heard("ada"))[-1] == "booking cancelled"
    assert await scene.items("ada") == []


@pytest.mark.proves("R36.c")
async def test_the_slot_is_free_again_r36(scene: Scene) -> None:
    await scene.open("b-1")
    await scene.accept("ada", "b-1")
    assert "ada" not in await scene.candidates(lead=4.5)
    await scene.cancel("b-1")
    assert "ada" in await scene.candidates(lead=4.5)


@pytest.mark.parametrize("gone", ["b-1", "b-2"])
async def test_what_another_visit_takes_stays_taken_r36(scene: Scene, gone: str) -> None:
    """Two visits with the gap between them: freeing one does not free the gap of the other."""
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=5.5)
    for booking_id in ("b-1", "b-2"):
        assert await scene.accept("ada", booking_id) == "won"
    await scene.cancel(gone)
    for lead in (3, 3.5, 4, 4.5, 5, 5.25, 5.5, 6, 6.5, 7):
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=lead)) == []


@pytest.mark.parametrize("apart", [0, 7, 15, 40])
async def test_odd_minutes_are_given_back_exactly_r36(scene: Scene, apart: int) -> None:
    await scene.provider("ada", hours="Mo-Su 08:05-21:50", reachable=False)
    await scene.open("b-1", lead=4 + apart / 60)
    await scene.only("ada", "b-1")
    await scene.accept("ada", "b-1")
    await scene.cancel("b-1")
    for lead in (2.1, 3, 3.8, 4, 4.13, 5, 5.5, 8.7, 8.9):
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=lead)) == []


async def test_hours_that_changed_meanwhile_are_those_that_are_given_back_p5(scene: Scene) -> None:
    """Somebody read the winner's old hours, he replaced them, and then the visit is cancelled: the old ones must not come back."""
    await scene.open()
    await scene.accept("ada")
    record, ada = await scene.record(), scene.numbers["ada"]
    seen = await scene.store.bookings.holder_version(scene.market, ada)
    await scene.provider("ada", hours="Mo-Su 20:00-23:00", reachable=False)
    late = {"bno": record.no, "rid": "r", "by": "client", "reason": "", "winner": ada, "working": [NOON // 900_000 + 16], "ends": [NOON]}
    assert (await scene.store.bookings.cancel(scene.market, **late, seen=seen))["word"] == "STALE"
    assert (await scene.record()).state == "accepted"
    await scene.cancel()
    assert "ada" not in await scene.candidates(lead=4)


async def test_a_cancellation_and_a_change_of_hours_at_once_leave_the_hours_he_has_now_p5(scene: Scene) -> None:
    settings = await scene.settings_of("ada")
    for number in range(6):
        booking_id, hours = f"b-{number}", ("Mo-Su 20:00-23:00", "24/7")[number % 2]
        await scene.open(booking_id, lead=4)
        assert await scene.only("ada", booking_id) is None
        assert await scene.accept("ada", booking_id) == "won"
        changed = msgspec.structs.replace(settings, hours=hours)
        await asyncio.gather(scene.cancel(booking_id), scene.desk.put_provider(scene.market, "ada", changed))
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=4)) == []
        await scene.provider("ada", reachable=False)


# -- R35: the winner cancels ------------------------------------------------------------------------------------------


@pytest.mark.proves("R17.b", "R35.a")
async def test_the_search_opens_again_at_once_in_the_class_of_the_time_left_r35(scene: Scene) -> None:
    await scene.open(lead=8)
    await scene.accept("ada")
    assert (await scene.record()).urgency == "same_day"
    await scene.later(hours=3)
    assert await scene.cancel(by="provider") == "searching"
    assert await scene.timers() == {1: scene.now}
    await scene.settle()
    record = await scene.record()
    assert (record.state, record.urgency, record.winner, record.window) == ("searching", "last_minute", None, None)
    assert record.deadline == NOON + 8 * HOUR - 15 * MINUTE
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R35.b")
async def test_who_was_asked_is_not_asked_again_r35(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ben")
    await scene.accept("ada")
    await scene.cancel(by="provider")
    await scene.settle()
    assert await scene.states() == {
        "ada": "withdrawn cancelled", "ben": "refused", "cleo": "withdrawn taken", "dan": "open",
    }  # fmt: skip
    assert await scene.accept("dan") == "won"
    assert (await scene.record()).winner == scene.numbers["dan"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_whoever_gave_it_back_is_free_and_told_r35(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.cancel(by="provider")
    assert (await scene.heard("ada"))[-1] == "booking cancelled"
    assert (await scene.items("ada"), "ada" in await scene.candidates(lead=4)) == ([], True)


async def test_a_search_that_opens_again_too_late_ends_as_unfilled_r35_p3(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.later(hours=4)
    await scene.cancel(by="provider")
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    assert (await scene.story())[-2:] == ["Reopened", "Unfilled"]


async def test_a_later_window_is_still_searched_for_after_the_first_has_passed_r11_r35(scene: Scene) -> None:
    await scene.open(leads=(4, 9))
    await scene.accept("ada", window=1)
    await scene.later(hours=5)
    await scene.cancel(by="provider")
    await scene.settle()
    record = await scene.record()
    assert (record.state, record.start, record.deadline) == ("searching", NOON + 9 * HOUR, NOON + 9 * HOUR - 15 * MINUTE)
    assert (await scene.states())["dan"] == "open"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_quiet_hours_bind_a_search_that_opens_again_r12_r35(scene: Scene) -> None:
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    await scene.open(lead=24)
    await scene.accept("ada")
    await scene.at(NOON + 11 * HOUR)
    await scene.cancel(by="provider")
    due = await scene.settle()
    assert due is not None
    assert NOON + 18 * HOUR < due <= NOON + 19 * HOUR + 10 * MINUTE
    assert "open" not in (await scene.states()).values()


# -- P4: once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["client", "provider"])
async def test_a_repeated_cancellation_gets_the_same_answer_and_changes_nothing_p4(scene: Scene, by: str) -> None:
    await scene.open()
    await scene.accept("ada")
    first = await scene.cancel(by=by, rid="r")
    await scene.settle()
    before = everything(scene.redis_url, scene.market)
    assert await scene.cancel(by=by, rid="r") == first
    assert everything(scene.redis_url, scene.market) == before


async def test_a_repeat_after_another_won_does_not_take_it_from_him_p4(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.cancel(by="provider", rid="r")
    await scene.settle()
    await scene.accept("dan")
    assert await scene.cancel(by="provider", rid="r") == "searching"
    assert (await scene.record()).winner == scene.numbers["dan"]


async def test_a_refusal_to_cancel_is_remembered_too_p4(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Conflict):
        await scene.cancel(by="provider", rid="r")
    await scene.accept("ada")
    with pytest.raises(Conflict, match="searching"):
        await scene.cancel(by="provider", rid="r")


async def test_the_same_key_with_another_word_is_a_mismatch_p4(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.cancel(by="provider", rid="r")
    with pytest.raises(Unprocessable) as refused:
        await scene.cancel(by="client", rid="r")
    assert refused.value.code == "idempotency_mismatch"


async def test_of_a_yes_and_a_cancellation_at_once_one_comes_first_and_both_agree(scene: Scene) -> None:
    for number in range(10):
        booking_id = f"b-{number}"
        await scene.open(booking_id, lead=2.5 + 3 * number)
        outcome, state = await asyncio.gather(scene.accept("ada", booking_id), scene.cancel(booking_id))
        assert state == "cancelled"
        assert outcome in ("won", "cancelled")
        assert ((await scene.record(booking_id)).winner is not None) == (outcome == "won")
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_why_it_was_cancelled_is_kept_where_it_can_be_erased_p14b(scene: Scene) -> None:
    await scene.open()
    await scene.cancel(reason="my mother is ill")
    assert (await scene.record()).who["cancel_reason"] == "my mother is ill"
    with_text = [name for name, dump in everything(scene.redis_url, scene.market).items() if b"mother" in dump]
    assert with_text == ["bw:1"]
