"""What the interface answers, for its description; a test compares it with what is really said. Fields may be added to answers any time."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from dispatch.client.answers import DeviceToken, Imported, PlannedWave
from dispatch.model import Id, Place, ProviderSettings, Tier, Urgency, Window

__all__ = [
    "BookingState",
    "Cancelled",
    "Created",
    "DeviceToken",
    "Explanation",
    "Imported",
    "Inbox",
    "Match",
    "Opened",
    "Problem",
    "ProviderState",
    "PushKey",
    "Readiness",
    "Timeline",
    "TrialState",
]

State = Literal["searching", "accepted", "unfilled", "cancelled", "taken_over", "completed", "no_show"]


class Answer(Struct, frozen=True, kw_only=True):
    """Something answered."""


class Created(Answer, frozen=True):
    """The answer to a PUT: whether the thing is new."""

    created: bool


class Planned(Answer, frozen=True):
    """What the engine is about to do: the waves, and the minutes until an answer is to be expected (null: nothing is known yet)."""

    urgency: Urgency
    plan: tuple[PlannedWave, ...]
    expected_minutes: float | None


class Opened(Planned, frozen=True):
    """A booking that was opened. ``candidates``: exactly how many fit now."""

    booking_id: str
    state: State
    candidates: int
    deadline: datetime


class Candidate(Answer, frozen=True):
    """A provider who fits, with the windows (indexes) that suit him. ``distance_m`` from the centre of his zone, null without one."""

    provider_id: str
    tier: Tier
    score: float | None
    distance_m: int | None
    windows: tuple[int, ...]


class LeftOut(Answer, frozen=True):
    """A provider who does not fit, and which filters say so."""

    provider_id: str
    reasons: tuple[str, ...]


class LeftOuts(Answer, frozen=True):
    """How many each filter leaves out, and some of them: the best-ranked, and those asked for."""

    counts: dict[str, int]
    providers: tuple[LeftOut, ...]


class Match(Planned, frozen=True):
    """A dry run. ``count``: exactly how many fit; ``candidates``: the first of them in order; ``left_out`` only with ``explain``."""

    count: int
    candidates: tuple[Candidate, ...]
    left_out: LeftOuts | None = None


class ProposalState(Answer, frozen=True):
    """A proposal as it stands. ``live``: it holds a seat (R12b); ``response_ms``: the clock of its answer (R22), null when none counts."""

    proposal: str
    provider_id: str | None
    wave: int
    kind: Literal["ordinary", "bonus", "direct"]
    state: Literal["open", "accepted", "refused", "countered", "withdrawn", "expired"]
    reason: str | None
    live: bool
    sent_at: datetime | None
    answer_by: datetime | None
    received_at: datetime | None
    seen_at: datetime | None
    answered_at: datetime | None
    response_ms: int | None


class CounterofferState(Answer, frozen=True):
    """Another time that a provider proposed."""

    counteroffer_id: str
    provider_id: str
    windows: tuple[Window, ...]
    state: Literal["held", "shown", "accepted", "declined", "expired", "withdrawn"]
    expires_at: datetime


class BookingState(Answer, frozen=True):
    """A booking as it stands. ``provider_id``: the winner; ``window``: the index of the agreed one; ``place`` is null once erased.

    ``fill_chance``: while it searches, the chance that one of those asked so far accepts in time, if nobody else is asked.
    """

    booking_id: str | None
    client_id: str | None
    place: Place | None
    services: tuple[str, ...]
    windows: tuple[Window, ...]
    price_cents: int
    currency: str
    preferred_provider_id: str | None
    link: str | None
    note: str
    state: State
    urgency: Urgency
    version: int
    opened_at: datetime
    deadline: datetime
    provider_id: str | None
    window: int | None
    wave: int
    next_wave_at: datetime | None
    fill_chance: float | None
    proposals: tuple[ProposalState, ...]
    counteroffers: tuple[CounterofferState, ...]


class Cancelled(Answer, frozen=True):
    """A booking after a cancellation; after the provider's own it is searching again (R35)."""

    booking_id: str
    state: State


class TimelineEvent(Answer, frozen=True):
    """One event; what else it says depends on its type."""

    seq: int
    at: datetime
    type: str


class Timeline(Answer, frozen=True):
    """Every event of a booking, oldest first; ``seq`` counts from 1 without gaps."""

    events: tuple[TimelineEvent, ...]


class Asked(Answer, frozen=True):
    """When and how a provider was asked."""

    wave: int
    kind: str
    state: str
    reason: str | None


class Explanation(Answer, frozen=True):
    """Why a provider was asked, or what leaves him out, as codes and in words he can read (R8)."""

    booking_id: str
    provider_id: str
    asked: Asked | None
    reasons: tuple[str, ...]
    text: tuple[str, ...]


class ProviderState(ProviderSettings, frozen=True, kw_only=True):
    """A provider's settings, and how he stands. His score is private (R65)."""

    provider_id: Id
    tier: Tier
    reachable: bool
    available: bool
    paused: bool
    live_proposals: int
    devices: int


class Inbox(Answer, frozen=True):
    """Everything open for a provider, as his devices have it. ``items`` are messages of the device protocol."""

    epoch: str
    seq: int
    items: tuple[dict[str, Any], ...]
    more: bool


class PushKey(Answer, frozen=True):
    """With what a browser subscribes to Web Push: an uncompressed point of P-256 in base64url."""

    public_key: str


class TrialReceipt(Answer, frozen=True):
    """What came back of a test by one way; ``outcome`` is the push service's."""

    way: Literal["socket", "push"]
    device: str | None
    received_at: datetime | None
    seen_at: datetime | None
    outcome: str | None


class TrialState(Answer, frozen=True):
    """A test proposal: it stands for no booking, and shows whether what is sent to a provider reaches him (R25b)."""

    proposal: str
    state: Literal["open", "accepted", "refused", "expired"]
    sent_at: datetime
    expires_at: datetime
    received_at: datetime | None
    seen_at: datetime | None
    answered_at: datetime | None
    receipts: tuple[TrialReceipt, ...]


class Readiness(Answer, frozen=True):
    """Whether work can be done, and for each part since how many seconds it was last heard of (null: never)."""

    ready: bool
    store: bool
    worker: float | None
    gateway: float | None


class Problem(Answer, frozen=True):
    """What went wrong (RFC 9457). ``code`` is stable; ``retry`` says whether the same request may work later."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retry: bool
