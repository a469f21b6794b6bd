"""The forecast: minutes until somebody accepts, from the plan of waves and from how a market's providers have answered so far (R19).

What is known of a class is a table by the *age* of a proposal: how long proposals were open at that age, and how many were accepted there.
One that is taken back because another accepted, or that was refused, counts for as long as it was open, and as nothing else. A market that
has seen nothing yet is assumed to be as the defaults say; each proposal that ends moves the table from there to what the market is like.
Refusals are not counted (R20): how many there are beside a yes is a constant, which only says how often a wave leaves early (R13).
Source: SPEC.md R12, R13, R19; competing risks with piecewise constant rates.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import exp
from typing import NamedTuple

from dispatch.model import MarketSettings, Urgency
from dispatch.waves import PlannedWave, urgency_of

MINUTE_MS = 60_000
AGES_MS = tuple(MINUTE_MS * 2**power for power in range(9))  # 1, 2, 4 ... 256 min: where one part of a proposal's age ends
PARTS = len(AGES_MS) + 1
OLDEST_MS = 2 * AGES_MS[-1]  # the last part has no end; for what is assumed of it, it ends here
DEFAULT_ACCEPT_RATE = 0.20  # until the market has its own (WAVES.md 5.2)
REFUSALS = (
    25 / 44
)  # beside each yes: of 6,391 audited requests to real providers 44 % were accepted, 25 % refused (doi 10.1257/app.20160213)
DEFAULT_ANSWER_MS = {  # mean delay of an answer, assumed until the market has its own
    Urgency.LAST_MINUTE: 240_000,
    Urgency.SAME_DAY: 600_000,
    Urgency.ADVANCE: 1_800_000,
    Urgency.FAR: 3_600_000,
}
ASSUMED = 6.0  # proposals of a market that weigh as much as the assumption (WAVES.md 5.3)
LEAST = 0.01  # chance of a course of events below which it is left out
STEP_MS, ROUGHLY_MS = 1_000, 10_000


class Part(NamedTuple):
    """One part of a proposal's age: ms for which proposals were open in it, and how many were accepted in it."""

    open_ms: float
    yes: float


Habits = Mapping[Urgency, Sequence[Part]]  # what a market has seen, by class; one missing has seen nothing


class Answering:
    """How the providers of a class answer a proposal, as functions of its age in ms."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._edges = (0, *AGES_MS)
        self._rates = [(1 + REFUSALS) * part.yes / part.open_ms for part in parts]
        self._begins = [1.0]  # the share still open where a part begins
        for part, (begin, end) in enumerate(pairwise(self._edges)):
            self._begins.append(self._begins[part] * exp(-self._rates[part] * (end - begin)))

    def yes(self, age_ms: float) -> float:
        """The share of proposals that were accepted by this age."""
        return (1 - self._still(age_ms)) / (1 + REFUSALS)

    def no(self, age_ms: float) -> float:
        """The share of proposals that were refused by this age."""
        return (1 - self._still(age_ms)) * REFUSALS / (1 + REFUSALS)

    def _still(self, age_ms: float) -> float:
        """The share of proposals that nobody answered by this age."""
        part = bisect_right(self._edges, age_ms) - 1
        return self._begins[part] * exp(-self._rates[part] * (age_ms - self._edges[part]))


def answering(urgency: Urgency, seen: Sequence[Part] = ()) -> Answering:
    """How a class answers: what was assumed of it, as if it were ``ASSUMED`` proposals, and what was seen."""
    assumed, known = _assumed(urgency), seen or [Part(0, 0)] * PARTS
    return Answering(
        [Part(*(ASSUMED * a + b for a, b in zip(guess, fact, strict=True))) for guess, fact in zip(assumed, known, strict=True)]
    )


@cache
def _assumed(urgency: Urgency) -> list[Part]:
    """The table of one average proposal if answers came after an exponential delay with the default's mean."""
    mean, answered = DEFAULT_ANSWER_MS[urgency], DEFAULT_ACCEPT_RATE * (1 + REFUSALS)
    parts = []
    for begin, end in pairwise((0, *AGES_MS, OLDEST_MS)):
        falls = exp(-begin / mean) - exp(-end / mean)
        parts.append(Part((1 - answered) * (end - begin) + answered * mean * falls, DEFAULT_ACCEPT_RATE * falls))
    return parts


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
