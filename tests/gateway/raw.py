"""A TCP connection to the gateway that sends what no client would: single bytes, broken frames, two origins."""

import base64
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketStream
from websockets.frames import Close, Frame, Opcode

from dispatch.wire import MSGPACK, Codec
from tests.gateway.gate import PATIENCE_S

Headers = Sequence[tuple[str, str]]


def upgrade(codec: Codec = MSGPACK, path: str = "/v1/device", *further: tuple[str, str]) -> bytes:
    """A right request, but for what is added."""
    headers = [
        ("Host", "gateway"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode()),
        ("Sec-WebSocket-Protocol", codec.subprotocol),
        *further,
    ]
    return "\r\n".join([f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


def framed(data: bytes, opcode: Opcode = Opcode.BINARY, *, fin: bool = True) -> bytes:
    """A masked frame."""
    return Frame(opcode, data, fin).serialize(mask=True)


class Raw:
    """Bytes out, frames in."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream, self._unread = stream, b""

    async def send(self, data: bytes) -> None:
        """Write; one who has been cut off already writes into nothing."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._stream.send(data)

    async def status(self) -> int:
        """The status of the answer to the upgrade; 0: none, the connection was cut."""
        head = await self._until(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame; 1006: the connection ended without one."""
        while header := await self._take(2):
            size = header[1] & 0x7F
            if size > 125:
                size = int.from_bytes(await self._take(2 if size == 126 else 8))
            body = await self._take(size) if size else b""
            if header[0] & 0x0F == Opcode.CLOSE:
                close = Close.parse(body)
                return close.code, close.reason
        return 1006, ""

    async def gone(self) -> None:
        """Wait until the other side has ended the connection."""
        while await self._more():
            pass

    async def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            if not await self._more():
                return b""
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            if not await self._more():
                return b""
        taken, _, self._unread = self._unread.partition(mark)
        return taken

    async def _more(self) -> bool:
        with anyio.fail_after(PATIENCE_S):
            try:
                self._unread += await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return False
        return True


@asynccontextmanager
async def raw(port: int, request: bytes = b"") -> AsyncIterator[Raw]:
    """A connection on which a request has been sent."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        connection = Raw(stream)
        await connection.send(request)
        yield connection


@asynccontextmanager
async def upgraded(port: int, codec: Codec = MSGPACK) -> AsyncIterator[Raw]:
    """A websocket on which nothing has been said."""
    async with raw(port, upgrade(codec)) as connection:
        assert await connection.status() == 101
        yield connection
