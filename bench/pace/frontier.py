"""Families of policies, each over its speeds, and what they cost where they tell as many people "no longer available".

Any policy looks good at one speed; what can be compared is the time that two of them need at the same number of late accepts. Each
family is played slower and faster until its late accepts lie on both sides of those wanted, and read in between.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from msgspec.structs import replace

from bench.pace.figures import Figures, between, figures, judged
from bench.pace.play import Play
from bench.pace.world import HOUR, MINUTE, Scenario, World
from dispatch.model import CadenceRow, MarketSettings, Pacing

LATE = (0.5, 0.75)  # accepts a fill
FACTOR, TRIES = 1.8, 6  # from one speed to the next, and at most so many from the first one either way
WARM = 0.4  # of the bookings, in which the policies learn
LEAST_FILL = 0.8  # of what is fillable: slower than that nobody goes
WANTED = 0.20  # by which `paced` is to be shorter
NORMAL = MarketSettings()

Told = Callable[[str, int], None]  # what is being played, and which booking has come in


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A policy that can be played at any speed. ``size``: of the waves of a cadence (0: those of the market's table)."""

    name: str
    policy: str = "cadence"
    order: str = "rank"
    size: int = 0

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
    """A family at one speed."""

    speed: float
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A family at all the speeds at which it was played, slowest first."""

    family: Family
    points: tuple[Point, ...]

    def at(self, late: float) -> Figures | None:
        """Its figures at a number of late accepts; None where it was never so."""
        for slower, faster in zip(self.points, self.points[1:], strict=False):
            low, high = slower.figures.late, faster.figures.late
            if low <= late <= high:
                return between(slower.figures, faster.figures, late)
        return None


CADENCES = (Family(name="cadence"), *(Family(name=f"cadence of {size}", size=size) for size in (1, 2)))
PACED = Family(name="paced", policy="paced")
QUICK = Family(name="paced, quick first", policy="paced", order="tier")
STEP = Family(name="paced, quick first in a step", policy="paced", order="step")
FAMILIES = (*CADENCES, PACED, QUICK)


def sweep(world: World, family: Family, can_be: float, late: Sequence[float] = LATE, told: Told = lambda *_: None) -> Line:
    """Plays a family until the late accepts wanted lie between its speeds."""
    first = _point(world, family, 1.0, can_be, told)
    slower, faster = [first], [first]
    while slower[-1].figures.late > min(late) and slower[-1].figures.of_fillable > LEAST_FILL and len(slower) <= TRIES:
        slower.append(_point(world, family, slower[-1].speed / FACTOR, can_be, told))
    while faster[-1].figures.late < max(late) and len(faster) <= TRIES:
        faster.append(_point(world, family, faster[-1].speed * FACTOR, can_be, told))
    points = {point.speed: point for point in (*slower, *faster)}
    return Line(family=family, points=tuple(points[speed] for speed in sorted(points)))


def _point(world: World, family: Family, speed: float, can_be: float, told: Told) -> Point:
    play = Play(world, family.settings(world.scenario, speed))
    play.run(lambda number: told(f"{world.scenario.name}: {family.name} x {speed:.2g}", number))
    return Point(speed=speed, figures=figures(world, play, can_be, WARM))


def can_be_filled(world: World, warm: float = WARM) -> float:
    """The share of a world's bookings that are filled when everybody is asked at once, whatever that costs."""
    market = replace(Family(name="everybody", size=50).settings(world.scenario, 1e6), open_proposals_cap=100)
    told = judged(world, Play(world, market).run(), warm)
    return sum(one.filled_at is not None for one in told) / len(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`paced` beside one cadence at so many late accepts: by what share its p95 is shorter, and its median with the quick first.

    None: one of the two was never so; both at equal fill (see figures.py).
    """

    scenario: str
    late: float
    beside: str
    p95: float | None
    quick_p50: float | None
    quick_p95: float | None

    @property
    def holds(self) -> bool:
        """Whether both are as much shorter as was wanted."""
        return self.p95 is not None and self.quick_p50 is not None and min(self.p95, self.quick_p50) >= WANTED


def verdicts(world: World, lines: Iterable[Line], late: Sequence[float] = LATE) -> list[Verdict]:
    """`paced` beside the cadence of the market's table, and beside the best of all cadences."""
    known = {line.family.name: line for line in lines}
    found = []
    for wanted in late:
        at = {name: line.at(wanted) for name, line in known.items()}
        beside = {CADENCES[0].name: at[CADENCES[0].name], "the best cadence": _best(at)}
        found += [_verdict(world.scenario.name, wanted, name, one, at[PACED.name], at[QUICK.name]) for name, one in beside.items()]
    return found


def _best(at: dict[str, Figures | None]) -> Figures | None:
    """The cadence with the shortest p95."""
    reached = [one for family in CADENCES if (one := at.get(family.name)) is not None]
    return min(reached, key=lambda one: one.even95, default=None)


def _verdict(name: str, late: float, beside: str, cadence: Figures | None, paced: Figures | None, quick: Figures | None) -> Verdict:
    return Verdict(
        scenario=name,
        late=late,
        beside=beside,
        p95=_shorter(cadence and cadence.even95, paced and paced.even95),
        quick_p50=_shorter(cadence and cadence.even50, quick and quick.even50),
        quick_p95=_shorter(cadence and cadence.even95, quick and quick.even95),
    )


def _shorter(before: float | None, now: float | None) -> float | None:
    """By what share; 1 where it never came so far before."""
    if before is None or now is None or not isfinite(now):
        return None
    return 1 - now / before if isfinite(before) else 1.0
