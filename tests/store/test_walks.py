"""Random commands on a small market: whatever happens, it stays sound (P3, P7, P9, P12)."""

from random import Random

import pytest

from dispatch.matcher import bucket_of
from dispatch.store.footprint import NEWCOMER, shelf_of
from dispatch.store.keys import key
from tests.store.scene import Scene
from tests.store.soundness import faults, strangers
from tests.store.walk import Walk

STEPS, EVERY = 120, 5


@pytest.mark.parametrize("seed", range(6))
async def test_a_market_stays_sound_whatever_happens_to_it(scene: Scene, seed: int) -> None:
    if seed % 2:
        await scene.settings(fair_window_s=5)
    walk = Walk(scene, Random(seed))
    await walk.begin()
    path: list[str] = []
    for number in range(1, STEPS + 1):
        path.append(await walk.step())
        if number % EVERY == 0:
            assert await faults(scene.store, scene.market, scene.redis_url) == [], path[-EVERY:]
            probe = scene.request("probe", leads=(2.5, 4.25, 30), client_id=f"c-{1 + number // EVERY % 2}")
            assert await strangers(scene.desk, scene.market, scene.numbers, probe) == [], path[-EVERY:]


SHELF = shelf_of(bucket_of(NEWCOMER.tier, NEWCOMER.score))  # that of everybody in a scene
PLANTED = {
    "a count": ("hincrby", "gauges", "count.opened", 1),
    "a gauge below zero": ("hset", "gauges", "bookings.unfilled", -1),
    "no timer": ("zrem", "due", "1"),
    "a timer of nothing": ("zadd", "due", {"9": 1}),
    "a timer after the deadline": ("zadd", "due", {"1": 2_000_000_000_000}),
    "a seat too many": ("hincrby", "b:1", "live", 1),
    "a cap not counted": ("hincrby", "p:1", "live", -1),
    "a winner while it searches": ("hset", "b:1", "winner", 2),
    "another state": ("hset", "b:1", "state", "unfilled"),
    "another deadline": ("hincrby", "b:1", "deadline", 1),
    "a visit nobody holds": ("zadd", "v:1", {"1:1804863600000:1804867200000": 1_804_863_600_000}),
    "a ghost on his screen": ("hset", "o:1", "p7", "x"),
    "nothing on his screen": ("hdel", "o:1", "p1"),
    "a bit that lies": ("setbit", f"x:{SHELF}:ask", 0, 0),
    "an event only one of them has": ("rpop", "t:1"),
}


@pytest.mark.parametrize("fault", PLANTED)
async def test_a_fault_that_was_planted_is_found(scene: Scene, fault: str) -> None:
    """The control of the walks."""
    await scene.open()
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    command, name, *arguments = PLANTED[fault]
    await getattr(scene.redis, command)(f"{{{scene.market}}}:{name}", *arguments)
    assert await faults(scene.store, scene.market, scene.redis_url) != []


async def test_a_provider_the_index_has_forgotten_is_a_stranger(scene: Scene) -> None:
    """The control of the comparison with the pure filters."""
    request = scene.request()
    assert await strangers(scene.desk, scene.market, scene.numbers, request) == []
    await scene.redis.delete(key("x_service", scene.market, SHELF, "cut"))
    assert await strangers(scene.desk, scene.market, scene.numbers, request) == sorted(scene.numbers)
