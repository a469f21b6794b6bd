"""What is answered to ops: what is done by hand, alarms, audit, bonus proposals, follow-ups."""

from datetime import datetime
from typing import Literal

from msgspec import field

from dispatch.api.answers.answer import Answer
from dispatch.api.answers.bookings import State
from dispatch.model import Tier


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
