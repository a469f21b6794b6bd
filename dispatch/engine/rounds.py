"""Rounds: serves the bookings whose plan wants attention. Reads, asks waves.py, and says so to the store; nothing is decided here."""

from collections.abc import Sequence

import structlog
from prometheus_client import Counter, Histogram

from dispatch import hours, waves
from dispatch.engine import direct
from dispatch.engine.people import query_of
from dispatch.errors import Unavailable
from dispatch.habits import NONE_YET, Habits
from dispatch.store import Market, Record, Store, Turn, closing, deciding, sending

log = structlog.get_logger("dispatch.rounds")

BATCH = 100
AT_ONCE = 8  # turns in one round trip: more would make others wait for the store
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
        seen = await self._store.habits.read(name, market.now) if market and market.settings.learns else NONE_YET
        failures: list[Exception] = []

        for some in range(0, len(numbers), AT_ONCE):
            turns: dict[int, Turn] = {}
            for number in numbers[some : some + AT_ONCE]:
                try:
                    record = known.get(number) if known is not None else (await self._records(name, [number])).get(number)
                    turns[number] = await self._turn(number, market, record, seen)
                except Exception as error:  # of this booking alone
                    failures.append(_noted(error, name, number))
            failures += await self._take(name, turns)
        return failures

    async def _take(self, name: str, turns: dict[int, Turn]) -> list[Exception]:
        """Has the store take them; what went wrong."""
        failures = []
        for number, reply in zip(turns, await self._store.bookings.take(name, list(turns.values())), strict=True):
            if isinstance(reply, Exception):
                failures.append(_noted(reply, name, number))
                continue
            WAVES.labels(reply["word"]).inc()
            if reply["word"] == "SENT":
                LATENESS.observe(self._store.clock.wall_seconds(reply["late"]))
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

    async def _turn(self, number: int, market: Market | None, record: Record | None, seen: Habits) -> Turn:
        """The turn of one booking's plan that is due now."""
        if market is None or record is None or record.state != "searching":
            return closing(number, 0)  # a timer of nothing
        if record.decides_at is not None:
            return deciding(number)  # while it does, nobody else is asked
        step = waves.next_step(market.settings, record.search(), market.now, seen)
        if step.close:
            offers = waves.choices(market.settings, (window.start for window in record.windows), market.now)
            return closing(number, record.rev, waves.lives(market.settings, record.search()), offers)
        owed = step.release is not None and step.release.kind == "direct"
        chosen = await direct.turn(self._store, market, record, query_of(record.query)) if owed else None
        minute = hours.local_minute(market.settings.time_zone, market.now)
        return sending(record, step, minute=minute, ready=self._ready, chosen=chosen)


def _noted(error: Exception, name: str, number: int) -> Exception:
    """A failure of one booking's turn."""
    log.warning("turn_failed", market=name, bno=number, error=type(error).__name__)
    return error
