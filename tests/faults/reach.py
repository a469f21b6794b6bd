"""Who could be asked in a run, as the store itself says over and over: what nobody took must have been offered to each of them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dispatch.store.keys import key
from tests.faults.watched import now
from tests.store.recount import askable

LOOK_S = 0.3
LEAST = 20  # looks in a search that say something: so long, six seconds, the store was there and somebody could have been asked
ASK_S = 2.0


@dataclass(slots=True)
class Reach:
    """Looks at the store, each with those who could be asked then (R2): approved, connected, not away, not paused, below their cap."""

    looks: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    over: bool = False

    def between(self, begun: float, ended: float, busy: frozenset[str]) -> list[frozenset[str]]:
        """At each look between two moments, who could be asked and was not busy; nothing when there were too few looks to say."""
        there = [who - busy for at, who in self.looks if begun <= at <= ended]
        return there if len(there) >= LEAST else []

    async def watch(self, url: str, market: str) -> None:
        """Until it is over. ``url`` leads to the store without a proxy; while it is away nothing is seen."""
        async with Redis.from_url(url, socket_timeout=ASK_S, socket_connect_timeout=ASK_S) as redis:
            while not self.over:
                begun = now()
                with suppress(RedisError, OSError):
                    self.looks.append((begun, await _askable(redis, market)))
                await asyncio.sleep(LOOK_S)


async def _askable(redis: Any, market: str) -> frozenset[str]:
    numbers = {who.decode(): int(pno) for who, pno in (await redis.hgetall(key("provider_ids", market))).items()}
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hget(key("market", market), "cap")
        for pno in numbers.values():
            pipe.hgetall(key("provider", market, pno))
            pipe.exists(key("links", market, pno))
        cap, *facts = await pipe.execute()
    known = zip(numbers, facts[::2], facts[1::2], strict=True)
    return frozenset(who for who, his, online in known if askable(his, bool(online), int(cap or 0)))
