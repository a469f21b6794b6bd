"""What the match index still owes: providers written under other settings of their market, and those whom nobody has written whole."""

from collections.abc import Sequence
from typing import Any

from dispatch.store.calls import Calls, text, wall_ms
from dispatch.store.footprint import basis_of
from dispatch.store.keys import key
from dispatch.store.markets import Market
from dispatch.store.providers import Providers

SLICE = 100  # providers looked at in one round trip


class Renewal:
    """Finishes what others began. Whoever else does the same meanwhile does no harm."""

    def __init__(self, calls: Calls, providers: Providers) -> None:
        self._calls, self._providers = calls, providers

    async def owed(self, market: Market) -> bool:
        """Whether some provider may be written under other settings than the market's."""
        return text(await self._calls.command("HGET", key("market", market.id), "indexed") or "") != str(basis_of(market.settings))

    async def run(self, market: Market, until_ms: float = float("inf")) -> int:
        """Writes anew whoever was written under other settings, until that wall time; how many. At the end the market owes nothing."""
        done, highest = 0, await self._providers.count(market.id)
        for first in range(1, highest + 1, SLICE):
            for provider_id in await self._behind(market, range(first, min(first + SLICE, highest + 1))):
                if wall_ms() >= until_ms:
                    return done
                done += await self._providers.renew(market, provider_id)
        await self._calls.verb("indexed", market.id, basis=basis_of(market.settings))
        return done

    async def _behind(self, market: Market, numbers: Sequence[int]) -> list[str]:
        found = await self._calls.pipeline(*(("HGET", key("provider", market.id, pno), "basis") for pno in numbers))
        basis = str(basis_of(market.settings))
        behind = [pno for pno, raw in zip(numbers, found, strict=True) if raw is not None and text(raw) != basis]
        return await self._providers.ids(market.id, behind)

    async def finish(self, market: Market) -> int:
        """Writes whole some of those whose writer must have died; how many."""
        command: tuple[Any, ...] = ("ZRANGEBYSCORE", key("unwritten", market.id), "-inf", wall_ms(), "LIMIT", 0, SLICE)
        numbers = [int(pno) for pno in await self._calls.command(*command)]
        return sum([await self._providers.renew(market, provider_id) for provider_id in await self._providers.ids(market.id, numbers)])
