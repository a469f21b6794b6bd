"""Numbers kept by the verbs in the same step as what they count, so that they equal a recount (P12)."""

from typing import Any

from dispatch.store.calls import Calls, decode, text
from dispatch.store.keys import key


class Gauges:
    """Gauges (``bookings.searching``, ``proposals.live``...) and counters (``count.waves``...) of a market."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def read(self, market: str) -> dict[str, int]:
        """All of them."""
        raw = await self._calls.command("HGETALL", key("gauges", market))
        items = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
        return {text(name): int(value) for name, value in items}

    async def events(self, market: str, after: str, limit: int = 500) -> list[tuple[str, dict[str, Any]]]:
        """Events of the market after a place in its stream (``$``: none, only the place itself), oldest first."""
        if after == "$":
            last = await self._calls.command("XREVRANGE", key("events", market), "+", "-", "COUNT", 1)
            return [(text(last[0][0]), {})] if last else [("0-0", {})]
        found = await self._calls.command("XRANGE", key("events", market), f"({after}", "+", "COUNT", limit)
        return [(text(place), decode(pairs[1])) for place, pairs in found]

    async def waiting(self, market: str, limit: int = 300) -> list[int]:
        """Numbers of bookings that are searching, the next to be looked at first."""
        return [int(bno) for bno in await self._calls.command("ZRANGE", key("due", market), 0, limit - 1)]
