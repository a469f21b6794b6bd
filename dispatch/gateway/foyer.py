"""Who comes in next when everybody comes at once: those who have said hello before those who knock, each in the order they came.

After a crash all devices of a gateway return within seconds. Were they all dealt with at the same time, each would be done last, when its
device has given up and knocks again: nobody would come in. So whoever only knocks waits here, for the price of a socket, while as many
are being let in as the store answers at once. Who has come in and says nothing holds nobody up. (Little's law: what waits, waits outside.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from websockets.asyncio.server import ServerConnection

from dispatch.gateway.limits import Limits
from dispatch.gateway.metrics import OVER

Handler = Callable[[ServerConnection], Awaitable[Any]]


class Foyer:
    """One gateway's. ``knocking``: sockets that wait for their upgrade."""

    def __init__(self, limits: Limits) -> None:
        self.knocking = 0
        self._limits = limits
        self._seats = anyio.CapacityLimiter(limits.entering)
        self._line = anyio.Lock()
        self._greeting = 0  # those who have said hello, with or without a seat
        self._free = anyio.Event()

    async def knock(self, handle: Handler, connection: ServerConnection) -> None:
        """Handles a connection when it is its turn. When the line is too long it is cut off at once: the cheapest answer there is."""
        if self.knocking >= self._limits.knocking:
            OVER.labels("knocking").inc()
            connection.transport.abort()
        else:
            await self._turn()
        await handle(connection)

    async def _turn(self) -> None:
        self.knocking += 1
        try:
            async with self._line:
                while self._greeting >= self._limits.entering:
                    self._free = anyio.Event()
                    await self._free.wait()
        finally:
            self.knocking -= 1

    @asynccontextmanager
    async def greeting(self) -> AsyncIterator[None]:
        """While the store is asked about somebody who has said hello."""
        self._greeting += 1
        try:
            async with self._seats:
                yield
        finally:
            self._greeting -= 1
            self._free.set()
