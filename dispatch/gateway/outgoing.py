"""What one device has not been sent yet because its connection takes no more: a short queue in order of importance. No clock, no socket.

Answers to commands come first: somebody waits for them. (What follows a pending one is told in the stream, and keeps its place there.) Then
the provider's stream and everything that depends on its order. Signs of life come last, and only the newest of them: what they say of the
stream is true only behind it. A message of the stream that a newer one makes void is taken out: a proposal by its withdrawal or a newer
version of itself, a booking or counteroffer by its newer state. A device that reads slowly is thus told less, and nothing that is not true
any more.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from dispatch.gateway.frames import Frame

FIRST: Final = frozenset({"auth_needed", "drain", "error", "refreshed", "result"})
LAST: Final = frozenset({"ping", "pong"})
SAME: Final = {"withdrawn": "proposal"}  # messages about the same thing under another name


class Waiting(Struct, frozen=True):
    """A message in the queue; ``frame``: it is one of the stream."""

    kind: str
    data: bytes
    frame: Frame | None

    @property
    def rank(self) -> int:
        """Its place among kinds: lower goes out sooner."""
        return 0 if self.kind in FIRST and self.frame is None else 2 if self.kind in LAST else 1

    @property
    def about(self) -> tuple[str, str | None] | None:
        """What it tells the newest of; None: of nothing that could be told anew."""
        if self.kind in LAST:
            return self.kind, None
        if self.frame is None or self.kind in FIRST:
            return None
        head = self.frame.head
        thing = head.proposal or head.booking_id
        return (SAME.get(head.type, head.type), thing) if thing else None


class Outgoing:
    """The queue of one link. It knows its size; what is too much is the link's to decide."""

    __slots__ = ("_waiting", "size")

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []  # a list, as it is short, and almost always empty: it takes a tenth of a deque's memory
        self.size = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """Behind everything that is as important."""
        at = len(self._waiting)
        while at and self._waiting[at - 1].rank > waiting.rank:
            at -= 1
        self._waiting.insert(at, waiting)
        self.size += len(waiting.data)

    def take(self) -> Waiting:
        """The next one. IndexError when there is none."""
        waiting = self._waiting.pop(0)
        self.size -= len(waiting.data)
        return waiting

    def drop(self, unwanted: Callable[[Waiting], bool]) -> list[Frame]:
        """Take out what is unwanted; the messages of the stream among it."""
        gone = [waiting for waiting in self._waiting if unwanted(waiting)]
        if gone:
            self._waiting = [waiting for waiting in self._waiting if waiting not in gone]
            self.size -= sum(len(waiting.data) for waiting in gone)
        return [waiting.frame for waiting in gone if waiting.frame is not None]

    def supersede(self, newer: Waiting) -> list[Frame]:
        """Take out what ``newer`` makes void."""
        about = newer.about
        return self.drop(lambda waiting: waiting.about == about) if about is not None else []

    def clear(self) -> None:
        """Nothing of it will be sent."""
        self._waiting.clear()
        self.size = 0
