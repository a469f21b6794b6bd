"""Random commands on a small market: whatever happens, it stays sound (P3, P7, P9, P12)."""

from collections import Counter
from random import Random

import pytest

from tests.store.scene import Scene
from tests.store.soundness import faults, strangers
from tests.store.walk import Walk

STEPS, EVERY = 120, 10
WALKED: Counter[str] = Counter()
MUST_HAPPEN = ("accept won", "accept lost", "accept overlap", "refuse done", "cancel searching", "put inactive", "again won")


@pytest.mark.parametrize("seed", range(10))
async def test_a_market_stays_sound_whatever_happens_to_it(scene: Scene, seed: int) -> None:
    walk = Walk(scene, Random(seed))
    await walk.begin()
    path: list[str] = []
    for number in range(STEPS):
        path.append(await walk.step())
        assert await faults(scene.store, scene.market, scene.redis_url) == [], path[-8:]
        if number % EVERY == 0:
            for client in ("c-1", "c-2"):
                probe = scene.request("probe", leads=(2.5, 4.25, 30), client_id=client)
                assert await strangers(scene.desk, scene.market, scene.numbers, probe) == [], path[-8:]
