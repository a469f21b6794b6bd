"""Waves: when to ask how many more providers, as a pure function of a booking's state and the time.

A booking has one timer. Whatever may change its plan (a refusal, a passed due time, the end of a grace) sets that timer to now;
whoever serves it calls :func:`next_step` and does what it says. Times are ms, lengths in settings are seconds.
Source: SPEC.md R10, R12-R14, R17, R19, P6.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from dispatch.hours import end_of_range, in_range
from dispatch.model import CadenceRow, MarketSettings, Urgency

SPREAD_MS = 600_000  # those released by the end of quiet hours leave within 10 min (P6)
DAY_MS = 86_400_000
PLAN_ROWS = 20
DEFAULT_ACCEPT_RATE = 0.20  # until the market has its own (WAVES.md 5.2)
DEFAULT_ANSWER_MS = {  # mean delay of an accept, assumed until the market has its own
    Urgency.LAST_MINUTE: 240_000,
    Urgency.SAME_DAY: 600_000,
    Urgency.ADVANCE: 1_800_000,
    Urgency.FAR: 3_600_000,
}


class Holder(Struct, frozen=True, kw_only=True):
    """One proposal of the booking, as far as pacing is concerned. ``received_at`` and ``answered_at`` are 0 until they are known."""

    no: int
    open: bool
    live: bool
    refused: bool
    replaced: bool
    wave: int
    sent_at: int
    answer_by: int
    received_at: int
    answered_at: int


class Search(Struct, frozen=True, kw_only=True):
    """A booking that is looking for its provider. ``paced_at``: when the last wave was tried; until one was ``tried``, the opening."""

    start: int
    opened_at: int
    deadline: int
    wave: int
    paced_at: int
    tried: bool = True
    holders: tuple[Holder, ...] = ()


class Release(Struct, frozen=True, kw_only=True):
    """Ask ``size`` more. A ``wave`` is the next one and restarts the pause; a ``fill`` gives the seats of the undelivered away."""

    kind: str
    wave: int
    size: int
    answer_by: int
    due: int


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
    """When the search ends (R17): before the start, and after the longest search of the class at opening."""
    latest = start - settings.search_deadline_s * 1_000
    urgency = urgency_of(settings, start, opened_at)
    if urgency is Urgency.LAST_MINUTE:
        return latest
    longest: int = getattr(settings.longest_search_s, urgency)
    return min(latest, opened_at + longest * 1_000)


def reopened_deadline(start: int, now: int) -> int:
    """The deadline after a provider's own cancellation: 15 min before the start (R17, R35)."""
    return max(now, start - 900_000)


def answer_by(settings: MarketSettings, urgency: Urgency, now: int, deadline: int) -> int:
    """Until when a proposal sent now is live (R12b)."""
    live: int = getattr(settings.answer_s, urgency)
    return min(now + live * 1_000, deadline)


def grace_ms(settings: MarketSettings, urgency: Urgency) -> int:
    """How long an undelivered proposal may hold its seat (R14)."""
    grace = settings.delivery_grace_s
    return (grace.last_minute if urgency is Urgency.LAST_MINUTE else grace.other) * 1_000


def allowed_from(settings: MarketSettings, start: int, at: int) -> int:
    """The first moment not before ``at`` at which quiet hours let a wave of this booking leave (R12).

    Those that quiet hours held back are spread over ten minutes after their end, the most urgent first (P6).
    """
    quiet = settings.quiet_hours
    if quiet is None or urgency_of(settings, start, at) is Urgency.LAST_MINUTE or not in_range(quiet, settings.time_zone, at):
        return at
    end = end_of_range(quiet, settings.time_zone, at)
    lead = max(0, start - end)
    return end + SPREAD_MS * lead // (lead + DAY_MS)


def next_wave_at(settings: MarketSettings, search: Search, now: int) -> int:
    """When the next wave is owed: after the pause, or at once when every live holder has said no (R12, R13)."""
    if not search.tried:
        return allowed_from(settings, search.start, search.paced_at)
    refused_at = _all_refused_at(settings, search, now)
    if refused_at is not None:
        return allowed_from(settings, search.start, refused_at)
    pause = row_of(settings, search.start - search.paced_at).pause_s * 1_000
    return allowed_from(settings, search.start, search.paced_at + pause)


def _all_refused_at(settings: MarketSettings, search: Search, now: int) -> int | None:
    """The moment of the refusal after which nobody live was left, since the last wave; None when there is none."""
    if any(_holds(settings, search, holder, now) for holder in search.holders):
        return None
    refusals = [holder.answered_at for holder in search.holders if holder.refused and holder.answered_at >= search.paced_at]
    return max(refusals, default=None)


def _holds(settings: MarketSettings, search: Search, holder: Holder, now: int) -> bool:
    """Whether the holder keeps a seat: live, and not undelivered beyond the grace (whose seat somebody else has, or gets now)."""
    return holder.open and holder.live and not holder.replaced and holder.answer_by > now and not _undelivered(settings, search, holder, now)


def _undelivered(settings: MarketSettings, search: Search, holder: Holder, now: int) -> bool:
    return holder.received_at == 0 and holder.sent_at + _grace_of(settings, search, holder) <= now


def _grace_of(settings: MarketSettings, search: Search, holder: Holder) -> int:
    return grace_ms(settings, urgency_of(settings, search.start, holder.sent_at))


def next_step(settings: MarketSettings, search: Search, now: int) -> Step:
    """What to do with a searching booking now, and when to look at it again."""
    urgency = urgency_of(settings, search.start, now)
    if now >= search.deadline:
        return Step(close=True, urgency=urgency, due=now)
    seated = [holder for holder in search.holders if holder.open and holder.live]
    fade = tuple(holder.no for holder in seated if holder.answer_by <= now)
    missing = [h for h in seated if not h.replaced and h.answer_by > now and _undelivered(settings, search, h, now)]
    wave_due = next_wave_at(settings, search, now)
    release = _release(settings, search, urgency, missing, wave_due, now)
    replace = tuple(holder.no for holder in missing) if release and release.kind == "fill" else ()
    return Step(
        fade=fade,
        replace=replace,
        release=release,
        urgency=urgency,
        due=_look_again(settings, search, seated, release, wave_due, now),
    )


def _release(
    settings: MarketSettings, search: Search, urgency: Urgency, missing: Sequence[Holder], wave_due: int, now: int
) -> Release | None:
    until = answer_by(settings, urgency, now, search.deadline)
    if wave_due <= now:
        size = row_of(settings, search.start - now).size
        return Release(kind="wave", wave=search.wave + 1, size=size, answer_by=until, due=wave_due)
    if missing and allowed_from(settings, search.start, now) <= now:
        due = min(holder.sent_at + _grace_of(settings, search, holder) for holder in missing)
        return Release(kind="fill", wave=max(1, search.wave), size=len(missing), answer_by=until, due=due)
    return None


def _look_again(
    settings: MarketSettings, search: Search, seated: Iterable[Holder], release: Release | None, wave_due: int, now: int
) -> int:
    """The next moment at which the plan can change by time alone."""
    moments = [search.deadline]
    for holder in seated:
        moments += [holder.answer_by, holder.sent_at + _grace_of(settings, search, holder) if holder.received_at == 0 else 0]
    if release is not None:
        moments += [release.answer_by, now + grace_ms(settings, urgency_of(settings, search.start, now))]
    if release is not None and release.kind == "wave":
        pause = row_of(settings, search.start - now).pause_s * 1_000
        moments.append(allowed_from(settings, search.start, now + pause))
    else:
        moments.append(wave_due)
    if _held_by_quiet_hours(settings, search, now):
        moments.append(allowed_from(settings, search.start, now))
    return min(moment for moment in moments if moment > now)


def _held_by_quiet_hours(settings: MarketSettings, search: Search, now: int) -> bool:
    return allowed_from(settings, search.start, now) > now


def plan(settings: MarketSettings, search: Search, candidates: int, now: int) -> tuple[PlannedWave, ...]:
    """The waves still to come if nobody answers, until candidates or time run out; at most 20 rows (R19)."""
    rows: list[PlannedWave] = []
    at, wave, left = max(now, next_wave_at(settings, search, now)), search.wave, candidates
    while left > 0 and at < search.deadline and len(rows) < PLAN_ROWS:
        row = row_of(settings, search.start - at)
        wave, size = wave + 1, min(row.size, left)
        rows.append(PlannedWave(wave, size, at))
        left -= size
        at = allowed_from(settings, search.start, at + row.pause_s * 1_000)
    return tuple(rows)


def expected_minutes(
    settings: MarketSettings, start: int, deadline: int, planned: Sequence[PlannedWave], accept_rate: float = DEFAULT_ACCEPT_RATE
) -> float | None:
    """Minutes from the first wave to the first accept that is as likely as not; None when the plan never gets so far (R19).

    Each of those asked accepts with ``accept_rate``, after an exponential delay with the mean of the class.
    """
    if not planned:
        return None
    silent = _nobody_yet(settings, start, planned, accept_rate)
    low, high = planned[0].at, deadline
    if silent(high) > 0.5:
        return None
    while high - low > 1_000:
        middle = (low + high) // 2
        low, high = (low, middle) if silent(middle) <= 0.5 else (middle, high)
    return round((high - planned[0].at) / 60_000, 1)


def _nobody_yet(settings: MarketSettings, start: int, planned: Sequence[PlannedWave], rate: float) -> Callable[[int], float]:
    def probability(at: int) -> float:
        left = 1.0
        for wave in planned:
            mean = DEFAULT_ANSWER_MS[urgency_of(settings, start, wave.at)]
            if wave.at < at:
                left *= (1 - rate * (1 - 2.718281828459045 ** (-(at - wave.at) / mean))) ** wave.size
        return left

    return probability
