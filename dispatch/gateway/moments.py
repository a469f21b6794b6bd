"""What time it is at a gateway: its own steady wall clock, and the store's time seen from here."""

import time

from dispatch.store import Store


class Moments:
    """Wall ms that never jump (taken once at the start, then counted), and the engine time that belongs to them.

    The store's clock is the one that rules speak of; ``agree`` measures how far ours is from it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._base = time.time() * 1_000 - time.monotonic() * 1_000
        self._ahead = 0.0  # engine ms by which the store is ahead of what our clock would give

    def now(self) -> int:
        """Wall time in ms."""
        return round(self._base + time.monotonic() * 1_000)

    def at_wall(self, wall_ms: int) -> int:
        """The moment of ours at which this machine's clock will show that: it may have been set right since we began to count."""
        return self.now() + wall_ms - round(time.time() * 1_000)

    def engine(self, now: int) -> int:
        """The store's time (engine ms) at one of our moments."""
        return round(self._store.clock.engine_ms(now) + self._ahead)

    async def agree(self) -> None:
        """Measure the difference anew. Raises Unavailable."""
        before = self.now()
        theirs = await self._store.now()
        self._ahead = theirs - self._store.clock.engine_ms((before + self.now()) / 2)
