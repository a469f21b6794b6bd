"""How a search ends that nobody answered, what is left to the client then, and how it goes on (R17)."""

import json
from typing import Any

import pytest

from dispatch.errors import Conflict, Unprocessable
from tests.store.by_hand import ZOE, audit, extend, hand_back, take_over
from tests.store.scene import HOUR, MINUTE, NOON, Scene, when
from tests.store.soundness import faults

HOOK = {"url": "https://example.org/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
ALL, TOO_LATE = ["extend", "other_window", "cancel"], ["other_window", "cancel"]


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def unfilled(scene: Scene, **asked: Any) -> None:
    """The deadlines of all windows pass before a worker looks."""
    await scene.open(**asked)
    await scene.at(max((await scene.record()).ends))
    await scene.settle()
    assert (await scene.record()).state == "unfilled"


async def hooks(scene: Scene) -> list[tuple[str, Any]]:
    """The webhooks that are due, and what they say but for names; each is done with."""
    found = []
    while due := [one for one in await scene.store.outbox.due(10) if one.market == scene.market]:
        for one in due:
            data = json.loads(one.body)["data"]
            found.append((one.type, data.get("offers")))
            await scene.store.outbox.done(one)
    return found


@pytest.mark.proves("R17.a", "R17.d")
@pytest.mark.parametrize(
    ("lead", "hours"), [(5, 4), (8, 7), (23, 8), (40, 24), (70, 24), (100, 72)]
)  # of class last minute, same day, advance, far: the deadline is before the start, or after the longest search
async def test_a_search_ends_when_it_is_to_r17(scene: Scene, lead: float, hours: float) -> None:
    await scene.open(lead=lead)
    deadline = NOON + round(hours * HOUR)
    for moment, state in ((deadline - 1, "searching"), (deadline, "unfilled")):
        await scene.at(moment)
        await scene.settle()
        assert (await scene.record()).state == state
    await sound(scene)


@pytest.mark.proves("R15.b")
async def test_those_who_were_asked_are_told_that_it_is_over_r15_r17(scene: Scene) -> None:
    await scene.open()
    await scene.receive("ada")
    await scene.at((await scene.record()).deadline)
    await scene.settle()
    for name in ("ada", "ben", "cleo"):
        assert (await scene.heard(name))[-1] == "withdrawn expired"
        assert await scene.items(name) == []


@pytest.mark.proves("R17.a", "R17.d")
async def test_how_long_and_how_near_the_start_are_settings_r17(scene: Scene) -> None:
    await scene.settings(search_deadline_s=1_800, longest_search_s={"same_day": 7_200, "advance": 3_600, "far": 10_800})
    for booking_id, lead, hours in (("b-1", 4, 3.5), ("b-2", 8, 2), ("b-3", 40, 1), ("b-4", 100, 3)):
        await scene.open(booking_id, lead=lead)
        assert (await scene.record(booking_id)).deadline == NOON + round(hours * HOUR)


@pytest.mark.proves("R17.b")
async def test_after_a_providers_cancellation_too_r17_r35(scene: Scene) -> None:
    await scene.settings(reopened_deadline_s=2_400)
    await scene.open()
    await scene.accept("ada")
    await scene.cancel(by="provider")
    assert (await scene.record()).deadline == NOON + 4 * HOUR - 40 * MINUTE
    await sound(scene)


@pytest.mark.proves("R17.e")
async def test_the_booking_service_is_told_what_it_may_offer_r17(scene: Scene) -> None:
    await scene.settings(webhook=HOOK)
    await scene.open("b-0")
    assert (await scene.desk.booking(scene.market, "b-0"))["offers"] == []
    await unfilled(scene)
    assert (await scene.desk.booking(scene.market, "b-1"))["offers"] == ALL
    assert ("booking.unfilled", ALL) in await hooks(scene)


@pytest.mark.proves("R17.e")
async def test_what_cannot_be_extended_is_not_offered_r17(scene: Scene) -> None:
    """After a provider's cancellation the search lasts until 15 minutes before the start: there is nothing to extend it by."""
    await scene.settings(webhook=HOOK)
    await scene.open()
    await scene.accept("ada")
    await scene.cancel(by="provider")
    await scene.at((await scene.record()).deadline)
    await scene.settle()
    assert (await scene.desk.booking(scene.market, "b-1"))["offers"] == TOO_LATE
    assert (await hooks(scene))[-1] == ("booking.unfilled", TOO_LATE)
    with pytest.raises(Unprocessable) as refused:
        await extend(scene)
    assert refused.value.code == "too_late"
    assert (await scene.record()).state == "unfilled"


async def test_an_offer_ends_while_it_stands_r17(scene: Scene) -> None:
    await unfilled(scene)
    for minute, offers in ((44, ALL), (45, TOO_LATE)):
        await scene.at(NOON + 3 * HOUR + minute * MINUTE)
        assert (await scene.desk.booking(scene.market, "b-1"))["offers"] == offers


async def test_extended_it_searches_until_a_quarter_of_an_hour_before_the_start_r17(scene: Scene) -> None:
    await scene.settings(webhook=HOOK)
    await unfilled(scene)
    await hooks(scene)
    assert (await extend(scene))["state"] == "searching"
    record = await scene.record()
    assert (record.state, record.deadline) == ("searching", NOON + 4 * HOUR - 15 * MINUTE)
    assert await hooks(scene) == [("booking.reopened", None)]
    await sound(scene)
    await scene.at(record.deadline)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    await sound(scene)


async def test_one_far_ahead_searches_for_as_long_as_a_new_one_r17(scene: Scene) -> None:
    await unfilled(scene, lead=100)
    assert scene.now == NOON + 72 * HOUR
    await extend(scene)
    assert (await scene.record()).deadline == NOON + 96 * HOUR  # now 28 h ahead: a day
    await sound(scene)


@pytest.mark.parametrize(("minutes", "expected"), [(10, 10), (45, 45), (50, 45)])
async def test_until_may_be_chosen_within_bounds_r17(scene: Scene, minutes: int, expected: int) -> None:
    await unfilled(scene)
    await extend(scene, until=when(scene.now, minutes / 60))
    assert (await scene.record()).deadline == scene.now + expected * MINUTE


async def test_until_lies_ahead(scene: Scene) -> None:
    await unfilled(scene)
    with pytest.raises(Unprocessable, match="past"):
        await extend(scene, until=when(scene.now, 0))


async def test_who_did_not_answer_is_asked_again_and_who_said_no_is_not_r2(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    await scene.at((await scene.record()).deadline)
    await scene.settle()
    assert await scene.accept("ben") == "expired"
    await extend(scene)
    assert await scene.accept("ben") == "expired"  # of a search that was over
    await scene.settle()
    assert await scene.states() == {"ada": "refused", "ben": "open", "cleo": "open", "dan": "open"}
    assert await scene.accept("ben") == "won"
    await sound(scene)


async def test_windows_that_are_past_are_dropped_r11(scene: Scene) -> None:
    await unfilled(scene, leads=(4, 4.6))
    assert scene.now == NOON + round(3.6 * HOUR)
    await scene.at(NOON + round(3.8 * HOUR))
    answer = await extend(scene)
    assert answer["deadline"].startswith("2027-03-12T16:21")
    await scene.settle()
    record = await scene.record()
    assert (record.state, len(record.windows)) == ("searching", 1)
    await sound(scene)


@pytest.mark.parametrize("state", ["searching", "accepted", "cancelled"])
async def test_only_what_is_unfilled_is_extended(scene: Scene, state: str) -> None:
    await scene.open()
    if state == "accepted":
        await scene.accept("ada")
    if state == "cancelled":
        await scene.cancel()
    with pytest.raises(Conflict, match=state):
        await extend(scene)


async def test_by_the_booking_service_it_is_no_act_by_hand_and_by_ops_it_is_r84(scene: Scene) -> None:
    await unfilled(scene)
    await extend(scene)
    assert await audit(scene) == []
    await scene.at((await scene.record()).deadline - 20 * MINUTE)
    await scene.cancel()
    await scene.open("b-2", lead=3)
    await scene.at((await scene.record("b-2")).deadline)
    await scene.settle()
    await extend(scene, "b-2", hand=ZOE)
    assert [(line["what"], line["booking_id"]) for line in await audit(scene)] == [("extend", "b-2")]


async def test_a_repeat_extends_once_p4(scene: Scene) -> None:
    await unfilled(scene)
    first = await extend(scene, rid="r-1", until=when(scene.now, 10 / 60))
    await scene.later(minutes=10)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    assert (await extend(scene, rid="r-1", until=when(scene.now, 10 / 60)))["state"] == first["state"]
    assert (await scene.record()).state == "unfilled"
    assert (await scene.story()).count("Extended") == 1


async def test_one_that_was_unfilled_is_told_to_search_when_ops_give_it_back_r17(scene: Scene) -> None:
    await scene.settings(webhook=HOOK)
    await unfilled(scene, leads=(4, 4.6))
    await hooks(scene)
    await take_over(scene)
    assert await hand_back(scene) == "searching"
    await scene.settle()
    assert [name for name, _ in await hooks(scene)] == ["booking.reopened", "booking.unfilled"]
    await sound(scene)
