"""Upkeep: links of gateways that died, tests that are over, what the match index owes, its next day. Small steps, nobody waits."""

import structlog

from dispatch.store import Store

log = structlog.get_logger("dispatch.upkeep")

SILENT_MS = 5_000  # a gateway beats every second
SLICE = 40
ALARMS = 200  # raised in one call


class Upkeep:
    """Duties without a deadline, each once per call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def reap(self) -> None:
        """Providers whose gateway died are not reachable through it any more."""
        for market in await self._store.markets.names():
            for gateway in await self._store.links.silent_gateways(market, SILENT_MS):
                await self._store.links.gateway_gone(gateway, [market], SILENT_MS)

    async def renew(self) -> None:
        """The index says of everybody what his settings and those of his market say, whoever died while he wrote it."""
        for name in await self._store.markets.names():
            market = await self._store.markets.get(name)
            if market is None:
                continue
            done = await self._store.renewal.finish(market)
            if await self._store.renewal.owed(market):
                done += await self._store.renewal.run(market)
            if done:
                log.info("index_renewed", market=name, providers=done)

    async def end_tests(self) -> None:
        """Test proposals end on every screen when their time is over (R25b)."""
        for market in await self._store.markets.names():
            await self._store.trials.end(market)

    async def alarm(self) -> None:
        """What ops have in their hands and did not settle in time becomes an alarm; nothing else happens to it (P3)."""
        now = await self._store.now()
        for market in await self._store.hands.overdue(await self._store.markets.names(), now):
            await self._store.hands.alarm(market, ALARMS)

    async def end_counteroffers(self) -> None:
        """Counteroffers end when their time is over; their providers, and clients who were shown them, are told (R24)."""
        for market in await self._store.markets.names():
            await self._store.counteroffers.end(market)

    async def look_ahead(self) -> None:
        """The index reaches the horizon again, and forgets what is past."""
        for name in await self._store.markets.names():
            market = await self._store.markets.get(name)
            if market is not None:
                await self._store.forget_past(market)
                for first in range(1, await self._store.providers.count(name) + 1, SLICE):
                    await self._store.providers.prolong(market, range(first, first + SLICE))
