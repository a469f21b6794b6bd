"""Units as providers: zones from the places they went to, catalogues from what their type served."""

from random import Random

import pytest

from bench.units import LEAST_KM, catalogue, hull, middle, providers, served_by_type, zone
from dispatch.client.bookings import CircleZone, PolygonZone
from dispatch.demo.city import Point, distance_km
from dispatch.demo.hours import covers
from dispatch.demo.legal import in_zone
from dispatch.model import ProviderLine
from tests.bench.table import MIDDLE, call, clock


def scattered(count: int, spread: float = 0.01, seed: int = 1) -> list[Point]:
    chance = Random(seed)
    return [Point(MIDDLE[0] + chance.gauss(0, spread), MIDDLE[1] + chance.gauss(0, spread)) for _ in range(count)]


def calls_at(places: list[Point], **changes: object) -> list[object]:
    return [call(lat=place.lat, lng=place.lng, **changes) for place in places]


@pytest.mark.parametrize(
    ("places", "corners"),
    [
        ([Point(0, 0), Point(0, 1), Point(1, 1), Point(1, 0), Point(0.5, 0.5)], 4),
        ([Point(0, 0), Point(0, 0), Point(1, 1)], 2),
        ([Point(0, 0), Point(1, 1), Point(2, 2), Point(3, 3)], 2),
        ([Point(0, 0)], 1),
    ],
)
def test_the_hull_has_the_corners_alone(places: list[Point], corners: int) -> None:
    assert len(set(hull(places))) == corners


def test_nine_in_ten_of_a_units_places_lie_in_its_zone_and_one_far_errand_does_not() -> None:
    far = Point(MIDDLE[0] + 0.3, MIDDLE[1])
    places = [*scattered(60), far]
    (unit,) = providers(["M36"], calls_at(places))
    assert isinstance(unit.line.zone, PolygonZone)
    assert sum(in_zone(unit, place) for place in places) >= 0.9 * len(places)
    assert not in_zone(unit, far)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_unit_with_few_places_gets_a_circle_that_holds_them(count: int) -> None:
    places = scattered(count)
    found = zone(places)
    assert isinstance(found, CircleZone)
    assert found.radius_km >= LEAST_KM
    assert all(distance_km(Point(found.lat, found.lng), place) <= found.radius_km for place in places)


def test_a_unit_that_always_went_to_one_place_gets_a_circle() -> None:
    assert isinstance(zone([Point(*MIDDLE)] * 50), CircleZone)


def test_the_middle_does_not_follow_one_that_is_far_away() -> None:
    assert middle([Point(1, 1), Point(2, 2), Point(90, 90)]) == Point(2, 2)


def test_a_unit_serves_what_its_type_served() -> None:
    history = [
        call(unit="E01", unit_type="ENGINE", kind="outside_fire"),
        call(unit="E02", unit_type="ENGINE", kind="alarms"),
        call(unit="M36", kind="medical_incident"),
    ]
    assert served_by_type(history) == {"ENGINE": {"outside_fire", "alarms"}, "MEDIC": {"medical_incident"}}
    found = {unit.id: unit.line.catalogue for unit in providers(["E01", "M36"], history)}
    assert found == {"E01": ("alarms", "outside_fire"), "M36": ("medical_incident",)}
    assert [service.code for service in catalogue(history).services] == ["alarms", "medical_incident", "outside_fire"]


def test_a_unit_is_always_on_duty_for_the_engine_and_for_the_judge() -> None:
    (unit,) = providers(["M36"], [call()])
    assert unit.line.hours == "24/7"
    assert covers(unit.week, clock(1_430), clock(1_460))
    assert covers(unit.week, clock(0), clock(240))
    assert isinstance(unit.line, ProviderLine)


def test_units_speak_both_encodings() -> None:
    history = [call(unit=name) for name in ("A", "B", "C", "D")]
    assert [unit.encoding for unit in providers(["D", "C", "B", "A"], history)] == ["msgpack", "json", "msgpack", "json"]
