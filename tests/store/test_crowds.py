"""A step with more than 200 people who fit: everybody's turn comes, in the order of their waiting (R5)."""

import msgspec
import pytest

from dispatch.engine.requests import MatchRequest
from tests.store.scene import Scene
from tests.store.soundness import faults

WAVE, PEOPLE = 20, 240
CADENCE = [{"class": "last_minute", "lead_under_s": None, "size": WAVE, "pause_s": 3600}]


async def crowd(scene: Scene) -> list[int]:
    """Their numbers; somebody's name is p- and his place."""
    await scene.settings(cadence=CADENCE, open_proposals_cap=100)
    for name in list(scene.numbers):
        await scene.disconnect(name)
    return [await scene.provider(f"p-{n}") for n in range(PEOPLE)]


@pytest.mark.proves("R5.b", "R5.c")
async def test_a_crowd_is_asked_in_the_order_of_its_waiting_r5(scene: Scene) -> None:
    numbers = await crowd(scene)
    for round_ in range(2):  # those of the same wave go by their numbers
        for at in range(0, PEOPLE, WAVE):
            await scene.later(seconds=1)
            name = f"b-{round_}-{at}"
            await scene.open(name, client_id=name, lead=3)
            assert sorted((await scene.record(name)).proposals) == numbers[at : at + WAVE]


@pytest.mark.proves("R5.b")
async def test_who_leaves_the_crowd_or_comes_into_it_takes_his_place_r5(scene: Scene) -> None:
    numbers = await crowd(scene)
    await scene.open("b-1", lead=3)
    await scene.later(seconds=1)
    await scene.provider(f"p-{WAVE}", status="inactive")
    await scene.disconnect(f"p-{WAVE + 1}")
    await scene.provider(f"p-{WAVE + 2}", zone={"type": "circle", "lat": 48.5, "lng": 2.34, "radius_km": 2})
    await scene.provider(f"p-{WAVE + 3}", initial_rank={"tier": "limited", "score": 0})
    late = await scene.provider("late")
    await scene.open("b-2", client_id="c-2", lead=3)
    assert sorted((await scene.record("b-2")).proposals) == numbers[WAVE + 4 : 2 * WAVE + 4]
    await scene.open("b-3", client_id="c-3", lead=3)
    assert late not in (await scene.record("b-3")).proposals
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R5.b")
async def test_of_a_crowd_nearly_all_can_be_wanted_and_their_order_is_exact_r5(scene: Scene) -> None:
    await crowd(scene)
    await scene.open(lead=3)
    found = await scene.desk.match(
        scene.market, msgspec.convert({**msgspec.to_builtins(scene.request(lead=3)), "limit": 200}, MatchRequest)
    )
    assert [one["provider_id"] for one in found["candidates"]] == [f"p-{n}" for n in range(WAVE, WAVE + 200)]
