"""Re-match: whoever was woken is served, in turn, whatever goes wrong with another (R18)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch.engine.rematch import AGAIN_MS, Rematch
from dispatch.errors import Unavailable
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
