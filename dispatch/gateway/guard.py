"""A websocket on its guard: what never becomes a message is bounded too, and ends with the protocol's own close codes.

The library answers a message over its limit with 1009, which a device takes for "connect again"; to connect again and say the same would
end the same way, so it is 4501. A frame that breaks RFC 6455 itself ends with that RFC's codes (1002, 1007).
"""

from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.server import ServerProtocol

from dispatch.gateway.door import Door, host_of
from dispatch.gateway.limits import Bucket
from dispatch.messages import CloseCode

TOO_BIG: Final = 1009
CONTROL: Final = (Opcode.PING, Opcode.PONG)


class Protocol(ServerProtocol):
    """RFC 6455 with our word for what is too large. A close frame may come between the pieces of a message: it is no mistake."""

    def fail(self, code: int, reason: str = "") -> None:
        """End the connection for what the other side did."""
        super().fail(CloseCode.MALFORMED if code == TOO_BIG else code, reason)

    def recv_frame(self, frame: Frame) -> None:
        """Take in a frame."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # the rest of the message will not come
        super().recv_frame(frame)


class Guarded(ServerConnection):
    """A connection that counts itself at the door, and its frames. ``party``: the address it counts for."""

    __slots__ = ("_controls", "_door", "_fragments", "party")  # beside those of the library they would make its dict five times as heavy

    def __init__(self, protocol: ServerProtocol, server: Server, *, door: Door | None = None, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        protocol.__class__ = Protocol  # the library makes it, and offers no other way to choose of which class
        self._door = door
        self.party: str | None = None
        self._fragments = 0
        self._controls: Bucket | None = None  # most devices never send one

    def connection_made(self, transport: Any) -> None:
        """Somebody connects. Whether a proxy speaks for others is known with the request."""
        super().connection_made(transport)
        if self._door is not None and not self._door.is_proxy(host := host_of(self)):
            self.count_for(self._door.party(host))
            if self._door.crowded(self.party):
                transport.abort()

    def count_for(self, party: str | None) -> None:
        """The address it counts for is known."""
        if self._door is not None:
            self.party = party
            self._door.enter(party)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._door is not None:
            self._door.leave(self.party)

    def data_received(self, data: bytes) -> None:
        """Bytes have come. What the library ended because of them has a bounded time to be gone."""
        super().data_received(data)
        sent = self.protocol.close_sent
        if sent is not None and self.protocol.close_rcvd is None:
            self.failed(int(sent.code), sent.reason)

    def failed(self, code: int, reason: str) -> None:
        """A close frame has left that no link decided on."""

    def process_event(self, event: Event) -> None:
        """A frame has come: pieces of one message and control frames are counted."""
        if self._door is not None and isinstance(event, Frame):
            self._count(event, self._door)
        super().process_event(event)

    def _count(self, frame: Frame, door: Door) -> None:
        if frame.opcode is Opcode.CONT:
            self._fragments = 0 if frame.fin else self._fragments + 1
            if self._fragments >= door.limits.fragments:
                self._end(CloseCode.MALFORMED, f"a message in more than {door.limits.fragments} fragments")
        elif frame.opcode in CONTROL:
            now = round(self.loop.time() * 1_000)
            self._controls = self._controls or Bucket(door.limits.controls, door.limits.controls_per_s, now)
            if self._controls.take(now):
                self._end(CloseCode.TOO_MANY_COMMANDS, "too many control frames")

    def _end(self, code: CloseCode, reason: str) -> None:
        self.protocol.fail(code, reason)
        self.send_data()
