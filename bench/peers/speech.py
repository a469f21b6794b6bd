"""How a contender is talked to, and what is said: one message to five of many providers, which each of them must have.

Whoever holds the sockets (``bench.swarm.held``) is the same for all, so what differs is the contender. It publishes too: both moments of a
time are read from one clock, the first before anything is sent.
"""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from websockets.typing import Subprotocol

SIZE, PATIENCE_S, GREETING_S = 5, 10.0, 60.0
MARK = re.compile(rb"wave-(\d+)-")  # in every message: which wave it belongs to
MESSAGE = 600  # bytes of a message, about what a proposal has


class Socket(Protocol):
    """A websocket, before it is attended to."""

    async def send(self, data: bytes | str) -> None:
        """One message."""

    async def recv(self, decode: bool | None = None) -> Any:
        """The next one: as text when it is one, unless ``decode`` is False."""


class Speech(Protocol):
    """How one contender is talked to. ``subprotocols`` of its websockets, or None."""

    subprotocols: Sequence[Subprotocol] | None

    async def begin(self, count: int) -> None:
        """Before the first socket."""

    async def url(self, i: int) -> str:
        """Where provider ``i`` connects."""

    async def greet(self, socket: Socket, i: int) -> None:
        """Says who he is; returns when he would hear what is published."""

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        """What provider ``i`` says to a frame."""

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        """One message to each of these."""


def message(wave: int) -> bytes:
    """What is published; letters and digits alone, so that it fits into every format."""
    return f"wave-{wave}-".encode().ljust(MESSAGE, b"x")


def say(what: dict[str, Any]) -> None:
    """One line to whom we belong."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
