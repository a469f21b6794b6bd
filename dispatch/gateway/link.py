"""One device's connection as the rest of the gateway sees it: what is written, what waits to be written, how it ends.

Writing never waits. While the transport takes bytes they go straight through; when it is full they queue here (``outgoing``), within
bounds; when the queue is full too, or nothing that waits moves for a while, the reader is too slow and the link ends (P11), whatever he
says meanwhile. The transport itself says when there is room again, and the timer that all links share looks whether anything moves: a link
needs no task for its writing.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio
from msgspec import Struct
from websockets.asyncio.server import Server, broadcast
from websockets.protocol import State
from websockets.server import ServerProtocol

from dispatch.gateway.door import Door
from dispatch.gateway.effects import Close, Confirm, Effect, Forward, Over, Rest, Say
from dispatch.gateway.frames import Frame
from dispatch.gateway.guard import Guarded
from dispatch.gateway.limits import NEVER, Limits
from dispatch.gateway.metrics import FRAMES, OVER
from dispatch.gateway.outgoing import Outgoing, Waiting
from dispatch.gateway.session import Phase, Session
from dispatch.messages import CloseCode, ToDevice
from dispatch.wire import OUTBOUND_LIMIT

WRITE_HIGH: Final = 16 * 1024  # bytes in the transport above which we queue
WRITE_LOW: Final = 4 * 1024  # and below which we go on
SILENT_MS: Final = 1_000  # for the goodbye of one from whom nothing was heard for long
CALM: Final = (NEVER, 0)
LOOKS: Final = 4  # at a transport in which something waits, before it counts as stuck


class Device(Guarded):
    """A websocket whose link hears when there is room again, and when the connection is gone or failed."""

    __slots__ = ("link",)

    def __init__(self, protocol: ServerProtocol, server: Server, *, door: Door | None = None, **options: Any) -> None:
        super().__init__(protocol, server, door=door, **options)
        self.link: Link | None = None

    def data_received(self, data: bytes) -> None:
        """The device says something. What the protocol itself answers (to pings) no queue of ours bounds: who asks much and reads nothing
        is cut off here."""
        link = self.link
        before = link.in_transport if link is not None else 0
        super().data_received(data)
        if link is not None:
            link.piled(before)
            link.check_bound()

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

    def failed(self, code: int, reason: str) -> None:
        """The other side broke the rules of websockets, and was told so."""
        if self.link is not None:
            self.link.close(code, reason)


class Links(Struct, frozen=True):
    """What all links of a gateway share."""

    limits: Limits
    now: Callable[[], int]
    engine: Callable[[int], int]
    confirm: Callable[["Link", Confirm], None]
    part: Callable[["Link", int, str], None]  # say goodbye, in a task
    arm: Callable[["Link", int], None]  # ring at that moment
    written: Callable[[Frame], None]  # a message of the stream has just gone out that nobody had to wait for but the store


class Link:
    """One connection. ``held``: messages of the stream wait (he is being told what he missed); ``behind``: some did."""

    def __init__(self, device: Device, session: Session, number: int, shared: Links) -> None:
        self.device, self.session, self.number = device, session, number
        self.market, self.pno, self.name, self.epoch = "", 0, "", ""
        self.background, self.linked = False, False  # as the store knows it
        self.held, self.behind, self.gaps = True, False, 0
        self.generation = 0  # among the sockets of its provider, as the store counts them: the younger one of a device wins
        self.token_generation = 0  # of the token it stands on: a revocation begins the next one
        self.closed: int | None = None  # close code
        self.armed = NEVER
        self._shared = shared
        self._queue = Outgoing()
        self._room: anyio.Event | None = None  # made for those who wait: it weighs more than all the rest
        self._stuck = CALM  # since when the transport has not moved, and how many bytes are in it if it never does
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
                    self._shared.confirm(self, effect)
                case Over():
                    OVER.labels(effect.limit).inc()
                case Rest():
                    pass
                case _:
                    raise AssertionError(f"{type(effect).__name__} needs the store")

    def ring(self, now: int) -> int:
        """A moment of the session has come, or it is time to see whether a full transport moves."""
        self.act(self.session.tick(now))
        return min(self.session.due, self._look(now))

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
        """Write a stored message."""
        self._write(Waiting(frame.head.type, frame.encoded(self.session.codec), frame))

    @property
    def congested(self) -> bool:
        """Whether what is written now would queue."""
        return self.device.paused or len(self._queue) > 0

    def _write(self, waiting: Waiting) -> None:
        if self.closed is not None:
            return
        if not self.congested:
            self._put(waiting)
            return
        self._forget(self._queue.supersede(waiting))
        if self._full(waiting):
            now = self._shared.engine(self._shared.now())
            self._forget(self._queue.drop(lambda other: other.frame is not None and other.frame.expired(now)))
        if self._full(waiting):
            self.close(CloseCode.SLOW_READER, f"{len(self._queue)} messages wait to be read")
            return
        self._queue.put(waiting)
        self._watch()

    @property
    def unsent_bytes(self) -> int:
        """What waits here and in the transport."""
        return self._queue.size + self.in_transport

    def _full(self, waiting: Waiting) -> bool:
        limits = self._shared.limits
        return len(self._queue) >= limits.queue_messages or self.unsent_bytes + len(waiting.data) > limits.queue_bytes

    def check_bound(self) -> None:
        """More than could come from us waits to be read."""
        if self.unsent_bytes > self._shared.limits.queue_bytes + OUTBOUND_LIMIT and self.closed is None:
            self.cut(CloseCode.SLOW_READER)

    def _forget(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self.session.book.drop(frame)

    def _put(self, waiting: Waiting) -> None:
        before = self.in_transport
        broadcast((self.device,), waiting.data, text=self.session.codec.text)
        self.piled(before)
        FRAMES.labels("out", waiting.kind).inc()
        if waiting.frame is not None and not self.held:
            self._shared.written(waiting.frame)

    def flush(self) -> None:
        """There is room: write what waits, as far as it goes."""
        now = self._shared.now()
        while self._queue and not self.device.paused:
            waiting = self._queue.take()
            if waiting.frame is not None and waiting.frame.expired(self._shared.engine(now)):
                self.session.book.drop(waiting.frame)
                continue
            if waiting.frame is not None:
                self.session.book.late(waiting.frame, now)
            self._put(waiting)
        self._open()

    def _open(self) -> None:
        if self._room is not None:
            self._room.set()

    async def drained(self) -> None:
        """Wait until nothing waits here, or the link is cut because nothing moves."""
        while self.congested and self.closed is None:
            self._room = anyio.Event()
            self._watch()
            await self._room.wait()
        self._room = None

    # -- the watchdog -------------------------------------------------------------------------------------------------

    @property
    def in_transport(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self.device.transport.get_write_buffer_size()

    def piled(self, before: int) -> None:
        """Something may have been written on top of so many bytes. What is put on a pile says nothing of whether the pile moves."""
        if before > 0 and self.closed is None:
            since, size = self._stuck
            if since == NEVER:
                self._watch()
            else:
                self._stuck = since, size + self.in_transport - before

    def _watch(self) -> None:
        """Something waits: see to it that it moves."""
        if self._stuck[0] == NEVER:
            now = self._shared.now()
            self._stuck = now, self.in_transport
            self._shared.arm(self, now + self._shared.limits.stall_ms // LOOKS)

    def _look(self, now: int) -> int:
        """Whether the transport has moved; when to look again. What does not read hears no goodbye either: it is cut without one."""
        since, size = self._stuck
        if since == NEVER:
            return NEVER
        if self.closed is not None or (self.in_transport == 0 and not self.congested):
            self._stuck = CALM
            return NEVER
        if self.in_transport < size:
            self._stuck = now, self.in_transport
        elif now - since >= self._shared.limits.stall_ms:
            self.cut(CloseCode.SLOW_READER)
            return NEVER
        return now + self._shared.limits.stall_ms // LOOKS

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """End the link: what waits is dropped, a goodbye is said if it still can be."""
        if self.closed is None:
            self.closed = code
            self.session.phase = Phase.CLOSED
            self._queue.clear()
            self._open()
            self._shared.part(self, code, reason)

    def cut(self, code: CloseCode) -> None:
        """End the link of one who would not hear a goodbye."""
        self.closed = code
        self.session.phase = Phase.CLOSED
        self.abort()

    async def goodbye(self, code: int, reason: str) -> None:
        """The closing handshake; then the transport is cut, whether it worked or not."""
        patience_ms = min(self._shared.limits.goodbye_ms, SILENT_MS if code is CloseCode.NO_PONG else NEVER)
        with anyio.move_on_after(patience_ms / 1_000, shield=True):
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
        self._open()
