"""One timer for all links: whichever is due first decides how long to sleep. No task per link."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

import anyio

from dispatch.gateway.limits import NEVER
from dispatch.gateway.metrics import LAG

AT_ONCE = 256  # links served before others get a turn
LONGEST_S = 1.0  # sleep, so that the loop's lag is known even when nothing is due


class Timed(Protocol):
    """Something that wants to be called at a moment; ``armed`` is the one it waits for (NEVER: none)."""

    armed: int

    def ring(self, now: int) -> int:
        """Do what is due; returns the next moment."""


class Timers:
    """A heap of moments. A thing whose moment moves later is not moved: it is looked at when the old moment comes."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._heap: list[tuple[int, int, Timed]] = []
        self._order = count()
        self._earlier = anyio.Event()

    def arm(self, thing: Timed, due: int) -> None:
        """Call ``thing`` at ``due`` at the latest."""
        if due >= thing.armed:
            return
        thing.armed = due
        heapq.heappush(self._heap, (due, next(self._order), thing))
        if self._heap[0][2] is thing:
            self._earlier.set()

    def fire(self, now: int, at_most: int = AT_ONCE) -> bool:
        """Call what is due; whether more is."""
        for _ in range(at_most):
            if not self._heap or self._heap[0][0] > now:
                return False
            due, _, thing = heapq.heappop(self._heap)
            if due == thing.armed:  # else it was armed again, earlier
                thing.armed = NEVER
                self.arm(thing, max(thing.ring(now), now + 1))
        return True

    async def run(self) -> None:
        """Sleep and call, for ever."""
        while True:
            more = self.fire(self._now())
            pause = 0.0 if more else self._pause()
            self._earlier = anyio.Event()
            before = anyio.current_time()
            with anyio.move_on_after(pause) as scope:
                await self._earlier.wait()
            if scope.cancelled_caught:
                LAG.observe(max(0.0, anyio.current_time() - before - pause))

    def _pause(self) -> float:
        if not self._heap:
            return LONGEST_S
        return min(LONGEST_S, max(0, self._heap[0][0] - self._now()) / 1_000)
