"""A stage on which a test plays the server, word by word: what a gateway does once in a while, an SDK must still take well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Raw
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dispatch.messages import Booking, Heartbeat, Hello, Live, Outline, Proposal, Welcome
from dispatch.wire import CODECS, JSON, MSGPACK, Message, ToServer

PATIENCE_S = 20.0
SOON_S = 8.0  # for what happens at once: less than any patience of an SDK (10 s to connect, 15 s to be greeted)
FAR = 2_000_000_000_000  # a moment that does not come


def proposal(number: int, seq: int, *, expires_at: int = FAR) -> Proposal:
    """An offer whose id is ``<number>.1.7``."""
    outline = Outline(booking_id=f"b-{number}", services=("cut",), windows=())
    return Proposal(seq=seq, proposal=f"{number}.1.7", version=1, expires_at=expires_at, answer_by=FAR - 1, booking=outline)


def held(number: int, seq: int, state: str = "accepted") -> Booking:
    """A booking of his."""
    return Booking(seq=seq, booking_id=f"b-{number}", version=1, state=state)


class Line:
    """One connection of a device, as the server sees it."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket, self.codec = socket, CODECS[str(socket.subprotocol)]
        self.hello: Hello | None = None

    async def hear(self, kind: type[Message] | None = None) -> Any:
        """The next message; with ``kind`` the next of this type."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: ToServer = self.codec.decode(await self.socket.recv(decode=False))
                if kind is None or isinstance(message, kind):
                    return message

    async def say(self, *messages: Message) -> None:
        for message in messages:
            await self.socket.send(self.codec.encode(message), text=self.codec.text)

    async def greet(
        self, seq: int = 0, *items: Any, resumed: bool = False, epoch: str = "e", now: int = 0, dead_ms: int = 45_000, live: bool = True
    ) -> Hello:
        """Take the hello and welcome the device."""
        self.hello = await self.hear(Hello)
        assert self.hello is not None
        raws = tuple(Raw(self.codec.encode(item)) for item in items)
        heartbeat = Heartbeat(every_ms=25_000, dead_ms=dead_ms)
        await self.say(Welcome(session="s", epoch=epoch, seq=seq, resumed=resumed, now=now, heartbeat=heartbeat, items=raws))
        if live:
            await self.say(Live(seq=seq))
        return self.hello

    async def close(self, code: int, reason: str = "") -> None:
        await self.socket.close(code, reason)

    async def end(self) -> int:
        """The close code with which the device ends it, soon."""
        async with asyncio.timeout(SOON_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006


class Stage:
    """Where devices connect to, and who has."""

    def __init__(self) -> None:
        self.url = ""
        self._lines: asyncio.Queue[Line] = asyncio.Queue(maxsize=64)

    async def line(self) -> Line:
        """The next connection."""
        return await asyncio.wait_for(self._lines.get(), PATIENCE_S)

    async def enter(self, socket: ServerConnection) -> None:
        """A device has connected."""
        await self._lines.put(Line(socket))
        await socket.wait_closed()


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A server that says what the test says."""
    there = Stage()
    options: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 2}
    async with serve(there.enter, "127.0.0.1", 0, subprotocols=[MSGPACK.subprotocol, JSON.subprotocol], **options) as server:  # type: ignore[list-item]
        there.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/device"
        yield there
