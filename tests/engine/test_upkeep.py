"""Upkeep: the index reaches the horizon every day, whatever was changed in between, and what is past is forgotten (R2, R14)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.upkeep import SILENT_MS, Upkeep
from dispatch.store.calls import wall_ms
from tests.store.scene import DAY, GATEWAY, HOUR, NOON, Scene, everything, play
from tests.store.soundness import faults, strangers

HORIZON = 6
LEADS = (2.5, 20, 44, 24 * 4.9)


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with play(redis_url, market, tmp_path, horizon_days=HORIZON) as scene:
        await scene.provider("ada")
        await scene.provider("ben", hours="Mo-Su 08:05-19:50")
        await scene.provider("cleo", hours="Mo-Fr 09:00-18:00", absences=[{"from": "2027-03-18", "to": "2027-03-19"}])
        yield scene


async def sound(scene: Scene) -> list[Any]:
    """Where the index and the pure filters disagree, from today to the horizon."""
    found = [await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=lead)) for lead in LEADS]
    return [one for one in found if one]


async def look_ahead(scene: Scene) -> None:
    await Upkeep(scene.store).look_ahead()


async def test_every_day_the_index_reaches_a_day_further(scene: Scene) -> None:
    for day in range(1, HORIZON + 6):
        await scene.at(NOON + day * DAY)
        await look_ahead(scene)
        assert await sound(scene) == []
        assert "ada" in await scene.candidates(lead=24 * 5.9)
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_without_it_the_index_ends(scene: Scene) -> None:
    """The control: the margin beyond the horizon is used up after two days."""
    await scene.at(NOON + 4 * DAY)
    assert "ada" not in await scene.candidates(lead=24 * 5.9)


async def test_a_worker_that_was_away_for_weeks_catches_up(scene: Scene) -> None:
    await scene.at(NOON + 23 * DAY)
    await look_ahead(scene)
    assert await sound(scene) == []
    assert "ada" in await scene.candidates(lead=24 * 5.9)


async def test_looking_twice_changes_nothing(scene: Scene) -> None:
    await scene.at(NOON + DAY)
    await look_ahead(scene)
    version = await scene.redis.hgetall(f"{{{scene.market}}}:p:1")
    await look_ahead(scene)
    assert await scene.redis.hgetall(f"{{{scene.market}}}:p:1") == version
    assert await sound(scene) == []


async def test_visits_stay_out_of_the_index_when_it_is_extended_p7(scene: Scene) -> None:
    await scene.open("b-1", lead=24 * 5.5)
    await scene.only("ada", "b-1")
    await scene.accept("ada", "b-1")
    for day in (1, 2, 3, 4):
        await scene.at(NOON + day * DAY)
        await look_ahead(scene)
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=24 * (5.5 - day))) == []
        assert "ada" not in await scene.candidates(lead=24 * (5.5 - day))


async def test_settings_replaced_before_it_looks_are_those_it_writes(scene: Scene) -> None:
    """Who is replaced between two looks must not get his old hours back."""
    for day, hours in enumerate(("Mo-Su 20:00-22:00", "Mo-Su 07:00-11:00", "24/7"), 1):
        await scene.at(NOON + day * DAY)
        await scene.provider("ada", hours=hours, reachable=False)
        await look_ahead(scene)
        assert await sound(scene) == []


async def test_whoever_is_replaced_every_day_can_be_booked_up_to_the_horizon(scene: Scene) -> None:
    for day in range(1, HORIZON + 3):
        await scene.at(NOON + day * DAY)
        for name, hours in (("ada", "24/7"), ("ben", "Mo-Su 08:05-19:50"), ("cleo", "Mo-Fr 09:00-18:00")):
            await scene.provider(name, hours=hours, reachable=False)
        assert await sound(scene) == []
        assert "ada" in await scene.candidates(lead=24 * 4.9)


async def test_settings_replaced_while_it_looks_win(scene: Scene) -> None:
    """It has read the old hours, somebody replaces them, and then it writes: the verb must notice."""
    await scene.at(NOON + DAY)
    market = await scene.desk.market(scene.market)
    providers = scene.store.providers
    verb = providers._calls.verb
    replaced: list[str] = []

    async def replace_first(name: str, market_: str, /, **arguments: Any) -> Any:
        if name == "prolong" and not replaced:
            replaced.append(name)
            await scene.provider("ada", hours="Mo-Su 20:00-22:00", reachable=False)
        return await verb(name, market_, **arguments)

    providers._calls.verb = replace_first  # type: ignore[method-assign]
    try:
        await providers.prolong(market, [scene.numbers["ada"]])
    finally:
        providers._calls.verb = verb  # type: ignore[method-assign]
    assert replaced == ["prolong"]
    assert "ada" not in await scene.candidates(lead=24 * 5.9)
    await look_ahead(scene)
    assert "ada" not in await scene.candidates(lead=24 * 5.9)


async def test_a_longer_horizon_is_reached_at_the_next_look(scene: Scene) -> None:
    await scene.at(NOON + HOUR)
    await scene.store.markets.put_settings(scene.market, (await longer(scene, 12)))
    assert "ada" not in await scene.candidates(lead=24 * 11)
    await look_ahead(scene)
    assert "ada" in await scene.candidates(lead=24 * 11)


async def longer(scene: Scene, days: int) -> Any:
    return msgspec.structs.replace((await scene.desk.market(scene.market)).settings, horizon_days=days)


async def test_bitmaps_of_days_that_are_over_go(scene: Scene) -> None:
    before = await quarters(scene)
    assert min(before) <= NOON // 900_000
    for day in (1, 2, 3):
        await scene.at(NOON + day * DAY)
        await look_ahead(scene)
    after = await quarters(scene)
    assert min(after) >= (NOON + 3 * DAY) // 900_000 - 8
    assert len(after) <= len(before) + 96


async def quarters(scene: Scene) -> list[int]:
    names = everything(scene.redis_url, scene.market)
    return sorted(int(found[1]) for name in names if (found := re.fullmatch(r"x:\d+:q:(\d+)", name)))


async def test_a_dead_gateway_is_reaped_in_every_market_r14(scene: Scene) -> None:
    await scene.connect("ada", "tablet", "gw-2", 9)
    await scene.beat(GATEWAY, wall_ms() - SILENT_MS - 1)
    await Upkeep(scene.store).reap()
    assert await scene.candidates() == ["ada"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []
