"""Real calls of a fire department: which unit was sent where, for what, how urgently, and how long it was out.

Source: DataSF "Fire Department Calls for Service" (ODC Public Domain Dedication and License), as a csv.gz with one row a dispatched unit.
The file says when a unit was free again, but not when its call came in: only the number of the call within its day. A call's hour is
therefore reckoned, from three things that the file does hold: how many calls the day had (from the highest number seen, as one counts tanks
by their serial numbers), how the numbers run through an average day, and how far the day's neighbouring calls ran before or behind it.
"""

import csv
import gzip
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

NAME = "dispatch_sf_fire.csv.gz"
COLUMNS = ("call_number", "call_date", "unit_id", "unit_type", "call_type", "priority", "delay_min", "available_at_local", "lat", "lon")
DAY_MIN = 1_440.0
LONGEST_DELAY_MIN = 60.0  # a row with a longer one is taken for a slip (99 % are under 17)
LONGEST_OUT_MIN = 240.0  # longer ones are cut to this: the file's tail is dirty
SHORTEST_OUT_MIN = 5.0
PARTS = 48  # of a day, in which calls are numbered at an even pace
FIRST_CALLS, ENOUGH = 3, 10  # numbers of calls that came right after midnight; so many make a median
NEIGHBOURS = 3  # calls of the same day, before and after, that show how far it ran ahead


class NoCalls(Exception):
    """The file of calls is not there, or is another; the text says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One unit sent to one call, as the file has it. ``free_min``: minutes after the midnight before the call until it was free again."""

    number: int
    day: date
    unit: str
    unit_type: str
    kind: str
    priority: str
    delay_min: float
    free_min: float
    lat: float
    lng: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A row with its hour. ``at_min``: minutes after midnight when the call came in; ``out_min``: for how long the unit was away."""

    row: Row
    at_min: float
    out_min: float


def find(chosen: Path | None) -> Path:
    """The file: the one named, else the one in DISPATCH_DATA_SETS, else in ``shared/data`` beside the project. Raises NoCalls."""
    folder = os.environ.get("DISPATCH_DATA_SETS")
    path = chosen or (Path(folder) if folder else Path(__file__).resolve().parents[2] / "shared" / "data") / NAME
    if not path.is_file():
        raise NoCalls(f"no file of calls at {path}; name it with --calls, or set DISPATCH_DATA_SETS to the folder that holds {NAME}")
    return path


def read(path: Path) -> list[Row]:
    """Every row that says when its unit was free again and how long it took to arrive. Raises NoCalls."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            return rows_of(csv.DictReader(lines))
    except (OSError, EOFError, UnicodeDecodeError) as unreadable:
        raise NoCalls(f"{path} cannot be read as csv.gz: {unreadable}") from unreadable


def rows_of(lines: "csv.DictReader[str]") -> list[Row]:
    """The usable rows of a table. Raises NoCalls when it is another one."""
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise NoCalls(f"the file of calls has no column {', '.join(missing)}; it must have {', '.join(COLUMNS)}")
    rows = [row for line in lines if (row := _row(line)) is not None]
    if not rows:
        raise NoCalls("the file of calls has no row with both delay_min and available_at_local")
    return rows


def _row(line: Mapping[str, str]) -> Row | None:
    if not line["available_at_local"] or not line["delay_min"] or float(line["delay_min"]) > LONGEST_DELAY_MIN:
        return None
    day = date.fromisoformat(line["call_date"])
    since_midnight = datetime.fromisoformat(line["available_at_local"]) - datetime.combine(day, datetime.min.time())
    return Row(
        number=int(line["call_number"]) % 10_000, day=day, unit=line["unit_id"], unit_type=line["unit_type"], kind=code(line["call_type"]),
        priority=line["priority"], delay_min=float(line["delay_min"]), free_min=since_midnight.total_seconds() / 60,
        lat=float(line["lat"]), lng=float(line["lon"]),
    )  # fmt: skip


def code(name: str) -> str:
    """A kind of call, or a type of unit, as a code: "Citizen Assist / Service Call" is citizen_assist_service_call."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def timed(rows: Iterable[Row]) -> list[Call]:
    """Every row with the hour of its call, day by day; see the head of this file."""
    days = by_day(rows)
    away = usual_out(row for day in days.values() for row in day)
    pace = _pace(days.values(), away)
    return [call for day in days.values() for call in _times(day, away, pace)]


def by_day(rows: Iterable[Row]) -> dict[date, list[Row]]:
    """Rows by day, days and calls in order."""
    days: dict[date, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.day, row.number)):
        days[row.day].append(row)
    return days


def usual_out(rows: Iterable[Row]) -> Mapping[str, float]:
    """Minutes for which a type of unit is usually away: those of the first calls after midnight, whose hour is known."""
    early: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.number <= FIRST_CALLS:
            early[row.unit_type].append(row.free_min)
    known = {kind: median(values) for kind, values in early.items() if len(values) >= ENOUGH}
    every = [value for values in early.values() for value in values]
    return defaultdict(lambda: median(every) if every else 30.0, known)


def calls_in(day: list[Row]) -> float:
    """How many calls a day had, from the highest of the numbers seen."""
    return day[-1].number * (1 + 1 / len(day))


def _pace(days: Iterable[list[Row]], away: Mapping[str, float]) -> list[tuple[float, float]]:
    """How an average day goes: (share of its calls, minutes after midnight), in order."""
    parts: dict[int, list[float]] = defaultdict(list)
    for day in days:
        for row in day:
            parts[int(row.number / calls_in(day) * PARTS)].append(row.free_min - away[row.unit_type])
    middle = [((part + 0.5) / PARTS, min(DAY_MIN, max(0.0, median(values)))) for part, values in sorted(parts.items())]
    return [(0.0, 0.0), *middle, (1.0, DAY_MIN)]


def _at(pace: list[tuple[float, float]], share: float) -> float:
    for (left, begin), (right, end) in pairwise(pace):
        if share <= right:
            return begin + (end - begin) * (share - left) / (right - left)
    return DAY_MIN


def _times(day: list[Row], away: Mapping[str, float], pace: list[tuple[float, float]]) -> Iterator[Call]:
    usual = [_at(pace, row.number / calls_in(day)) for row in day]
    ahead = [row.free_min - away[row.unit_type] - at for row, at in zip(day, usual, strict=True)]
    for i, (row, at) in enumerate(zip(day, usual, strict=True)):
        around = ahead[max(0, i - NEIGHBOURS) : i] + ahead[i + 1 : i + 1 + NEIGHBOURS]
        came = max(0.0, min(at + (median(around) if around else 0.0), row.free_min - row.delay_min))
        yield Call(row=row, at_min=came % DAY_MIN, out_min=min(LONGEST_OUT_MIN, max(SHORTEST_OUT_MIN, row.free_min - came)))
