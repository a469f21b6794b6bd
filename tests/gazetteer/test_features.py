"""What is wrong with a collection of areas is said in words."""

from typing import Any

import pytest

from dispatch.errors import Unprocessable
from dispatch.gazetteer import Gazetteer

RING = [[0, 0], [0, 1], [1, 1], [0, 0]]


def feature(geometry: object, **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": "a", "name": "A", **properties}, "geometry": geometry}


def areas(*features: object) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


POLYGON = {"type": "Polygon", "coordinates": [RING]}
BAD = (
    ("a feature instead of a collection", feature(POLYGON), "FeatureCollection"),
    ("no features", {"type": "FeatureCollection"}, "features"),
    ("no code", areas({"type": "Feature", "properties": {"name": "A"}, "geometry": POLYGON}), "$.features[0].properties"),
    ("a code with a space", areas(feature(POLYGON, code="a b")), "$.features[0].properties.code"),
    ("postcodes as text", areas(feature(POLYGON, postcodes="75001")), "$.features[0].properties.postcodes"),
    ("a line", areas(feature({"type": "LineString", "coordinates": RING})), "LineString"),
    ("no geometry", areas(feature(None)), "$.features[0].geometry"),
    (
        "a ring of two corners",
        areas(feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})),
        "$.features[0].geometry.coordinates[0]",
    ),
    ("a ring of one corner, three times", areas(feature({"type": "Polygon", "coordinates": [[[0, 0]] * 3]})), "features[0] has a ring"),
    ("latitude and longitude exchanged", areas(feature({"type": "Point", "coordinates": [48.8, 102.3]})), "[lng, lat] in degrees"),
    ("not a number", areas(feature({"type": "Point", "coordinates": ["2", "48"]})), "$.features[0].geometry.coordinates[0]"),
    ("the same code twice", areas(feature(POLYGON), feature(POLYGON)), "features[1] repeats the code a"),
    ("a parent nobody is", areas(feature({"type": "Point", "coordinates": [0, 0]}, parent="z")), "parent z"),
)


@pytest.mark.parametrize(("what", "collection", "said"), BAD, ids=[row[0] for row in BAD])
def test_a_collection_is_refused_and_the_detail_says_where(what: str, collection: dict[str, Any], said: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        Gazetteer.from_features(collection)
    assert refusal.value.code == "bad_areas"
    assert said in refusal.value.detail


def test_an_empty_collection_is_an_empty_gazetteer() -> None:
    assert len(Gazetteer.from_features(areas())) == 0
