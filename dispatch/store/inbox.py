"""A provider's inbox: his last messages by ``seq``, and what is open for him. Messages are stored as the msgpack that devices get."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatch.store.calls import Calls, text
from dispatch.store.keys import key

REPLAY = 100  # more missed messages than this: a snapshot is shorter


@dataclass(frozen=True, slots=True)
class Items:
    """What is open for a provider as of ``seq``: messages as last sent."""

    epoch: str
    seq: int
    items: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Where a device stands: the missed messages when it can be replayed, else why not and everything open.

    ``had``: of one who can be replayed, what is open too; he knew what of it he had when he left.
    """

    resumed: bool
    reason: str | None
    epoch: str
    seq: int
    items: list[bytes] = field(default_factory=list)
    missed: list[tuple[int, bytes]] = field(default_factory=list)
    had: list[bytes] = field(default_factory=list)


class Inbox:
    """Reading inboxes. They are written by the verbs alone."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def missed(self, wants: Sequence[tuple[str, int, int]]) -> list[list[tuple[int, bytes]]]:
        """For each (market, provider, seq): his later messages, oldest first. One round trip."""
        found = await self._calls.pipeline(*(("XRANGE", key("inbox", m, pno), f"({after}-0", "+") for m, pno, after in wants))
        return [_messages(entries) for entries in found]

    async def open_items(self, market: str, pno: int) -> Items:
        """Everything open for him, and the seq it is true for."""
        epoch, seq, items = await self._calls.pipeline(*_state_of(market, pno), transaction=True)
        return Items(text(epoch), int(seq or 0), list(items))


def reading(market: str, pno: int, seq: int | None) -> tuple[tuple[Any, ...], ...]:
    """The commands, for one transaction, whose replies :func:`resumed` understands."""
    return (
        *_state_of(market, pno),
        ("XRANGE", key("inbox", market, pno), f"({seq or 0}-0", "+", "COUNT", REPLAY + 1),
        ("XRANGE", key("inbox", market, pno), "-", "+", "COUNT", 1),
    )


def resumed(replies: Sequence[Any], epoch: str | None, seq: int | None) -> Resumed:
    """What a device that last saw (epoch, seq) must be told to see exactly what is open."""
    now_epoch, now_seq, items, missed, oldest = replies
    at, current = int(now_seq or 0), text(now_epoch)
    first = _messages(oldest)[0][0] if oldest else at + 1
    reason = _why_not(current, at, first, len(missed), epoch, seq)
    if reason is None:
        return Resumed(resumed=True, reason=None, epoch=current, seq=at, had=list(items), missed=_messages(missed))
    return Resumed(resumed=False, reason=reason, epoch=current, seq=at, items=list(items))


def _state_of(market: str, pno: int) -> tuple[tuple[str, ...], ...]:
    return (
        ("HGET", key("market", market), "epoch"),
        ("HGET", key("provider", market, pno), "seq"),
        ("HVALS", key("open", market, pno)),
    )


def _why_not(epoch: str, seq: int, first: int, missed: int, their_epoch: str | None, their_seq: int | None) -> str | None:
    """Why the missed messages cannot be replayed; None when they can. ``first``: the oldest message that is still there."""
    if their_epoch is None or their_seq is None:
        return "new"
    if their_epoch != epoch or their_seq > seq:
        return "epoch"
    if their_seq < seq and first > their_seq + 1:
        return "too_old"
    return "too_many" if missed > REPLAY else None


def _messages(entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[tuple[int, bytes]]:
    return [(int(entry_id.partition(b"-")[0]), pairs[1]) for entry_id, pairs in entries]
