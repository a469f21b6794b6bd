"""Random commands of everybody, of two agents and a manager too: the market stays sound, nobody else moves what ops have (P10)."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from dispatch.errors import Refused
from tests.store.by_hand import YAN, ZOE, assign, extend, hand_back, reopen, take_over
from tests.store.scene import Scene
from tests.store.soundness import faults, strangers
from tests.store.walk import Walk

STEPS, EVERY, BY_HAND = 100, 5, 0.4


class HandWalk(Walk):
    """A walk in which ops take part."""

    async def step(self) -> str:
        if not self.bookings or self.random.random() > BY_HAND:
            return await self.fenced()
        deed = self.random.choice(
            (self._take_over, self._take_over, self._hand_back, self._assign, self._reopen, self._extend, self._alarm)
        )
        try:
            came = f"{deed.__name__} {await deed()}"
        except Refused as error:
            came = f"{deed.__name__} {error.code}"
        self.done[came] += 1
        return came

    async def fenced(self) -> str:
        """What anybody else does, and that it moved nothing that ops have."""
        before = await self._taken_over()
        came = await super().step()
        assert await self._taken_over() == before, came
        return came

    async def _taken_over(self) -> dict[str, Any]:
        records = [await self.scene.record(booking_id) for booking_id in self.bookings]
        return {str(one.no): (one.state, one.rev, one.winner, one.owner) for one in records if one.state == "taken_over"}

    async def _take_over(self) -> str:
        return str((await take_over(self.scene, self._somebody()[1], self._agent()))["state"])

    async def _hand_back(self) -> str:
        return await hand_back(self.scene, self._taken(), self._agent(), manager=self.random.random() < 0.5)

    async def _assign(self) -> str:
        more: Any = self.random.choice(({}, {"override": {"reason": "by phone"}}))
        return str((await assign(self.scene, self._somebody()[0], self._taken(), self._agent(), **more))["state"])

    async def _reopen(self) -> str:
        return str((await reopen(self.scene, *self._somebody()))["state"])

    async def _extend(self) -> str:
        return str((await extend(self.scene, self._somebody()[1], self.random.choice((None, ZOE))))["state"])

    async def _alarm(self) -> str:
        await (await self.scene.upkeep()).alarm()
        return "done"

    def _agent(self) -> Any:
        return self.random.choice((ZOE, ZOE, YAN))

    def _taken(self) -> str:
        return self._somebody()[1]


@pytest.mark.parametrize("seed", range(4))
async def test_a_market_stays_sound_whatever_ops_do_in_it_p3_p9_p10_p12(scene: Scene, seed: int) -> None:
    walk = HandWalk(scene, Random(seed))
    await walk.begin()
    path: list[str] = []
    for number in range(1, STEPS + 1):
        path.append(await walk.step())
        if number % EVERY == 0:
            assert await faults(scene.store, scene.market, scene.redis_url) == [], path[-EVERY:]
            probe = scene.request("probe", leads=(2.5, 4.25, 30), client_id=f"c-{1 + number // EVERY % 2}")
            assert await strangers(scene.desk, scene.market, scene.numbers, probe) == [], path[-EVERY:]
    done = Counter({came.split()[0]: count for came, count in walk.done.items()})
    assert done["_take_over"]
