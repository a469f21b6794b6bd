"""What must hold of a figure, and whether it does."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A figure with its bound."""

    words: str
    seen: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    def __bool__(self) -> bool:
        low = self.at_least is None or self.seen >= self.at_least
        return low and (self.at_most is None or self.seen <= self.at_most)

    def line(self) -> str:
        """What, how much, whether."""
        bounds = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        asked = f"{' and '.join(bounds)}{self.unit}"
        return f"{'holds' if self else 'DOES NOT HOLD'}: {self.words}: asked {asked}, seen {self.seen:.4g}{self.unit}"


def told(asked: Sequence[Asked]) -> int:
    """Prints each; the exit code of a bench. Nothing asked is nothing shown, which is no success."""
    print("\n".join(one.line() for one in asked))
    return 0 if asked and all(asked) else 1
