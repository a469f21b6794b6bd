"""What a websocket keeps from its beginning and never needs again: with thousands that stand idle this is a third of the gateway's memory.

The library keeps the request with its headers (twice: its parser holds it too), the answer, the function that chose the subprotocol, and an
adapter that names the connection in log lines nobody reads. It keeps two empty deques as well, of frames that came and of those who wait
for room: a list does the same, as both are short, and takes a tenth of the memory. Nothing here is needed for correctness;
tests/gateway/test_slim.py holds the library to it.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import Protocol
from websockets.streams import StreamReader


class Few(list[Any]):
    """A deque of a few."""

    __slots__ = ()

    def popleft(self) -> Any:
        """The oldest."""
        return self.pop(0)

    def extendleft(self, others: Iterable[Any]) -> None:
        """Each of these before all that are here."""
        self[:0] = reversed(list(others))


READ: Final = Request("", Headers())  # stands for every request that has been read: to have one means that the handshake is over


def slim(connection: ServerConnection, log: logging.Logger) -> None:
    """The handshake is over: let go of what it needed."""
    held: Any = connection
    held.request, held.response, held.request_rcvd = READ, None, None
    held.logger = held.protocol.logger = log
    held.protocol.select_subprotocol = None
    held.drain_waiters, frames = Few(held.drain_waiters), held.recv_messages.frames
    frames.queue = Few(frames.queue)
    _parse_anew(held.protocol)


def _parse_anew(protocol: Any) -> None:
    """A parser that has never seen the request, in the place of one that waits for the first byte of a frame; any other stays."""
    frames = protocol.parser.gi_yieldfrom
    waiting = frames and frames.gi_yieldfrom
    if waiting and waiting.gi_code is StreamReader.at_eof.__code__ and frames.gi_code is Protocol.parse.__code__:
        protocol.parser = Protocol.parse(protocol)
        next(protocol.parser)
