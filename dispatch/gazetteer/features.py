"""A market's own areas, as it sends them: a GeoJSON FeatureCollection with properties ``code``, ``name``, ``postcodes``, ``parent``.

``parent`` is the code of the polygon that a Point divides with its siblings (as arrondissements divide Paris).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dispatch.errors import Unprocessable
from dispatch.gazetteer.geojson import Geometry, Point, rings_of
from dispatch.model import Code


class Properties(Struct, frozen=True):
    """What a feature says of its area. Other properties are ignored."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    postcodes: Annotated[list[Code], Meta(max_length=100)] = []
    parent: Code | None = None


class Feature(Struct, frozen=True, tag="Feature"):
    """One area."""

    properties: Properties
    geometry: Geometry


class FeatureCollection(Struct, frozen=True):
    """The areas of a market."""

    type: Literal["FeatureCollection"]
    features: list[Feature]


def read(geojson: dict[str, Any]) -> list[dict[str, Any]]:
    """The areas as fields of an entry. Raises Unprocessable ``bad_areas`` with the path of what is wrong."""
    try:
        features = msgspec.convert(geojson, FeatureCollection).features
    except msgspec.ValidationError as wrong:
        raise bad_areas(
            f"{wrong}; a FeatureCollection of Polygon, MultiPolygon or Point features with properties code and name is right"
        ) from wrong
    _check_codes(features)
    for number, feature in enumerate(features):
        _check_positions(number, feature.geometry)
    return [_fields(feature) for feature in features]


def bad_areas(detail: str) -> Unprocessable:
    """The one error of this module."""
    return Unprocessable(detail, "bad_areas")


def _check_codes(features: list[Feature]) -> None:
    seen: set[str] = set()
    for number, feature in enumerate(features):
        code = feature.properties.code
        if code in seen:
            raise bad_areas(f"features[{number}] repeats the code {code}; each area needs its own")
        seen.add(code)
    polygons = {feature.properties.code for feature in features if not isinstance(feature.geometry, Point)}
    for number, feature in enumerate(features):
        parent = feature.properties.parent
        if parent is not None and parent not in polygons:
            raise bad_areas(f"features[{number}] has the parent {parent}, which is no polygon of this collection")


def _check_positions(number: int, geometry: Geometry) -> None:
    rings = [[geometry.coordinates]] if isinstance(geometry, Point) else rings_of(geometry)
    for ring in rings:
        if len(ring) > 1 and len({tuple(position[:2]) for position in ring}) < 3:
            raise bad_areas(f"features[{number}] has a ring of fewer than three different corners")
        for position in ring:
            if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
                raise bad_areas(f"features[{number}] has the position {position}; [lng, lat] in degrees is right")


def _fields(feature: Feature) -> dict[str, Any]:
    what = feature.properties
    fields = {"code": what.code, "name": what.name, "postcodes": " ".join(what.postcodes), "parent": what.parent or ""}
    if isinstance(feature.geometry, Point):
        lng, lat = feature.geometry.coordinates[:2]
        return fields | {"point": (lng, lat)}
    return fields | {"rings": [[position[:2] for position in ring] for ring in rings_of(feature.geometry)]}
