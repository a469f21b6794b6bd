"""How well the engine foresaw how long a booking would wait: the minutes it told at the POST against those it took (R19).

Both count from the first wave to the first accept. What was told is the minute by which an accept is as likely as not, so in a class that
is foreseen well the median of (took / told) is near 1. A booking counts when at least three times the told minutes were seen of it: those
of them that found nobody took longer than any number, and are in the median as such. Younger ones are left out, filled or not, since their
slow half has not been seen. Those that were told nothing (an accept less likely than not) are in no ratio; how they ended is counted.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

FACTOR = 1.5
SEEN = 3.0  # times the told minutes
LEAST = 10  # bookings that make a judgement
SHORTEST_MIN = 0.05  # told with one decimal: 0.0 means less than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One booking: minutes told, minutes it took (None: nobody took it), and minutes for which it was seen.

    ``at``: minutes of the run before it was opened.
    """

    urgency: str
    told: float | None
    took: float | None
    seen: float
    at: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it was told something and seen for long enough."""
        return self.told is not None and self.seen >= SEEN * self.told

    @property
    def ratio(self) -> float:
        """Took / told; infinite when nobody took it."""
        assert self.told is not None
        return math.inf if self.took is None else self.took / max(SHORTEST_MIN, self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """One class. ``ratio``: the median of took / told, None when there is none or it is infinite; ``near``: the share within the factor."""

    judged: int
    told_min: float | None
    took_min: float | None
    ratio: float | None
    near: float | None
    unfilled: int
    young: int
    told_nothing: int
    told_nothing_filled: int

    @property
    def enough(self) -> bool:
        """Whether there were enough bookings to judge."""
        return self.judged >= LEAST

    @property
    def good(self) -> bool:
        """Whether the median ratio is within the factor."""
        return self.ratio is not None and 1 / FACTOR <= self.ratio <= FACTOR


def by_class(waits: Iterable[Wait]) -> Mapping[str, Foresight]:
    """Each class that was met."""
    met: dict[str, list[Wait]] = {}
    for wait in waits:
        met.setdefault(wait.urgency, []).append(wait)
    return {urgency: of(ones) for urgency, ones in sorted(met.items())}


def of(waits: Iterable[Wait]) -> Foresight:
    """How well the waits of one class were foreseen."""
    known = list(waits)
    judged = [wait for wait in known if wait.counts]
    silent = [wait for wait in known if wait.told is None]
    ratios = [wait.ratio for wait in judged]
    return Foresight(
        judged=len(judged),
        told_min=_middle(wait.told for wait in judged if wait.told is not None),
        took_min=_middle(math.inf if wait.took is None else wait.took for wait in judged),
        ratio=_middle(ratios),
        near=sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios) / len(ratios) if ratios else None,
        unfilled=sum(wait.took is None for wait in judged),
        young=len(known) - len(judged) - len(silent),
        told_nothing=len(silent),
        told_nothing_filled=sum(wait.took is not None for wait in silent),
    )


def split(waits: Iterable[Wait], warm_min: float) -> tuple[Mapping[str, Foresight], Mapping[str, Foresight]]:
    """The classes while the engine got to know the market, and afterwards."""
    known = list(waits)
    return by_class(wait for wait in known if wait.at < warm_min), by_class(wait for wait in known if wait.at >= warm_min)


def good(classes: Mapping[str, Foresight]) -> bool:
    """Whether some class could be judged, and every one that could was foreseen within the factor."""
    judged = [one for one in classes.values() if one.enough]
    return bool(judged) and all(one.good for one in judged)


def _middle(values: Iterable[float]) -> float | None:
    known = list(values)
    found = median(known) if known else math.inf
    return round(found, 2) if math.isfinite(found) else None
