"""Waves: when to ask how many more providers, as a pure function of a booking's state and the time.

A booking has one timer. Whatever may change its plan (a refusal, a passed due time, the end of a grace) sets that timer to now;
whoever serves it calls :func:`next_step` and does what it says. Times are ms, lengths in settings are seconds.
Source: SPEC.md R10-R14, R17, R19, P6.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dispatch import pacing
from dispatch.habits import NONE_YET, Habits, accepting, yardstick
from dispatch.hours import end_of_range, in_range
from dispatch.model import CadenceRow, MarketSettings, Urgency

SPREAD_MS = 600_000  # those released by the end of quiet hours leave within 10 min (P6)
QUARTER_MS = 900_000
DAY_MS = 86_400_000
PLAN_ROWS = 20
FOREVER = 2**53
OWED = -1  # of a hold: the chosen provider has yet to be asked


class Holder(Struct, frozen=True, kw_only=True):
    """One proposal of this round, as far as pacing is concerned. ``received_at`` is 0 until it is known.

    ``left_at``: when it ended without a win (he refused, or it was taken back because he won another visit at that time); 0: it is open.
    ``keen``: how readily he accepts; 1: as his class does.
    """

    no: int
    live: bool
    replaced: bool
    sent_at: int
    answer_by: int
    received_at: int = 0
    left_at: int = 0
    keen: float = 1.0


class Search(Struct, frozen=True, kw_only=True):
    """A booking that is looking for its provider. ``paced_at``: when the last wave was tried; until one was ``tried``, the opening.

    ``said_no``: whether a proposal has ended without a win since then. ``began_at``: when its first wave was tried; 0: at the opening.
    ``chosen``: who is asked before the waves (R26, R27), and until when they ``hold`` for him: OWED before he is asked, 0 when they do
    not wait.
    """

    start: int
    opened_at: int
    deadline: int
    wave: int
    paced_at: int
    tried: bool = True
    said_no: bool = False
    began_at: int = 0
    holders: tuple[Holder, ...] = ()
    chosen: int = 0
    hold: int = 0


class Release(Struct, frozen=True, kw_only=True):
    """Ask ``size`` more. A ``wave`` is the next one and restarts the pause; a ``fill`` gives the seats of the undelivered away; ``direct``
    asks the chosen one, and waves ``hold`` for so many ms from then on.

    ``order``: within what the likely and quick come first (None: the order of R5); ``earned``: what a proposal earns in the time left.
    ``ease``, ``usual_ms``: by what these proposals are measured (habits.Yardstick); None where the market learns nothing of its providers.
    """

    kind: str
    wave: int
    size: int
    answer_by: int
    due: int
    hold: int = 0
    order: str | None = None
    earned: float = 0.0
    ease: float | None = None
    usual_ms: float | None = None


class Step(Struct, frozen=True, kw_only=True):
    """What to do now: end the search, or let ``fade`` go stale, give the seats of ``replace`` away, release, and look again at ``due``."""

    close: bool = False
    fade: tuple[int, ...] = ()
    replace: tuple[int, ...] = ()
    release: Release | None = None
    urgency: Urgency
    due: int


class PlannedWave(Struct, frozen=True):
    """A wave as it would leave if nobody answered."""

    wave: int
    size: int
    at: int


def row_of(settings: MarketSettings, lead_ms: int) -> CadenceRow:
    """The cadence row for a lead time (R12)."""
    for row in settings.cadence:
        if row.lead_under_s is None or lead_ms < row.lead_under_s * 1_000:
            return row
    return settings.cadence[-1]


def urgency_of(settings: MarketSettings, start: int, now: int) -> Urgency:
    """The class of a booking now."""
    return row_of(settings, start - now).class_


def too_late(settings: MarketSettings, start: int, now: int) -> bool:
    """Whether a client books too late: exactly the cut-off before the start is still in time (R10)."""
    return start - now < settings.booking_cutoff_s * 1_000


def deadline_of(settings: MarketSettings, start: int, opened_at: int) -> int:
    """When the search for a visit ends (R17): before its start, and after the longest search of the class at opening.

    Where the usual deadline has passed already (ops may override R10) it is the last resort's, then the start itself. The longest search
    counts from when it may begin: quiet hours at its opening would else use up a night in which nobody can be asked.
    """
    usual, last_resort = start - settings.search_deadline_s * 1_000, reopened_deadline(settings, start, opened_at)
    latest = next((at for at in (usual, last_resort) if at > opened_at), start)
    urgency = urgency_of(settings, start, opened_at)
    if urgency is Urgency.LAST_MINUTE:
        return latest
    longest: int = getattr(settings.longest_search_s, urgency)
    return min(latest, _loud_from(settings, start, opened_at, opened_at) + longest * 1_000)


def reopened_deadline(settings: MarketSettings, start: int, now: int) -> int:
    """The deadline after a provider's own cancellation: so long before the start (R17, R35)."""
    return max(now, start - settings.reopened_deadline_s * 1_000)


def extended_deadline(settings: MarketSettings, start: int, now: int, until: int | None) -> int:
    """The deadline of a search for this start that is extended now (R17): ``until`` when it is, else that of a search that begins now,
    and never after the last resort's. Not after ``now``: it is too late."""
    wanted = deadline_of(settings, start, now) if until is None else until
    return min(wanted, reopened_deadline(settings, start, now))


def choices(settings: MarketSettings, starts: Iterable[int], now: int) -> tuple[str, ...]:
    """What may be offered to the client of a booking that nobody took (R17)."""
    extend = any(extended_deadline(settings, start, now, None) > now for start in starts)
    return ("extend", "other_window", "cancel") if extend else ("other_window", "cancel")


def answer_by(settings: MarketSettings, urgency: Urgency, now: int, deadline: int) -> int:
    """Until when a proposal sent now is live (R12b)."""
    live: int = getattr(settings.answer_s, urgency)
    return min(now + live * 1_000, deadline)


def grace_ms(settings: MarketSettings, urgency: Urgency) -> int:
    """How long an undelivered proposal may hold its seat (R14)."""
    grace = settings.delivery_grace_s
    return (grace.last_minute if urgency is Urgency.LAST_MINUTE else grace.other) * 1_000


def allowed_from(settings: MarketSettings, search: Search, at: int) -> int:
    """The first moment not before ``at`` at which quiet hours let a wave of this booking leave (R12).

    Those that quiet hours held back are spread over ten minutes after their end, the most urgent first, and among those with the same
    start by the moment they were opened (P6). A booking that becomes last-minute meanwhile waits no longer.
    """
    return _loud_from(settings, search.start, search.opened_at, at)


def _loud_from(settings: MarketSettings, start: int, opened_at: int, at: int) -> int:
    quiet, hurried = settings.quiet_hours, _last_minute_from(settings, start)
    if quiet is None or hurried <= at or not in_range(quiet, settings.time_zone, at):
        return at
    end = end_of_range(quiet, settings.time_zone, at)
    lead = max(0, start - end) + opened_at % QUARTER_MS
    return min(hurried, end + SPREAD_MS * lead // (lead + DAY_MS))


def _last_minute_from(settings: MarketSettings, start: int) -> int:
    """The first moment at which a booking with this start is last-minute (its row, the one of the shortest leads, comes first)."""
    row = settings.cadence[0]
    if row.class_ is not Urgency.LAST_MINUTE:
        return start
    return 0 if row.lead_under_s is None else start - row.lead_under_s * 1_000 + 1


def hold_ms(settings: MarketSettings, urgency: Urgency) -> int:
    """How long waves hold for a provider whom the client has chosen (R26, R27)."""
    hold = settings.preferred_hold_s
    return (hold.last_minute if urgency is Urgency.LAST_MINUTE else hold.other) * 1_000


def held_until(settings: MarketSettings, search: Search) -> int:
    """Until when waves hold for the chosen provider: to the end of the hold, his no, or R14's grace when nothing reached him (R28).

    While he has yet to be asked: to the end of the hold that begins when he is. 0: they do not hold.
    """
    if search.hold == OWED:
        asked = allowed_from(settings, search, search.paced_at)
        return min(asked + hold_ms(settings, urgency_of(settings, search.start, asked)), search.deadline)
    return min([search.hold, *(_let_go(settings, search, holder) for holder in search.holders if holder.no == search.chosen)])


def _let_go(settings: MarketSettings, search: Search, holder: Holder) -> int:
    """When the chosen one has given the hold up: with his no, or at the end of the grace when nothing arrived in it."""
    return holder.left_at or (_grace_end(settings, search, holder) if _silent(holder) else FOREVER)


def lives(settings: MarketSettings, search: Search) -> tuple[tuple[int, int], ...]:
    """For each holder (number, ms): until when his proposal is live if no deadline is sooner (R12b)."""
    since = ((one.no, one.sent_at) for one in search.holders)
    return tuple((no, answer_by(settings, urgency_of(settings, search.start, sent), sent, FOREVER)) for no, sent in since)


def next_wave_at(settings: MarketSettings, search: Search, now: int, habits: Habits = NONE_YET) -> int:
    """When the next wave is owed: after the pause or pace, or at once when every live holder has said no (R12, R13); after a hold (R28).

    One that is owed, but was not sent before quiet hours began, waits for their end.
    """
    return _next_wave_at(settings, search, now, _if_paced(settings, search, habits))


def _next_wave_at(settings: MarketSettings, search: Search, now: int, pace: pacing.Pace | None) -> int:
    due = allowed_from(settings, search, max(_owed(settings, search, now, pace), held_until(settings, search) if search.hold else 0))
    held = allowed_from(settings, search, now)
    return held if due <= now < held else due


def _owed(settings: MarketSettings, search: Search, now: int, pace: pacing.Pace | None) -> int:
    """When the next wave is owed if there are no quiet hours. ``pace``: where the policy is `paced`."""
    if not search.tried:
        return search.paced_at
    pause = row_of(settings, search.start - search.paced_at).pause_s * 1_000
    due = search.paced_at + pause if pace is None else pace.due(search.paced_at, search.said_no)
    ends = [_seat_until(settings, search, holder) for holder in search.holders]
    alone_from = max(ends, default=now + 1)  # from then on nobody keeps a seat
    return min(due, max(search.paced_at, alone_from)) if search.said_no and alone_from <= now else due


def _seat_until(settings: MarketSettings, search: Search, holder: Holder) -> int:
    """Until when a holder keeps his seat: to his no, the end of his live time, or of the grace when nothing arrived in it."""
    if holder.left_at:
        return holder.left_at
    return min(holder.answer_by, _grace_end(settings, search, holder)) if _silent(holder) else holder.answer_by


def _silent(holder: Holder) -> bool:
    """Whether none of his devices has confirmed (or did so when his seat was given away already)."""
    return holder.replaced or holder.received_at == 0


def _grace_end(settings: MarketSettings, search: Search, holder: Holder) -> int:
    return holder.sent_at + grace_ms(settings, urgency_of(settings, search.start, holder.sent_at))


def next_step(settings: MarketSettings, search: Search, now: int, habits: Habits = NONE_YET) -> Step:
    """What to do with a searching booking now, and when to look at it again."""
    urgency = urgency_of(settings, search.start, now)
    if now >= search.deadline:
        return Step(close=True, urgency=urgency, due=now)
    live = [holder for holder in search.holders if holder.live and not holder.left_at]
    seated = [holder for holder in live if holder.answer_by > now and not holder.replaced]
    missing = [holder for holder in seated if _silent(holder) and _grace_end(settings, search, holder) <= now]
    pace = _if_paced(settings, search, habits)
    owed = _next_wave_at(settings, search, now, pace)
    release = _measured(settings, search, _release(settings, search, missing, owed, now, pace), now, habits)
    return Step(
        fade=tuple(holder.no for holder in live if holder.answer_by <= now),
        replace=tuple(holder.no for holder in missing) if release else (),
        release=release,
        urgency=urgency,
        due=min(moment for moment in _moments(settings, search, live, release, owed, now, pace) if moment > now),
    )


def _release(
    settings: MarketSettings, search: Search, missing: Sequence[Holder], wave_due: int, now: int, pace: pacing.Pace | None
) -> Release | None:
    """Who is to be asked now. The next wave ends the claim of earlier ones to the seats of the undelivered."""
    row = row_of(settings, search.start - now)
    held = allowed_from(settings, search, now) > now
    until = answer_by(settings, row.class_, now, search.deadline)
    if search.hold == OWED:
        due = allowed_from(settings, search, search.paced_at)
        direct = Release(kind="direct", wave=search.wave, size=1, answer_by=until, due=due, hold=hold_ms(settings, row.class_))
        return direct if due <= now and not held else None
    if wave_due <= now:
        size = pace.size(now) if pace is not None else row.size
        return Release(kind="wave", wave=search.wave + 1, size=size, answer_by=until, due=wave_due)
    fill_due = min((allowed_from(settings, search, _grace_end(settings, search, holder)) for holder in missing), default=now + 1)
    if fill_due <= now and not held:
        return Release(kind="fill", wave=max(1, search.wave), size=len(missing), answer_by=until, due=fill_due)
    return None


def _measured(settings: MarketSettings, search: Search, release: Release | None, now: int, habits: Habits) -> Release | None:
    """A release in the order that the market chose, with what it needs to learn from it."""
    if release is None or not settings.learns:
        return release
    by, order = yardstick(urgency_of(settings, search.start, now), habits), by_quickness(settings, search, now, habits)
    measured = replace(release, ease=by.ease, usual_ms=by.usual_ms)
    return replace(measured, order=order[0], earned=order[1]) if order else measured


def by_quickness(settings: MarketSettings, search: Search, now: int, habits: Habits) -> tuple[str, float] | None:
    """Within what the likely and quick come first, and what a proposal earns until the deadline; None: the order is that of R5."""
    if settings.wave_order == "rank":
        return None
    return settings.wave_order, accepting(urgency_of(settings, search.start, now), habits).earned(search.deadline - now)


def _moments(
    settings: MarketSettings, search: Search, live: Iterable[Holder], release: Release | None, owed: int, now: int, pace: pacing.Pace | None
) -> Iterator[int]:
    """Moments, some of them past, at which the plan can change by time alone."""
    yield search.deadline
    yield allowed_from(settings, search, now)  # the end of quiet hours
    for row in settings.cadence:
        if row.lead_under_s is not None:
            yield search.start - row.lead_under_s * 1_000 + 1  # another class
    for holder in live:
        yield holder.answer_by
        yield allowed_from(settings, search, _grace_end(settings, search, holder)) if _silent(holder) else 0
    if release is not None:
        yield release.answer_by
        yield allowed_from(settings, search, now + grace_ms(settings, urgency_of(settings, search.start, now)))
    if release is not None and release.kind == "direct":
        yield allowed_from(settings, search, now + release.hold)
    elif search.hold == OWED:
        yield allowed_from(settings, search, search.paced_at)
    elif release is not None and pace is not None:
        yield allowed_from(settings, search, now + pace.tick)  # how keen they are is known then
    elif release is not None and release.kind == "wave":
        yield allowed_from(settings, search, now + row_of(settings, search.start - now).pause_s * 1_000)
    else:
        yield owed


def plan(
    settings: MarketSettings, search: Search, candidates: int, now: int, habits: Habits = NONE_YET, *, behind: int = 0
) -> tuple[PlannedWave, ...]:
    """The waves still to come if nobody answers, until candidates or time run out; at most 20 rows (R19).

    ``behind`` of the candidates are under-performing: they are in no first wave, and one of nobody else is skipped (R7).
    """
    if settings.wave_policy == "paced":
        return _paced_plan(settings, search, candidates, now, habits)
    rows: list[PlannedWave] = []
    at, wave, left = max(now, next_wave_at(settings, search, now)), search.wave, candidates
    while left > 0 and at < search.deadline and len(rows) < PLAN_ROWS:
        row = row_of(settings, search.start - at)
        first = wave == 0 and candidates > behind
        wave, size = wave + (1 if wave or first else 2), min(row.size, candidates - behind if first else left)
        rows.append(PlannedWave(wave, size, at))
        left -= size
        at = allowed_from(settings, search, at + row.pause_s * 1_000)
    return tuple(rows)


# -- the policy `paced` ------------------------------------------------------------------------------------------------


def _pace(settings: MarketSettings, search: Search, habits: Habits) -> pacing.Pace:
    """A search as pacing sees it."""
    return pacing.Pace(
        settings,
        began=(search.began_at or search.opened_at) if search.tried else search.paced_at,
        deadline=search.deadline,
        hurried=_last_minute_from(settings, search.start),
        class_at=lambda at: urgency_of(settings, search.start, at),
        holders=search.holders,
        habits=habits,
    )


def _if_paced(settings: MarketSettings, search: Search, habits: Habits) -> pacing.Pace | None:
    return _pace(settings, search, habits) if settings.wave_policy == "paced" else None


def _paced_plan(settings: MarketSettings, search: Search, candidates: int, now: int, habits: Habits) -> tuple[PlannedWave, ...]:
    """The plan by pace: everyone who is asked is an average provider who keeps silent."""
    at, left = max(now, next_wave_at(settings, search, now, habits)), candidates
    first = search if search.tried else replace(search, tried=True, began_at=at, paced_at=at)
    pace, rows = _pace(settings, first, habits), list[PlannedWave]()
    while left > 0 and at < search.deadline and len(rows) < PLAN_ROWS:
        count = min(pace.size(at), left)
        rows.append(PlannedWave(search.wave + len(rows) + 1, count, at))
        left -= count
        at = allowed_from(settings, search, pace.after(count, at))
    return tuple(rows)


def fill_chance(settings: MarketSettings, search: Search, now: int, habits: Habits = NONE_YET) -> float:
    """The chance that somebody asked so far accepts before the deadline, if nobody else is asked."""
    return _pace(settings, search, habits).fill_chance(now, search.deadline)
