"""Rounds: serves the bookings whose plan wants attention. Reads, asks waves.py, and says so to the store; nothing is decided here."""

from collections.abc import Sequence

import structlog
from prometheus_client import Counter, Histogram

from dispatch import hours, waves
from dispatch.store import Market, Record, Store

log = structlog.get_logger("dispatch.rounds")

BATCH = 100
WAVES = Counter("dispatch_wave_turns", "Turns of bookings' plans by outcome.", ["outcome"])
LATENESS = Histogram(
    "dispatch_wave_lateness_seconds",
    "How long after it was due (or the engine was ready) a wave left.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


class Rounds:
    """The waves of all markets. ``ready``: since when (engine ms) this worker could have sent one."""

    def __init__(self, store: Store, ready: int) -> None:
        self._store, self._ready = store, ready

    async def once(self, now: int) -> int | None:
        """Serves everything that is due by ``now``. When to come again (engine ms): ``now`` when there is more; None: no timer is set."""
        names = await self._store.markets.names()
        due, later = await self._store.bookings.due(names, now, BATCH)
        for name in dict.fromkeys(market for market, _ in due):
            await self._serve(name, [bno for market, bno in due if market == name])
        return now if due else later

    async def _serve(self, name: str, numbers: Sequence[int]) -> None:
        market = await self._store.markets.get(name)
        if market is None:
            return
        for record in await self._store.bookings.records(name, numbers):
            WAVES.labels(await self._turn(market, record)).inc()

    async def _turn(self, market: Market, record: Record) -> str:
        """One turn of one booking's plan; the store's word for what came of it."""
        if record.state != "searching":
            return "STALE"
        step = waves.next_step(market.settings, record.search(), market.now)
        if step.close:
            return await self._store.bookings.close(market.id, record)
        minute = hours.local_minute(market.settings.time_zone, market.now)
        reply = await self._store.bookings.send_wave(market.id, record, step, minute=minute, ready=self._ready)
        if reply["word"] == "SENT":
            LATENESS.observe(self._store.clock.wall_seconds(reply["late"]))
        return str(reply["word"])
