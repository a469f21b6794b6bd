"""What one device was told of proposals and has not confirmed: what an acknowledgement means, and how long it took. No clock, no socket."""

from collections.abc import Iterable
from typing import Final, TypeVar

from msgspec import Struct

from dispatch.gateway.frames import Frame

LIMIT: Final = 128  # proposals; as many as an inbox keeps
K = TypeVar("K")
V = TypeVar("V")


class Confirmed(Struct, frozen=True):
    """Proposals that have arrived, and for those written on this link the ms from writing to the acknowledgement."""

    proposals: tuple[str, ...]
    took: tuple[int, ...]


class Written:
    """What went out, by its place in the stream, and what may be shown on its screen; the oldest is forgotten beyond LIMIT."""

    __slots__ = ("_by_seq", "_unseen")

    def __init__(self) -> None:
        self._by_seq: dict[int, tuple[str, int]] = {}  # seq -> proposal, and when it was written
        self._unseen: dict[str, None] = {}

    def note(self, frame: Frame, now: int) -> None:
        """A proposal goes out."""
        if frame.head.proposal is not None:
            _add(self._by_seq, frame.head.seq, (frame.head.proposal, now))
            self.known(frame.head.proposal)

    def known(self, proposal: str) -> None:
        """The device has this one, and may show it."""
        _add(self._unseen, proposal, None)

    def shown(self, proposals: Iterable[str]) -> tuple[str, ...]:
        """Of those that it says are on the screen, the ones it has and never said so of: anything else means nothing, however often."""
        news = tuple(proposal for proposal in dict.fromkeys(proposals) if proposal in self._unseen)
        for proposal in news:
            del self._unseen[proposal]
        return news

    def late(self, frame: Frame, now: int) -> None:
        """It had to wait, and goes out only now."""
        if frame.head.seq in self._by_seq and frame.head.proposal is not None:
            self._by_seq[frame.head.seq] = frame.head.proposal, now

    def drop(self, frame: Frame) -> None:
        """It was never written: its acknowledgement would mean nothing."""
        if (gone := self._by_seq.pop(frame.head.seq, None)) is not None:
            self._unseen.pop(gone[0], None)

    def confirmed(self, seq: int, now: int) -> Confirmed:
        """Everything up to ``seq`` has arrived."""
        arrived = [known for known in self._by_seq if known <= seq]
        gone = [self._by_seq.pop(known) for known in arrived]
        return Confirmed(tuple(proposal for proposal, _ in gone), tuple(now - at for _, at in gone))


def had(items: Iterable[Frame], seq: int) -> list[Frame]:
    """Of what is open, the proposals that a device which resumes after ``seq`` has taken in before: their acknowledgement may have been
    lost with its last link."""
    return [item for item in items if item.head.type == "proposal" and item.head.proposal is not None and item.head.seq <= seq]


def _add(kept: dict[K, V], key: K, value: V) -> None:
    if len(kept) >= LIMIT and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value
