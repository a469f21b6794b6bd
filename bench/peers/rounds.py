"""Times of several contenders, taken in turn over some rounds; ratios of their medians with a spread, and what must hold of them.

A machine is faster in one minute than in the next, so a ratio is taken within a round; of the rounds' ratios the median counts, and the
smallest and largest are shown.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times longer one took than another: median, smallest and largest of the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


@dataclass(slots=True)
class Times:
    """Times (ms) of each contender, by round. ``cut``: calls that were ended at a limit, which is what they count as."""

    taken: dict[str, dict[int, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    cut: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, turn: int, ms: float, cut: bool = False) -> None:
        """One call."""
        self.taken[name][turn].append(ms)
        self.cut[name] += cut

    def names(self) -> list[str]:
        """The contenders, in the order in which they came."""
        return list(self.taken)

    def at(self, name: str, share: float) -> float:
        """A quantile over all rounds."""
        return part([ms for times in self.taken[name].values() for ms in times], share)

    def ratio(self, name: str, beside: str) -> Ratio:
        """Of the medians in each round that both took part in."""
        rounds = sorted(set(self.taken[name]) & set(self.taken[beside]))
        found = [part(self.taken[name][turn], 0.5) / part(self.taken[beside][turn], 0.5) for turn in rounds]
        return Ratio(median(found), min(found), max(found))

    def shown(self, name: str, share: float) -> str:
        """A quantile in words: with "> " when it is the limit at which calls were ended."""
        count = sum(map(len, self.taken[name].values()))
        over = self.cut[name] > count * (1 - share) - 1e-9 and self.cut[name] > 0
        return f"{'> ' if over else ''}{_short(self.at(name, share))}"


def part(values: Sequence[float], share: float) -> float:
    """A quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Holds:
    """Something that must hold of a ratio: that its median is at least, or at most, so much."""

    words: str
    ratio: Ratio
    at_least: float | None = None
    at_most: float | None = None

    def __bool__(self) -> bool:
        high_enough = self.at_least is None or self.ratio.median >= self.at_least
        return high_enough and (self.at_most is None or self.ratio.median <= self.at_most)

    def line(self) -> str:
        """For a table: what, how much, whether."""
        bound = f"at least {self.at_least:g}" if self.at_most is None else f"at most {self.at_most:g}"
        return f"{'holds' if self else 'DOES NOT HOLD'}: {self.words}: {bound} times, seen {self.ratio}"


def interleaved(names: Sequence[str], rounds: int, calls: int) -> Iterator[tuple[int, int, str]]:
    """Who is called when: (round, call, contender), each contender once a call, and another one first each time."""
    for turn in range(rounds):
        for call in range(calls):
            first = (turn + call) % len(names)
            for name in (*names[first:], *names[:first]):
                yield turn, call, name


def table(title: str, cases: Sequence[tuple[str, Times]], ours: str, heads: Sequence[str] = ("case",)) -> Table:
    """One row a contender and case: p50, p99, and how many times ours took it."""
    found = Table(title=title)
    for name in (*heads, "contender", "calls", "p50 ms", "p99 ms", "times ours, by the rounds' p50"):
        found.add_column(name, justify="left" if name in (*heads, "contender") else "right")
    for case, times in cases:
        for name in times.names():
            count = sum(map(len, times.taken[name].values()))
            beside = "" if name == ours or ours not in times.taken else str(times.ratio(name, ours))
            found.add_row(case, name, str(count), times.shown(name, 0.5), times.shown(name, 0.99), beside)
        found.add_section()
    return found
