"""Where help is near: how many zones reach each H3 cell of a market, kept up to date a few cells at a time.

Nets of zones are made of cells of several sizes (zones.LEVELS), each zone's of one. A pass begins at the cells known already (the first
one: where bookings search), spreads to the neighbours of every cell that someone reaches, and then sweeps what is left of the market's
coarse cells, so that no island is missed. After it nothing is read until providers have changed. Zones that are lists of areas have no
cells; they are not counted here.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from h3.api import basic_str as h3  # type: ignore[import-untyped]

from dispatch.store import Store
from dispatch.zones import LEVELS

SLICE = 48  # cells counted in one step
SHOWN = 1_200  # cells shown; more are merged into larger ones
KEPT = 20_000  # cells kept

Counts = Mapping[str, int]


class Reach:
    """The cells of one market."""

    def __init__(self, store: Store, market: str) -> None:
        self._store, self._market = store, market
        self._counts: dict[str, int] = {}
        self._ahead: deque[str] = deque()
        self._seen: set[str] = set()
        self._sweep: Iterator[str] | None = None
        self._shown: dict[str, Any] | None = None

    @property
    def resting(self) -> bool:
        """Whether the last pass is over."""
        return self._sweep is None

    @property
    def spreading(self) -> bool:
        """Whether there are cells ahead that are likely to count."""
        return bool(self._ahead)

    async def begin(self, seeds: Iterable[str]) -> None:
        """Starts a new pass; ``seeds`` are cells of the smallest size."""
        regions = await self._store.gauges.regions(self._market)
        sized = (h3.cell_to_parent(seed, level) for seed in dict.fromkeys(seeds) for level in LEVELS)
        self._seen, self._ahead = set(), deque(dict.fromkeys([*self._counts, *sized]))
        self._sweep = (cell for region in regions for level in reversed(LEVELS) for cell in sorted(h3.cell_to_children(region, level)))

    async def step(self) -> None:
        """Counts the next few cells; nothing while it rests."""
        if self.resting:
            return
        cells = list(self._next(SLICE))
        if cells:
            self._learn(cells, await self._store.gauges.reach(self._market, cells))
        else:
            self._sweep = None

    def _next(self, limit: int) -> Iterator[str]:
        """The next cells that this pass has not seen. They count as seen: a step that fails leaves them to the next pass."""
        while limit and (cell := self._ahead.popleft() if self._ahead else next(self._sweep or iter(()), None)) is not None:
            if cell not in self._seen:
                self._seen.add(cell)
                limit -= 1
                yield cell

    def _learn(self, cells: list[str], counts: list[int]) -> None:
        for cell, count in zip(cells, counts, strict=True):
            if count:
                self._ahead.extend(near for near in h3.grid_ring(cell, 1) if near not in self._seen)
            if count != self._counts.get(cell, 0):
                self._shown = None
                _put(self._counts, cell, count)

    def shown(self) -> dict[str, Any]:
        """As the page gets it: ``counts`` by cell, and the ``shapes`` of those cells: [lat, lng] of each corner."""
        if self._shown is None:
            counts = merged(totals(self._counts))
            self._shown = {"counts": counts, "shapes": {cell: ring(cell) for cell in counts}}
        return self._shown


def _put(counts: dict[str, int], cell: str, count: int) -> None:
    if not count:
        counts.pop(cell, None)
    elif cell in counts or len(counts) < KEPT:
        counts[cell] = count


def totals(counts: Counts) -> dict[str, int]:
    """By cell, how many zones reach it: those whose nets are made of such cells, and of the larger ones around it."""
    larger = {cell: [level for level in LEVELS if level < h3.get_resolution(cell)] for cell in counts}
    return {cell: count + sum(counts.get(h3.cell_to_parent(cell, level), 0) for level in larger[cell]) for cell, count in counts.items()}


def merged(counts: Counts, most: int = SHOWN) -> dict[str, int]:
    """The counts on cells so large that there are at most ``most`` of them; a large cell counts as its best part."""
    resolution, found = LEVELS[0], dict(counts)
    while len(found) > most and resolution:
        resolution -= 1
        larger: dict[str, int] = {}
        for cell, count in found.items():
            place = h3.cell_to_parent(cell, resolution) if h3.get_resolution(cell) > resolution else cell
            larger[place] = max(count, larger.get(place, 0))
        found = larger
    return found


@lru_cache(maxsize=4_096)
def ring(cell: str) -> list[list[float]]:
    """The corners of a cell, [lat, lng] to about a metre."""
    return [[round(lat, 5), round(lng, 5)] for lat, lng in h3.cell_to_boundary(cell)]
