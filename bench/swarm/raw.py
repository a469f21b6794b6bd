"""One raw websocket of a swarm: a protocol of asyncio that hands frames to a function, and says when it is gone."""

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

from bench.swarm.frames import BINARY, CLOSE, PING, PONG, TEXT, Frames, Refused, frame, handshake, opened

PER_SOURCE: Final = 8_000  # sockets from one address of 127.0.0.0/8: each has its own 28,000 outgoing ports, some of them still cooling
BIND_WITHOUT_PORT: Final = 24  # IP_BIND_ADDRESS_NO_PORT of Linux: the port is chosen when it is known where to
NARROW: Final = 4_096  # bytes that the kernel keeps for one who will not read

Heard = Callable[[bytes], None]
Gone = Callable[[int | None, str], None]  # close code and reason; None when there was no goodbye


def source(number: int) -> str:
    """The address from which the socket of this number connects."""
    block = number // PER_SOURCE
    return "127.0.0.1" if block == 0 else f"127.{1 + block // 250}.{block % 250}.1"


class Raw(asyncio.Protocol):
    """A websocket: first frames wait for ``recv``; after ``attend`` each goes to a function as it comes."""

    __slots__ = ("_code", "_frames", "_gone", "_head", "_heard", "_key", "_open", "_reason", "_transport", "_waiting", "error")

    def __init__(self, key: bytes) -> None:
        self._key, self._head, self._frames = key, b"", Frames()
        self._open: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self._waiting: deque[tuple[int, bytes]] | None = deque()
        self._heard: Heard | None = None
        self._gone: Gone | None = None
        self._code: int | None = None
        self._reason = ""
        self._transport: asyncio.Transport | None = None
        self.error: str | None = None  # why it is no longer there

    # -- for its owner ------------------------------------------------------------------------------------------------

    def attend(self, heard: Heard, gone: Gone) -> None:
        """From now on frames go to ``heard``, and the end to ``gone``; what has waited goes first."""
        waiting, self._waiting, self._open = self._waiting or (), None, None
        self._heard, self._gone = heard, gone
        for _, payload in waiting:
            heard(payload)
        if self.error is not None:
            gone(self._code, self._reason)

    async def recv(self, decode: bool | None = None) -> Any:
        """The next message, before ``attend``: as text when it is one, unless ``decode`` is False. Raises ConnectionError."""
        assert self._waiting is not None
        while not self._waiting:
            if self.error is not None:
                raise ConnectionError(self.error)
            self._open = asyncio.get_running_loop().create_future()
            await self._open
        opcode, payload = self._waiting.popleft()
        return payload.decode() if opcode == TEXT and decode is not False else payload

    async def send(self, data: bytes | str) -> None:
        """One message."""
        self.say(data.encode() if isinstance(data, str) else data, isinstance(data, str))

    def say(self, data: bytes, text: bool = False) -> None:
        """One message, as far as there is still somebody to hear it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(TEXT if text else BINARY, data))

    def leave(self) -> None:
        """A goodbye; the server closes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(CLOSE, (1000).to_bytes(2)))

    def cut(self) -> None:
        """The network is gone: no goodbye."""
        if self._transport is not None:
            self._transport.abort()

    def stall(self, stalled: bool = True) -> None:
        """The app hangs: nothing is read any more, or again."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if stalled else self._transport.resume_reading)()

    # -- for the loop -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            if self._key:
                data = self._greeted(data)
            for opcode, payload in self._frames.feed(data) if data else ():
                self._take(opcode, payload)
        except (Refused, ValueError) as error:
            self.error = str(error)
            self.cut()

    def _greeted(self, data: bytes) -> bytes:
        """The answer to the handshake, as far as it has come; what is behind it."""
        self._head += data
        rest = opened(self._head, self._key)
        if rest is None:
            return b""
        self._key = self._head = b""
        self._wake()
        return rest

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode in (TEXT, BINARY):
            if self._heard is not None:
                self._heard(payload)
            elif self._waiting is not None:
                self._waiting.append((opcode, payload))
                self._wake()
        elif opcode == PING and self._transport is not None:
            self._transport.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self._code, self._reason = int.from_bytes(payload[:2]) or None, payload[2:].decode("utf-8", "replace")
            if self._transport is not None:
                self._transport.write(frame(CLOSE, payload[:2]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = self.error or (f"closed with {self._code} {self._reason}" if self._code else f"cut off: {exc!r}")
        self._transport = None
        self._wake()
        if self._gone is not None:
            self._gone(self._code, self._reason)

    def _wake(self) -> None:
        if self._open is not None and not self._open.done():
            self._open.set_result(None)

    async def ready(self) -> None:
        """Returns when the websocket is open. Raises ConnectionError."""
        assert self._open is not None
        await self._open
        if self.error is not None or self._key:
            raise ConnectionError(self.error or "the server left during the handshake")


async def connect(url: str, number: int, subprotocol: str | None = None, *, narrow: bool = False) -> Raw:
    """An open websocket. ``narrow``: the kernel keeps next to nothing for it. Raises OSError (ConnectionError)."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    request, key = handshake(f"{host}:{port}", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", subprotocol)
    made, loop = _socket(source(number), narrow), asyncio.get_running_loop()
    try:
        await loop.sock_connect(made, (host, port))
        transport, raw = await loop.create_connection(lambda: Raw(key), sock=made)
    except BaseException:
        made.close()
        raise
    try:
        transport.write(request)
        await raw.ready()
    except BaseException:
        raw.cut()
        raise
    return raw


def _socket(address: str, narrow: bool) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if narrow:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
    if sys.platform == "linux" and address != "127.0.0.1":
        made.setsockopt(socket.IPPROTO_IP, BIND_WITHOUT_PORT, 1)
        made.bind((address, 0))
    return made
