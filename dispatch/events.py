"""Events: what happened, as the store's verbs write it down. They are the audit log; the history of a booking folds into its state (P9).

They carry internal numbers and codes only (P14b). ``b`` is a booking, ``p`` a provider, ``seq`` counts the events of a booking from 1
without gaps, ``at`` is engine ms, as every moment is; windows are (start, end) in ms.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

Window = tuple[int, int]


class Event(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Something that happened."""

    at: int


class BookingEvent(Event, frozen=True, kw_only=True):
    """Something that happened to a booking: it stands on its timeline too."""

    b: int
    seq: int


class Opened(BookingEvent, frozen=True, kw_only=True, tag=True):
    """A booking entered. ``override``: ops opened it under the cut-off (R10)."""

    urgency: str
    deadline: int
    services: tuple[str, ...]
    windows: tuple[Window, ...]
    client: int
    override: bool = False
    seed: int | None = None  # of its chances: who of the newcomers is asked (R6)


class WaveSent(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Providers were asked. ``kind``: wave, or fill (seats of the undelivered). ``late``: ms after max(due, ready) (P6)."""

    wave: int
    kind: str
    asked: tuple[int, ...]
    due: int
    ready: int
    answer_by: int
    urgency: str
    late: int
    drawn: tuple[int, ...] = ()  # of those asked, newcomers who were drawn (R6)


class Received(BookingEvent, frozen=True, kw_only=True, tag=True):
    """A device of his confirmed the proposal."""

    p: int


class Seen(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The proposal was on his screen."""

    p: int


class Pushed(BookingEvent, frozen=True, kw_only=True, tag=True):
    """What became of a push to one of his devices. ``kind``: proposal or withdrawn; ``outcome``: sent, failed (given up), gone (its address
    is none, and dropped), expired (it would have come too late)."""

    p: int
    kind: str
    outcome: str


class Faded(BookingEvent, frozen=True, kw_only=True, tag=True):
    """His proposal went stale: still open, without a seat (R12b). ``delivered``: whether a device had confirmed it."""

    p: int
    delivered: bool


class Replaced(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Nothing of his confirmed it within the grace: his seat was given away (R14)."""

    p: int


class Refused(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He said no."""

    p: int
    wave: int
    took: int | None = None  # ms by R22: since it was seen, else since it was received; None: nothing was confirmed before


class Accepted(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He won. ``window``: index into the booking's windows."""

    p: int
    cause: str
    window: int
    wave: int
    took: int | None = None  # as in Refused


class AcceptedTooLate(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He accepted after the end. ``outcome``: LOST, CANCELLED or EXPIRED."""

    p: int
    outcome: str


class Withdrawn(BookingEvent, frozen=True, kw_only=True, tag=True):
    """His open proposal was taken back. ``reason`` as in R15; ``expired`` ends it as expired."""

    p: int
    reason: str


class WindowsDropped(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Some windows can no longer be met (R11): those that are left, and the deadline from now on."""

    windows: tuple[Window, ...]
    deadline: int


class Unfilled(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Nobody took it before its deadline."""


class Cancelled(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The client or ops ended it."""

    by: str


class Reopened(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Its winner ``p`` cancelled: it searches again, until ``deadline`` (R35)."""

    p: int
    deadline: int


class TestSent(Event, frozen=True, kw_only=True, tag=True):
    """A test proposal was sent to a provider (R25b)."""

    p: int


class ProviderPut(Event, frozen=True, kw_only=True, tag=True):
    """A provider was created or replaced."""

    p: int
    created: bool


class TokensRevoked(Event, frozen=True, kw_only=True, tag=True):
    """What a device of a provider was given to connect with is worth nothing any more; with ``all``: what each of them was given."""

    p: int
    all: bool


class Blocked(Event, frozen=True, kw_only=True, tag=True):
    """A client may not book any more; with ``p``: not with that provider, as one of the two wants it (``by``: provider or client)."""

    client: int
    p: int | None = None
    by: str | None = None


class Unblocked(Event, frozen=True, kw_only=True, tag=True):
    """The block of a client is over; with ``p``: the one between them, from one side."""

    client: int
    p: int | None = None
    by: str | None = None


OfBooking = (
    Opened | WaveSent | Received | Seen | Pushed | Faded | Replaced | Refused | Accepted | AcceptedTooLate | Withdrawn | WindowsDropped
    | Unfilled | Cancelled | Reopened
)  # fmt: skip
AnyEvent = OfBooking | ProviderPut | TokensRevoked | Blocked | Unblocked | TestSent
TYPES: Mapping[str, type[Event]] = {kind.__name__: kind for kind in AnyEvent.__args__}

_events: "msgspec.msgpack.Decoder[AnyEvent]" = msgspec.msgpack.Decoder(AnyEvent)


def decode(raw: bytes) -> AnyEvent:
    """An event as a verb packed it. Raises msgspec.ValidationError for one that is not in the vocabulary."""
    return _events.decode(raw)


# -- from a history to the state --------------------------------------------------------------------------------------


class ProposalView(Struct, frozen=True, kw_only=True):
    """One provider's proposal. ``seated``: live, and its seat not given away."""

    state: str
    wave: int
    live: bool = False
    seated: bool = False
    received: bool = False
    seen: bool = False


class BookingView(Struct, frozen=True, kw_only=True):
    """A booking as its history tells it."""

    state: str
    deadline: int
    windows: tuple[Window, ...]
    version: int = 1
    wave: int = 0
    winner: int | None = None
    window: int | None = None
    proposals: Mapping[int, ProposalView] = {}


def state_of(events: Iterable[OfBooking]) -> BookingView:
    """What the events of one booking, all of them and in order, come to. Raises ValueError when they tell no story."""
    view: BookingView | None = None
    for number, event in enumerate(events, 1):
        if event.seq != number or (view is None) != isinstance(event, Opened):
            raise ValueError(f"event {event.seq} ({type(event).__name__}) cannot be the {number}. of a history")
        view = _FOLDS[type(event)](view, event) if view is not None else _opened(event)
    if view is None:
        raise ValueError("a history begins with Opened")
    return view


def _opened(event: Any) -> BookingView:
    return BookingView(state="searching", deadline=event.deadline, windows=event.windows)


def _sent(view: BookingView, event: WaveSent) -> BookingView:
    asked = {pno: ProposalView(state="open", wave=event.wave, live=True, seated=True) for pno in event.asked}
    return replace(view, wave=event.wave, proposals={**view.proposals, **asked})


def _mark(**marks: Any) -> Callable[[BookingView, Any], BookingView]:
    """The proposal the event speaks of is changed so."""
    return lambda view, event: _proposal(view, event.p, **marks)


def _proposal(view: BookingView, pno: int, **marks: Any) -> BookingView:
    return replace(view, proposals={**view.proposals, pno: replace(view.proposals[pno], **marks)})


def _ended(view: BookingView, pno: int, state: str) -> BookingView:
    return _proposal(view, pno, state=state, live=False, seated=False)


def _withdrawn(view: BookingView, event: Withdrawn) -> BookingView:
    return _ended(view, event.p, "expired" if event.reason == "expired" else "withdrawn")


def _accepted(view: BookingView, event: Accepted) -> BookingView:
    return replace(_ended(view, event.p, "accepted"), state="accepted", winner=event.p, window=event.window)


def _reopened(view: BookingView, event: Reopened) -> BookingView:
    return replace(_ended(view, event.p, "withdrawn"), state="searching", winner=None, window=None, deadline=event.deadline)


def _dropped(view: BookingView, event: WindowsDropped) -> BookingView:
    return replace(view, windows=event.windows, deadline=event.deadline, version=view.version + 1)


_FOLDS: Mapping[type[Event], Callable[[BookingView, Any], BookingView]] = {
    WaveSent: _sent,
    Received: _mark(received=True),
    Seen: _mark(seen=True),
    Pushed: lambda view, _: view,
    Faded: _mark(live=False, seated=False),
    Replaced: _mark(seated=False),
    Refused: lambda view, event: _ended(view, event.p, "refused"),
    Accepted: _accepted,
    AcceptedTooLate: lambda view, _: view,
    Withdrawn: _withdrawn,
    WindowsDropped: _dropped,
    Unfilled: lambda view, _: replace(view, state="unfilled"),
    Cancelled: lambda view, _: replace(view, state="cancelled"),
    Reopened: _reopened,
}
