"""Habits: what the store remembers of proposals equals a recount from the events (P12), and carries no refusals (R20)."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from redis import Redis

from dispatch import events
from dispatch.habits import AGES_MS, PARTS
from dispatch.model import Urgency
from tests.store.recount import happened
from tests.store.scene import Scene
from tests.store.walk import Walk

FAR_AHEAD = 10**15


def recounted(story: Iterable[events.AnyEvent]) -> dict[str, int]:
    """Field by field: how long proposals were open at which age, and how many were accepted there."""
    sent: dict[tuple[int, int], tuple[int, str]] = {}
    found: Counter[str] = Counter()
    for event in story:
        match event:
            case events.WaveSent(kind="wave" | "fill" | "seat"):
                sent |= {(event.b, pno): (event.at, event.urgency) for pno in event.asked}
            case events.Accepted() | events.Refused() | events.Withdrawn():
                if (event.b, event.p) in sent:  # the chosen one, and those asked for a bonus, tell nothing of waves
                    at, urgency = sent.pop((event.b, event.p))
                    found += ended(event.at - at, urgency, yes=isinstance(event, events.Accepted))
    return {name: value for name, value in found.items() if value}


def ended(age: int, urgency: str, *, yes: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    edges = (0, *AGES_MS, FAR_AHEAD)
    for part in range(PARTS):
        counts[f"{urgency}.{part}.open"] += max(0, min(age, edges[part + 1]) - edges[part])
        counts[f"{urgency}.{part}.yes"] += yes and (edges[part] < age <= edges[part + 1] or (age == 0 and part == 0))
    return counts


async def kept(scene: Scene) -> dict[str, int]:
    """The same as the store has it."""
    raw = await scene.redis.hgetall(f"{{{scene.market}}}:habits")
    return {name.decode(): int(value) for name, value in raw.items() if int(value)}


@pytest.mark.parametrize("seed", [1, 22, 333])
async def test_they_equal_a_recount_after_random_commands_p12(scene: Scene, seed: int) -> None:
    walk = Walk(scene, Random(seed))
    await walk.begin()
    for _ in range(150):
        await walk.step()
    with Redis.from_url(scene.redis_url) as client:
        story = happened(client, scene.market)
    found = await kept(scene)
    assert found == recounted(story)
    assert any(name.endswith(".yes") for name in found)
    await scene.redis.hincrby(f"{{{scene.market}}}:habits", "last_minute.0.open", 1)
    assert await kept(scene) != recounted(story), "the control: one ms too many is noticed"


async def test_the_life_of_a_wave_in_numbers(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=90)
    await scene.refuse("ben")
    await scene.later(seconds=70)
    assert await scene.accept("ada") == "won"
    assert await kept(scene) == {
        "last_minute.0.open": 180_000,
        "last_minute.1.open": 150_000,  # Ada and Cleo the whole minute, Ben half of it
        "last_minute.2.open": 80_000,
        "last_minute.2.yes": 1,
    }


async def test_who_answers_at_once_counts_in_the_first_part(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    assert await kept(scene) == {"last_minute.0.yes": 1}


async def test_a_yes_that_is_given_back_stays_one_yes_r35(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=30)
    await scene.accept("ada")
    before = await kept(scene)
    await scene.later(hours=1)
    await scene.cancel(by="provider")
    assert await kept(scene) == before


async def test_each_proposal_counts_in_the_class_in_which_it_was_sent_r12(scene: Scene) -> None:
    await scene.open(lead=6.25)
    await scene.later(minutes=20)
    await scene.settle()
    await scene.accept("ada")
    found = await kept(scene)
    assert {name.partition(".")[0] for name in found} == {"same_day"}
    assert found["same_day.5.yes"] == 1


async def test_an_accept_that_lost_and_a_refusal_at_that_instant_leave_the_same_r20(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=45)
    await scene.accept("ada")
    before = await kept(scene)
    assert await scene.accept("ben") == "lost"
    await scene.refuse("cleo")
    assert await kept(scene) == before


async def test_what_is_read_is_what_is_kept(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=150)
    await scene.accept("ada")
    habits = await scene.store.habits.read(scene.market, scene.now)
    assert set(habits) == {Urgency.LAST_MINUTE}
    assert [tuple(part) for part in habits[Urgency.LAST_MINUTE]][:3] == [(180_000, 0), (180_000, 0), (90_000, 1)]


async def test_what_was_read_is_good_for_ten_seconds(scene: Scene) -> None:
    store = scene.store
    assert await store.habits.read(scene.market, scene.now) == {}
    await scene.open()
    await scene.accept("ada")
    assert await store.habits.read(scene.market, scene.now + 9_999) == {}
    assert set(await store.habits.read(scene.market, scene.now + 10_000)) == {Urgency.LAST_MINUTE}
