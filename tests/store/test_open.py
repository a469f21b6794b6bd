"""Opening: a booking enters whole, once, with its first wave, or not at all (R10-R12, R29; P3, P4)."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest

from dispatch.errors import Conflict, Refused, Unavailable, Unprocessable
from tests.store.scene import DAY, HOUR, MINUTE, NOON, PLACE, Scene, everything
from tests.store.soundness import faults

NIGHT = NOON + 11 * HOUR  # 23:00 in Paris


async def test_a_booking_enters_with_its_first_wave_and_a_timer(scene: Scene) -> None:
    body = await scene.open()
    assert (body["state"], body["urgency"], body["candidates"]) == ("searching", "last_minute", 4)
    assert await scene.states() == {"ada": "open", "ben": "open", "cleo": "open"}
    assert await scene.story() == ["Opened", "WaveSent"]
    assert await scene.timers() == {1: NOON + 20_000}  # the grace of the first wave
    assert [await scene.heard(name) for name in ("ada", "dan")] == [["proposal"], []]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_with_nobody_to_ask_it_searches_all_the_same(scene: Scene) -> None:
    for name in list(scene.numbers):
        await scene.disconnect(name)
    body = await scene.open()
    assert (body["candidates"], body["state"], body["plan"]) == (0, "searching", [])
    record = await scene.record()
    assert (record.wave, record.tried, record.proposals) == (0, True, {})
    assert await scene.timers() == {1: NOON + 20_000}
    await scene.later(minutes=3)
    await scene.settle()
    assert (await scene.record()).paced_at == NOON + 3 * MINUTE
    await scene.connect("dan")
    await scene.later(minutes=3)
    await scene.settle()
    assert await scene.states() == {"dan": "open"}
    assert (await scene.record()).wave == 1
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R12.c")
async def test_in_quiet_hours_the_first_wave_waits_for_their_end_r12(scene: Scene) -> None:
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    await scene.at(NIGHT)
    body = await scene.open(lead=20)
    assert (await scene.states(), await scene.story()) == ({}, ["Opened"])
    (due,) = (await scene.timers()).values()
    assert NIGHT < due <= NIGHT + 8 * HOUR + 10 * MINUTE
    assert body["plan"][0]["at"].startswith("2027-03-13T0")
    for moment in sorted({NIGHT + HOUR, due - 1}):
        await scene.at(moment)
        await scene.settle()
        assert await scene.states() == {}
    due = (await scene.timers())[1]
    await scene.at(due)
    await scene.settle()
    assert list(await scene.states()) == ["ada", "ben"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R12.c")
async def test_a_last_minute_booking_does_not_wait_for_the_morning_r12(scene: Scene) -> None:
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    await scene.at(NIGHT)
    await scene.open(lead=4)
    assert len(await scene.states()) == 3


# -- once -------------------------------------------------------------------------------------------------------------


async def test_the_same_request_opens_one_booking_and_gets_the_same_answer_p4(scene: Scene) -> None:
    first = await scene.open(rid="r")
    before = everything(scene.redis_url, scene.market)
    assert await scene.open(rid="r") == first
    assert everything(scene.redis_url, scene.market) == before


async def test_a_repeat_is_answered_even_when_the_booking_has_long_been_taken_and_cancelled_p4(scene: Scene) -> None:
    first = await scene.open(rid="r")
    await scene.accept("ada")
    await scene.cancel()
    again = await scene.open(rid="r")
    assert {name: again[name] for name in ("booking_id", "urgency", "deadline")} == {
        name: first[name] for name in ("booking_id", "urgency", "deadline")
    }


async def test_a_repeat_after_the_last_moment_to_book_gets_the_answer_that_was_lost_p15(scene: Scene) -> None:
    """The booking entered exactly two hours before its start, the answer did not arrive: it is no use to say `too_late` now."""
    request = scene.request(lead=2)
    first = await scene.desk.open(scene.market, request, "r", False)
    await scene.later(seconds=10)
    again = await scene.desk.open(scene.market, request, "r", False)
    assert (again["booking_id"], again["deadline"], again["state"]) == (first["booking_id"], first["deadline"], "searching")
    with pytest.raises(Unprocessable) as refused:
        await scene.desk.open(scene.market, request, "another", False)
    assert refused.value.code == "too_late"


async def test_the_same_key_with_another_booking_is_a_mismatch_p4(scene: Scene) -> None:
    await scene.open("b-1", rid="r")
    before = everything(scene.redis_url, scene.market)
    with pytest.raises(Unprocessable) as refused:
        await scene.open("b-2", rid="r")
    assert refused.value.code == "idempotency_mismatch"
    assert everything(scene.redis_url, scene.market) == before


async def test_of_many_with_one_id_at_once_one_enters(scene: Scene) -> None:
    async def attempt() -> str:
        try:
            return str((await scene.open("b-1"))["state"])
        except Conflict as error:
            return error.code

    assert Counter(await asyncio.gather(*(attempt() for _ in range(20)))) == {"searching": 1, "duplicate": 19}
    assert await scene.gauge("count.opened") == 1


async def test_of_many_with_one_key_at_once_one_enters_and_all_hear_of_it_p4(scene: Scene) -> None:
    answers = await asyncio.gather(*(scene.open("b-1", rid="r") for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert await scene.gauge("count.opened") == 1


# -- not at all -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R10.a")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lead": 1.99}, "too_late"),
        ({"leads": (1.99, 30)}, "too_late"),
        ({"services": ["massage"]}, "unknown_service"),
        ({"leads": (4, 4)}, "bad_window"),
        ({"lead": 24 * 7}, "bad_window"),  # beyond the horizon of six days
        ({"place": {"lat": 43.3, "lng": 5.4}}, "outside_market"),
        ({"preferred_provider_id": "ada"}, "not_served"),
        ({"override": {"reason": "VIP"}}, "forbidden"),
    ],
)
async def test_what_is_refused_leaves_nothing_behind_r10(scene: Scene, changes: dict[str, Any], code: str) -> None:
    before = everything(scene.redis_url, scene.market)
    with pytest.raises(Refused) as refused:
        await scene.open(**changes)
    assert refused.value.code == code
    assert everything(scene.redis_url, scene.market) == before


@pytest.mark.proves("R10.a")
async def test_exactly_two_hours_before_is_in_time_r10(scene: Scene) -> None:
    assert (await scene.open(lead=2))["state"] == "searching"


@pytest.mark.proves("R10.b")
@pytest.mark.parametrize(("lead_min", "search_min"), [(90, 30), (50, 35), (10, 10)])
async def test_ops_book_later_and_the_search_has_what_time_there_is_r10(scene: Scene, lead_min: int, search_min: int) -> None:
    await scene.open(lead=lead_min / 60, ops=True, override={"reason": "asked for by phone"})
    record = await scene.record()
    assert (record.state, record.deadline) == ("searching", NOON + search_min * MINUTE)
    assert len(record.proposals) == 3
    opened = (await scene.store.bookings.timeline(scene.market, 1))[0]
    assert opened["override"] is True
    assert record.who["override"] == "asked for by phone"


@pytest.mark.proves("R25.b", "R29.a")
async def test_a_client_on_the_blacklist_cannot_book_r29(scene: Scene) -> None:
    await scene.desk.put_block(scene.market, "c-1", "did not pay")
    with pytest.raises(Unprocessable) as refused:
        await scene.open()
    assert refused.value.code == "blocked"
    assert (await scene.timers(), await scene.gauge("count.opened")) == ({}, 0)
    await scene.desk.delete_block(scene.market, "c-1")
    assert (await scene.open())["state"] == "searching"


@pytest.mark.proves("R2.h")
async def test_a_provider_blocked_with_the_client_is_not_asked_r2(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")
    assert (await scene.open())["candidates"] == 3
    assert list(await scene.states()) == ["ben", "cleo", "dan"]


# -- several windows --------------------------------------------------------------------------------------------------


async def test_zones_of_many_corners_do_not_hold_the_store_up(scene: Scene) -> None:
    """What one call looks at is bounded: beyond it, whoever is in doubt is left out."""
    turns = [math.tau * corner / 500 for corner in range(500)]
    ring = [(PLACE["lng"] + 0.01 * math.cos(turn), PLACE["lat"] + 0.01 * math.sin(turn)) for turn in turns]
    for number in range(20):
        await scene.provider(f"p-{number}", zone={"type": "polygon", "coordinates": ring})
    asked = await scene.candidates()
    assert 10 <= sum(name.startswith("p-") for name in asked) <= 12


@pytest.mark.proves("R11.c")
async def test_class_and_deadline_follow_the_earliest_start_r11(scene: Scene) -> None:
    body = await scene.open(leads=(30, 5, 9))
    record = await scene.record()
    assert (body["urgency"], record.start, record.deadline) == ("last_minute", NOON + 5 * HOUR, NOON + 4 * HOUR)
    assert record.ends == (NOON + 24 * HOUR, NOON + 4 * HOUR, NOON + 8 * HOUR)


@pytest.mark.proves("R2.n", "R11.b")
async def test_each_is_shown_only_the_windows_that_fit_him_r2(scene: Scene) -> None:
    await scene.provider("ada", hours="Mo-Su 12:00-18:00", reachable=False)
    await scene.open(leads=(30, 4, 9))
    shown = {name: (await scene.told(name))[0]["booking"]["windows"] for name in ("ada", "ben")}
    assert [(window["start"] - NOON) // HOUR for window in shown["ada"]] == [4]
    assert [(window["start"] - NOON) // HOUR for window in shown["ben"]] == [30, 4, 9]


@pytest.mark.proves("R11.d")
async def test_a_window_under_its_deadline_is_dropped_and_holders_are_told_r11(scene: Scene) -> None:
    await scene.provider("ada", hours="Mo-Su 12:00-18:00", reachable=False)
    await scene.open(leads=(4, 9))
    await scene.later(hours=3)
    assert await scene.settle() is not None
    record = await scene.record()
    assert (record.state, record.version, record.start, record.deadline) == ("searching", 2, NOON + 9 * HOUR, NOON + 8 * HOUR)
    assert [window.start for window in record.windows] == [NOON + 9 * HOUR]
    assert (await scene.states())["ada"] == "expired expired"
    told = (await scene.told("ben"))[-1]
    assert (told["type"], told["version"], told["expires_at"]) == ("proposal", 2, NOON + 8 * HOUR)
    assert told["booking"]["windows"] == [{"start": NOON + 9 * HOUR, "end": NOON + 10 * HOUR}]
    assert "WindowsDropped" in await scene.story()
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    assert await scene.accept("ben") == "won"
    assert (await scene.record()).window == 0


@pytest.mark.proves("R11.d", "R17.a")
async def test_after_the_last_window_the_booking_is_unfilled_r11_r17(scene: Scene) -> None:
    await scene.open(leads=(9, 4, 6))
    for hours, kept in ((3, (9, 6)), (5, (9,))):
        await scene.at(NOON + hours * HOUR)
        await scene.settle()
        assert tuple((window.start - NOON) // HOUR for window in (await scene.record()).windows) == kept
        assert await faults(scene.store, scene.market, scene.redis_url) == []
    await scene.at(NOON + 8 * HOUR)
    assert await scene.settle() is None
    assert (await scene.record()).state == "unfilled"
    assert (await scene.story())[-4:].count("WindowsDropped") == 0


async def test_those_who_had_only_the_dropped_window_make_room_for_others_at_once_r11_r13(scene: Scene) -> None:
    for name in ("ada", "ben", "cleo"):
        await scene.provider(name, hours="Mo-Su 12:00-17:00", reachable=False)
    await scene.open(leads=(4, 9))
    for name in ("ada", "ben", "cleo"):
        await scene.receive(name)
    await scene.at(NOON + 2 * HOUR)
    await scene.settle()
    await scene.provider("eve")
    await scene.at(NOON + 3 * HOUR)
    await scene.settle()
    assert (await scene.states())["eve"] == "open"


# -- what happens to the rest -----------------------------------------------------------------------------------------


async def test_what_is_erasable_stands_in_one_record_p14b(scene: Scene) -> None:
    await scene.open(note="ring twice", place={"lat": 48.86, "lng": 2.34, "address": "1 rue de Rivoli"})
    with_text = [name for name, dump in everything(scene.redis_url, scene.market).items() if b"Rivoli" in dump]
    assert with_text == ["bw:1"]


async def test_a_store_that_is_full_refuses_and_keeps_nothing_p15(scene: Scene) -> None:
    before = everything(scene.redis_url, scene.market)
    await scene.redis.execute_command("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(Unavailable, match="OutOfMemory"):
            await scene.open(rid="r")
    finally:
        await scene.redis.execute_command("CONFIG", "SET", "maxmemory", "0")
    assert everything(scene.redis_url, scene.market) == before
    assert (await scene.open(rid="r"))["state"] == "searching"


async def test_a_booking_far_ahead_has_a_long_search_and_a_slow_cadence_r12_r17(scene: Scene) -> None:
    body = await scene.open(lead=80)
    record = await scene.record()
    assert (body["urgency"], record.deadline, len(record.proposals)) == ("far", NOON + 3 * DAY, 1)
