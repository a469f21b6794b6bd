"""What the engine answers to the booking service, as the client reads it (PROTOCOL.md section 1)."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from dispatch.model import Window


class Answer(Struct, frozen=True, kw_only=True):
    """Something the engine answers. Fields this client does not know are ignored: the engine may be newer."""


class PlannedWave(Answer, frozen=True):
    """One wave of a plan (R19): its number, its size and when it is due."""

    wave: int
    size: int
    at: datetime


class Direct(Answer, frozen=True):
    """The provider whom the client chose: ``asked``, ``waiting`` for the end of quiet hours, or ``missed``, and the reasons."""

    provider_id: str
    state: str
    reasons: tuple[str, ...] = ()


class PersonalLink(Answer, frozen=True):
    """A personal link: whoever books with ``code`` is offered to its provider first."""

    code: str
    provider_id: str


class KnownProvider(Answer, frozen=True):
    """A provider who has served a client, and in which of the windows asked for (indexes) he is free."""

    provider_id: str
    tier: str
    windows: tuple[int, ...]
    reachable: bool
    last_served_at: datetime


class NearMiss(Answer, frozen=True):
    """A provider who fits but for a setting that the market's bonus proposals stretch; ``reasons`` say by how much."""

    provider_id: str
    tier: str
    step: int
    windows: tuple[int, ...]
    reasons: tuple[str, ...]
    approved: bool = False
    distance_m: int | None = None


class Opened(Answer, frozen=True):
    """The 201 of a booking: what the engine is about to do for it."""

    booking_id: str
    state: str
    urgency: str
    candidates: int
    deadline: datetime
    plan: tuple[PlannedWave, ...] = ()
    direct: Direct | None = None
    expected_minutes: float | None = None  # from the first wave to an accept (R19); None: an accept is less likely than not


class Candidate(Answer, frozen=True):
    """A provider who fits, with the windows (indexes) that suit him."""

    provider_id: str
    tier: str
    score: float | None
    distance_m: int | None  # None: his zone is a list of areas, which has no middle
    windows: tuple[int, ...]


class Match(Answer, frozen=True):
    """The answer of a dry run: the exact number that fit, the first of them in order, and who was left out."""

    count: int
    candidates: tuple[Candidate, ...] = ()
    plan: tuple[PlannedWave, ...] = ()
    expected_minutes: float | None = None
    left_out: dict[str, Any] | None = None


class ProposalState(Answer, frozen=True):
    """A proposal as the booking service sees it."""

    proposal: str
    provider_id: str
    wave: int
    kind: str
    state: str
    reason: str | None = None
    reasons: tuple[str, ...] = ()
    sent_at: datetime | None = None
    received_at: datetime | None = None
    seen_at: datetime | None = None
    answered_at: datetime | None = None


class CounterofferState(Answer, frozen=True):
    """Other times that a provider proposed (R24). ``shown``: the client may accept or decline it."""

    counteroffer_id: str
    provider_id: str
    windows: tuple[Window, ...]
    state: str
    expires_at: datetime
    note: str = ""


class Booking(Answer, frozen=True):
    """A booking as it stands. ``provider_id`` is the winner, ``wave`` the last one sent."""

    booking_id: str
    state: str
    urgency: str
    services: tuple[str, ...]
    windows: tuple[Window, ...]
    provider_id: str | None = None
    wave: int = 0
    next_wave_at: datetime | None = None
    fill_chance: float | None = None
    deadline: datetime | None = None
    alarm: str | None = None
    proposals: tuple[ProposalState, ...] = ()
    taken_over: dict[str, Any] | None = None  # by, at, reason: while ops have it in their hands
    offers: tuple[str, ...] = ()  # what is left to the client of one that is unfilled
    counteroffers: tuple[CounterofferState, ...] = ()


class Event(Answer, frozen=True):
    """One line of a booking's timeline. ``fields`` holds what this type of event says beyond number, time and type."""

    seq: int
    at: datetime
    type: str
    fields: dict[str, Any]


class RefusedLine(Answer, frozen=True):
    """A line of an import that was not taken, and why."""

    line: int
    code: str
    detail: str


class Imported(Answer, frozen=True):
    """The answer of an import."""

    accepted: int
    refused: tuple[RefusedLine, ...] = ()


class DeviceToken(Answer, frozen=True):
    """A token with which one device of one provider may connect."""

    token: str
    expires_at: datetime


class WebhookEvent(Answer, frozen=True):
    """An event pushed to the booking service. ``id`` is the same when the engine sends it again."""

    id: str
    type: str
    data: dict[str, Any]
    timestamp: datetime | None = None
