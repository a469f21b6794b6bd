"""What is answered about bookings: opened, matched, their state and history."""

from datetime import datetime
from typing import Literal

from dispatch.api.answers.answer import Answer
from dispatch.client.answers import PlannedWave
from dispatch.model import Place, Tier, Urgency, Window

State = Literal["searching", "accepted", "unfilled", "cancelled", "taken_over", "completed", "no_show"]


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


class Report(Answer, frozen=True):
    """What a provider reported of his proposal or its client, in his words (R25)."""

    provider_id: str | None
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
    reports: tuple[Report, ...]
    taken_over: TakenOver | None
    offers: tuple[Literal["extend", "other_window", "cancel"], ...]


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


class TimelineEvent(Answer, frozen=True):
    """One event; what else it says depends on its type."""

    seq: int
    at: datetime
    type: str


class Timeline(Answer, frozen=True):
    """Every event of a booking, oldest first; ``seq`` counts from 1 without gaps."""

    events: tuple[TimelineEvent, ...]
