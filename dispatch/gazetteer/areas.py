"""Areas by place: the polygon that holds it, or the nearest of the points that divide that polygon."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import structlog
from msgspec import Struct

from dispatch.gazetteer import features, france
from dispatch.gazetteer.shapes import Shapes, metres_squared

log = structlog.get_logger("dispatch.gazetteer")

POINT_REACH_M = 20_000  # a market's own point areas without a polygon around them reach this far


class Area(Struct, frozen=True):
    """An area that holds a place. ``codes``: all the codes by which a zone may name it (its own, its postcodes, those of its parents)."""

    code: str
    name: str
    codes: frozenset[str]


class Entry(NamedTuple):
    """One area as it is read: ``postcodes`` separated by spaces; ``rings`` for a polygon, else ``point`` as (lng, lat) in degrees."""

    code: str
    name: str
    postcodes: str = ""
    parent: str = ""
    rings: list[list[list[float]]] | None = None
    point: tuple[float, float] | None = None


class _Row(NamedTuple):
    """What is kept of an entry."""

    code: str
    name: str
    postcodes: str
    parent: str
    lat: float
    lng: float


class _Index:
    """All areas of a gazetteer. Points are kept by parent ('' for those without)."""

    __slots__ = ("codes", "points", "polygons", "shapes", "tolerance_m")

    def __init__(self, entries: Iterable[Entry], tolerance_m: float) -> None:
        self.shapes = Shapes()
        self.tolerance_m = tolerance_m
        self.polygons: list[_Row] = []
        self.points: dict[str, list[_Row]] = defaultdict(list)
        self.codes: set[str] = set()
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        self.codes.update((entry.code, *entry.postcodes.split()))
        lng, lat = entry.point or (0.0, 0.0)
        row = _Row(entry.code, entry.name, entry.postcodes, entry.parent, lat, lng)
        if entry.rings is not None:
            self.shapes.add(entry.rings)
            self.polygons.append(row)
        elif entry.point is not None:
            self.points[entry.parent].append(row)

    def lookup(self, lat: float, lng: float) -> Area | None:
        shape = self._polygon(lat, lng)
        if shape is None:
            return _area(_nearest_point(self.points.get("", ()), lat, lng, POINT_REACH_M))
        row = self.polygons[shape]
        return _area(_nearest_point(self.points.get(row.code, ()), lat, lng) or row)

    def _polygon(self, lat: float, lng: float) -> int | None:
        holding = self.shapes.holding(lat, lng)
        if holding:
            return holding[0]
        return self.shapes.nearest(lat, lng, self.tolerance_m) if self.tolerance_m else None


def _nearest_point(rows: Iterable[_Row], lat: float, lng: float, within_m: float = float("inf")) -> _Row | None:
    ranked = min(((metres_squared(lat, lng, row.lat, row.lng), row.code, row) for row in rows), default=None)
    return ranked[2] if ranked and ranked[0] <= within_m * within_m else None


def _area(row: _Row | None) -> Area | None:
    if row is None:
        return None
    parents = (row.parent,) if row.parent else ()
    return Area(row.code, row.name, frozenset((row.code, *row.postcodes.split(), *parents)))


class Gazetteer:
    """Which area holds a place. Made at once; the data are read when first needed, or ahead of time, off the event loop, by `warm`."""

    def __init__(self, read: Callable[[], Iterable[Entry]] = tuple, *, tolerance_m: float = 0, origin: str = "none") -> None:
        self._read = read
        self._tolerance_m = tolerance_m
        self._origin = origin
        self._reading = threading.Lock()
        self._made: _Index | None = None

    @classmethod
    def load(cls, settings_data_sets: Path | str | None) -> "Gazetteer":
        """France whole, from the folder of data sets, else from ``shared/data`` beside the project; without either, an empty one."""
        folder = france.find(settings_data_sets)
        if folder is None:
            log.warning(
                "gazetteer_empty",
                missing=france.FILES,
                effect="no area is named and no areas zone covers anything",
                setting="DISPATCH_DATA_SETS",
            )
            return cls()
        return cls(lambda: _french(folder), tolerance_m=france.SLIVER_M, origin="france")

    @classmethod
    def from_features(cls, geojson: dict[str, Any]) -> "Gazetteer":
        """A market's own areas. Raises Unprocessable ``bad_areas`` when the collection is not what it should be."""
        entries = [Entry(**feature) for feature in features.read(geojson)]
        gazetteer = cls(lambda: entries, origin="market")
        gazetteer._index()
        return gazetteer

    async def warm(self) -> None:
        """Reads the data in a thread, if that is still to be done."""
        if self._made is None:
            await anyio.to_thread.run_sync(self._index)

    def lookup(self, lat_e6: int, lng_e6: int) -> Area | None:
        """The area that holds the place, or None."""
        return self._index().lookup(lat_e6 / 1e6, lng_e6 / 1e6)

    def known(self, code: str) -> bool:
        """Whether a zone may name this code (of an area, or a postcode)."""
        return code in self._index().codes

    def __len__(self) -> int:
        index = self._index()
        return len(index.polygons) + sum(map(len, index.points.values()))

    def _index(self) -> _Index:
        if self._made is None:
            with self._reading:
                self._made = self._made or _Index(self._read(), self._tolerance_m)
                log.info("gazetteer_read", origin=self._origin, polygons=len(self._made.polygons), codes=len(self._made.codes))
        return self._made


def _french(folder: Path) -> Iterable[Entry]:
    return (Entry(*commune) for commune in france.communes(folder))
