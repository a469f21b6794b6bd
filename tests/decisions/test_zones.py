"""The exact cover of a place by a zone, and the net of cells around it (R4)."""

import math
from collections.abc import Sequence
from struct import unpack

import h3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.errors import Unprocessable
from dispatch.model import AreasZone, CircleZone, PolygonZone
from dispatch.zones import (
    EARTH_M,
    RESOLUTION,
    Areas,
    Circle,
    Polygon,
    Shape,
    cell_of,
    cover,
    covers,
    distance_m,
    from_model,
    in_ring,
    pack_ring,
)

NOWHERE: frozenset[str] = frozenset()
PARIS = (48_856_600, 2_352_200)
SQUARE = Polygon(((0, 0), (0, 100), (100, 100), (100, 0)))
M_PER_E6 = EARTH_M * math.pi / 180 / 1e6


# -- distance --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        (PARIS, PARIS, 0.0),
        ((0, 0), (0, 1_000_000), 111_195.080),
        ((0, 0), (1_000_000, 0), 111_195.080),
        (PARIS, (45_764_000, 4_835_700), 391_499.0),  # Paris to Lyon
        ((0, 179_999_000), (0, -179_999_000), 222.390),  # across the antimeridian
        ((90_000_000, 0), (-90_000_000, 0), math.pi * EARTH_M),  # pole to pole: the clamp under the asin
        ((0, 0), (0, 180_000_000), math.pi * EARTH_M),
    ],
)
def test_the_distance_between_two_places_is_the_haversine(one: tuple[int, int], other: tuple[int, int], metres: float) -> None:
    assert distance_m(*one, *other) == pytest.approx(metres, rel=1e-5, abs=1e-3)


def test_the_distance_is_the_same_to_the_last_bit_as_when_it_was_written_down() -> None:
    """The store repeats the operations in Lua; these values are for both."""
    assert [distance_m(*PARIS, 48_900_000, 2_400_000).hex(), distance_m(-33_865_143, 151_209_900, 45_764_000, -4_835_700).hex()] == [
        "0x1.746d87ad5513ep+12",
        "0x1.0c741930e69d8p+24",
    ]


places = st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))


@given(places, places)
def test_a_distance_is_the_same_both_ways_and_within_half_the_globe(one: tuple[int, int], other: tuple[int, int]) -> None:
    away = distance_m(*one, *other)
    assert away == distance_m(*other, *one)
    assert 0 <= away <= math.pi * EARTH_M * (1 + 1e-15)


# -- what a caller sends ---------------------------------------------------------------------------------------------


def ring(*corners: tuple[float, float]) -> PolygonZone:
    return PolygonZone(coordinates=list(corners))


def test_zones_become_shapes_in_millionths_of_a_degree_and_metres() -> None:
    assert from_model(CircleZone(lat=48.8566, lng=2.3522, radius_km=7.5)) == Circle(*PARIS, 7_500)
    assert from_model(CircleZone(lat=0, lng=0, radius_km=0.0001)) == Circle(0, 0, 1)
    assert from_model(AreasZone(codes=["75011", "75012", "75011"])) == Areas(frozenset({"75011", "75012"}))
    assert from_model(ring((2, 48), (2.1, 48), (2, 49))) == Polygon(
        ((48_000_000, 2_000_000), (48_000_000, 2_100_000), (49_000_000, 2_000_000))
    )


def test_a_closed_ring_and_repeated_corners_are_the_same_zone() -> None:
    plain = from_model(ring((2, 48), (2.1, 48), (2, 48.1)))
    assert from_model(ring((2, 48), (2.1, 48), (2, 48.1), (2, 48))) == plain
    assert from_model(ring((2, 48), (2, 48), (2.1, 48), (2.1, 48), (2, 48.1), (2, 48))) == plain


@pytest.mark.parametrize(
    ("zone", "word"),
    [
        (ring((2, 48), (2.1, 48), (2, 48)), "3 distinct"),
        (ring((2, 48), (2, 48), (2, 48)), "3 distinct"),
        (ring((2, 48), (2.0000001, 48), (2.1, 48.1)), "3 distinct"),
        (ring((2, 48), (2.1, 48.1), (2.2, 48.2)), "area is zero"),
        (ring((0, 0), (1, 1), (1, 0), (0, 1)), "crosses or touches"),  # a bow tie
        (ring((0, 0), (4, 0), (4, 4), (2, 0), (0, 4)), "crosses or touches"),  # a corner on another side
        (ring((0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)), "crosses or touches"),  # a corner twice
        (ring((0, 0), (4, 0), (4, 4), (4, 6), (4, 4), (0, 4)), "crosses or touches"),  # a spike: there and back
        (ring((0, 0), (4, 0), (4, 6), (4, 4), (0, 4)), "crosses or touches"),  # a spike without a name
        (ring((0, 0), (10.1, 0), (0, 1)), "10 degrees"),
        (ring((0, 0), (1, 0), (0, 10.1)), "10 degrees"),
        (ring((179, 0), (-179, 0), (-179, 1)), "antimeridian"),
        (ring((0, 84), (1, 85.1), (0, 85)), "pole"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_what_would_be_right(zone: PolygonZone, word: str) -> None:
    with pytest.raises(Unprocessable, match=word) as caught:
        from_model(zone)
    assert caught.value.code == "bad_zone"


@pytest.mark.parametrize(
    "zone",
    [
        ring((0, 0), (1, 0), (0, 1)),
        ring((0, 0), (2, 0), (4, 0), (4, 4), (0, 4)),  # a corner in the middle of a straight side
        ring((0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)),  # a horseshoe
        ring((170, 0), (180, 0), (180, 10), (170, 10)),
    ],
)
def test_simple_rings_are_taken(zone: PolygonZone) -> None:
    assert isinstance(from_model(zone), Polygon)


# -- the exact answer ------------------------------------------------------------------------------------------------


@pytest.mark.proves("R4.a", "R4.b")
def test_a_circle_holds_its_rim_and_nothing_beyond() -> None:
    north = PARIS[0] + 50_000
    away = distance_m(*PARIS, north, PARIS[1])
    assert covers(Circle(*PARIS, math.ceil(away)), north, PARIS[1], NOWHERE)
    assert not covers(Circle(*PARIS, math.floor(away)), north, PARIS[1], NOWHERE)


@pytest.mark.proves("R4.a", "R4.b")
@pytest.mark.parametrize(
    ("lat", "lng", "held"),
    [
        (50, 50, True),
        (50, 101, False),
        (50, -1, False),
        (101, 50, False),
        (-1, 50, False),
        (0, 50, True),  # south side: the ground north of it
        (100, 50, False),  # north side
        (50, 0, True),  # west side: the ground east of it
        (50, 100, False),  # east side
        (0, 0, True),
        (0, 100, False),
        (100, 0, False),
        (100, 100, False),
    ],
)
def test_a_polygon_holds_its_south_and_west_sides_only(lat: int, lng: int, held: bool) -> None:
    assert covers(SQUARE, lat, lng, NOWHERE) is held
    assert in_ring(tuple(reversed(SQUARE.ring)), lat, lng) is held


@pytest.mark.proves("R4.a", "R4.b")
def test_areas_hold_a_place_by_one_common_code() -> None:
    shape = Areas(frozenset({"75011", "75012"}))
    assert covers(shape, *PARIS, frozenset({"75012", "idf"}))
    assert not covers(shape, *PARIS, frozenset({"75013"}))
    assert not covers(shape, *PARIS, NOWHERE)


@given(st.integers(-10_000_000, 0), st.integers(1, 10_000_000), st.integers(-12_000_000, 12_000_000), st.integers(-12_000_000, 12_000_000))
def test_a_place_on_a_shared_diagonal_lies_in_exactly_one_of_two_neighbours(low: int, high: int, lat: int, lng: int) -> None:
    north_west = in_ring(((low, low), (high, high), (high, low)), lat, lng)
    south_east = in_ring(((low, low), (low, high), (high, high)), lat, lng)
    whole = in_ring(((low, low), (low, high), (high, high), (high, low)), lat, lng)
    assert north_west + south_east == whole


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(170_000_000, 180_000_000)), min_size=3, max_size=12), places)
def test_the_polygon_answer_is_the_same_in_doubles_as_in_integers(corners: list[tuple[int, int]], place: tuple[int, int]) -> None:
    """Lua 5.1 has doubles alone."""
    doubles = tuple((float(lat), float(lng)) for lat, lng in corners)
    assert in_ring(doubles, *map(float, place)) == in_ring(tuple(corners), *place)  # type: ignore[arg-type]


# -- the net ---------------------------------------------------------------------------------------------------------


def check(shape: Circle | Polygon, points: Sequence[tuple[int, int]]) -> None:
    net = cover(shape)
    assert not net.inside & net.rim
    for lat, lng in points:
        cell = cell_of(lat, lng)
        if cell in net.inside:
            assert covers(shape, lat, lng, NOWHERE), (shape, lat, lng)
        elif cell not in net.rim:
            assert not covers(shape, lat, lng, NOWHERE), (shape, lat, lng)


def around(lat_e6: int, lng_e6: int, metres: float, angle: float) -> tuple[int, int]:
    lat = round(lat_e6 + metres / M_PER_E6 * math.sin(angle))
    lng = round(lng_e6 + metres / M_PER_E6 / math.cos(math.radians(lat_e6 / 1e6)) * math.cos(angle))
    return min(max(lat, -90_000_000), 90_000_000), (lng + 180_000_000) % 360_000_000 - 180_000_000


middles = st.tuples(st.integers(-80_000_000, 80_000_000), st.integers(-180_000_000, 180_000_000))
angles = st.floats(0, 2 * math.pi)
near_one = st.sampled_from([0.0, 0.5, 0.8, 0.999, 0.99999, 1.0, 1.00001, 1.001, 1.2, 1.5])


@pytest.mark.proves("R4.b")
@settings(deadline=None)
@given(middles, st.integers(1, 25_000), st.lists(st.tuples(near_one, angles), max_size=40))
def test_the_net_of_a_circle_misses_nobody_and_vouches_for_its_inside(
    middle: tuple[int, int], radius: int, points: list[tuple[float, float]]
) -> None:
    check(Circle(*middle, radius), [around(*middle, share * radius, angle) for share, angle in points])


@pytest.mark.proves("R4.b")
@settings(deadline=None)
@given(
    st.tuples(st.integers(-80_000_000, 80_000_000), st.integers(-175_000_000, 175_000_000)),
    st.integers(100, 20_000),
    st.lists(st.tuples(st.floats(0.2, 1), angles), min_size=3, max_size=12),
    st.lists(st.tuples(st.floats(0, 1.2), angles), max_size=20),
    st.lists(st.tuples(st.floats(0, 1), st.integers(-3, 3), st.integers(-3, 3)), max_size=10),
)
def test_the_net_of_a_polygon_misses_nobody_and_vouches_for_its_inside(
    middle: tuple[int, int],
    size: int,
    corners: list[tuple[float, float]],
    points: list[tuple[float, float]],
    on_sides: list[tuple[float, int, int]],
) -> None:
    outline = [around(*middle, share * size, angle) for share, angle in sorted(corners, key=lambda corner: corner[1])]
    try:
        shape = from_model(ring(*((lng / 1e6, lat / 1e6) for lat, lng in outline)))
    except Unprocessable:
        return
    assert isinstance(shape, Polygon)
    tried = [around(*middle, share * size, angle) for share, angle in points] + list(shape.ring)
    for one, other in zip(shape.ring, shape.ring[1:], strict=False):
        tried += [
            (round(one[0] + share * (other[0] - one[0])) + up, round(one[1] + share * (other[1] - one[1])) + right)
            for share, up, right in on_sides
        ]
    check(shape, tried)


@pytest.mark.parametrize("name", sorted(h3.get_pentagons(RESOLUTION)))
def test_the_net_holds_around_the_twelve_pentagons(name: str) -> None:
    lat, lng = (round(degrees * 1e6) for degrees in h3.cell_to_latlng(name))
    turns = [step * math.pi / 90 for step in range(180)]
    for radius in (900, 4_000, 12_000):
        points = [around(lat, lng, radius * share, turn) for turn in turns for share in (0.3, 0.7, 0.95, 0.9999, 1.0001)]
        check(Circle(lat, lng, radius), points)
        check(Polygon(tuple(around(lat, lng, radius, step * math.pi / 5) for step in range(10))), points)


@pytest.mark.parametrize("middle", [(0, 180_000_000), (10_000_000, -179_999_999), (89_999_999, 0), (-90_000_000, 12_000_000)])
def test_the_net_of_a_circle_holds_over_the_antimeridian_and_the_poles(middle: tuple[int, int]) -> None:
    net = cover(Circle(*middle, 10_000))
    points = [_centre(cell) for cell in net.inside | net.rim]
    assert len(net.inside) > 20
    check(Circle(*middle, 10_000), points)


def _centre(cell: str) -> tuple[int, int]:
    lat, lng = h3.cell_to_latlng(cell)
    return round(lat * 1e6), round(lng * 1e6)


@pytest.mark.parametrize("lng", [179_950_000, -180_000_000])
def test_the_net_of_a_polygon_holds_beside_the_antimeridian(lng: int) -> None:
    shape = Polygon(((0, lng), (0, lng + 50_000), (50_000, lng + 50_000), (50_000, lng)))
    lngs = range(max(-180_000_000, lng - 1_000), min(180_000_000, lng + 51_000), 997)
    check(shape, [(lat, at) for lat in range(-1_000, 52_000, 997) for at in lngs])


@pytest.mark.parametrize(
    "shape",
    [Circle(*PARIS, 8_000), Polygon(tuple(around(*PARIS, 8_000, step * math.pi / 15) for step in range(30)))],
    ids=["circle", "polygon"],
)
def test_the_net_of_a_city_zone_is_not_much_larger_than_the_zone(shape: Circle | Polygon) -> None:
    net = cover(shape)
    assert len(net.inside) >= 25  # of the 39 cells that its ground would fill
    assert len(net.inside) + len(net.rim) <= 65


def test_the_largest_circle_has_a_net() -> None:
    net = cover(Circle(*PARIS, 200_000))
    assert 20_000 < len(net.inside) < len(net.inside) + len(net.rim) <= 60_000
    check(Circle(*PARIS, 200_000), [around(*PARIS, 200_000 * share, step / 50) for step in range(314) for share in (0.99, 0.9999, 1.0001)])


@pytest.mark.parametrize(
    "zone",
    [
        ring((0, 40), (10, 40), (10, 50), (0, 50)),  # refused by its area alone
        ring((0, 45), (9, 45), (9, 49), (0, 49)),  # refused when its cells are counted
    ],
)
def test_a_zone_of_more_than_60_000_cells_is_refused(zone: PolygonZone) -> None:
    shape = from_model(zone)
    assert isinstance(shape, Polygon)
    with pytest.raises(Unprocessable, match="too large") as caught:
        cover(shape)
    assert caught.value.code == "bad_zone"


def test_a_cell_is_named_as_h3_names_it() -> None:
    assert cell_of(*PARIS) == h3.latlng_to_cell(48.8566, 2.3522, 7)


# -- packing ---------------------------------------------------------------------------------------------------------


def test_a_ring_is_packed_as_little_endian_pairs_of_lat_and_lng() -> None:
    shape = Polygon(((48_000_000, -2_000_000), (-1, 180_000_000), (0, 5)))
    assert unpack("<6i", pack_ring(shape)) == (48_000_000, -2_000_000, -1, 180_000_000, 0, 5)
    assert pack_ring(Polygon(((1, 2), (3, 4), (-1, 0))))[:8] == b"\x01\0\0\0\x02\0\0\0"


def test_shapes_are_values() -> None:
    shapes: set[Shape] = {Circle(1, 2, 3), Circle(1, 2, 3), Polygon(((1, 2), (3, 4), (5, 7))), Areas(frozenset({"a"}))}
    assert len(shapes) == 3
