"""One device's connection as the rest of the gateway sees it: what is written, what waits to be written, how it ends.

Writing never waits. While the transport takes bytes they go straight through; when it is full they queue here, in a bounded queue from
which expired proposals are dropped and withdrawn ones removed; when the queue is full too, the reader is too slow and the link ends (P11).
The transport itself says when there is room again: a link needs no writing task.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio
from msgspec import Struct
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

from dispatch.gateway.frames import Frame
from dispatch.gateway.limits import NEVER, Limits
from dispatch.gateway.metrics import FRAMES
from dispatch.gateway.session import Close, Confirm, Effect, Forward, Phase, Rest, Say, Session
from dispatch.messages import CloseCode, ToDevice

WRITE_HIGH: Final = 16 * 1024  # bytes in the transport above which we queue
WRITE_LOW: Final = 4 * 1024  # and below which we go on


class Device(ServerConnection):
    """A websocket whose link hears when there is room again, and when the connection is gone."""

    link: "Link | None" = None

    def resume_writing(self) -> None:
        """The transport has room."""
        super().resume_writing()
        if self.link is not None:
            self.link.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self.link is not None:
            self.link.gone()


class Waiting(Struct, frozen=True):
    """A frame in the queue."""

    kind: str
    data: bytes
    frame: Frame | None


class Links(Struct, frozen=True):
    """What all links of a gateway share."""

    limits: Limits
    now: Callable[[], int]
    engine: Callable[[int], int]
    confirm: Callable[[str, int, tuple[str, ...], tuple[str, ...]], None]
    part: Callable[["Link", CloseCode, str], None]  # say goodbye, in a task


class Link:
    """One connection. ``held``: messages of the stream wait (he is being told what he missed); ``behind``: some did."""

    def __init__(self, device: Device, session: Session, number: int, shared: Links) -> None:
        self.device, self.session, self.number = device, session, number
        self.market, self.pno, self.name, self.epoch = "", 0, "", ""
        self.background, self.linked = False, False  # as the store knows it
        self.held, self.behind, self.gaps = True, False, 0
        self.deaf_until = 0  # until then the store's word that this link was replaced is an echo of our own
        self.closed: CloseCode | None = None
        self.armed = NEVER
        self._shared = shared
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
        self._room = anyio.Event()
        device.link = self

    # -- effects ------------------------------------------------------------------------------------------------------

    def act(self, effects: Iterable[Effect]) -> None:
        """Perform the effects that need no waiting; the others are the server's."""
        for effect in effects:
            match effect:
                case Say():
                    self.say(effect.message)
                case Forward():
                    self.forward(effect.frame)
                case Close():
                    self.close(effect.code, effect.reason)
                case Confirm():
                    self._shared.confirm(self.market, self.pno, effect.received, effect.seen)
                case Rest():
                    pass
                case _:
                    raise AssertionError(f"{type(effect).__name__} needs the store")

    def ring(self, now: int) -> int:
        """A moment of the session has come."""
        self.act(self.session.tick(now))
        return self.session.due

    def deliver(self, frames: list[Frame], now: int) -> bool:
        """Messages of the stream; whether some before them are missing."""
        delivery = self.session.deliver(frames, now)
        self.act(delivery.effects)
        return delivery.gap

    # -- writing ------------------------------------------------------------------------------------------------------

    def say(self, message: ToDevice) -> None:
        """Write a message made here."""
        self._write(Waiting(str(message.__struct_config__.tag), self.session.codec.encode(message), None))

    def forward(self, frame: Frame) -> None:
        """Write a stored message. A withdrawal takes an unsent proposal of the same id with it."""
        if frame.head.type == "withdrawn" and self._queue:
            self._drop(lambda other: other.head.type == "proposal" and other.head.proposal == frame.head.proposal)
        self._write(Waiting(frame.head.type, frame.encoded(self.session.codec), frame))

    @property
    def congested(self) -> bool:
        """Whether what is written now would queue."""
        return self.device.paused or bool(self._queue)

    def _write(self, waiting: Waiting) -> None:
        if self.closed is not None:
            return
        if not self.congested:
            self._put(waiting)
            return
        if self._full(waiting):
            now = self._shared.engine(self._shared.now())
            self._drop(lambda frame: frame.expired(now))
        if self._full(waiting):
            self.close(CloseCode.SLOW_READER, f"{len(self._queue)} messages wait to be read")
            return
        self._queue.append(waiting)
        self._queued_bytes += len(waiting.data)

    @property
    def unsent_bytes(self) -> int:
        """What waits here and in the transport."""
        return self._queued_bytes + self.device.transport.get_write_buffer_size()

    def _full(self, waiting: Waiting) -> bool:
        limits = self._shared.limits
        return len(self._queue) >= limits.queue_messages or self.unsent_bytes + len(waiting.data) > limits.queue_bytes

    def _drop(self, unwanted: Callable[[Frame], bool]) -> None:
        kept: deque[Waiting] = deque()
        for waiting in self._queue:
            if waiting.frame is not None and unwanted(waiting.frame):
                self._queued_bytes -= len(waiting.data)
                self.session.unsent(waiting.frame)
            else:
                kept.append(waiting)
        self._queue = kept

    def _put(self, waiting: Waiting) -> None:
        broadcast((self.device,), waiting.data, text=self.session.codec.text)
        FRAMES.labels("out", waiting.kind).inc()

    def flush(self) -> None:
        """There is room: write what waits, as far as it goes."""
        now = self._shared.engine(self._shared.now())
        while self._queue and not self.device.paused:
            waiting = self._queue.popleft()
            self._queued_bytes -= len(waiting.data)
            if waiting.frame is not None and waiting.frame.expired(now):
                self.session.unsent(waiting.frame)
            else:
                self._put(waiting)
        self._room.set()

    async def drained(self) -> None:
        """Wait until nothing waits here; a reader who makes no progress for ``stall_ms`` is cut off."""
        while self.congested and self.closed is None:
            self._room = anyio.Event()
            with anyio.move_on_after(self._shared.limits.stall_ms / 1_000) as scope:
                await self._room.wait()
            if scope.cancelled_caught:
                self.close(CloseCode.SLOW_READER, "no progress")

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self, code: CloseCode, reason: str) -> None:
        """End the link: what waits is dropped, a goodbye is said if it still can be."""
        if self.closed is None:
            self.closed = code
            self.session.phase = Phase.CLOSED
            self._queue.clear()
            self._queued_bytes = 0
            self._room.set()
            self._shared.part(self, code, reason)

    async def goodbye(self, code: CloseCode, reason: str) -> None:
        """The closing handshake; then the transport is cut, whether it worked or not."""
        with anyio.move_on_after(self._shared.limits.goodbye_ms / 1_000, shield=True):
            await self.device.close(code, reason)
        if self.device.state is not State.CLOSED:
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        transport: asyncio.Transport | Any = self.device.transport
        transport.abort()

    def gone(self) -> None:
        """The connection is closed, by whichever side."""
        self.session.phase = Phase.CLOSED
        self._queue.clear()
        self._room.set()
