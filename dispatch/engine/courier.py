"""A courier: sees to what is due outside, each in a task of its own, as far as there are free seats. One who is slow delays nobody else.

What it takes is lent to it by the store for a while; whatever it does not bring to an end is handed out again.
"""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio

GOODBYE_S = 2.0  # for what is under way when it closes; what is cut off is delivered again

T = TypeVar("T")


class Courier(Generic[T]):
    """Works while it is open: ``async with Courier(due, see_to, seats) as courier``, then ``courier.once()`` again and again."""

    def __init__(self, due: Callable[[int], Awaitable[Sequence[T]]], see_to: Callable[[T], Awaitable[None]], seats: int) -> None:
        self._due, self._see_to, self._seats = due, see_to, seats
        self._tasks = anyio.create_task_group()
        self._busy = 0

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._tasks.cancel_scope.deadline = anyio.current_time() + GOODBYE_S
        return bool(await self._tasks.__aexit__(kind, error, trace))

    async def once(self) -> int:
        """Starts everything that is due, as far as there are free seats; how many. Does not wait for the other side. Raises Unavailable."""
        if self._busy >= self._seats:
            return 0
        due = await self._due(self._seats - self._busy)
        for one in due:
            self._busy += 1
            self._tasks.start_soon(self._serve, one)
        return len(due)

    async def _serve(self, one: T) -> None:
        try:
            await self._see_to(one)
        finally:
            self._busy -= 1
