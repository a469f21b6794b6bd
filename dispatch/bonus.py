"""Bonus proposals, pure: who would fit if one setting of his were a little wider, in which order, and what the index is asked for that.

A market's steps say which settings are stretched, one step after the other; catalogue, blocks and overlaps never are.
Source: SPEC.md R30-R32.
"""

from functools import lru_cache
from math import ceil, sqrt
from typing import Any

from h3.api import basic_str as h3  # type: ignore[import-untyped]
from msgspec import Struct

from dispatch.direct import free_windows
from dispatch.marks import OUTSIDE, metres_outside, minutes_outside, words
from dispatch.matcher import Person, Query, bucket_of, fits
from dispatch.model import BonusStep, MarketSettings, Reason, Span
from dispatch.zones import LEVELS, cell_of

STRETCHED = frozenset({Reason.ZONE, Reason.HOURS, Reason.OVERLAP})  # overlap is judged window by window
GRADE_MIN, GRADE_M = 15, 1_000  # inside a step those who are asked for less come first, to that exactness
QUARTER_MS, MINUTE_MS = 900_000, 60_000
SPREAD = 1.3  # cells differ in size and shape: how much larger than the average one may be

Grade = tuple[int, ...]
Part = dict[str, list[int]]  # quarters: free in ``all`` of them, and in ``some``


class Nearly(Struct, frozen=True, kw_only=True):
    """A provider who fits but for what step ``step`` (index) stretches: the windows shown to him, and by how much he is outside."""

    no: int
    step: int
    windows: tuple[int, ...]
    minutes: tuple[int, ...]
    metres: int
    grade: Grade

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words."""
        return words(self.minutes, self.metres)


def nearly(query: Query, person: Person, market: MarketSettings, now: int) -> Nearly | None:
    """Whether he fits but for a setting that the market's steps stretch: the first step that lets him in. None: he fits, or never would."""
    found = fits(query, person, market, now)
    if found or not STRETCHED.issuperset(found.reasons):
        return None
    free = free_windows(query, person)
    most = max((step.hours_min for step in market.bonus_steps), default=0)
    minutes = {index: minutes_outside(person.settings, market.time_zone, query.windows[index], most) for index in free}
    metres = metres_outside(person.shape, query.lat, query.lng, frozenset(query.areas))
    for number, step in enumerate(market.bonus_steps):
        shown = tuple(index for index, late in minutes.items() if late != OUTSIDE and late <= step.hours_min)
        if shown and metres != OUTSIDE and metres <= step.zone_km * 1_000:
            outside = tuple(minutes[index] for index in shown)
            return Nearly(
                no=person.no, step=number, windows=shown, minutes=outside, metres=metres, grade=_grade(number, outside, metres, person)
            )
    return None


def _grade(step: int, minutes: tuple[int, ...], metres: int, person: Person) -> Grade:
    """Step; how much is asked of him; then the order of R5."""
    asked = ceil(min(minutes) / GRADE_MIN), ceil(metres / GRADE_M)
    return step, *asked, bucket_of(person.tier, person.score), person.asked_at, person.no


# -- what the index is asked ------------------------------------------------------------------------------------------


def wider(query: Query, step: BonusStep) -> dict[str, Any]:
    """What of a query is another one for a step: bitmaps whose union holds everyone whom the step can let in, and others.

    ``windows``: for each, the ways to be free of which one must hold (empty: as in the query); ``cells`` and ``areas`` of which one must be
    reached. One whose free time beside the window is all taken by visits is not among them: he has no hours there to stretch.
    """
    metres = round(step.zone_km * 1_000)
    cells = disk(query.lat, query.lng, metres) if metres else [[cell] for cell in query.cells]
    windows = [_ways(window, step.hours_min * MINUTE_MS) for window in query.windows] if step.hours_min else []
    return {
        "windows": windows,
        "cells": [cell for level in cells for cell in level],
        "areas": list(query.areas),
    }


def _ways(window: Span, reach: int) -> list[Part]:
    """How one can be free whose hours leave out up to ``reach`` ms of a window, at its ends or within.

    Of more quarters than that he works in one at least; the middle ones of the window are those in which the fewest others work.
    """
    core, enough = _quarters(window.start + reach, window.end - reach), reach // QUARTER_MS + 1
    if len(core) >= enough:
        first = (len(core) - enough) // 2
        return [{"all": [], "some": core[first : first + enough]}]
    return [
        {
            "all": [],
            "some": _quarters(min(window.start, window.end - reach) - QUARTER_MS, max(window.end, window.start + reach) + QUARTER_MS),
        }
    ]


def _quarters(start: int, end: int) -> list[int]:
    return list(range(start // QUARTER_MS, -(-end // QUARTER_MS)))


@lru_cache(maxsize=1_024)
def disk(lat_e6: int, lng_e6: int, metres: int) -> list[list[str]]:
    """For each size of cells, those that may hold a point within so many metres of the place."""
    found = []
    for level in LEVELS:
        edge = h3.average_hexagon_edge_length(level, unit="m")
        rings = ceil((metres + SPREAD * edge) / (sqrt(3) * edge / SPREAD))
        found.append(sorted(h3.grid_disk(cell_of(lat_e6, lng_e6, level), rings)))
    return found
