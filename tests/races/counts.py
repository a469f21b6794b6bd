"""How often each pair raced, in which order, and how far apart the two were sent."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from rich.table import Table

from tests.races.pairs import PAIRS, Pair

WIDTH_MS = 8.0  # of the jitter at first, to either side
WIDEST_MS = 400.0
IN_VAIN = 2  # races without one of the orders, after which it is widened
STEP, STRIDE = 0.25, 1.0  # of its width, by which the jitter moves after a race; the longer one while an order is lacking
ALARM_MS = (120.0, 150.0)  # whoever looks for what is overdue comes by four times a second: centre and width of what races with him


@dataclass(slots=True)
class Tally:
    """What became of one pair. ``first``: how often each side was first; ``shift_ms``: by how much the first side is held back on average,
    learnt from who was first so far."""

    pair: Pair
    races: int = 0
    first: list[int] = field(default_factory=lambda: [0, 0])
    neither: int = 0
    crossed: int = 0  # both were on their way at once
    missed: int = 0  # the booking was not ready when its moment came: the race was run again
    widened: int = 0
    shift_ms: float = 0.0
    width_ms: float = WIDTH_MS
    answers: Counter[str] = field(default_factory=Counter)
    _lacking: int = 0

    def __post_init__(self) -> None:
        if (self.pair.first, self.pair.second) == ("assign", "expiry"):
            self.shift_ms, self.width_ms = ALARM_MS

    def offset_ms(self, chance: Random) -> float:
        """By how much the first side is held back this time; less than 0: the other is."""
        return self.shift_ms + chance.uniform(-self.width_ms, self.width_ms)

    def note(self, first: int | None, answers: str, *, crossed: bool) -> None:
        """One more race. The jitter is centred where either order is likely; it widens while one of them does not occur."""
        self.races += 1
        self.answers[answers] += 1
        self.crossed += crossed
        if first is None:
            self.neither += 1
        else:
            self.first[first] += 1
            self.shift_ms += self.width_ms * (STEP if all(self.first) else STRIDE) * (1 if first == 0 else -1)
        self._lacking = 0 if all(self.first) else self._lacking + 1
        if self._lacking >= IN_VAIN:
            self.widen()

    def widen(self) -> None:
        """Further apart, until the other order occurs."""
        self._lacking = 0
        self.widened += 1
        self.width_ms = min(WIDEST_MS, self.width_ms * 2)

    def lacking(self) -> list[str]:
        """The orders that have not occurred."""
        names = (f"{self.pair.first} before {self.pair.second}", f"{self.pair.second} before {self.pair.first}")
        if self.pair.first == self.pair.second:
            names = ("the one before the other", "the other before the one")
        return [name for name, count in zip(names, self.first, strict=True) if not count]


def tallies(pairs: tuple[Pair, ...] = PAIRS) -> dict[str, Tally]:
    """One for each pair, by its name."""
    return {pair.name: Tally(pair) for pair in pairs}


def table(counted: dict[str, Tally], title: str) -> Table:
    """All pairs with their numbers."""
    out = Table("pair", "races", "first first", "second first", "neither", "crossed", "jitter, ms", "answers", title=title)
    for name, tally in counted.items():
        jitter = f"{tally.shift_ms:+.0f} ± {tally.width_ms:.0f}"
        said = ", ".join(f"{count} {word}" for word, count in tally.answers.most_common(4))
        out.add_row(name, *(str(each) for each in (tally.races, *tally.first, tally.neither, tally.crossed)), jitter, said)
    return out
