"""Bodies of calls that are about a booking but are not one."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from dispatch.model import BookingRequest, Code, Id, Strict


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
    """Who cancels, and why. A provider's own cancellation opens the search again (R35)."""

    by: Literal["client", "provider", "ops"]
    reason: Annotated[str, Meta(max_length=300)] = ""


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
