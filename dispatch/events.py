"""Events: what happened, as the store's verbs write it down: the audit log, from which history.py folds the state of a booking (P9).

They carry internal numbers and codes only (P14b). ``b`` is a booking, ``p`` a provider, ``seq`` counts the events of a booking from 1
without gaps, ``at`` is engine ms, as every moment is; windows are (start, end) in ms.
"""

from collections.abc import Mapping

import msgspec

from dispatch.account_events import (
    Blocked,
    Event,
    FollowUpAsked,
    FollowUpDone,
    Freed,
    LinkMade,
    LinkRevoked,
    Paused,
    ProviderPut,
    Resumed,
    TestSent,
    TokensRevoked,
    Unblocked,
)

Window = tuple[int, int]


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
    """Providers were asked. ``kind``: wave, fill (seats of the undelivered), seat (who appeared took a vacant one, R18), direct (whom the
    client chose, or who held a visit that was moved: alone, before the waves) or bonus (R30). ``late``: ms after max(due, ready) (P6)."""

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
    took: int | None = None  # as in Refused; None too where `Claimed` or `Countered` has said it


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
