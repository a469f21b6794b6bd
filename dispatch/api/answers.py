"""What the interface answers, for its description. The SDK's own types wherever it has one: both sides read the same."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from dispatch.client.bookings import Booking, DeviceToken, Imported, Match, Opened

__all__ = ["BookingState", "Created", "DeviceToken", "Imported", "Inbox", "Match", "Opened", "Problem", "Readiness", "Timeline"]


class Created(Struct, frozen=True, kw_only=True):
    """The answer to a PUT: whether the thing is new."""

    created: bool


class CounterofferState(Struct, frozen=True, kw_only=True):
    """Another time that a provider proposed."""

    counteroffer_id: str
    provider_id: str
    windows: tuple[dict[str, datetime], ...]
    state: str
    expires_at: datetime


class BookingState(Booking, frozen=True, kw_only=True):
    """A booking as it stands: what was sent, and what became of it. ``place`` is null once it was erased."""

    client_id: str | None
    place: dict[str, Any] | None
    price_cents: int
    currency: str
    note: str
    counteroffers: tuple[CounterofferState, ...] = ()


class TimelineEvent(Struct, frozen=True, kw_only=True):
    """One event; what else it says depends on its type."""

    seq: int
    at: datetime
    type: str


class Timeline(Struct, frozen=True, kw_only=True):
    """Every event of a booking, oldest first; ``seq`` counts from 1 without gaps."""

    events: tuple[TimelineEvent, ...]


class Inbox(Struct, frozen=True, kw_only=True):
    """Everything open for a provider, as his devices have it. ``items`` are messages of the device protocol."""

    epoch: str
    seq: int
    items: tuple[dict[str, Any], ...]


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether work can be done, and for each part since how many seconds it was last heard of (null: never)."""

    ready: bool
    store: bool
    worker: float | None
    gateway: float | None


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457). ``code`` is stable; ``retry`` says whether the same request may work later."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retry: bool
