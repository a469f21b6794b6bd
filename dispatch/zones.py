"""Zones: where a provider works, exactly, and which H3 cells say so first (R4).

Two answers live here. ``covers`` is the exact one. ``cover`` and ``net_of`` are the net: cells that lie wholly in a zone and cells on
its rim, for an index that may ask too many and must never miss anyone. Between them one promise holds, which the tests hunt:

    a place whose cell is ``inside`` is covered;   the cell of a covered place is ``inside`` or ``rim``.

Places are integers in millionths of a degree (``_e6``); lengths are metres. ``distance_m`` and ``in_ring`` are repeated operation by
operation in the store (Lua 5.1, doubles); change them on both sides or not at all.

Sources: haversine on the sphere of mean radius R1 (IUGG); even-odd ray casting; H3, resolutions 4 to 7 (h3geo.org).
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from math import asin, ceil, cos, sin, sqrt
from struct import pack
from typing import NamedTuple

import numpy as np
from h3.api import basic_int as h3  # type: ignore[import-untyped]
from msgspec import Struct
from numpy.typing import NDArray

from dispatch.errors import Unprocessable
from dispatch.model import AreasZone, CircleZone, PolygonZone, Zone

RESOLUTION = 7  # cells about 2.4 km across
LEVELS = (7, 6, 5, 4)  # nets are made of cells of one of these resolutions: a large zone has large cells
WIDEST_M = {7: 30_000, 6: 80_000, 5: 210_000, 4: 1_000_000}  # radius of the largest zone with a net of that resolution: some 600 cells
EARTH_M = 6371008.8
TWICE_EARTH_M = 12742017.6
RAD_PER_E6 = 1.7453292519943295e-08  # pi / 180 / 1,000,000
M_PER_E6 = EARTH_M * RAD_PER_E6  # metres in a millionth of a degree of latitude
SLACK = 1.02  # a cell counts as its circumscribed circle and 2 %: H3 puts some points into a cell slightly outside its outline
MAX_CELLS = 60_000
MAX_SPAN_E6 = 10_000_000
MAX_LAT_E6 = 85_000_000  # polygons stay clear of the poles, where lines on the map are no lines on the ground
MAX_RADIUS_M = 200_000
LARGEST_CELL_M2 = 7_000_000.0  # no cell of resolution 7 is larger
HALF_TURN_E6 = 180_000_000
SIDES = 64  # of a polygon, looked at together

Corner = tuple[int, int]
Grid = NDArray[np.int64]
Flags = NDArray[np.bool_]
Column = NDArray[np.float64]


class Circle(Struct, frozen=True):
    """Everything within ``radius_m`` of a point."""

    lat_e6: int
    lng_e6: int
    radius_m: int


class Polygon(Struct, frozen=True):
    """One simple ring of corners (lat_e6, lng_e6), open (the first corner is not repeated); its sides are straight in lat and lng."""

    ring: tuple[Corner, ...]


class Areas(Struct, frozen=True):
    """A set of area codes; a place is in it when it lies in one of those areas of the market."""

    codes: frozenset[str]


Shape = Circle | Polygon | Areas


class Cover(NamedTuple):
    """The net of a zone: cells that surely lie in it, and the others that may hold a point of it (H3 addresses, hexadecimal)."""

    inside: frozenset[str]
    rim: frozenset[str]


# -- from what a caller sent -----------------------------------------------------------------------------------------


def from_model(zone: Zone) -> Shape:
    """The exact shape of a zone as sent. Raises Unprocessable ``bad_zone``, saying what would be right."""
    if isinstance(zone, AreasZone):
        return Areas(frozenset(zone.codes))
    if isinstance(zone, CircleZone):
        return _circle(zone)
    return _polygon(zone)


def _circle(zone: CircleZone) -> Circle:
    radius_m = max(1, round(zone.radius_km * 1_000))
    if radius_m > MAX_RADIUS_M:
        raise _bad("the radius is over 200 km; send radius_km of at most 200")
    return Circle(_e6(zone.lat), _e6(zone.lng), radius_m)


def _polygon(zone: PolygonZone) -> Polygon:
    ring = _open_ring([(_e6(lat), _e6(lng)) for lng, lat in zone.coordinates])
    if len(set(ring)) < 3:
        raise _bad("the ring has fewer than 3 distinct corners; send at least three [lng, lat] pairs that differ")
    _check_extent(ring)
    if _area_is_zero(ring):
        raise _bad("all corners lie on one line, so the area is zero; send corners that enclose some ground")
    if _crosses_itself(ring):
        raise _bad("the ring crosses or touches itself; list the corners in order around the zone, each once, without going back")
    return Polygon(ring)


def _bad(detail: str) -> Unprocessable:
    return Unprocessable(f"zone: {detail}", code="bad_zone")


def _e6(degrees: float) -> int:
    return round(degrees * 1_000_000)


def _open_ring(corners: list[Corner]) -> tuple[Corner, ...]:
    """The ring without corners that repeat the one before, and without the closing one."""
    ring = [corner for place, corner in enumerate(corners) if place == 0 or corner != corners[place - 1]]
    return tuple(ring[:-1] if ring[-1] == ring[0] else ring)


def _check_extent(ring: tuple[Corner, ...]) -> None:
    lats, lngs = zip(*ring, strict=True)
    if max(lngs) - min(lngs) > HALF_TURN_E6:
        raise _bad("the ring crosses the antimeridian; split it at longitude 180 and use the half that matters")
    if max(max(lats) - min(lats), max(lngs) - min(lngs)) > MAX_SPAN_E6:
        raise _bad("the ring spans over 10 degrees; send one of at most 10 degrees in latitude and in longitude")
    if max(abs(lat) for lat in lats) > MAX_LAT_E6:
        raise _bad("the ring comes within 5 degrees of a pole; keep latitudes between -85 and 85, or send a circle")


def _area_is_zero(ring: tuple[Corner, ...]) -> bool:
    (lat0, lng0), (lat1, lng1) = ring[0], ring[1]
    return all((lat1 - lat0) * (lng - lng0) == (lng1 - lng0) * (lat - lat0) for lat, lng in ring)


def _crosses_itself(ring: tuple[Corner, ...]) -> bool:
    """Whether two sides share a point that is not the corner between them. In integers: exact (products stay under 2^48)."""
    start: Grid = np.array(ring, dtype=np.int64)
    end: Grid = np.roll(start, -1, axis=0)
    at_start = _turns(start, end)
    at_end = np.roll(at_start, -1, axis=1)
    apart = (at_start * at_end > 0) | _boxes_apart(start, end)
    meet = ~(apart | apart.T)
    order = np.arange(len(ring))
    following = np.roll(order, -1)
    meet[order, order] = False
    meet[order, following] = meet[following, order] = False
    along = end - start
    backwards = (at_end[order, following] == 0) & ((along * along[following]).sum(axis=1) < 0)
    return bool(meet.any() or backwards.any())


def _turns(start: Grid, end: Grid) -> Grid:
    """[i, j]: on which side of the line through side i the start of side j lies (-1, 0 or 1)."""
    along = end - start
    lat, lng = start[:, 0], start[:, 1]
    side: Grid = np.sign(along[:, :1] * (lng - lng[:, None]) - along[:, 1:] * (lat - lat[:, None]))
    return side


def _boxes_apart(start: Grid, end: Grid) -> Flags:
    """[i, j]: whether the bounding boxes of sides i and j share no point."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    before: Flags = (high[:, :1] < low[:, 0]) | (high[:, 1:] < low[:, 1])
    apart: Flags = before | before.T
    return apart


# -- the exact answer ------------------------------------------------------------------------------------------------


def distance_m(lat1_e6: float, lng1_e6: float, lat2_e6: float, lng2_e6: float) -> float:
    """Length in metres of the shortest way over the sphere (haversine), as one fixed sequence of IEEE double operations:

    f1 = lat1 * K;  f2 = lat2 * K;  g = lng1 * K;  h = lng2 * K              K = 1.7453292519943295e-08
    u = sin((f2 - f1) * 0.5);  v = sin((h - g) * 0.5)
    a = u * u + (cos(f1) * cos(f2)) * (v * v)
    a = 1 when a > 1
    12742017.6 * asin(sqrt(a))
    """
    f1 = lat1_e6 * RAD_PER_E6
    f2 = lat2_e6 * RAD_PER_E6
    u = sin((f2 - f1) * 0.5)
    v = sin((lng2_e6 * RAD_PER_E6 - lng1_e6 * RAD_PER_E6) * 0.5)
    a = u * u + (cos(f1) * cos(f2)) * (v * v)
    if a > 1.0:
        a = 1.0
    return TWICE_EARTH_M * asin(sqrt(a))


def in_ring(ring: tuple[Corner, ...], lat_e6: int, lng_e6: int) -> bool:
    """Whether a ray to the east crosses the ring an odd number of times.

    Boundary rule: on a side or corner, a place belongs to the ground east of it, and to the ground north of a level one, so two zones
    that share a side never both hold a place on it, nor neither. Each side, from corner 1 (the last corner first) to corner 2:

        when (lat1 > lat) ~= (lat2 > lat):
            s = (lng - lng1) * (lat2 - lat1) - (lng2 - lng1) * (lat - lat1)
            crossed when lat2 > lat1 and s < 0, or lat2 <= lat1 and s > 0

    No division, and every value stays under 2^53 (rings span at most 10 degrees): integers and doubles give the same answer, exactly.
    """
    held = False
    lat1, lng1 = ring[-1]
    for lat2, lng2 in ring:
        if (lat1 > lat_e6) != (lat2 > lat_e6):
            side = (lng_e6 - lng1) * (lat2 - lat1) - (lng2 - lng1) * (lat_e6 - lat1)
            if side < 0 if lat2 > lat1 else side > 0:
                held = not held
        lat1, lng1 = lat2, lng2
    return held


def covers(shape: Shape, lat_e6: int, lng_e6: int, areas: frozenset[str]) -> bool:
    """Whether the place lies in the zone; ``areas`` are the codes of the areas that hold the place. A circle holds its rim."""
    if isinstance(shape, Circle):
        return distance_m(shape.lat_e6, shape.lng_e6, lat_e6, lng_e6) <= shape.radius_m
    if isinstance(shape, Polygon):
        return in_ring(shape.ring, lat_e6, lng_e6)
    return not shape.codes.isdisjoint(areas)


# -- the net ---------------------------------------------------------------------------------------------------------


class _Cell(NamedTuple):
    """A cell as its circumscribed circle, slack included."""

    lat_e6: float
    lng_e6: float
    reach_m: float
    neighbours: tuple[int, ...]


@lru_cache(maxsize=32_768)
def _cell(index: int) -> _Cell:
    lat, lng = (degrees * 1e6 for degrees in h3.cell_to_latlng(index))
    reach_m = SLACK * max(distance_m(lat, lng, y * 1e6, x * 1e6) for y, x in h3.cell_to_boundary(index))
    return _Cell(lat, lng, reach_m, tuple(cell for cell in h3.grid_disk(index, 1) if cell != index))


def cell_of(lat_e6: int, lng_e6: int, level: int = RESOLUTION) -> str:
    """The H3 cell (resolution 7 unless told, hexadecimal) that holds the place."""
    name: str = h3.int_to_str(h3.latlng_to_cell(lat_e6 / 1e6, lng_e6 / 1e6, level))
    return name


def cells_of(lat_e6: int, lng_e6: int) -> tuple[str, ...]:
    """The cells that hold the place, one of each size that nets are made of, small ones first."""
    return tuple(cell_of(lat_e6, lng_e6, level) for level in LEVELS)


def larger(cell: str) -> tuple[str, ...]:
    """The cells of all sizes at the middle of one: a net is found at any of them."""
    lat, lng = h3.cell_to_latlng(h3.str_to_int(cell))
    return cells_of(round(lat * 1e6), round(lng * 1e6))


def cover(shape: Circle | Polygon) -> Cover:
    """The cells of resolution 7 of a zone; see ``Cover``. Raises Unprocessable ``bad_zone`` when there would be over 60,000."""
    reach, rim = (frozenset(map(h3.int_to_str, cells.tolist())) for cells in _net(shape, RESOLUTION))
    return Cover(reach - rim, rim)


class Net(NamedTuple):
    """The net of a zone for the index: its cells, all of one size, as H3 indexes. ``reach``: those inside and those on the rim."""

    reach: Grid
    rim: Grid


def net_of(shape: Circle | Polygon) -> Net:
    """The net of a zone, of cells so large that it has a few hundred of them. Raises Unprocessable ``bad_zone`` when it is too large."""
    radius_m = _around(shape).radius_m
    return _net(shape, next((level for level in LEVELS if radius_m <= WIDEST_M[level]), LEVELS[-1]))


def _net(shape: Circle | Polygon, level: int) -> Net:
    circle = _around(shape)
    ground = _ground(h3.latlng_to_cell(circle.lat_e6 / 1e6, circle.lng_e6 / 1e6, level - 1), level, -(-circle.radius_m // 1_000))
    inside, reach = _by_distance(circle, ground) if isinstance(shape, Circle) else _by_sides(shape.ring, ground)
    return Net(ground.cells[reach], ground.cells[reach & ~inside])


def _around(shape: Circle | Polygon) -> Circle:
    """A circle that holds the zone."""
    if isinstance(shape, Circle):
        return shape
    if _area_m2(shape.ring) > MAX_CELLS * LARGEST_CELL_M2:
        raise _too_large()
    lats, lngs = zip(*shape.ring, strict=True)
    lat, lng = (min(lats) + max(lats)) // 2, (min(lngs) + max(lngs)) // 2
    return Circle(lat, lng, ceil(max(distance_m(lat, lng, *corner) for corner in shape.ring)) + 1)


class _Ground(NamedTuple):
    """Cells as columns. ``point``: the centre on the unit sphere; ``squeeze``: the shortest degree of longitude, in degrees of latitude."""

    cells: Grid
    lat_e6: Column
    lng_e6: Column
    point: Column
    reach_m: Column
    squeeze: Column


@lru_cache(maxsize=512)
def _ground(home: int, level: int, radius_km: int) -> _Ground:
    """All cells that a circle with its centre in the larger cell ``home`` may touch."""
    middle = _cell(home)
    widest_m = radius_km * 1_000 + middle.reach_m
    first = h3.latlng_to_cell(middle.lat_e6 / 1e6, middle.lng_e6 / 1e6, level)
    found = _spread(first, lambda cell: distance_m(*cell[:2], *middle[:2]) - cell.reach_m <= widest_m)
    lat, lng, reach = np.array([(cell.lat_e6, cell.lng_e6, cell.reach_m) for cell in map(_cell, found)]).T
    squeeze = np.cos((np.abs(lat) + reach / M_PER_E6) * RAD_PER_E6)
    f, g = lat * RAD_PER_E6, lng * RAD_PER_E6
    point = np.stack((np.cos(f) * np.cos(g), np.cos(f) * np.sin(g), np.sin(f)), axis=-1)
    return _Ground(np.array(found, dtype=np.int64), lat, lng, point, reach, squeeze)


def _spread(first: int, belongs: Callable[[_Cell], bool]) -> list[int]:
    """The cells that belong and hang together with the first one. Raises when they are too many."""
    seen, found, open_ = {first}, [], [first]
    while open_:
        index = open_.pop()
        cell = _cell(index)
        if belongs(cell):
            found.append(index)
            fresh = [near for near in cell.neighbours if near not in seen]
            seen.update(fresh)
            open_ += fresh
            if len(found) > MAX_CELLS:
                raise _too_large()
    return found


def _by_distance(circle: Circle, ground: _Ground) -> tuple[Flags, Flags]:
    """Which cells lie in the circle, and which come near it. The arc from the chord: off by less than a millimetre here."""
    lat, lng = circle.lat_e6 * RAD_PER_E6, circle.lng_e6 * RAD_PER_E6
    centre = np.array((cos(lat) * cos(lng), cos(lat) * sin(lng), sin(lat)))
    half_chord = np.sqrt(np.abs(1.0 - ground.point @ centre) * 0.5)
    away = TWICE_EARTH_M * np.arcsin(half_chord)
    return away <= circle.radius_m - ground.reach_m, away <= circle.radius_m + ground.reach_m


def _by_sides(ring: tuple[Corner, ...], ground: _Ground) -> tuple[Flags, Flags]:
    """Which cells lie in the polygon, and which come near it. No side comes near a cell off the rim: its centre answers for all of it."""
    sides: Grid = np.array(list(pairwise((ring[-1], *ring))), dtype=np.int64)[:, :, :, None]
    one, other = sides[:, 0], sides[:, 1]
    near, within = np.zeros(len(ground.cells), np.bool_), np.zeros(len(ground.cells), np.bool_)
    for at in range(0, len(ring), SIDES):
        some, ends = one[at : at + SIDES], other[at : at + SIDES]
        near |= _near(some, ends, ground).any(axis=0)
        within ^= np.logical_xor.reduce(_crossed(some, ends, ground), axis=0)
    return within & ~near, within | near


def _too_large() -> Unprocessable:
    return _bad("it is too large (over 60,000 cells of 5 km2); send a smaller one, or a list of areas")


def _area_m2(ring: tuple[Corner, ...]) -> float:
    """At most the area enclosed, in square metres: every degree of longitude counts as the shortest one of the ring."""
    doubled = sum(lat1 * lng2 - lat2 * lng1 for (lat1, lng1), (lat2, lng2) in pairwise((ring[-1], *ring)))
    return abs(doubled) / 2 * M_PER_E6 * M_PER_E6 * cos(max(abs(lat) for lat, _ in ring) * RAD_PER_E6)


def _near(one: Grid, other: Grid, ground: _Ground) -> Flags:
    """[side, cell]: whether the side comes into the cell's circle. Flat, with the shortest degree of longitude: never overstated."""
    squeeze, reach_e6 = ground.squeeze, ground.reach_m / M_PER_E6
    y, x = one[:, 0] - ground.lat_e6, one[:, 1] - ground.lng_e6
    x = np.where(np.abs(x) > HALF_TURN_E6, x - np.copysign(2 * HALF_TURN_E6, x), x) * squeeze
    dy, dx = (other - one)[:, 0], (other - one)[:, 1] * squeeze
    share = np.clip(-(y * dy + x * dx) / (dy * dy + dx * dx), 0.0, 1.0)
    y, x = y + share * dy, x + share * dx
    near: Flags = y * y + x * x <= reach_e6 * reach_e6
    return near


def _crossed(one: Grid, other: Grid, ground: _Ground) -> Flags:
    """[side, cell]: whether a ray to the east from the cell's centre crosses the side; see ``in_ring``."""
    lat, lng, rise = ground.lat_e6, ground.lng_e6, (other - one)[:, 0]
    side = (lng - one[:, 1]) * rise - (other - one)[:, 1] * (lat - one[:, 0])
    spanned = (one[:, 0] > lat) != (other[:, 0] > lat)
    crossed: Flags = spanned & np.where(rise > 0, side < 0, side > 0)
    return crossed


# -- packing ---------------------------------------------------------------------------------------------------------


def pack_ring(polygon: Polygon) -> bytes:
    """The corners as the store keeps them: little-endian int32, lat and lng in turn."""
    return pack(f"<{2 * len(polygon.ring)}i", *(e6 for corner in polygon.ring for e6 in corner))
