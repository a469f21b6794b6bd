"""Habits: how readily, and after how long, a market's providers accept; a table by class and by the age of a proposal, and two numbers
of each provider beside it.

For each part of a proposal's age: how long proposals were open in it, and how many were accepted there. One that is taken back because
another accepted, or that was refused, counts for as long as it was open, and as nothing else (R20). A market that has seen nothing yet is
assumed to be as the defaults say; each proposal that ends moves the table from there to what the market is like.

A provider is *keen*: how many times as readily as his class he accepts; and *slow*: how many times as long he takes. Both are 1 until
his own proposals say otherwise, and fade back to 1 while he is not asked.
Source: WAVES.md 5.3; SPEC.md R20; competing risks with piecewise constant rates.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

from dispatch.model import Urgency

MINUTE_MS = 60_000
AGES_MS = tuple(MINUTE_MS * 2**power for power in range(9))  # 1, 2, 4 ... 256 min: where one part of a proposal's age ends
EDGES = (0, *AGES_MS)
PARTS = len(EDGES)
OLDEST_MS = 2 * AGES_MS[-1]  # the last part has no end; for what is assumed of it, it ends here
MIDDLES_MS = (MINUTE_MS / 2, *(edge * 2**0.5 for edge in AGES_MS))  # an age in each part
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
KEEN_WEIGHT = 4.0  # accepts that weigh as much as what is known of a provider
SLOW_WEIGHT = 3.0  # the same for his delays
FADE_MS = 14 * 86_400_000  # in so long half of what is known of one who is not asked is forgotten
LEAST_KEEN, MOST_SLOW = 1 / 16, 16.0
ASSUMED = 6.0  # proposals of a market that weigh as much as the assumption (WAVES.md 5.3)


class Part(NamedTuple):
    """One part of a proposal's age: ms for which proposals were open in it, and how many were accepted in it."""

    open_ms: float
    yes: float


Habits = Mapping[Urgency, Sequence[Part]]  # what a market has seen, by class; one missing has seen nothing
NONE_YET: Habits = {}


class Accepting:
    """How many accepts an open proposal of a class has *earned* by an age in ms: its accept rate, summed up over its age so far.

    ``usual_ms``: the age at which one is accepted (geometric mean).
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.rates = [part.yes / part.open_ms for part in parts]
        self._begins = [0.0]
        for rate, (begin, end) in zip(self.rates, pairwise(EDGES), strict=False):
            self._begins.append(self._begins[-1] + rate * (end - begin))
        said = sum(part.yes for part in parts)
        self.usual_ms = exp(sum(part.yes * log(middle) for part, middle in zip(parts, MIDDLES_MS, strict=True)) / said)

    def earned(self, age_ms: float) -> float:
        """The sum of the rate up to an age."""
        part = bisect_right(EDGES, age_ms) - 1
        return self._begins[part] + self.rates[part] * (age_ms - EDGES[part]) if part >= 0 else 0.0


def chance(earned: float, keen: float = 1.0) -> float:
    """The share of proposals accepted by an age at which so much is earned, by one who accepts ``keen`` times as readily as his class.

    Some are refused meanwhile; how many beside a usual yes is a constant, so that nobody's own refusals are asked for (R20).
    """
    return keen / (keen + REFUSALS) * (1 - exp(-(keen + REFUSALS) * earned))


def quickness(keen: float, slow: float, earned: float) -> float:
    """What an order by likely and quick accepts goes by: the chance in the time left by the root of the delay (WAVES.md 0, lever c)."""
    return float(chance(earned, keen) / slow**0.5)


def faded(keen: float, slow: float, ms: float) -> tuple[float, float]:
    """What is still known of a provider who was not asked for so long."""
    kept = 0.5 ** (ms / FADE_MS)
    return 1 + (keen - 1) * kept, slow**kept


class Yardstick(NamedTuple):
    """What one proposal is measured by, fixed when it is sent: how much more is earned than was assumed of its class, and the age at which
    one is usually accepted. Were it the market's table at the end, a refusal could move it between two ends, and cost something (R20).
    """

    urgency: Urgency
    ease: float
    usual_ms: float

    def earned(self, age_ms: float) -> float:
        """What an average provider would have earned by an age."""
        assumed = accepting(self.urgency, NONE_YET)
        return self.ease * assumed.earned(age_ms * assumed.usual_ms / self.usual_ms)


def yardstick(urgency: Urgency, habits: Habits) -> Yardstick:
    """The measure of a proposal of that class which is sent now."""
    accepts = accepting(urgency, habits)
    return Yardstick(urgency, accepts.earned(AGES_MS[-1]) / Yardstick(urgency, 1.0, accepts.usual_ms).earned(AGES_MS[-1]), accepts.usual_ms)


def learnt(keen: float, slow: float, by: Yardstick, age_ms: float, accepted: bool) -> tuple[float, float]:
    """What is known of a provider once a proposal of his has ended at an age: accepted, or not (refused, taken back, or its time is over).

    Only the time for which it was open counts, and a refusal ends that time: it never leaves less than silence would (R20).
    """
    keen = (KEEN_WEIGHT * keen + accepted) / (KEEN_WEIGHT + by.earned(age_ms))
    if accepted:
        ratio = min(MOST_SLOW, max(1 / MOST_SLOW, age_ms / by.usual_ms))
        slow = slow ** (1 - 1 / SLOW_WEIGHT) * ratio ** (1 / SLOW_WEIGHT)
    return max(LEAST_KEEN, keen), slow


def parts_of(urgency: Urgency, seen: Sequence[Part] = ()) -> tuple[Part, ...]:
    """The table of a class: what was assumed of it, as if it were ``ASSUMED`` proposals, and what was seen."""
    known = seen or [Part(0, 0)] * PARTS
    return tuple(
        Part(ASSUMED * guess.open_ms + fact.open_ms, ASSUMED * guess.yes + fact.yes)
        for guess, fact in zip(_assumed(urgency), known, strict=True)
    )


def accepting(urgency: Urgency, habits: Habits) -> Accepting:
    """How a class accepts in a market with these habits."""
    return _accepting(urgency, tuple(habits.get(urgency, ())))


@lru_cache(maxsize=256)
def _accepting(urgency: Urgency, seen: tuple[Part, ...]) -> Accepting:
    return Accepting(parts_of(urgency, seen))


@cache
def _assumed(urgency: Urgency) -> list[Part]:
    """The table of one average proposal if answers came after an exponential delay with the default's mean."""
    mean, answered = DEFAULT_ANSWER_MS[urgency], DEFAULT_ACCEPT_RATE * (1 + REFUSALS)
    parts = []
    for begin, end in pairwise((*EDGES, OLDEST_MS)):
        falls = exp(-begin / mean) - exp(-end / mean)
        parts.append(Part((1 - answered) * (end - begin) + answered * mean * falls, DEFAULT_ACCEPT_RATE * falls))
    return parts
