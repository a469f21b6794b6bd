"""What is answered to *why*: decisions on record (R8), and coverage (R9)."""

from datetime import datetime
from typing import Literal

from msgspec import field

from dispatch.api.answers.answer import Answer

Judgement = Literal["asked", "left_out", "outranked", "held_back", "not_there"]


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
