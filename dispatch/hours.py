"""Hours: when a provider works, as exact spans of UTC (R2), and the daily ranges of quiet hours and do not disturb (R3).

Hours are written in the OSM opening_hours grammar ("Mo-Fr 09:00-12:00,14:00-19:00; Sa 10:00-02:00"). One rule turns the local clock
into UTC, and every question here follows it:

    a provider works at an instant when the local clock, at that instant, shows a time within his hours.

So on the night when clocks go forward 01:00-04:00 is two hours long, and four on the night when they go back; a time that the clock
skips is never worked, and one that it shows twice is worked twice.

A shift belongs to the day on which it begins: Friday 18:00-02:00 lasts into Saturday even when Saturday has other hours.
An extra opening replaces the shifts that begin on its dates. An absence is cut out last, from local midnight to local midnight: of a
shift that crosses one of its midnights, the hours on the other side stay, for the date of the visit decides (R3).

The grammar is read by the library ``opening_hours``. It is asked about one day at a time, so to say: it carries the hours past midnight
of a shift into the next day even when another rule ("Sa off") has cancelled the shift, and cuts those of the day before. See ``_coded``.

Lengths and instants are ms; ``minutes`` count from local midnight, beyond 1440 on the next day.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]

from dispatch.errors import Unprocessable
from dispatch.model import Absence, DailyRange, ExtraOpening

MINUTE = 60_000
QUARTER = 900_000
DAY = 86_400_000
DAY_MINUTES = 1_440
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the grammar knows local time only
EXAMPLE = 'an example that is right: "Mo-Fr 09:00-12:00,14:00-19:00; Sa 10:00-02:00"'
EXTRA_EXAMPLE = 'an example that is right: "10:00-16:00,18:00-02:00"'

Spans = tuple[tuple[int, int], ...]

_COMMENT = re.compile(r'\s*"[^"]*"|\s+(?=;)')  # and the spaces before a semicolon, which the library refuses
_RANGE = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})\s*(?:-\s*(\d{1,2}):(\d{2})|(?=\+))")
_TIMES_ONLY = re.compile(r"\d{1,2}:\d{2}-\d{1,2}:\d{2}(,\d{1,2}:\d{2}-\d{1,2}:\d{2})*")
_REFUSED = (
    (re.compile(r"\b(PH|SH)\b", re.IGNORECASE), "public and school holidays (PH, SH) are not known here; send them as absences"),
    (re.compile(r"sunrise|sunset|dawn|dusk", re.IGNORECASE), "the sun sets no hours here; write times"),
    (re.compile(r"\bunknown\b", re.IGNORECASE), '"unknown" does not say whether the provider works; write "off", or times'),
    (re.compile(r"\|\|"), 'fallback rules ("||") are not read; write the hours themselves'),
    (re.compile(r"\d\s*/\s*\d{1,2}:\d{2}"), "a step within a time range is not read; write each range"),
)


# -- reading the grammar ---------------------------------------------------------------------------------------------


def parse(hours: str) -> None:
    """Checks hours as a provider sends them. Raises Unprocessable ``bad_hours``, saying what is wrong, with an example."""
    _coded(hours)


def parse_extra(hours: str) -> None:
    """Checks the hours of an extra opening: time ranges alone. Raises Unprocessable ``bad_hours``."""
    _extra_shifts(hours)


class _Coded(NamedTuple):
    """Hours whose times are replaced by their ranks, as "00:00" plus the rank in minutes; ``times`` gives minutes back by rank.

    In this form no shift ever passes midnight, so the library's answer for a day is exactly the shifts that begin on it, with the hours
    that end them beyond midnight still known.
    """

    rules: OpeningHours
    times: tuple[int, ...]


@lru_cache(maxsize=4_096)
def _coded(hours: str) -> _Coded:
    spoken = _COMMENT.sub("", hours).strip()
    if not spoken:
        raise _bad(hours, 'it says nothing; "24/7" means always, "off" never', EXAMPLE)
    for pattern, detail in _REFUSED:
        if pattern.search(spoken):
            raise _bad(hours, detail, EXAMPLE)
    _read(hours, spoken)
    times = sorted({0} | {minute for found in _RANGE.finditer(spoken) for minute in _minutes(found)})
    rank = {minute: place for place, minute in enumerate(times)}
    return _Coded(_read(hours, _RANGE.sub(lambda found: "-".join(_clock(rank[m]) for m in _minutes(found)), spoken)), tuple(times))


def _read(hours: str, spoken: str, example: str = EXAMPLE) -> OpeningHours:
    try:
        return OpeningHours(spoken, auto_country=False, auto_timezone=False)
    except ParserError as error:
        column = re.search(r"--> 1:(\d+)", str(error))
        rest = spoken[int(column[1]) - 1 :] if column else spoken
        raise _bad(hours, f'not understood from "{rest[:40]}" on' if rest else "it breaks off", example) from None


def _bad(hours: str, detail: str, example: str) -> Unprocessable:
    return Unprocessable(f'hours "{hours[:80]}": {detail}; {example}', code="bad_hours")


def _minutes(found: re.Match[str]) -> tuple[int, ...]:
    """Start and end of a range in minutes; an end that is not after its start is on the next day. An open end has none."""
    start = int(found[1]) * 60 + int(found[2])
    if found[3] is None:
        return (start,)
    end = int(found[3]) * 60 + int(found[4])
    return start, end if end > start else end + DAY_MINUTES


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache(maxsize=4_096)
def _extra_shifts(hours: str) -> Spans:
    """The shifts of an extra opening, in minutes."""
    if not _TIMES_ONLY.fullmatch(hours.replace(" ", "")):
        raise _bad(hours, "an extra opening takes time ranges alone", EXTRA_EXAMPLE)
    shifts = tuple(sorted((start, end) for start, end in map(_minutes, _RANGE.finditer(hours))))
    _read(hours, hours.strip(), EXTRA_EXAMPLE)
    return shifts


# -- shifts of local days --------------------------------------------------------------------------------------------


@lru_cache(maxsize=2_048)
def _shifts(hours: str, first_day: int, days: int) -> tuple[Spans, ...]:
    """For each local day from ``first_day`` (days since 1970): the shifts that begin on it, in minutes."""
    rules, times = _coded(hours)
    begin = EPOCH + timedelta(days=first_day)
    answer: list[list[tuple[int, int]]] = [[] for _ in range(days)]
    for start, end, state, _ in rules.intervals(begin, begin + timedelta(days=days)):
        if state == State.OPEN:
            for day, low, high in _by_day(_naive_minute(start) - first_day * DAY_MINUTES, _naive_minute(end) - first_day * DAY_MINUTES):
                shift = times[low], DAY_MINUTES if high == DAY_MINUTES else times[high]
                if shift[0] < shift[1]:
                    answer[day].append(shift)
    return tuple(map(tuple, answer))


def _naive_minute(local: datetime) -> int:
    return (local.toordinal() - EPOCH_ORDINAL) * DAY_MINUTES + local.hour * 60 + local.minute


def _by_day(start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """A span cut at midnights: day, and start and end minute in it."""
    while start < end:
        day, minute = divmod(start, DAY_MINUTES)
        stop = min(end, (day + 1) * DAY_MINUTES)
        yield day, minute, stop - day * DAY_MINUTES
        start = stop


def _local(hours: str, absences: tuple[Absence, ...], extras: tuple[ExtraOpening, ...], first_day: int, days: int) -> Spans:
    """What is worked on the local clock, in ms since 1970 local time; merged, cut to the days."""
    worked = _usual(hours, first_day, days)
    if replaced := _extras_by_day(extras, first_day - 1, days + 1):
        usual = _shifts(hours, first_day - 1, days + 1)
        worked = _laid_out([replaced.get(offset, shifts) for offset, shifts in enumerate(usual)], first_day)
    for gone in absences:
        low, high = _day_of(gone.from_) * DAY, (_day_of(gone.to) + 1) * DAY
        if worked and low < high and low < worked[-1][1] and high > worked[0][0]:
            worked = _clip(worked, worked[0][0], low) + _clip(worked, high, worked[-1][1])
    return worked


@lru_cache(maxsize=2_048)
def _usual(hours: str, first_day: int, days: int) -> Spans:
    """What is worked without absences and extra openings."""
    return _laid_out(_shifts(hours, first_day - 1, days + 1), first_day)


def _laid_out(shifts: Sequence[Sequence[tuple[int, int]]], first_day: int) -> Spans:
    """The shifts of a row of days on one line, from the eve of ``first_day`` on; what the eve's shifts leave for that day stays."""
    found = [
        (day * DAY + start * MINUTE, day * DAY + end * MINUTE) for day, begun in enumerate(shifts, first_day - 1) for start, end in begun
    ]
    return _clip(_merge(found), first_day * DAY, (first_day + len(shifts) - 1) * DAY)


def _extras_by_day(extras: tuple[ExtraOpening, ...], first_day: int, days: int) -> dict[int, list[tuple[int, int]]]:
    """Shifts of the extra openings by day counted from the first; two on one date add up."""
    answer: dict[int, list[tuple[int, int]]] = {}
    for extra in extras:
        for offset in range(max(0, _day_of(extra.from_) - first_day), min(days, _day_of(extra.to) - first_day + 1)):
            answer.setdefault(offset, []).extend(_extra_shifts(extra.hours))
    return answer


def _day_of(day: date) -> int:
    return day.toordinal() - EPOCH_ORDINAL


def _merge(found: list[tuple[int, int]]) -> Spans:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)


def _clip(spans_: Spans, low: int, high: int) -> Spans:
    """The part of sorted, disjoint spans within [low, high)."""
    first = bisect_right(spans_, low, key=_end)
    kept = list(spans_[first : bisect_left(spans_, high, lo=first, key=_start)])
    if kept and low < high:
        kept[0] = max(low, kept[0][0]), kept[0][1]
        kept[-1] = kept[-1][0], min(high, kept[-1][1])
        return tuple(kept)
    return ()


def _start(span: tuple[int, int]) -> int:
    return span[0]


def _end(span: tuple[int, int]) -> int:
    return span[1]


# -- the local clock -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        detail = f'time zone "{time_zone[:80]}" is not known; send an IANA name such as "Europe/Paris"'
        raise Unprocessable(detail, code="bad_time_zone") from None


def check_time_zone(time_zone: str) -> None:
    """Checks the name of a time zone. Raises Unprocessable ``bad_time_zone``."""
    _zone(time_zone)


def _offset(time_zone: str, second: int) -> int:
    """How far the local clock is ahead of UTC, in seconds."""
    ahead = datetime.fromtimestamp(second, _zone(time_zone)).utcoffset()
    return int(ahead.total_seconds()) if ahead is not None else 0


@lru_cache(maxsize=16_384)
def _day_offsets(time_zone: str, utc_day: int) -> tuple[tuple[int, int], ...]:
    """(since, ahead) in ms: what the local clock is ahead of UTC, from the start of a UTC day on; two entries on the day of a change."""
    low, high = utc_day * DAY // 1_000, (utc_day + 1) * DAY // 1_000
    before, after = _offset(time_zone, low), _offset(time_zone, high)
    start = low * 1_000, before * 1_000
    if before == after:
        return (start,)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(time_zone, middle) == before else (low, middle)
    return start, (high * 1_000, after * 1_000)


def _ahead(time_zone: str, at_ms: int) -> int:
    """How far the local clock is ahead of UTC at an instant, in ms."""
    offsets = _day_offsets(time_zone, at_ms // DAY)
    return next(ahead for since, ahead in reversed(offsets) if since <= at_ms)


@lru_cache(maxsize=1_024)
def _stretches(time_zone: str, first_day: int, last_day: int) -> tuple[tuple[int, int, int], ...]:
    """(start, end, ahead) in ms: the stretches of time, over whole UTC days, in which the local clock keeps its distance from UTC."""
    changes = [entry for day in range(first_day, last_day + 1) for entry in _day_offsets(time_zone, day)]
    kept = [entry for last, entry in pairwise([(0, None), *changes]) if entry[1] != last[1]]
    ends = [since for since, _ in kept[1:]] + [(last_day + 1) * DAY]
    return tuple((since, end, ahead) for (since, ahead), end in zip(kept, ends, strict=True) if ahead is not None)


def local_minute(time_zone: str, at_ms: int) -> int:
    """Minute of the local day (0 to 1439) at an instant."""
    return (at_ms + _ahead(time_zone, at_ms)) % DAY // MINUTE


# -- when he works ---------------------------------------------------------------------------------------------------


def spans(
    hours: str,
    absences: tuple[Absence, ...],
    extra_openings: tuple[ExtraOpening, ...],
    time_zone: str,
    start_ms: int,
    end_ms: int,
) -> Spans:
    """The half-open spans [start, end) in UTC ms in which the provider works, within [start_ms, end_ms): sorted, disjoint, merged.

    Raises Unprocessable ``bad_hours`` or ``bad_time_zone``.
    """
    if start_ms >= end_ms:
        return ()
    first_day = (start_ms + _ahead(time_zone, start_ms)) // DAY - 1
    last_day = (end_ms + _ahead(time_zone, end_ms)) // DAY + 1
    return _clip(_worked(hours, absences, extra_openings, time_zone, first_day, last_day - first_day + 1), start_ms, end_ms)


@lru_cache(maxsize=2_048)
def _worked(
    hours: str, absences: tuple[Absence, ...], extras: tuple[ExtraOpening, ...], time_zone: str, first_day: int, days: int
) -> Spans:
    """The spans of whole local days in UTC ms."""
    local = _local(hours, absences, extras, first_day, days)
    pieces: list[tuple[int, int]] = []
    for start, end, ahead in _stretches(time_zone, first_day - 1, first_day + days + 1):
        pieces += [(low - ahead, high - ahead) for low, high in _clip(local, start + ahead, end + ahead)]
    return _merge(pieces)


class Quarters(NamedTuple):
    """Work by UTC quarter-hours (ms // 900,000). ``touched``: bitmap, most significant bit first; a bit is set when any part of the
    quarter is worked. ``ragged_days``: UTC days (ms // 86,400,000), ascending, with a touched quarter that is only partly worked.
    """

    touched: bytes
    ragged_days: tuple[int, ...]


@lru_cache(maxsize=1_024)
def quarters(worked: Spans, first_quarter: int, count: int) -> Quarters:
    """The quarter-hours first_quarter to first_quarter + count - 1 of spans as ``spans`` gives them (sorted, disjoint, merged)."""
    kept = _clip(worked, first_quarter * QUARTER, (first_quarter + count) * QUARTER)
    edges = np.array(kept, dtype=np.int64).reshape(-1, 2)
    begun = np.bincount(edges[:, 0] // QUARTER - first_quarter, minlength=count + 1)
    ended = np.bincount(-(-edges[:, 1] // QUARTER) - first_quarter, minlength=count + 1)
    touched = np.packbits(np.cumsum(begun - ended)[:count] > 0).tobytes()
    return Quarters(touched, tuple(sorted(set((edges[edges % QUARTER != 0] // DAY).tolist()))))


# -- daily ranges ----------------------------------------------------------------------------------------------------


def in_range(daily: DailyRange, time_zone: str, at_ms: int) -> bool:
    """Whether the local clock shows a time in the range: from it on, up to but without its end. Equal ends mean the whole day."""
    return _shows(_clock_minute(daily.from_), _clock_minute(daily.to), local_minute(time_zone, at_ms))


def end_of_range(daily: DailyRange, time_zone: str, at_ms: int) -> int:
    """The instant (UTC ms) at which the range that holds ``at_ms`` ends: the first at which the clock has left it.

    So a range whose end the clock skips ends with the skip. A range of a whole day ends when the clock next comes to its end. Outside any
    range the answer is ``at_ms`` itself.
    """
    if not in_range(daily, time_zone, at_ms):
        return at_ms
    start, end = _clock_minute(daily.from_), _clock_minute(daily.to)
    round_ = (at_ms + _ahead(time_zone, at_ms) - end * MINUTE) // DAY
    for low, high, ahead in _stretches(time_zone, at_ms // DAY, at_ms // DAY + 3):
        now = max(low, at_ms)
        shown = now + ahead - end * MINUTE
        if now > at_ms and (shown // DAY > round_ if start == end else not _shows(start, end, (now + ahead) % DAY // MINUTE)):
            return now
        if now - shown % DAY + DAY < high:  # at ``high`` itself the clock shows something else
            return now - shown % DAY + DAY
    raise AssertionError("a local day cannot last three days")  # pragma: no cover


def _shows(start: int, end: int, minute: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end


@lru_cache(maxsize=DAY_MINUTES)
def _clock_minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
