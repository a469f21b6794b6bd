"""Bodies of calls that are about a booking but are not one."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from dispatch.model import BookingRequest, Code, Id, Override, Strict, Window

Words = Annotated[str, Meta(max_length=300)]
Windows = Annotated[tuple[Window, ...], Meta(min_length=1, max_length=5)]
Why = Annotated[str, Meta(min_length=3, max_length=300)]


class MatchRequest(BookingRequest, frozen=True, kw_only=True):
    """A dry run: a booking as it would be opened (its ids may be left out), and what to tell about it."""

    booking_id: Id = "dry-run"
    client_id: Id = "dry-run"
    explain: bool = False
    explain_ids: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


Ids = Annotated[tuple[Id, ...], Meta(max_length=100)]
Codes = Annotated[tuple[Code, ...], Meta(max_length=100)]


class ExplainQuestion(Strict, frozen=True, kw_only=True):
    """Which decision of a booking is to be explained (counted from 1; none: the last), and which providers are to be among those named."""

    decision: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    provider_ids: Ids = ()


class CoverageQuestion(Strict, frozen=True, kw_only=True):
    """What a report of coverage is to be about. Without services: all; without zones (H3 cells of resolution 5 to 7): those that somebody
    reaches; ``from`` is a local date, today without it; hours of the local day, ``until_hour`` not included."""

    services: Codes = ()
    zones: Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=120)] = ()
    from_: date | None = field(default=None, name="from")
    days: Annotated[int, Meta(ge=1, le=7)] = 1
    from_hour: Annotated[int, Meta(ge=0, le=23)] = 8
    until_hour: Annotated[int, Meta(ge=1, le=24)] = 20


class BlockQuestion(Strict, frozen=True, kw_only=True):
    """Which of the two wants them apart."""

    by: Literal["provider", "client"] = "provider"


class CancelRequest(Strict, frozen=True, kw_only=True):
    """Who cancels, and why. A provider's own cancellation opens the search again (R35); ``declares``: what he says hindered him (R23)."""

    by: Literal["client", "provider", "ops"]
    reason: Words = ""
    declares: Literal["illness", "force_majeure"] | None = None


class MoveRequest(Strict, frozen=True, kw_only=True):
    """Other windows for a booking, in order of preference (R36)."""

    windows: Windows
    override: Override | None = None


class CompleteRequest(Strict, frozen=True, kw_only=True):
    """The visit took place: there is nothing to choose."""


class NoShowRequest(Strict, frozen=True, kw_only=True):
    """Who says that the provider did not come (R37)."""

    by: Literal["client", "ops"] = "client"
    reason: Words = ""


class LateRequest(Strict, frozen=True, kw_only=True):
    """Who says that the provider is late, or will be, and by how much, if it is known (R37)."""

    by: Literal["client", "provider", "ops"] = "client"
    minutes: Annotated[int, Meta(ge=1, le=1_440)] | None = None
    reason: Words = ""


class SearchAgainRequest(Strict, frozen=True, kw_only=True):
    """Ops' word that another provider is looked for, for which windows, and ``until`` when (null: the start of each window) (R17, R37)."""

    windows: Windows
    until: Annotated[datetime, Meta(tz=True)] | None = None
    reason: Annotated[str, Meta(min_length=3, max_length=300)]


class TakeOverRequest(Strict, frozen=True, kw_only=True):
    """Ops take a booking out of the engine's hands, and say why (R83)."""

    reason: Why


class HandBackRequest(Strict, frozen=True, kw_only=True):
    """Ops give it back."""

    reason: Words = ""


class AssignRequest(Strict, frozen=True, kw_only=True):
    """Ops give it to a provider by hand. ``window``: index of the booking's, null for the first that suits him; ``override``: why it may
    be against some filter."""

    provider_id: Id
    reason: Why
    window: Annotated[int, Meta(ge=0, le=4)] | None = None
    override: Override | None = None


class ReopenRequest(Strict, frozen=True, kw_only=True):
    """A provider is asked again (R2). ``by``: ops want it so, or the provider himself, who takes his no back."""

    provider_id: Id
    by: Literal["ops", "provider"] = "ops"
    reason: Words = ""


class ExtendRequest(Strict, frozen=True, kw_only=True):
    """The search of a booking that nobody took goes on, until then (null: as long as that of a booking opened now) (R17)."""

    until: Annotated[datetime, Meta(tz=True)] | None = None
    reason: Words = ""


class AuditPage(Strict, frozen=True, kw_only=True):
    """Which lines of the audit log: those before this number (absent: the last ones), newest first."""

    before: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class BonusRequest(Strict, frozen=True, kw_only=True):
    """Ops confirm who gets bonus proposals: those named, or (null) everybody who nearly fits now."""

    provider_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=50)] | None = None
    reason: Annotated[str, Meta(max_length=300)] = ""


class LinkRequest(Strict, frozen=True, kw_only=True):
    """A new personal link: there is nothing to choose."""


class CounterofferAccept(Strict, frozen=True, kw_only=True):
    """The client takes a counteroffer. ``window``: index of the one that suits him best, from 0."""

    window: Annotated[int, Meta(ge=0, le=4)] = 0


class CounterofferDecline(Strict, frozen=True, kw_only=True):
    """The client does not want a counteroffer: there is nothing to choose."""


class FollowUpDone(Strict, frozen=True, kw_only=True):
    """A follow-up has been seen to: there is nothing to choose."""


class TokenRequest(Strict, frozen=True, kw_only=True):
    """A device that wants to connect. ``ttl_s``: how long its token is good for."""

    provider_id: Id
    device_id: Id
    ttl_s: Annotated[int, Meta(ge=1, le=2_592_000)] = 86_400


class TrialRequest(Strict, frozen=True, kw_only=True):
    """A test of a provider's notifications: there is nothing to choose."""


class BlockRequest(Strict, frozen=True, kw_only=True):
    """Why a client is blocked."""

    reason: Annotated[str, Meta(min_length=1, max_length=300)]
