"""Proposals written to one device that it has not confirmed: what an acknowledgement means, and how long it took. No clock, no socket."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dispatch.gateway.frames import Frame

LIMIT: Final = 128  # proposals; as many as an inbox keeps


class Confirmed(Struct, frozen=True):
    """Proposals that have arrived, and for those written on this link the ms from writing to the acknowledgement."""

    proposals: tuple[str, ...]
    took: tuple[int, ...]


class Written:
    """What went out, by its place in the stream; the oldest is forgotten beyond LIMIT."""

    __slots__ = ("_by_seq",)

    def __init__(self) -> None:
        self._by_seq: dict[int, tuple[str, int]] = {}  # seq -> proposal, and when it was written

    def note(self, frame: Frame, now: int) -> None:
        """A proposal goes out."""
        if frame.head.proposal is not None:
            if len(self._by_seq) >= LIMIT:
                del self._by_seq[next(iter(self._by_seq))]
            self._by_seq[frame.head.seq] = frame.head.proposal, now

    def late(self, frame: Frame, now: int) -> None:
        """It had to wait, and goes out only now."""
        if frame.head.seq in self._by_seq and frame.head.proposal is not None:
            self._by_seq[frame.head.seq] = frame.head.proposal, now

    def drop(self, frame: Frame) -> None:
        """It was never written: its acknowledgement would mean nothing."""
        self._by_seq.pop(frame.head.seq, None)

    def confirmed(self, seq: int, now: int) -> Confirmed:
        """Everything up to ``seq`` has arrived."""
        arrived = [known for known in self._by_seq if known <= seq]
        gone = [self._by_seq.pop(known) for known in arrived]
        return Confirmed(tuple(proposal for proposal, _ in gone), tuple(now - at for _, at in gone))


def had(items: Iterable[Frame], seq: int) -> tuple[str, ...]:
    """Of what is open, the proposals that a device which resumes after ``seq`` has taken in before: their acknowledgement may have been
    lost with its last link."""
    return tuple(
        item.head.proposal for item in items if item.head.type == "proposal" and item.head.proposal is not None and item.head.seq <= seq
    )
