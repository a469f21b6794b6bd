"""What the interface answers, for its description; a test compares it with what is really said. Fields may be added to answers any time."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from dispatch.client.answers import DeviceToken, Imported, PlannedWave
from dispatch.model import Id, Place, ProviderSettings, Tier, Urgency, Window

__all__ = [
    "BookingExplained",
    "BookingState",
    "Cancelled",
    "Coverage",
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


Judgement = Literal["asked", "left_out", "outranked", "held_back", "not_there"]


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
    """A booking as it stands. ``provider_id``: the winner; ``window``: the index of the agreed one; ``place`` is null once erased."""

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
    seed: int
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


class Decided(Answer, frozen=True):
    """A decision: who gets the seats of a wave, or (``fill``) those of the undelivered."""

    wave: int
    kind: Literal["wave", "fill"]
    round: int
    at: datetime


class DecisionFor(Decided, frozen=True):
    """What a decision was for one provider, as things were then. ``held_back``: no under-performer is in a first wave (R7)."""

    verdict: Judgement
    reasons: tuple[str, ...]
    text: tuple[str, ...]


class DecisionOf(Decided, frozen=True):
    """A decision and who was asked; ``drawn``: those of them who were drawn as newcomers (R6), with the booking's seed."""

    seats: int
    asked: tuple[str, ...]
    drawn: tuple[str, ...]
    first_wave_skipped: bool


class Unasked(Answer, frozen=True):
    """A provider whom a decision did not ask, and why."""

    provider_id: str
    verdict: Judgement
    reasons: tuple[str, ...]
    text: tuple[str, ...]


class Unaskeds(Decided, frozen=True):
    """How many a decision asked, and left out by each filter first; the best-ranked of them, and those asked for. ``complete``: everybody
    was looked at; in a very large market those who came first are."""

    counts: dict[str, int]
    providers: tuple[Unasked, ...]
    complete: bool


class BookingExplained(Answer, frozen=True):
    """What was decided for a booking (R8). ``left_out``: of one decision; null while nothing has been decided."""

    booking_id: str
    seed: int
    decisions: tuple[DecisionOf, ...]
    left_out: Unaskeds | None


class Explanation(Answer, frozen=True):
    """Why a provider was asked, or what left him out, as codes and in words he can read (R8). ``decisions``: wave by wave."""

    booking_id: str
    provider_id: str
    asked: Asked | None
    reasons: tuple[str, ...]
    text: tuple[str, ...]
    decisions: tuple["DecisionFor", ...]


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


class CoveredZone(Answer, frozen=True):
    """A part of the market: an H3 cell, what it is called, and the place in it for which is counted."""

    zone: str
    name: str
    lat: float
    lng: float


class Gap(Answer, frozen=True):
    """From when to when fewer than the threshold could serve in a zone; ``providers``: the fewest in that time."""

    zone: str
    name: str
    from_: datetime = field(name="from")
    until: datetime
    providers: int


class CoveredService(Answer, frozen=True):
    """How many could do a service: ``counts`` by zone, and in each by hour; ``short``: how many of them are below the threshold."""

    service: str
    least: int
    most: int
    short: int
    counts: tuple[tuple[int, ...], ...]
    gaps: tuple[Gap, ...]


class Coverage(Answer, frozen=True):
    """How many could serve (R9). ``hours``: their beginnings; ``below_threshold``: services with fewer somewhere, the worst first."""

    threshold: int
    hours: tuple[datetime, ...]
    zones: tuple[CoveredZone, ...]
    services: tuple[CoveredService, ...]
    below_threshold: tuple[str, ...]


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
