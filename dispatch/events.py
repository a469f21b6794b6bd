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
    """Providers were asked. ``kind``: wave, fill (seats of the undelivered), seat (who appeared took a vacant one, R18), hold (one alone
    before the waves, as wave 0), direct (whom the client chose) or bonus (R30). ``late``: ms after max(due, ready) (P6)."""

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


class Countered(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He proposed other times (R24): counteroffer number ``offer``, good until ``expires``; ``shown``: before the client at once."""

    p: int
    wave: int
    offer: int
    windows: tuple[Window, ...]
    expires: int
    shown: bool
    took: int | None = None  # as in Refused; None: it replaces an earlier one too


class CounterofferShown(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Every other proposal is answered or stale: what was held back is before the client."""

    p: int
    offer: int


class CounterofferAccepted(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The client took a time of his: the booking is for that window from now on. ``Accepted`` follows."""

    p: int
    offer: int
    windows: tuple[Window, ...]


class CounterofferClosed(BookingEvent, frozen=True, kw_only=True, tag=True):
    """It ended otherwise. ``state``: declined, expired or withdrawn."""

    p: int
    offer: int
    state: str


class Accepted(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He won. ``window``: index into the booking's windows."""

    p: int
    cause: str
    window: int
    wave: int
    took: int | None = None  # as in Refused


class Claimed(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He accepted within the fair window (R16), which is over at ``decides_at``: the best-ranked of those who do wins."""

    p: int
    window: int
    decides_at: int
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
    """It was ended ``by`` the client, ops, or its holder; ``blocked``: as its client has been blacklisted (R29). What follows is told where
    ``p`` held it, and as in Reopened."""

    by: str
    blocked: bool = False
    p: int | None = None
    early: int | None = None
    declared: str | None = None
    free: bool = False


class Missed(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The provider whom the client had chosen could not be asked: what binds against it (R28). The waves start at once."""

    p: int
    reasons: tuple[str, ...]


class BonusPrepared(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Nobody was left to be asked; so many would be asked if one setting of theirs were wider (R30). They wait for a word of ops."""

    count: int


class BonusApproved(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Ops confirmed that these providers get bonus proposals (R31). ``by``: the key that said so; why is in the erasable record."""

    approved: tuple[int, ...]
    by: str


class Reopened(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Its winner ``p`` cancelled ``early`` ms before the start: it searches again, until ``deadline`` (R35). ``declared``: illness or
    force_majeure, by his own word; ``free``: he had been told that it costs him nothing (R23, R29)."""

    p: int
    deadline: int
    urgency: str | None = None
    early: int | None = None
    declared: str | None = None
    free: bool = False


class Moved(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The client wants other windows (R36): it searches, in a new round, until ``deadline``; ``p`` held it. ``override`` as in Opened."""

    windows: tuple[Window, ...]
    deadline: int
    urgency: str
    p: int | None = None
    override: bool = False


class Completed(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The visit took place (R38): who served which client, when, and for how much (cents)."""

    p: int
    client: int
    visit: Window
    price: int
    currency: str


class NoShow(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He did not come, as was said ``after`` ms of the visit had passed (R37)."""

    p: int
    by: str
    after: int


class Late(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He comes late, as was said ``after`` ms of the visit had passed (before its start: less than 0); ``minutes``, if somebody knows."""

    p: int
    by: str
    after: int
    minutes: int | None = None


class SearchedAgain(BookingEvent, frozen=True, kw_only=True, tag=True):
    """On ops' word another provider is looked for instead of ``p``, who did not come or is late, until ``deadline`` (R37)."""

    p: int
    windows: tuple[Window, ...]
    deadline: int
    urgency: str


class Reported(BookingEvent, frozen=True, kw_only=True, tag=True):
    """He reports a proposal, or its client (R25)."""

    p: int
    client: int


class Paused(Event, frozen=True, kw_only=True, tag=True):
    """A provider left so many proposals in a row ``unanswered`` that he is not asked until he does something (R40)."""

    p: int
    unanswered: int


class Resumed(Event, frozen=True, kw_only=True, tag=True):
    """A provider who was paused did something."""

    p: int


class Freed(Event, frozen=True, kw_only=True, tag=True):
    """A visit has left a provider's diary before its time: bookings that wait may meet him (R18)."""

    p: int


class TakenOver(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Ops took it out of the engine's hands (R83). ``audit``: its line in the audit log, here and below; ``due``: when it is overdue."""

    audit: int
    due: int


class HandedBack(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Ops gave it back: its holder ``p`` holds it again, or (None) the search goes on."""

    audit: int
    p: int | None = None


class Assigned(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Ops gave it to ``p`` by hand; ``instead``: he held it until then. ``override``: against some filter."""

    p: int
    audit: int
    override: bool
    instead: int | None = None


class AskedAgain(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Somebody was asked again who had been asked before (R2): ops wanted it so, or ``himself``. ``audit``: when it was done by hand."""

    p: int
    wave: int
    answer_by: int
    audit: int | None = None
    himself: bool = False


class Extended(BookingEvent, frozen=True, kw_only=True, tag=True):
    """Nobody took it, and the search goes on until ``deadline`` (R17). ``audit``: when ops wanted it so."""

    deadline: int
    audit: int | None = None


class Overdue(BookingEvent, frozen=True, kw_only=True, tag=True):
    """The moment at which it should have been settled passed while ops had it in their hands (P3)."""

    due: int


class TestSent(Event, frozen=True, kw_only=True, tag=True):
    """A test proposal was sent to a provider (R25b)."""

    p: int


class FollowUpAsked(Event, frozen=True, kw_only=True, tag=True):
    """A provider suggests a service, or asks for a talk about his score (R25b). ``kind``: service or talk."""

    p: int
    number: int
    kind: str


class FollowUpDone(Event, frozen=True, kw_only=True, tag=True):
    """Somebody of ops has seen to what he asked."""

    p: int
    number: int


class ProviderPut(Event, frozen=True, kw_only=True, tag=True):
    """A provider was created or replaced."""

    p: int
    created: bool


class TokensRevoked(Event, frozen=True, kw_only=True, tag=True):
    """What a device of a provider was given to connect with is worth nothing any more; with ``all``: what each of them was given."""

    p: int
    all: bool


class LinkMade(Event, frozen=True, kw_only=True, tag=True):
    """A provider has a personal link (R26)."""

    p: int


class LinkRevoked(Event, frozen=True, kw_only=True, tag=True):
    """A personal link of a provider is worth nothing any more."""

    p: int


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
    Opened | WaveSent | Received | Seen | Pushed | Faded | Replaced | Refused | Claimed | Accepted | AcceptedTooLate | Withdrawn
    | WindowsDropped | Unfilled | Cancelled | Reopened | Moved | Completed | NoShow | Late | SearchedAgain | Reported
    | TakenOver | HandedBack | Assigned | AskedAgain | Extended | Overdue | Missed | BonusPrepared | BonusApproved
    | Countered | CounterofferShown | CounterofferAccepted | CounterofferClosed
)  # fmt: skip
AnyEvent = (
    OfBooking | ProviderPut | TokensRevoked | Blocked | Unblocked | TestSent | Paused | Resumed | Freed | LinkMade | LinkRevoked
    | FollowUpAsked | FollowUpDone
)  # fmt: skip
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
