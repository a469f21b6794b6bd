"""A market that goes by pace, on a real server: who is asked when, what a refusal owes, and what ops see (R12-R14, R17, R19, R35)."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.store.scene import MINUTE, NOON, Scene
from tests.store.soundness import faults

NAMES = tuple(f"p{number}" for number in range(6))
FAST = {"wave_policy": "paced", "pacing": {"speed": 4}}


@pytest.fixture
async def paced(scene: Scene) -> Scene:
    """Six who fit, in a market that goes by pace."""
    await scene.settings(wave_policy="paced")
    for name in NAMES:
        await scene.provider(name)
    return scene


async def open_ones(scene: Scene) -> dict[int, Any]:
    return (await scene.record()).proposals


async def receive_all(scene: Scene) -> None:
    names = {number: name for name, number in scene.numbers.items()}
    for pno, proposal in (await open_ones(scene)).items():
        if not proposal.received_at:
            await scene.receive(names[pno])


async def to_next(scene: Scene) -> None:
    """Time passes until the plan wants attention, and a worker looks."""
    due = (await scene.record()).due
    assert due is not None
    await scene.at(due)
    await scene.settle()
    await receive_all(scene)


async def test_a_few_are_asked_at_once_and_then_one_after_the_other(paced: Scene) -> None:
    opened = await paced.open()
    await receive_all(paced)
    first = len(await open_ones(paced))
    assert 1 <= first <= 3
    counts = [first]
    for _ in range(8):
        await to_next(paced)
        counts.append(len(await open_ones(paced)))
    assert counts[-1] > first
    assert all(later - earlier <= 3 for earlier, later in pairwise(counts))
    assert opened["plan"][0]["size"] == first


async def test_the_plan_told_at_the_opening_is_what_happens_r19(paced: Scene) -> None:
    opened = await paced.open()
    await receive_all(paced)
    sent = [NOON]
    while len(sent) < 4:
        before = len(await open_ones(paced))
        await to_next(paced)
        if len(await open_ones(paced)) > before:
            sent.append(paced.now)
    told = [paced_ms(wave["at"]) for wave in opened["plan"][:4]]
    assert [abs(a - b) <= MINUTE for a, b in zip(sent, told, strict=True)] == [True] * 4


def paced_ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000)


async def some_asked(scene: Scene, at_least: int) -> dict[int, Any]:
    """Those who were asked once so many were, and somebody is left to be asked."""
    while len(await open_ones(scene)) < at_least:
        await to_next(scene)
    before = await open_ones(scene)
    assert at_least <= len(before) < len(scene.numbers), "else nothing could be owed"
    return before


async def test_a_refusal_owes_the_next_at_once_while_others_keep_silent_r12(paced: Scene) -> None:
    await paced.settings(**FAST)
    for number in range(len(NAMES), 3 * len(NAMES)):
        await paced.provider(f"p{number}")
    await paced.open()
    before, names = await some_asked(paced, 4), {number: name for name, number in paced.numbers.items()}
    for pno in list(before)[:3]:
        await paced.refuse(names[pno])
    assert (await paced.record()).due == paced.now
    await paced.settle()
    after = await open_ones(paced)
    assert len(after) > len(before)
    assert {proposal.sent_at for pno, proposal in after.items() if pno not in before} == {paced.now}


async def test_when_the_last_of_them_has_said_no_the_next_are_asked_in_that_instant_r13(paced: Scene) -> None:
    """At the slowest pace: what may be spent would not be enough for hours."""
    await paced.settings(wave_policy="paced", pacing={"speed": 0.1})
    await paced.open()
    before, names = await some_asked(paced, 1), {number: name for name, number in paced.numbers.items()}
    await receive_all(paced)
    await paced.later(seconds=40)
    await paced.settle()
    *others, last = [pno for pno, proposal in before.items() if proposal.state == "open"]
    for pno in others:
        await paced.refuse(names[pno])
    await paced.settle()
    assert list(await open_ones(paced)) == list(before), "one is still silent, and nothing may be spent yet"
    await paced.refuse(names[last])
    assert (await paced.record()).due == paced.now
    await paced.settle()
    assert [proposal.sent_at for pno, proposal in (await open_ones(paced)).items() if pno not in before] == [paced.now]


async def test_everybody_is_asked_before_the_end_and_nobody_twice(paced: Scene) -> None:
    await paced.settings(**FAST)
    await paced.open()
    for _ in range(60):
        if len(await open_ones(paced)) == len(paced.numbers):
            break
        await to_next(paced)
    events = await paced.store.bookings.timeline(paced.market, (await paced.record()).no)
    asked = [pno for event in events if event["type"] == "WaveSent" for pno in event["asked"]]
    assert sorted(asked) == sorted(paced.numbers.values())
    assert paced.now < NOON + 36 * MINUTE
    await paced.at((await paced.record()).deadline)
    await paced.settle()
    assert (await paced.record()).state == "unfilled"
    assert await faults(paced.store, paced.market, paced.redis_url) == []


async def test_a_search_that_opens_again_begins_its_pace_anew_r35(paced: Scene) -> None:
    await paced.open()
    await receive_all(paced)
    names = {number: name for name, number in paced.numbers.items()}
    await paced.accept(names[min(await open_ones(paced))])
    await paced.later(minutes=50)
    await paced.cancel(by="provider")
    before = len(await open_ones(paced))
    await paced.settle()
    record = await paced.record()
    assert 1 <= len(record.proposals) - before <= 3, "not everybody, as if fifty minutes of its time were gone"
    assert record.began_at == paced.now


async def test_ops_see_the_chance_of_a_fill_fall_with_silence_and_rise_with_those_asked(paced: Scene) -> None:
    await paced.open()
    await receive_all(paced)
    first = (await paced.desk.booking(paced.market, "b-1"))["fill_chance"]
    await paced.later(minutes=1)
    silent = (await paced.desk.booking(paced.market, "b-1"))["fill_chance"]
    await paced.later(minutes=4)
    await paced.settle()
    more = (await paced.desk.booking(paced.market, "b-1"))["fill_chance"]
    assert 0 < silent < first < 1
    assert more > 0
    names = {number: name for name, number in paced.numbers.items()}
    await paced.accept(names[min(await open_ones(paced))])
    assert (await paced.desk.booking(paced.market, "b-1"))["fill_chance"] is None


async def test_a_market_may_change_its_policy_while_a_booking_searches(paced: Scene) -> None:
    await paced.settings()
    await paced.open()
    await receive_all(paced)
    assert len(await open_ones(paced)) == 3
    await paced.settings(wave_policy="paced")
    while len(await open_ones(paced)) == 3:
        await to_next(paced)
    changed = len(await open_ones(paced))
    assert changed > 3
    await paced.settings()
    await paced.later(minutes=3)
    await paced.settle()
    assert len(await open_ones(paced)) > changed
