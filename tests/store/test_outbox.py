"""Webhooks waiting in the store: in order per booking, at least once, one at a time, lent to whoever delivers them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from dispatch.store import Delivery
from dispatch.store.deliveries import LENT_MS
from tests.store.scene import HOUR, NOON, Scene, play
from tests.store.soundness import faults

HOOK = {"webhook": {"url": "https://example.org/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}


@pytest.fixture(autouse=True)
async def somebody_listens(scene: Scene) -> None:
    await scene.settings(**HOOK)


async def due(scene: Scene, limit: int = 100) -> list[Delivery]:
    """What is to be delivered for this test's market now."""
    return [one for one in await scene.store.outbox.due(limit) if one.market == scene.market]


async def ripe(scene: Scene) -> None:
    """The time has come for everything that waits: what was lent, or put off, is due again."""
    waiting = await scene.redis.zrange(f"{{{scene.market}}}:wdue", 0, -1)
    if waiting:
        await scene.redis.zadd(f"{{{scene.market}}}:wdue", dict.fromkeys(waiting, 0))


def moment(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def epoch(scene: Scene) -> str:
    market = await scene.store.markets.get(scene.market)
    assert market is not None
    return market.epoch


async def test_no_two_markets_share_an_id(scene: Scene, fresh_market: Callable[[], str], tmp_path: Path) -> None:
    """A receiver that keeps ids to tell repeats apart must not lose what another market says."""
    async with play(scene.redis_url, fresh_market(), tmp_path) as other:
        await other.settings(**HOOK)
        ids = set()
        for each in (scene, other):
            await each.open()
            await each.cancel()
            ids |= {one.id for one in await due(each)}
    assert len(ids) == 2


async def test_a_win_is_told_with_outside_names(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    (one,) = await due(scene)
    assert (one.type, one.id, one.at, one.attempts) == ("booking.accepted", f"evt_{await epoch(scene)}_1_1", NOON, 0)
    assert msgspec.json.decode(one.body) == {
        "type": "booking.accepted",
        "timestamp": moment(NOON),
        "data": {
            "market": scene.market,
            "booking_id": "b-1",
            "provider_id": "ada",
            "window": {"start": moment(NOON + 4 * HOUR), "end": moment(NOON + 5 * HOUR)},
        },
    }


async def test_a_win_is_told_with_the_window_that_was_won_even_when_windows_are_dropped_before_it_is_delivered_r11(scene: Scene) -> None:
    await scene.open(leads=(4, 9))
    await scene.accept("ada", window=1)
    await scene.cancel(by="provider")
    await scene.at(NOON + 5 * HOUR)
    await scene.settle()
    assert len((await scene.record()).windows) == 1
    (one,) = await due(scene)
    assert msgspec.json.decode(one.body)["data"]["window"]["start"] == moment(NOON + 9 * HOUR)


async def _unfilled(scene: Scene) -> None:
    await scene.later(hours=3)
    await scene.settle()


async def _cancelled(scene: Scene) -> None:
    await scene.cancel(by="ops")


async def _given_back(scene: Scene) -> None:
    await scene.accept("ada")
    await scene.cancel(by="provider")


@pytest.mark.parametrize(
    ("happens", "types", "data"),
    [
        (_unfilled, ["booking.unfilled"], {"offers": ["extend", "other_window", "cancel"]}),
        (_cancelled, ["booking.cancelled"], {"by": "ops"}),
        (_given_back, ["booking.accepted", "booking.reopened"], {}),
    ],
)
async def test_every_end_is_told_r17_r35(scene: Scene, happens: Any, types: list[str], data: dict[str, Any]) -> None:
    await scene.open()
    await happens(scene)
    told = await delivered(scene)
    assert [one.type for one in told] == types
    assert msgspec.json.decode(told[-1].body)["data"] == {"market": scene.market, "booking_id": "b-1", **data}


async def delivered(scene: Scene) -> list[Delivery]:
    """Everything that waits, taken and done in order."""
    found: list[Delivery] = []
    while batch := await due(scene):
        for one in batch:
            await scene.store.outbox.done(one)
        found += batch
    return found


async def test_of_a_booking_one_event_is_out_at_a_time_and_in_order(scene: Scene) -> None:
    await scene.open()
    for _ in range(2):
        await scene.accept("ada" if not (await scene.record()).winner and "open" in (await scene.states())["ada"] else "dan")
        await scene.cancel(by="provider")
        await scene.settle()
    await scene.cancel()
    assert [one.type for one in await due(scene)] == ["booking.accepted"]
    assert await due(scene) == [], "it is out"
    await ripe(scene)
    told = await delivered(scene)
    assert [one.id for one in told] == [f"evt_{await epoch(scene)}_1_{number}" for number in range(1, 6)]
    assert [one.type.removeprefix("booking.") for one in told] == ["accepted", "reopened", "accepted", "reopened", "cancelled"]


async def test_different_bookings_do_not_wait_for_each_other(scene: Scene) -> None:
    for number in range(5):
        await scene.open(f"b-{number}")
        await scene.cancel(f"b-{number}")
    assert len(await due(scene)) == 5


async def test_what_is_lent_comes_back_when_nobody_says_what_became_of_it(scene: Scene) -> None:
    await scene.open()
    await scene.cancel()
    (first,) = await due(scene)
    score = await scene.redis.zscore(f"{{{scene.market}}}:wdue", "1")
    assert 0 < int(score) - first.first_ms <= LENT_MS + 5_000
    await ripe(scene)
    (again,) = await due(scene)
    assert again == first


async def test_what_did_not_arrive_is_tried_later_and_counts_its_attempts(scene: Scene) -> None:
    await scene.open()
    await scene.cancel()
    for attempts in range(3):
        (one,) = await due(scene)
        assert one.attempts == attempts
        await scene.store.outbox.retry(one, 3_600_000)
        assert await due(scene) == []
        await ripe(scene)


async def test_what_nobody_takes_is_set_aside_and_the_next_goes_on(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await scene.cancel()
    (one,) = await due(scene)
    await scene.store.outbox.bury(one)
    assert [later.type for later in await due(scene)] == ["booking.cancelled"]
    ((_, kept),) = await scene.redis.xrange(f"{{{scene.market}}}:wdead")
    assert msgspec.msgpack.decode(kept[1])["type"] == "booking.accepted"
    assert await scene.gauge("count.webhooks_dead") == 1
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_word_about_an_event_that_is_over_changes_nothing(scene: Scene) -> None:
    """A worker that was thought dead says `done` after another did: the next event must not be lost by it."""
    await scene.open()
    await scene.accept("ada")
    await scene.cancel()
    (one,) = await due(scene)
    await scene.store.outbox.done(one)
    for late in (scene.store.outbox.done, scene.store.outbox.bury):
        await late(one)
    await scene.store.outbox.retry(one, 5_000)
    assert [later.type for later in await delivered(scene)] == ["booking.cancelled"]
    assert await scene.gauge("count.webhooks") == 2


async def test_an_event_that_happens_while_one_is_out_waits_its_turn(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    (one,) = await due(scene)
    await scene.cancel()
    assert await due(scene) == []
    await scene.store.outbox.done(one)
    assert [later.type for later in await due(scene)] == ["booking.cancelled"]


async def test_without_an_address_nothing_is_kept(scene: Scene) -> None:
    await scene.settings()
    await scene.open()
    await scene.cancel()
    assert await due(scene) == []
    assert await scene.redis.keys(f"{{{scene.market}}}:w:*") == []


@dataclass(slots=True)
class Receiver:
    """The booking service, and the workers that deliver to it: any of them may die at any point."""

    scene: Scene
    chance: Random
    arrived: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    async def work(self) -> None:
        """Takes what is due. Some arrives; of that, some is said to have arrived; some is said to have failed; of the rest nobody hears."""
        for one in await due(self.scene, limit=self.chance.randrange(1, 6)):
            fate = self.chance.random()
            if fate < 0.7:
                self.arrived[one.bno].append(int(one.id.rpartition("_")[2]))
            if fate < 0.5:
                await self.scene.store.outbox.done(one)
            elif fate < 0.9:
                await self.scene.store.outbox.retry(one, 0)


@pytest.mark.parametrize("seed", range(4))
async def test_workers_that_die_at_any_point_lose_nothing_and_keep_the_order(scene: Scene, seed: int) -> None:
    """A repeat may come, never an older event after a newer one."""
    for number in range(8):
        await scene.open(f"b-{number}", lead=2.5 + number)
        await scene.only("ada", f"b-{number}")
        await scene.accept("ada", f"b-{number}")
        await scene.cancel(f"b-{number}", by="provider")
        await scene.cancel(f"b-{number}")
    receiver = Receiver(scene, Random(seed))
    for _ in range(100):
        await asyncio.gather(receiver.work(), receiver.work(), receiver.work())
        await ripe(scene)
    assert {bno: sorted(set(numbers)) for bno, numbers in receiver.arrived.items()} == {bno: [1, 2, 3] for bno in range(1, 9)}
    assert all(numbers == sorted(numbers) for numbers in receiver.arrived.values())
    assert await faults(scene.store, scene.market, scene.redis_url) == []
