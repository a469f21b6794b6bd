"""How many could serve: popcounts of the match index, and which cells of the map anybody reaches at all (R9)."""

from collections.abc import Sequence

from dispatch.store.calls import Calls
from dispatch.store.footprint import SHELVES
from dispatch.store.keys import key
from dispatch.zones import larger

PIECE = 500  # cells looked up in one round trip


class Coverage:
    """Counts of those who could serve, of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def reached(self, market: str, cells: Sequence[str]) -> list[str]:
        """Those of the cells (resolution 7) that some zone comes near."""
        nets = {cell: larger(cell) for cell in cells}
        names = sorted({name for net in nets.values() for name in net})
        known: set[str] = set()
        for begin in range(0, len(names), PIECE):
            piece = names[begin : begin + PIECE]
            asked = [("EXISTS", *(key("x_reach", market, shelf, name) for shelf in SHELVES)) for name in piece]
            known.update(name for name, there in zip(piece, await self._calls.pipeline(*asked), strict=True) if there)
        return [cell for cell, net in nets.items() if not known.isdisjoint(net)]

    async def at(
        self, market: str, *, cells: Sequence[str], areas: Sequence[str], services: Sequence[str], hours: Sequence[int]
    ) -> list[list[int]]:
        """For each service and each hour (by its first quarter) how many could serve at a place. Several bounded calls."""
        counts = [[0] * len(hours) for _ in services]
        at: Sequence[int] | None = (0, 0)
        while at is not None:
            reply = await self._calls.verb("coverage", market, cells=cells, areas=areas, services=services, hours=hours, at=at)
            for hour, *numbers in reply["rows"] or ():
                for index, number in enumerate(numbers):
                    counts[index][hour] += number
            at = reply.get("at")
        return counts
