"""Rounds: serves the bookings whose plan wants attention. Reads, asks waves.py, and says so to the store; nothing is decided here."""

from collections.abc import Sequence

import anyio
import structlog
from prometheus_client import Counter, Histogram

from dispatch import hours, waves
from dispatch.errors import Unavailable
from dispatch.store import Market, Record, Store

log = structlog.get_logger("dispatch.rounds")

BATCH = 100
AT_ONCE = 8  # turns under way together: the store works on one while we decide the next
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
        self._interrupted = False

    async def once(self, now: int) -> int | None:
        """Serves everything that is due by ``now``. When to come again (engine ms): ``now`` when there may be more; None: no timer is set.

        A booking that cannot be served, or even be read, does not hold up the others; what went wrong with the first is raised at the end.
        Raises Unavailable when there is no store.
        """
        if self._interrupted:
            self._ready = now
        self._interrupted = True
        names = await self._store.markets.names()
        due, later = await self._store.bookings.due(names, now, BATCH)
        failures: list[Exception] = []
        for name in dict.fromkeys(market for market, _ in due):
            failures += await self._serve(name, [bno for market, bno in due if market == name])
        self._interrupted = 0 < len(due) == len(failures)
        if failures:
            raise failures[0]
        return now if due else later

    async def _serve(self, name: str, numbers: Sequence[int]) -> list[Exception]:
        """The turns of some bookings of a market, and what went wrong."""
        market = await self._store.markets.get(name)
        known = await self._read(name, numbers) if market else {}
        failures: list[Exception] = []

        async def serve(number: int) -> None:
            try:
                record = known.get(number) if known is not None else (await self._records(name, [number])).get(number)
                WAVES.labels(await self._turn(name, number, market, record)).inc()
            except Exception as error:  # of this booking alone
                log.warning("turn_failed", market=name, bno=number, error=type(error).__name__)
                failures.append(error)

        for some in range(0, len(numbers), AT_ONCE):
            async with anyio.create_task_group() as tasks:
                for number in numbers[some : some + AT_ONCE]:
                    tasks.start_soon(serve, number)
        return failures

    async def _read(self, name: str, numbers: Sequence[int]) -> dict[int, Record] | None:
        """All of them in one round trip. None: one cannot be read, and nobody knows which."""
        try:
            return await self._records(name, numbers)
        except Unavailable:
            raise
        except Exception:
            return None

    async def _records(self, name: str, numbers: Sequence[int]) -> dict[int, Record]:
        return {record.no: record for record in await self._store.bookings.records(name, numbers)}

    async def _turn(self, name: str, number: int, market: Market | None, record: Record | None) -> str:
        """One turn of one booking's plan; the store's word for what came of it."""
        if market is None or record is None or record.state != "searching":
            return await self._store.bookings.close(name, number, 0)  # a timer of nothing
        step = waves.next_step(market.settings, record.search(), market.now)
        if step.close:
            return await self._store.bookings.close(name, number, record.rev, waves.lives(market.settings, record.search()))
        minute = hours.local_minute(market.settings.time_zone, market.now)
        reply = await self._store.bookings.send_wave(name, record, step, minute=minute, ready=self._ready)
        if reply["word"] == "SENT":
            LATENESS.observe(self._store.clock.wall_seconds(reply["late"]))
        return str(reply["word"])
