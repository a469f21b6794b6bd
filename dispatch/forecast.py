"""The forecast: minutes until somebody accepts, from the plan of waves and from how a market's providers have answered so far (R19).

How they answered is a table (habits.py), in which refusals are not counted (R20): how many there are beside a yes is a constant, which
only says how often a wave leaves early (R13).
Source: SPEC.md R12, R13, R19; competing risks with piecewise constant rates.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp
from typing import NamedTuple

from dispatch.habits import EDGES, MINUTE_MS, REFUSALS, Habits, Part, parts_of
from dispatch.model import MarketSettings, Urgency
from dispatch.waves import PlannedWave, urgency_of

LEAST = 0.01  # chance of a course of events below which it is left out
STEP_MS, ROUGHLY_MS = 1_000, 10_000


class Answering:
    """How the providers of a class answer a proposal, as functions of its age in ms."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._rates = [(1 + REFUSALS) * part.yes / part.open_ms for part in parts]
        self._begins = [1.0]  # the share still open where a part begins
        for part, (begin, end) in enumerate(pairwise(EDGES)):
            self._begins.append(self._begins[part] * exp(-self._rates[part] * (end - begin)))

    def yes(self, age_ms: float) -> float:
        """The share of proposals that were accepted by this age."""
        return (1 - self._still(age_ms)) / (1 + REFUSALS)

    def no(self, age_ms: float) -> float:
        """The share of proposals that were refused by this age."""
        return (1 - self._still(age_ms)) * REFUSALS / (1 + REFUSALS)

    def _still(self, age_ms: float) -> float:
        """The share of proposals that nobody answered by this age."""
        part = bisect_right(EDGES, age_ms) - 1
        return self._begins[part] * exp(-self._rates[part] * (age_ms - EDGES[part]))


def answering(urgency: Urgency, seen: Sequence[Part] = ()) -> Answering:
    """How a class answers."""
    return Answering(parts_of(urgency, seen))


def expected_minutes(
    settings: MarketSettings, start: int, deadline: int, planned: Sequence[PlannedWave], habits: Habits | None = None
) -> float | None:
    """Minutes from the first wave to the first accept that is as likely as not; None when the plan never gets so far (R19)."""
    if not planned:
        return None
    silent = nobody_yet(settings, start, planned, habits or {})
    last = deadline - planned[0].at
    low, high = 0, min(last, MINUTE_MS)
    while silent(high) > 0.5:
        if high >= last:
            return None
        low, high = high, min(last, 2 * high)
    while high - low > max(STEP_MS, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if silent(middle) <= 0.5 else (middle, high)
    return round(high / MINUTE_MS, 1)


class _Wave(NamedTuple):
    """A wave of the plan: when it leaves after the first, its size, how its class answers; ``all_no``: the chance that everybody in it
    refuses before the next would leave (which then leaves at once, R13), and the usual time until they have."""

    at: int
    size: int
    answering: Answering
    all_no: float
    no_after: float


def nobody_yet(settings: MarketSettings, start: int, planned: Sequence[PlannedWave], habits: Habits) -> Callable[[float], float]:
    """The chance that nobody has accepted so many ms after the first wave, as a function.

    Providers answer independently of each other. As long as each wave so far was refused by all, the next leaves early; afterwards the
    plan's pauses hold, since somebody who has not answered keeps his seat for longer than most pauses.
    """
    waves = _waves(settings, start, planned, habits)

    def after(first: int, ms: float) -> float:
        """From the moment at which wave ``first`` leaves, all before it having refused."""
        wave = waves[first]
        alone: float = (1 - wave.answering.yes(ms)) ** wave.size
        if ms <= wave.no_after:
            return alone
        left = alone - wave.all_no
        for later in waves[first + 1 :]:
            if later.at - wave.at >= ms:
                break
            left *= (1 - later.answering.yes(ms - later.at + wave.at)) ** later.size
        return left + (wave.all_no * after(first + 1, ms - wave.no_after) if wave.all_no else 0.0)

    return lambda ms: after(0, ms)


def _waves(settings: MarketSettings, start: int, planned: Sequence[PlannedWave], habits: Habits) -> list[_Wave]:
    classes = [urgency_of(settings, start, wave.at) for wave in planned]
    by_class = {urgency: answering(urgency, habits.get(urgency, ())) for urgency in set(classes)}
    waves, course = [], 1.0
    for wave, urgency, following in zip(planned, classes, [*planned[1:], None], strict=True):
        how = by_class[urgency]
        all_no, no_after = _all_refuse(how, wave.size, following.at - wave.at) if following and course > LEAST else (0.0, 0.0)
        course *= all_no
        waves.append(_Wave(wave.at - planned[0].at, wave.size, how, all_no, no_after))
    return waves


def _all_refuse(how: Answering, size: int, pause_ms: int) -> tuple[float, float]:
    """The chance that all of a wave refuse before the pause is over, and the time by which half of those waves are refused."""
    chance = how.no(pause_ms) ** size
    low, high = 0.0, float(pause_ms)
    while high - low > ROUGHLY_MS:
        middle = (low + high) / 2
        low, high = (low, middle) if how.no(middle) ** size >= chance / 2 else (middle, high)
    return chance, high
