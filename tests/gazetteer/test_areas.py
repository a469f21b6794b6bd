"""Which area holds a place."""

import csv
import gzip
import os
import random
from pathlib import Path

import pytest

from dispatch.gazetteer import Area, Gazetteer, france
from dispatch.gazetteer.shapes import Shapes

SQUARE = [[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]


def e6(lat: float, lng: float) -> tuple[int, int]:
    return round(lat * 1e6), round(lng * 1e6)


def polygon(code: str, *rings: list[list[float]], **more: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {"code": code, "name": code.upper(), **more},
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
    }


def point(code: str, lng: float, lat: float, **more: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {"code": code, "name": code.upper(), **more},
        "geometry": {"type": "Point", "coordinates": [lng, lat]},
    }


def collection(*features: dict[str, object]) -> dict[str, object]:
    return {"type": "FeatureCollection", "features": list(features)}


class TestAMarketsOwnAreas:
    def test_a_place_in_a_polygon_has_its_code_name_and_postcodes(self) -> None:
        gazetteer = Gazetteer.from_features(collection(polygon("old-town", SQUARE, postcodes=["8001", "8002"])))
        assert gazetteer.lookup(*e6(5, 5)) == Area("old-town", "OLD-TOWN", frozenset({"old-town", "8001", "8002"}))

    def test_a_place_in_a_hole_or_outside_is_in_no_area(self) -> None:
        gazetteer = Gazetteer.from_features(collection(polygon("a", SQUARE, [[4, 4], [4, 6], [6, 6], [6, 4], [4, 4]])))
        assert gazetteer.lookup(*e6(5, 5)) is None
        assert gazetteer.lookup(*e6(11, 5)) is None
        assert gazetteer.lookup(*e6(3, 5)) is not None

    def test_a_ring_need_not_repeat_its_first_corner(self) -> None:
        assert Gazetteer.from_features(collection(polygon("a", SQUARE[:-1]))).lookup(*e6(5, 5)) is not None

    def test_all_parts_of_a_multipolygon_are_the_area(self) -> None:
        far = [[20, 20], [20, 21], [21, 21], [20, 20]]
        area = {**polygon("a"), "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [far]]}}
        gazetteer = Gazetteer.from_features(collection(area))
        assert [gazetteer.lookup(*e6(*place)) is not None for place in ((5, 5), (20.9, 20.5), (15, 15))] == [True, True, False]

    def test_of_overlapping_areas_the_first_wins(self) -> None:
        gazetteer = Gazetteer.from_features(collection(polygon("b", SQUARE), polygon("a", SQUARE)))
        assert gazetteer.lookup(*e6(5, 5)).code == "b"

    def test_points_divide_their_parent_and_carry_its_code(self) -> None:
        gazetteer = Gazetteer.from_features(
            collection(polygon("city", SQUARE), point("west", 2, 5, parent="city", postcodes=["1"]), point("east", 8, 5, parent="city"))
        )
        assert gazetteer.lookup(*e6(5, 4)) == Area("west", "WEST", frozenset({"west", "1", "city"}))
        assert gazetteer.lookup(*e6(9, 9)).code == "east"
        assert gazetteer.lookup(*e6(5, 12)) is None

    def test_points_without_a_parent_reach_twenty_kilometres(self) -> None:
        gazetteer = Gazetteer.from_features(collection(point("a", 0, 0), point("b", 1, 0)))
        assert gazetteer.lookup(*e6(0.1, 0.1)).code == "a"
        assert gazetteer.lookup(*e6(0, 0.9)).code == "b"
        assert gazetteer.lookup(*e6(0, 0.5)) is None

    def test_altitudes_and_foreign_members_are_ignored(self) -> None:
        ring = [[*corner, 12.5] for corner in SQUARE]
        areas = {**collection({**polygon("a", ring, colour="red"), "id": 7}), "bbox": [0, 0, 10, 10]}
        assert Gazetteer.from_features(areas).lookup(*e6(5, 5)) is not None

    def test_codes_and_postcodes_are_known_and_nothing_else_is(self) -> None:
        gazetteer = Gazetteer.from_features(collection(polygon("a", SQUARE, postcodes=["8001"])))
        assert [gazetteer.known(code) for code in ("a", "8001", "A", "")] == [True, True, False, False]

    def test_an_area_over_half_the_world_is_found_without_filling_the_grid(self) -> None:
        world = [[-170, -80], [-170, 80], [170, 80], [170, -80], [-170, -80]]
        gazetteer = Gazetteer.from_features(collection(polygon("small", SQUARE), polygon("world", world)))
        assert [gazetteer.lookup(*e6(*place)).code for place in ((5, 5), (50, 50))] == ["small", "world"]


class TestShapes:
    def test_the_grid_finds_what_a_look_at_every_shape_finds(self) -> None:
        """Even-odd containment agrees with the winding of a convex shape, place by place, in a random world."""
        chance = random.Random(7)
        shapes, boxes = Shapes(), []
        for _ in range(200):
            west, south = chance.uniform(-3, 3), chance.uniform(-3, 3)
            east, north = west + chance.uniform(0.01, 2), south + chance.uniform(0.01, 2)
            shapes.add([[[west, south], [east, south], [east, north], [west, north]]])
            boxes.append((west, south, east, north))
        for _ in range(2_000):
            lng, lat = chance.uniform(-4, 6), chance.uniform(-4, 6)
            expected = [number for number, (west, south, east, north) in enumerate(boxes) if west < lng < east and south < lat < north]
            assert shapes.holding(lat, lng) == expected

    def test_the_nearest_shape_is_measured_to_its_edge(self) -> None:
        shapes = Shapes()
        shapes.add([[[0, 0], [1, 0], [1, 1], [0, 1]]])
        shapes.add([[[1.01, 0], [2, 0], [2, 1], [1.01, 1]]])
        assert shapes.nearest(0.5, 1.001, 300) == 0
        assert shapes.nearest(0.5, 1.009, 300) == 1
        assert shapes.nearest(0.5, 1.005, 300) is None


class TestWithoutData:
    def test_it_is_empty_and_says_so_once(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        gazetteer = Gazetteer.load(tmp_path)
        assert gazetteer.lookup(*e6(48.85, 2.35)) is None
        assert not gazetteer.known("75104")
        assert len(gazetteer) == 0
        assert capsys.readouterr().out.count("gazetteer_empty") == 1


DATA = france.find(os.environ.get("DISPATCH_DATA_SETS"))


@pytest.fixture(scope="module")
def whole() -> Gazetteer:
    return Gazetteer.load(DATA)


@pytest.mark.skipif(DATA is None, reason="the French data sets are not here")
class TestFrance:
    PLACES = (
        ("the Hôtel de Ville of Paris", 48.8566, 2.3522, "75104", {"75104", "75004", "75056"}),
        ("the Bois de Boulogne, whose postcode is its own", 48.8637, 2.2769, "75116", {"75116", "75016", "75056"}),
        ("Bordeaux", 44.8378, -0.5792, "33063", {"33063", "33000", "33100", "33200", "33300", "33800"}),
        ("Antibes", 43.5876, 7.1052, "06004", {"06004", "06160", "06600"}),
    )

    @pytest.mark.parametrize(("name", "lat", "lng", "code", "codes"), PLACES, ids=[row[0] for row in PLACES])
    def test_a_place_is_in_its_commune_or_arrondissement(
        self, whole: Gazetteer, name: str, lat: float, lng: float, code: str, codes: set[str]
    ) -> None:
        area = whole.lookup(*e6(lat, lng))
        assert (area.code, area.codes) == (code, codes)

    def test_the_middle_of_the_atlantic_is_nowhere(self, whole: Gazetteer) -> None:
        assert whole.lookup(*e6(40, -30)) is None

    def test_a_sliver_between_two_contours_belongs_to_the_nearest(self, whole: Gazetteer) -> None:
        chance = random.Random(3)
        places = [(chance.uniform(48.5, 48.8), chance.uniform(2.7, 3.1)) for _ in range(2_000)]  # inside Seine-et-Marne
        found = [whole.lookup(*e6(*place)) for place in places]
        held = [bool(whole._index().shapes.holding(*place)) for place in places]
        assert not all(held)
        assert None not in found

    def test_nearly_every_commune_holds_its_own_centre(self, whole: Gazetteer) -> None:
        assert DATA is not None
        with gzip.open(DATA / france.FILES[0], "rt", encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["coord_source"] == "polygon" and row["code_insee"] != "75056"]
        right = sum(getattr(whole.lookup(*e6(float(row["lat"]), float(row["lon"]))), "code", "") == row["code_insee"] for row in rows)
        assert right > 0.99 * len(rows)

    async def test_it_is_read_off_the_event_loop(self) -> None:
        gazetteer = Gazetteer.load(DATA)
        assert gazetteer._made is None
        await gazetteer.warm()
        assert len(gazetteer) > 10_000
