"""What the interface answers, for its description; a test compares it with what is really said. Fields may be added to answers any time."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from dispatch.client.answers import DeviceToken, Imported, PlannedWave
from dispatch.model import Id, Place, ProviderSettings, Tier, Urgency, Window

__all__ = [
    "Alarms",
    "AskedAgain",
    "Assignment",
    "Audit",
    "BonusApproved",
    "BonusList",
    "BookingExplained",
    "BookingState",
    "Cancelled",
    "CounterofferAccepted",
    "CounterofferDeclined",
    "Coverage",
    "Created",
    "DeviceToken",
    "Explanation",
    "Extension",
    "FollowUpFinished",
    "FollowUps",
    "HandBack",
    "Imported",
    "Inbox",
    "KnownProviders",
    "Match",
    "Opened",
    "PersonalLink",
    "PersonalLinks",
    "Problem",
    "ProviderState",
    "PushKey",
    "Readiness",
    "Searching",
    "TakeOver",
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


class Direct(Answer, frozen=True):
    """The provider whom the client chose, at the opening: ``asked`` (``reasons`` mark it), ``waiting`` for the end of quiet hours, or
    ``missed`` (``reasons`` are the filters that bind against him; the waves start at once)."""

    provider_id: str
    state: Literal["asked", "waiting", "missed"]
    reasons: tuple[str, ...]


class Opened(Planned, frozen=True):
    """A booking that was opened. ``candidates``: exactly how many fit now; ``direct`` is null unless the booking names a provider."""

    booking_id: str
    state: State
    candidates: int
    deadline: datetime
    direct: Direct | None


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
    """A proposal as it stands. ``reasons``: what marks a direct or bonus one.
    ``live``: it holds a seat (R12b); ``response_ms``: the clock of its answer (R22), null when none counts."""

    proposal: str
    provider_id: str | None
    wave: int
    kind: Literal["ordinary", "bonus", "direct"]
    state: Literal["open", "accepted", "refused", "countered", "withdrawn", "expired"]
    reason: str | None
    reasons: tuple[str, ...]
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
    note: str
    state: Literal["held", "shown", "accepted", "declined", "expired", "withdrawn"]
    made_at: datetime
    expires_at: datetime
    closed_at: datetime | None


class CounterofferAccepted(Answer, frozen=True):
    """A booking that the client agreed to have at another time. ``window``: that time."""

    booking_id: str
    counteroffer_id: str
    state: State
    provider_id: str
    window: Window


class CounterofferDeclined(Answer, frozen=True):
    """A counteroffer that the client declined; the search goes on."""

    booking_id: str
    counteroffer_id: str
    state: Literal["declined"]


class TakenOver(Answer, frozen=True):
    """Who of ops has a booking in his hands, since when, and why."""

    by: str
    at: datetime
    reason: str


class BookingState(Answer, frozen=True):
    """A booking as it stands. ``provider_id``: the winner; ``window``: the index of the agreed one; ``place`` is null once erased.

    ``offers``: what is left to the client of one that is unfilled (R17).
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
    seed: int
    fill_chance: float | None
    proposals: tuple[ProposalState, ...]
    counteroffers: tuple[CounterofferState, ...]
    alarm: Literal["no_show", "late"] | None
    reports: tuple["Report", ...]
    taken_over: TakenOver | None
    offers: tuple[Literal["extend", "other_window", "cancel"], ...]


class NearMiss(Answer, frozen=True):
    """A provider who fits but for what ``step`` (index into the market's `bonus_steps`) stretches; ``reasons`` say what is outside."""

    provider_id: str
    tier: Tier
    step: int
    windows: tuple[int, ...]
    distance_m: int | None
    reasons: tuple[str, ...]
    approved: bool


class BonusList(Answer, frozen=True):
    """Who would get a bonus proposal, in the order in which they would be asked. ``nobody_left``: the last wave found nobody who fits."""

    booking_id: str
    mode: Literal["approve", "auto", "manual"]
    nobody_left: bool
    providers: tuple[NearMiss, ...]


class BonusApproved(Answer, frozen=True):
    """Whom ops have confirmed; their waves leave from ``from`` on, when nobody else is left."""

    booking_id: str
    approved: tuple[str, ...]
    from_: datetime = field(name="from")


class PersonalLink(Answer, frozen=True):
    """The code that a booking carries in ``link``."""

    code: str
    provider_id: str


class PersonalLinks(Answer, frozen=True):
    """The codes that are good."""

    links: tuple[str, ...]


class KnownProvider(Answer, frozen=True):
    """A provider who has served the client, and the windows (indexes) in which he is free; ``reachable``: he could be asked now."""

    provider_id: str
    tier: Tier
    windows: tuple[int, ...]
    reachable: bool
    last_served_at: datetime


class KnownProviders(Answer, frozen=True):
    """Those who are free, best first."""

    client_id: str
    providers: tuple[KnownProvider, ...]


class TakeOver(Answer, frozen=True):
    """A booking that the caller has in his hands now."""

    booking_id: str
    state: State
    by: str


class HandBack(Answer, frozen=True):
    """A booking that the engine has again."""

    booking_id: str
    state: State


class Assignment(Answer, frozen=True):
    """A booking that was given to a provider by hand."""

    booking_id: str
    state: State
    provider_id: str


class AskedAgain(Answer, frozen=True):
    """A provider who has a proposal before him again."""

    booking_id: str
    provider_id: str
    state: Literal["open"]


class Extension(Answer, frozen=True):
    """A booking that searches again."""

    booking_id: str
    state: State
    deadline: datetime


class AlarmState(Answer, frozen=True):
    """Something ops must see to. ``kind``: no_show, late, or overdue (it was taken over, and not settled in time)."""

    kind: str
    booking_id: str | None
    state: State
    since: datetime
    owner: str | None


class Alarms(Answer, frozen=True):
    """What ops must see to, longest first; the first 200."""

    alarms: tuple[AlarmState, ...]


class AuditEntry(Answer, frozen=True):
    """Something done by hand: who (the name of his key, and its id), what, when, why."""

    number: int
    at: datetime
    who: str
    key: str
    what: str
    why: str
    booking_id: str | None
    provider_id: str | None
    override: bool


class Audit(Answer, frozen=True):
    """A page of the audit log, newest first; ``next``: the ``before`` of the following page, null when this is the last."""

    entries: tuple[AuditEntry, ...]
    next: int | None


class Cancelled(Answer, frozen=True):
    """How a booking stands after a call; after its provider's own cancellation it is searching again (R35)."""

    booking_id: str
    state: State


class Searching(Answer, frozen=True):
    """A booking whose search has begun anew."""

    booking_id: str
    state: State
    urgency: Urgency
    deadline: datetime


class Report(Answer, frozen=True):
    """What a provider reported of his proposal or its client, in his words (R25)."""

    provider_id: str | None
    at: datetime
    reason: str


class TimelineEvent(Answer, frozen=True):
    """One event; what else it says depends on its type."""

    seq: int
    at: datetime
    type: str


class Timeline(Answer, frozen=True):
    """Every event of a booking, oldest first; ``seq`` counts from 1 without gaps."""

    events: tuple[TimelineEvent, ...]


class Asked(Answer, frozen=True):
    """When and how a provider was asked. ``appeared``: he took a free seat when he came online, was freed or widened his settings (R18)."""

    wave: int
    kind: str
    state: str
    reason: str | None
    appeared: bool = False


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


class FollowUp(Answer, frozen=True):
    """What a provider asked of ops: a service he would offer, or a talk about his score. ``done_by``: the key that said so."""

    follow_up_id: str
    kind: Literal["service", "talk"]
    provider_id: str
    text: str
    state: Literal["open", "done"]
    asked_at: datetime
    done_at: datetime | None
    done_by: str | None


class FollowUps(Answer, frozen=True):
    """What is to be seen to, asked first first, and what was, done last first; at most 200 and 50 of them."""

    open: tuple[FollowUp, ...]
    done: tuple[FollowUp, ...]


class FollowUpFinished(Answer, frozen=True):
    """A follow-up that has been seen to."""

    follow_up_id: str
    state: Literal["done"]


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
