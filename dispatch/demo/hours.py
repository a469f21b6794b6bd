"""Working hours as a table, and the opening-hours text made from it: the engine parses the text, the demo judges by the table."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby

Range = tuple[int, int]  # minutes after midnight; the end may lie past 24:00
Week = tuple[tuple[Range, ...], ...]  # Monday first

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def week(*parts: tuple[str, str]) -> Week:
    """A table from parts such as ("Mo Tu", "09:00-12:30,14:00-19:00"); days not named are free."""
    ranges = {day: tuple(_range(text) for text in times.split(",")) for days, times in parts for day in days.split()}
    return tuple(ranges.get(day, ()) for day in DAYS)


def osm(table: Week) -> str:
    """The table in OpenStreetMap's opening-hours grammar: "Mo-Fr 09:00-12:30,14:00-19:00; Sa 10:00-18:00"."""
    runs = [(ranges, [day for _, day in days]) for ranges, days in groupby(zip(table, DAYS, strict=True), key=lambda pair: pair[0])]
    return "; ".join(f"{_span(days)} {','.join(map(_text, ranges))}" for ranges, days in runs if ranges)


def covers(table: Week, start: datetime, end: datetime, off: Iterable[tuple[date, date]] = ()) -> bool:
    """Whether somebody with these hours and days off works from ``start`` to ``end`` (local times)."""
    if any(first <= start.date() <= last for first, last in off):
        return False
    return any(opening <= start and end <= closing for opening, closing in _openings(table, start))


def _openings(table: Week, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Today's openings, and yesterday's that last past midnight."""
    for day in (moment.date() - timedelta(days=1), moment.date()):
        midnight = datetime.combine(day, datetime.min.time(), moment.tzinfo)
        for first, last in table[day.weekday()]:
            yield midnight + timedelta(minutes=first), midnight + timedelta(minutes=last)


def _range(text: str) -> Range:
    first, last = ((int(clock[:2]) * 60 + int(clock[3:])) for clock in text.split("-"))
    return first, last if last > first else last + 1440


def _span(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]}-{days[-1]}"


def _text(minutes: Range) -> str:
    return "-".join(f"{m // 60 % 24:02d}:{m % 60:02d}" for m in minutes)
