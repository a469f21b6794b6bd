"""Re-match: whoever comes online, is freed, or widens his settings meets the vacancies he now fits, at once (R18).

The steps that wake him leave his number in the store (lua/lib/vacancy.lua); here they are served in the order in which they were woken.
Nothing is decided here: vacancies.py says on which terms, the verb takes the seats.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from dispatch import hours, vacancies
from dispatch.store import Store

log = structlog.get_logger("dispatch.rematch")

BATCH = 128
AT_ONCE = 8  # meetings in one round trip: more would make others wait for the store
AGAIN_MS = 30_000  # for one with whom something is wrong
WAITED = Histogram(
    "dispatch_rematch_seconds",
    "How long a provider who came online, was freed or widened his settings waited until he had met the waiting bookings.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
SEATS = Counter("dispatch_rematch_seats", "Seats that providers who came online, were freed or widened their settings have taken.")


class Rematch:
    """The meetings of all markets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def once(self, now: int) -> int | None:
        """Serves those who wait; ``now`` when there may be more, None when nobody does.

        One who cannot be served holds nobody up; what went wrong with the first is raised at the end. Raises Unavailable without a store.
        """
        waiting = await self._store.meetings.waiting(await self._store.markets.names(), now, BATCH)
        failures: list[Exception] = []
        for name in dict.fromkeys(market for market, _ in waiting):
            failures += await self._serve(name, [pno for market, pno in waiting if market == name])
        if failures:
            raise failures[0]
        return now if waiting else None

    async def _serve(self, name: str, numbers: Sequence[int]) -> list[Exception]:
        """Those of one market, and what went wrong."""
        market = await self._store.markets.get(name)
        if market is None:
            return []
        minute = hours.local_minute(market.settings.time_zone, market.now)
        terms = vacancies.plain(vacancies.terms(market.settings, market.now))
        failures: list[Exception] = []
        for at in range(0, len(numbers), AT_ONCE):
            failures += await self._meet(name, numbers[at : at + AT_ONCE], minute, terms)
        return failures

    async def _meet(self, name: str, numbers: Sequence[int], minute: int, terms: Mapping[str, Any]) -> list[Exception]:
        failures: list[Exception] = []
        for pno, met in zip(numbers, await self._store.meetings.meet(name, numbers, minute, terms), strict=True):
            if isinstance(met, Exception):
                log.warning("meeting_failed", market=name, p=pno, error=type(met).__name__)
                await self._store.meetings.postpone(name, pno, AGAIN_MS)
                failures.append(met)
            elif met is not None:
                SEATS.inc(len(met.asked))
                if not met.more:
                    WAITED.observe(self._store.clock.wall_seconds(met.waited_ms))
        return failures
