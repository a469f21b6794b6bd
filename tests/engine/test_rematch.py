"""Re-match: whoever was woken is served, in turn, whatever goes wrong with another (R18)."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch.engine.rematch import AGAIN_MS, Rematch
from dispatch.errors import Unavailable
from dispatch.model import Catalogue, Service, Trade
from dispatch.store.keys import key
from tests.store.scene import NOON, Scene, play


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with play(redis_url, market, tmp_path) as scene:
        for name in ("ada", "ben", "cleo"):
            await scene.provider(name, reachable=False)
        yield scene


async def once(scene: Scene) -> int | None:
    return await Rematch(scene.store).once(await scene.store.now())


async def test_with_nobody_to_serve_there_is_no_next_time(scene: Scene) -> None:
    assert await once(scene) is None
    await scene.open()
    await scene.connect("ada")
    assert await once(scene) == scene.now, "there may be more"
    assert await once(scene) is None


async def test_one_with_whom_something_is_wrong_holds_up_nobody_and_comes_again_r18(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben"):
        await scene.connect(name)
    broken = key("provider", scene.market, scene.numbers["ada"])
    slot = await scene.redis.hget(broken, "slot")
    await scene.redis.hset(broken, "slot", "x")
    with pytest.raises(Unavailable):
        await once(scene)
    assert await scene.states() == {"ben": "open"}
    assert await scene.redis.zscore(key("freed", scene.market), scene.numbers["ada"]) == NOON + AGAIN_MS
    await scene.redis.hset(broken, "slot", slot)
    assert await once(scene) is None, "not before"
    await scene.later(milliseconds=AGAIN_MS)
    await once(scene)
    assert (await scene.states())["ada"] == "open"


async def test_those_who_waited_longest_are_served_first_r18(scene: Scene) -> None:
    await scene.settings(cadence=[{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 180}])
    await scene.open()
    for name in ("cleo", "ada", "ben"):
        await scene.connect(name)
        await scene.later(seconds=1)
    await once(scene)
    assert await scene.states() == {"cleo": "open"}


WAITING, AT_ONCE, SERVICES, PROMISE_S = 10_000, 50, 40, 1.0


@pytest.mark.proves("R18.d")
@pytest.mark.timeout(600)
async def test_ten_thousand_bookings_wait_and_he_meets_the_last_of_them_within_a_second_r18(scene: Scene) -> None:
    """He does six services of forty and fits none of theirs but the least urgent one. The better of two, as others use this machine."""
    codes = [f"s{n}" for n in range(SERVICES)]
    services = tuple(Service(code=code, trade="hair") for code in codes)
    await scene.desk.put_catalogue(scene.market, Catalogue(trades=(Trade(code="hair"),), services=services))
    await scene.settings(horizon_days=35, cadence=[{"class": "far", "lead_under_s": None, "size": 3, "pause_s": 86_400}])
    for first in range(0, WAITING - 1, AT_ONCE):
        rest = range(first, min(first + AT_ONCE, WAITING - 1))
        await asyncio.gather(*(scene.open(f"b-{n}", lead=4 + n / 50, services=[codes[n % SERVICES]], client_id="c-9") for n in rest))
    await scene.open("last", lead=300, services=["s0"])
    assert await scene.redis.hlen(key("v_briefs", scene.market)) == WAITING
    took = []
    for name in ("ada", "ben"):
        await scene.provider(name, reachable=False, catalogue=codes[:6])
        await scene.desk.put_provider_block(scene.market, name, "c-9")
        begun = time.perf_counter()
        await scene.connect(name)
        await scene.meet()
        took.append(time.perf_counter() - begun)
        assert [(await scene.states(booking_id)).get(name) for booking_id in ("last", "b-0")] == ["open", None]
    assert min(took) < PROMISE_S, took
