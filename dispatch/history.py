"""A booking as its history tells it: the events of one booking fold into its state (P9)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dispatch.account_events import Event
from dispatch.events import (
    Accepted,
    AcceptedTooLate,
    AskedAgain,
    Assigned,
    BonusApproved,
    BonusPrepared,
    Cancelled,
    Claimed,
    Completed,
    Countered,
    CounterofferAccepted,
    CounterofferClosed,
    CounterofferShown,
    Extended,
    Faded,
    HandedBack,
    Late,
    Missed,
    Moved,
    NoShow,
    OfBooking,
    Opened,
    Overdue,
    Pushed,
    Received,
    Refused,
    Reopened,
    Replaced,
    Reported,
    SearchedAgain,
    Seen,
    TakenOver,
    Unfilled,
    WaveSent,
    Window,
    WindowsDropped,
    Withdrawn,
)


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
    counteroffers: Mapping[int, str] = {}
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
    if event.cause == "ops":  # whether he had been asked or not
        view = replace(view, proposals={**view.proposals, event.p: ProposalView(state="open", wave=event.wave)})
    return replace(_ended(view, event.p, "accepted"), state="accepted", winner=event.p, window=event.window)


def _reopened(view: BookingView, event: Reopened) -> BookingView:
    return replace(_ended(view, event.p, "withdrawn"), state="searching", winner=None, window=None, deadline=event.deadline)


def _anew(view: BookingView, event: Moved | SearchedAgain) -> BookingView:
    left = view if event.p is None else _ended(view, event.p, "withdrawn")
    return replace(
        left, state="searching", winner=None, window=None, windows=event.windows, deadline=event.deadline, version=view.version + 1, wave=0
    )


def _countered(view: BookingView, event: Countered) -> BookingView:
    return _offer(_ended(view, event.p, "countered"), event.offer, "shown" if event.shown else "held")


def _offer(view: BookingView, number: int, state: str) -> BookingView:
    return replace(view, counteroffers={**view.counteroffers, number: state})


def _agreed(view: BookingView, event: CounterofferAccepted) -> BookingView:
    return replace(_offer(view, event.offer, "accepted"), windows=event.windows, version=view.version + 1)


def _dropped(view: BookingView, event: WindowsDropped) -> BookingView:
    return replace(view, windows=event.windows, deadline=event.deadline, version=view.version + 1)


def _handed_back(view: BookingView, event: HandedBack) -> BookingView:
    return replace(view, state="searching" if event.p is None else "accepted")


def _assigned(view: BookingView, event: Assigned) -> BookingView:
    return view if event.instead is None else _ended(view, event.instead, "withdrawn")


def _asked_again(view: BookingView, event: AskedAgain) -> BookingView:
    again = ProposalView(state="open", wave=event.wave, live=True, seated=True)
    return replace(view, proposals={**view.proposals, event.p: again})


_FOLDS: Mapping[type[Event], Callable[[BookingView, Any], BookingView]] = {
    WaveSent: _sent,
    Received: _mark(received=True),
    Seen: _mark(seen=True),
    Pushed: lambda view, _: view,
    Faded: _mark(live=False, seated=False),
    Replaced: _mark(seated=False),
    Refused: lambda view, event: _ended(view, event.p, "refused"),
    Claimed: lambda view, _: view,
    Accepted: _accepted,
    AcceptedTooLate: lambda view, _: view,
    Withdrawn: _withdrawn,
    WindowsDropped: _dropped,
    Unfilled: lambda view, _: replace(view, state="unfilled"),
    Cancelled: lambda view, _: replace(view, state="cancelled"),
    Reopened: _reopened,
    Moved: _anew,
    Completed: lambda view, _: replace(view, state="completed"),
    NoShow: lambda view, _: replace(view, state="no_show"),
    Late: lambda view, _: view,
    SearchedAgain: _anew,
    Reported: lambda view, _: view,
    TakenOver: lambda view, _: replace(view, state="taken_over"),
    HandedBack: _handed_back,
    Assigned: _assigned,
    AskedAgain: _asked_again,
    Extended: lambda view, event: replace(view, state="searching", deadline=event.deadline),
    Overdue: lambda view, _: view,
    Missed: lambda view, _: view,
    BonusPrepared: lambda view, _: view,
    BonusApproved: lambda view, _: view,
    Countered: _countered,
    CounterofferShown: lambda view, event: _offer(view, event.offer, "shown"),
    CounterofferAccepted: _agreed,
    CounterofferClosed: lambda view, event: _offer(view, event.offer, event.state),
}
