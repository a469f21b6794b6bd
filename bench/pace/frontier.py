"""Families of policies, each over its speeds, and what they cost where they tell as many people "no longer available".

Any policy looks good at one speed; what can be compared is the time that two of them need at the same number of late accepts. Each
family is played slower and faster until its late accepts lie on both sides of those wanted, once more between the two, and read there.
By what share one is shorter is told with an interval: what nine of ten other samples of as many bookings would say (paired bootstrap).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, isfinite, log

import numpy as np
from msgspec.structs import replace

from bench.pace.figures import EMPTY, Figures, Sample, between, figures, judged, quantiles, sample
from bench.pace.play import Play
from bench.pace.world import HOUR, MINUTE, Scenario, World
from dispatch.model import CadenceRow, MarketSettings, Pacing

LATE = (0.5, 0.75)  # accepts a fill
FACTOR, TRIES = 1.8, 6  # from one speed to the next, and at most so many from the first one either way
WARM = 0.4  # of the bookings, in which the policies learn
LEAST_FILL = 0.8  # of what is fillable: slower than that nobody goes
WANTED = 0.20  # by which `paced` is to be shorter
RESAMPLES, INSIDE = 400, (5.0, 95.0)  # samples drawn again, and the percentiles between which nine of ten lie
NORMAL = MarketSettings()

Told = Callable[[str, int], None]  # what is being played, and which booking has come in


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A policy that can be played at any speed. ``size``: of the waves of a cadence (0: those of the market's table).

    ``knows``: it is told the true chance of everybody who is asked, this booking's liking in it: what no policy can know.
    """

    name: str
    policy: str = "cadence"
    order: str = "rank"
    size: int = 0
    knows: bool = False

    def settings(self, scenario: Scenario, speed: float) -> MarketSettings:
        """A market that goes by it."""
        searched = NORMAL.search_deadline_s
        if scenario.search_min is not None:
            searched = round((scenario.lead_h * HOUR - scenario.search_min * MINUTE) / 1_000)
        return MarketSettings(
            search_deadline_s=searched,
            cadence=tuple(self._row(row, speed) for row in NORMAL.cadence),
            wave_policy=self.policy,  # type: ignore[arg-type]
            wave_order=self.order,  # type: ignore[arg-type]
            pacing=Pacing(speed=min(20.0, max(0.1, speed))),
        )

    def _row(self, row: CadenceRow, speed: float) -> CadenceRow:
        size = self.size or row.size
        pause = max(1, min(86_400, round(row.pause_s / speed * size / row.size)))
        return CadenceRow(class_=row.class_, lead_under_s=row.lead_under_s, size=size, pause_s=pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A family at one speed. ``sample``: what became of each booking."""

    speed: float
    figures: Figures
    sample: Sample = field(default=EMPTY, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A family at all the speeds at which it was played, slowest first."""

    family: Family
    points: tuple[Point, ...]

    def at(self, late: float) -> Figures | None:
        """Its figures at a number of late accepts; None where it was never so."""
        pair = self.around(late)
        return between(pair[0].figures, pair[1].figures, late) if pair else None

    def around(self, late: float) -> tuple[Point, Point] | None:
        """The neighbouring speeds between which its late accepts are so many."""
        return next((pair for pair in pairwise(self.points) if pair[0].figures.late <= late <= pair[1].figures.late), None)

    def with_(self, point: Point) -> "Line":
        """The same played at one more speed."""
        points = {one.speed: one for one in (*self.points, point)}
        return Line(family=self.family, points=tuple(points[speed] for speed in sorted(points)))


CADENCES = (Family(name="cadence"), *(Family(name=f"cadence of {size}", size=size) for size in (1, 2)))
PACED = Family(name="paced", policy="paced")
QUICK = Family(name="paced, quick first", policy="paced", order="tier")
CADENCE_QUICK = Family(name="cadence, quick first", order="tier")
STEP = Family(name="paced, quick first in a step", policy="paced", order="step")
KNOWING = Family(name="paced, told all chances", policy="paced", knows=True)
FAMILIES = (*CADENCES, CADENCE_QUICK, PACED, QUICK, KNOWING)


def sweep(world: World, family: Family, fillable: np.ndarray, late: Sequence[float] = LATE, told: Told = lambda *_: None) -> Line:
    """Plays a family until the late accepts wanted lie between its speeds, and once more where they should be."""
    first = _point(world, family, 1.0, fillable, told)
    slower, faster = [first], [first]
    while slower[-1].figures.late > min(late) and slower[-1].figures.of_fillable > LEAST_FILL and len(slower) <= TRIES:
        slower.append(_point(world, family, slower[-1].speed / FACTOR, fillable, told))
    while faster[-1].figures.late < max(late) and len(faster) <= TRIES:
        faster.append(_point(world, family, faster[-1].speed * FACTOR, fillable, told))
    line = Line(family=family, points=(*reversed(slower), *faster[1:]))
    for wanted in late:
        if pair := line.around(wanted):
            line = line.with_(_point(world, family, _between(*pair, wanted), fillable, told))
    return line


def _between(slower: Point, faster: Point, late: float) -> float:
    """The speed at which the late accepts should be so many, by a straight line over the logarithm."""
    low, high = slower.figures.late, faster.figures.late
    share = (late - low) / (high - low) if high > low else 0.5
    return exp(log(slower.speed) + share * (log(faster.speed) - log(slower.speed)))


def _point(world: World, family: Family, speed: float, fillable: np.ndarray, told: Told) -> Point:
    play = Play(world, family.settings(world.scenario, speed), knows=family.knows)
    play.run(lambda number: told(f"{world.scenario.name}: {family.name} x {speed:.2g}", number))
    found = figures(world, play, float(fillable.mean()), WARM)
    return Point(speed=speed, figures=found, sample=sample(judged(world, play, WARM), fillable))


def fillable(world: World, warm: float = WARM) -> np.ndarray:
    """Which of a world's bookings that count are filled when everybody is asked at once, whatever that costs."""
    market = replace(Family(name="everybody", size=50).settings(world.scenario, 1e6), open_proposals_cap=100)
    return np.array([one.filled_at is not None for one in judged(world, Play(world, market).run(), warm)])


def can_be_filled(world: World, warm: float = WARM) -> float:
    """Their share."""
    return float(fillable(world, warm).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """By what share a time is shorter than another (1: the other never came so far), and between what nine of ten samples lie."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`paced` beside one cadence at so many late accepts: by what share its p95 is shorter, and its median and p95 with the quick first.

    None: one of the two was never so; all at equal fill (see figures.py).
    """

    scenario: str
    late: float
    beside: str
    p95: Share | None
    quick_p50: Share | None
    quick_p95: Share | None

    @property
    def holds(self) -> bool:
        """Whether p95, and with the quick first the median, are as much shorter as was wanted."""
        return self.p95 is not None and self.quick_p50 is not None and min(self.p95.value, self.quick_p50.value) >= WANTED


def verdicts(world: World, lines: Iterable[Line], late: Sequence[float] = LATE) -> list[Verdict]:
    """`paced` beside the cadence of the market's table, and beside the best of all cadences."""
    known = {line.family.name: line for line in lines}
    found = []
    for wanted in late:
        beside = {CADENCES[0].name: known.get(CADENCES[0].name), "the best cadence": _best(known, wanted)}
        found += [_verdict(world.scenario.name, wanted, name, one, known[PACED.name], known[QUICK.name]) for name, one in beside.items()]
    return found


def _best(known: dict[str, Line], late: float) -> Line | None:
    """The cadence with the shortest p95."""
    lines = [known[family.name] for family in CADENCES if family.name in known]
    reached = [(found.even95, number) for number, line in enumerate(lines) if (found := line.at(late)) is not None]
    return lines[min(reached)[1]] if reached else None


def _verdict(name: str, late: float, beside: str, cadence: Line | None, paced: Line, quick: Line) -> Verdict:
    return Verdict(
        scenario=name,
        late=late,
        beside=beside,
        p95=shorter(cadence, paced, late, 0.95),
        quick_p50=shorter(cadence, quick, late, 0.5),
        quick_p95=shorter(cadence, quick, late, 0.95),
    )


def shorter(before: Line | None, now: Line, late: float, part: float) -> Share | None:
    """By what share the time by which a part of the bookings is filled is shorter; None where one of the two was never so late."""
    one, other = before.at(late) if before else None, now.at(late)
    if before is None or one is None or other is None:
        return None
    was, is_ = (one.even95, other.even95) if part > 0.5 else (one.even50, other.even50)
    if not isfinite(is_):
        return None
    value = 1 - is_ / was if isfinite(was) else 1.0
    if not all(len(point.sample.times) for line in (before, now) for point in line.points):
        return Share(value=value, low=value, high=value)
    slow, quick = _resampled(before, late, part), _resampled(now, late, part)
    shares = 1 - np.divide(quick, slow, out=np.zeros_like(slow), where=np.isfinite(slow))
    low, high = np.percentile(shares, INSIDE)
    return Share(value=value, low=float(low), high=float(high))


def _resampled(line: Line, late: float, part: float) -> np.ndarray:
    """The time in each of the samples drawn again; the same bookings are drawn for every line."""
    slower, faster = line.around(late) or (line.points[0], line.points[0])
    count = len(slower.sample.times)
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    (low, early), (high, soon) = (quantiles(point.sample, drawn, part) for point in (slower, faster))
    if slower is faster:
        return early
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(np.nan_to_num((late - low) / (high - low), nan=0.5), -1.0, 2.0)
        return np.where(np.isfinite(early) & np.isfinite(soon), early + (soon - early) * share, np.inf)
