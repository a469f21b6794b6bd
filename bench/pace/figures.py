"""What came of a played policy, in numbers. Minutes where nothing else is said; a booking's time runs from its opening to the accept.

*Late*: those who were asked before the accept and would have accepted too, after it; each of them is told "no longer available".
*At equal fill*: the time by which half (95 %) of the bookings are filled that can be, which is as many as are filled when everybody is
asked at once. What was not filled took longer than any time, so that no policy looks quick because it leaves the hard ones unfilled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import median

import numpy as np

from bench.pace.play import Booking, Play
from bench.pace.world import MINUTE, World
from dispatch.model import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One policy in one world. ``fill``: share of the bookings; ``of_fillable``: of those that can be filled.

    ``p50``, ``p95``: of those filled; ``even50``, ``even95``: at equal fill; ``head_start``: median time for which the best tier is alone;
    ``top_wins``, ``new_wins``: shares of the wins; ``gini_asked``, ``gini_won``: 0 when all have the same.
    """

    bookings: int
    fill: float
    of_fillable: float
    p50: float
    p95: float
    even50: float
    even95: float
    asked: float
    late: float
    late_soon: float
    head_start: float
    top_wins: float
    new_wins: float
    gini_asked: float
    gini_won: float
    turns: float


def judged(world: World, play: Play, warm: float) -> list[Booking]:
    """The bookings that count: those after the first ones, in which a policy learns."""
    return [play.bookings[visit.no] for visit in world.visits[round(len(world.visits) * warm) :]]


def figures(world: World, play: Play, can_be: float, warm: float) -> Figures:
    """The figures. ``can_be``: the share of the bookings that are filled when everybody is asked at once."""
    told = judged(world, play, warm)
    filled = [one for one in told if one.filled_at is not None]
    times = sorted((one.filled_at - one.visit.opened_at) / MINUTE for one in filled if one.filled_at is not None)
    fillable = round(can_be * len(told))
    pros = {pro.no: pro for pro in world.pros}
    wins = max(1, len(filled))
    return Figures(
        bookings=len(told),
        fill=len(filled) / len(told),
        of_fillable=len(filled) / max(1, fillable),
        p50=_quantile(times, 0.5, len(times)),
        p95=_quantile(times, 0.95, len(times)),
        even50=_quantile(times, 0.5, fillable),
        even95=_quantile(times, 0.95, fillable),
        asked=sum(len(one.seats) for one in filled) / wins,
        late=sum(one.late for one in filled) / wins,
        late_soon=sum(one.late_soon for one in filled) / wins,
        head_start=median(_alone(one) for one in filled) if filled else 0.0,
        top_wins=sum(pros[one.winner].tier is Tier.PREMIER for one in filled) / wins,
        new_wins=sum(pros[one.winner].newcomer for one in filled) / wins,
        gini_asked=gini(play.asked.values()),
        gini_won=gini(play.won.values()),
        turns=play.turns / max(1, len(play.bookings)),
    )


def _alone(booking: Booking) -> float:
    """For how long none but the best tier was asked."""
    end = booking.filled_at or booking.deadline
    first = min((seat.sent_at for seat in booking.seats.values()), default=end)
    return (booking.head_start if booking.head_start is not None else end - first) / MINUTE


def _quantile(times: Sequence[float], share: float, of: int) -> float:
    """The time by which a share of so many is there; infinite when they never are."""
    at = min(int(share * of), of - 1)
    return times[at] if 0 <= at < len(times) else inf


def gini(counts: Iterable[int]) -> float:
    """How unevenly something is spread: 0 evenly, towards 1 when one has it all."""
    ordered = sorted(counts)
    total, n = sum(ordered), len(ordered)
    if not total:
        return 0.0
    return 2 * sum(place * one for place, one in enumerate(ordered, 1)) / (n * total) - (n + 1) / n


def between(one: Figures, other: Figures, late: float) -> Figures:
    """Figures at a number of late accepts that lies between those of two policies of a family."""
    share = (late - one.late) / (other.late - one.late) if other.late != one.late else 0.0
    mixed = {name: _mixed(getattr(one, name), getattr(other, name), share) for name in Figures.__slots__}
    return Figures(**{**mixed, "bookings": one.bookings})  # type: ignore[arg-type]


def _mixed(a: float, b: float, share: float) -> float:
    return a + (b - a) * share if isfinite(a) and isfinite(b) else inf


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What became of each booking: minutes to the accept (infinite when there was none), late accepts, whether it can be filled."""

    times: np.ndarray
    late: np.ndarray
    fillable: np.ndarray


EMPTY = Sample(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))


def sample(told: Iterable[Booking], fillable: np.ndarray) -> Sample:
    """The bookings that count, one by one."""
    rows = [((one.filled_at - one.visit.opened_at) / MINUTE if one.filled_at is not None else inf, one.late) for one in told]
    times, late = np.array(rows, dtype=float).reshape(-1, 2).T
    return Sample(times, np.where(np.isfinite(times), late, 0.0), fillable)


def quantiles(of: Sample, drawn: np.ndarray, part: float) -> tuple[np.ndarray, np.ndarray]:
    """Of bookings drawn again (a row each): late accepts a fill, and the time by which a part of those that can be filled are."""
    times = np.sort(of.times[drawn], axis=1)
    at = np.minimum((part * of.fillable[drawn].sum(axis=1)).astype(int), drawn.shape[1] - 1)
    late = of.late[drawn].sum(axis=1) / np.maximum(1, np.isfinite(times).sum(axis=1))
    return late, times[np.arange(len(drawn)), at]
