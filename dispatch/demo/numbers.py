"""The numbers of a run: how many bookings, how many filled and how fast, how many waves and proposals it took, how late they were."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dispatch.client.bookings import Event
from dispatch.demo.clock import ms
from dispatch.demo.evidence import Evidence, owed


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles of something measured ``n`` times."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What happened. Times to fill are engine seconds, lateness is wall ms after max(due, engine ready)."""

    bookings: int
    states: Counter[str]
    time_to_fill_s: Spread
    waves: int
    proposals: int
    proposals_per_fill: float | None
    too_late: int
    lateness_ms: Spread

    @property
    def filled(self) -> int:
        """Bookings for which somebody said yes first, whatever became of them."""
        return self.time_to_fill_s.n

    @property
    def decided(self) -> int:
        """Bookings whose search has ended by an accept or by the deadline."""
        return self.filled + self.states["unfilled"]


def spread(values: Iterable[float]) -> Spread:
    """Quantiles by nearest rank; None where there is nothing."""
    ranked = sorted(values)

    def at(share: float) -> float | None:
        return round(ranked[math.ceil(share * len(ranked)) - 1], 3) if ranked else None

    return Spread(len(ranked), at(0.50), at(0.95), at(0.99))


def count(evidence: Evidence) -> Numbers:
    """Counts from what was read so far."""
    sent = [event for _, event in evidence.events("WaveSent")]
    return Numbers(
        bookings=len(evidence.record.opened),
        states=evidence.by_state(),
        time_to_fill_s=spread(_times_to_fill(evidence)),
        waves=len(sent),
        proposals=sum(map(asked, sent)),
        proposals_per_fill=_proposals_per_fill(evidence),
        too_late=evidence.record.too_late,
        lateness_ms=spread(evidence.wall_ms(ms(event.at) - owed(event)) for event in sent),
    )


def asked(event: Event) -> int:
    """How many providers a wave went to."""
    return len(event.fields["asked"])


def _proposals_per_fill(evidence: Evidence) -> float | None:
    """Mean number of proposals sent for a booking that was filled."""
    filled = [
        sum(asked(e) for e in line if e.type == "WaveSent")
        for line in evidence.timelines.values()
        if any(e.type == "Accepted" for e in line)
    ]
    return round(sum(filled) / len(filled), 2) if filled else None


def _times_to_fill(evidence: Evidence) -> Iterable[float]:
    """Engine seconds from opening to the first accept, for each booking that had one."""
    for line in evidence.timelines.values():
        accepted = next((event.at for event in line if event.type == "Accepted"), None)
        if accepted is not None:
            yield (accepted - line[0].at).total_seconds()
