"""Habits: what became of a market's proposals, by class and age, kept by the verbs that end them (lua/lib/habits.lua)."""

from typing import Any

from dispatch.habits import PARTS, Habits, Part
from dispatch.model import Urgency
from dispatch.store.calls import Calls, text
from dispatch.store.keys import key

FRESH_MS = 10_000  # engine time for which what was read is good enough: a forecast does not turn on the last answers


class HabitsOf:
    """The habits of all markets, read again when they are older than FRESH_MS."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._known: dict[str, tuple[int, Habits]] = {}

    async def read(self, market: str, now: int) -> Habits:
        """What a market's providers did so far. ``now``: engine ms."""
        read_at, known = self._known.get(market, (0, {}))
        if now - read_at >= FRESH_MS:
            known = parsed(await self._calls.command("HGETALL", key("habits", market)))
            self._known[market] = now, known
        return known


def parsed(raw: Any) -> Habits:
    """HGETALL in either protocol version as tables by class; a class that has seen nothing is missing."""
    items = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    found = {text(name): int(value) for name, value in items}
    classes = {urgency for urgency in Urgency if any(name.startswith(f"{urgency}.") for name in found)}
    return {
        urgency: tuple(Part(found.get(f"{urgency}.{part}.open", 0), found.get(f"{urgency}.{part}.yes", 0)) for part in range(PARTS))
        for urgency in classes
    }
