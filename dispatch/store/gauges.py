"""Numbers kept by the verbs in the same step as what they count, so that they equal a recount (P12), and what else ops look at live.

Every read here is bounded, whatever the number of providers and bookings.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from dispatch.store.calls import Calls, decode, text
from dispatch.store.footprint import SHELVES
from dispatch.store.keys import key

PAGE = 200  # events read at once: some 4 ms of our time
HELD = 100  # bookings in the hands of ops, and alarms, that are shown, the oldest first
REGIONS = 64  # coarse cells of a market that are looked at

Event = tuple[str, dict[str, Any]]  # its place in the market's stream, and what happened


class Pulse(Struct, frozen=True, kw_only=True):
    """A market at one moment: its gauges, events after the place asked for (oldest first), and when which bookings are due (ms).

    ``taken``: bookings that ops have in their hands; ``alarms``: what wants a human, and since when (ms), by ``kind:booking``.
    """

    gauges: dict[str, int]
    events: list[Event]
    waiting: dict[int, int]
    taken: list[int]
    alarms: dict[str, int]


class Gauges:
    """Gauges (``bookings.searching``, ``proposals.live``...) and counters (``count.waves``...) of a market."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def read(self, market: str) -> dict[str, int]:
        """All of them."""
        return _numbers(await self._calls.command("HGETALL", key("gauges", market)))

    async def pulse(self, market: str, after: str, *, events: int, waiting: int) -> Pulse:
        """Gauges, at most ``events`` events after a place, and the ``waiting`` searching bookings that are due first. One round trip."""
        gauges, found, due, taken, alarms = await self._calls.pipeline(
            ("HGETALL", key("gauges", market)),
            ("XRANGE", key("events", market), f"({after}", "+", "COUNT", events),
            ("ZRANGE", key("due", market), 0, waiting - 1, "WITHSCORES"),
            ("ZRANGE", key("taken", market), 0, HELD - 1),
            ("ZRANGE", key("alarms", market), 0, HELD - 1, "WITHSCORES"),
        )
        return Pulse(
            gauges=_numbers(gauges),
            events=[_event(entry) for entry in found],
            waiting={int(bno): due_at for bno, due_at in _scores(due).items()},
            taken=[int(bno) for bno in taken],
            alarms=_scores(alarms),
        )

    async def tail(self, market: str, limit: int) -> list[Event]:
        """The last events, oldest first; a page at a time."""
        found: list[Event] = []
        while len(found) < limit:
            end = f"({found[-1][0]}" if found else "+"
            page = await self._calls.command("XREVRANGE", key("events", market), end, "-", "COUNT", min(PAGE, limit - len(found)))
            found += [_event(entry) for entry in page]
            if len(page) < PAGE:
                break
        return found[::-1]

    async def regions(self, market: str) -> list[str]:
        """The coarse cells that some zone reaches; when there are more than REGIONS, as many of them by chance."""
        return sorted(text(cell) for cell in await self._calls.command("SRANDMEMBER", key("regions", market), REGIONS))

    async def reach(self, market: str, cells: Sequence[str]) -> list[int]:
        """For each cell of a net, how many zones reach it. The server reads an eighth of a byte for each slot of the market and cell."""
        if not cells:
            return []
        names = [key("x_reach", market, shelf, cell) for cell in cells for shelf in SHELVES]
        counts = iter(await self._calls.pipeline(*(("BITCOUNT", name) for name in names)))
        return [sum(int(next(counts)) for _ in SHELVES) for _ in cells]


def _numbers(raw: Any) -> dict[str, int]:
    """HGETALL in either protocol version."""
    items = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {text(name): int(value) for name, value in items}


def _scores(raw: Any) -> dict[str, int]:
    """ZRANGE WITHSCORES in either protocol version."""
    pairs = raw if raw and isinstance(raw[0], list) else zip(raw[::2], raw[1::2], strict=True)
    return {text(member): int(float(score)) for member, score in pairs}


def _event(entry: Any) -> Event:
    place, pairs = entry
    return text(place), decode(pairs[b"e"] if isinstance(pairs, dict) else pairs[1])
