"""Bodies of calls that are about a booking but are not one."""

from typing import Annotated, Literal

from msgspec import Meta

from dispatch.model import BookingRequest, Id, Strict


class MatchRequest(BookingRequest, frozen=True, kw_only=True):
    """A dry run: a booking as it would be opened (its ids may be left out), and what to tell about it."""

    booking_id: Id = "dry-run"
    client_id: Id = "dry-run"
    explain: bool = False
    explain_ids: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class CancelRequest(Strict, frozen=True, kw_only=True):
    """Who cancels, and why. A provider's own cancellation opens the search again (R35)."""

    by: Literal["client", "provider", "ops"]
    reason: Annotated[str, Meta(max_length=300)] = ""


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
