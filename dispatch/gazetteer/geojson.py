"""GeoJSON (RFC 7946) as far as areas need it: features that are a Polygon, a MultiPolygon or a Point.

Foreign members are ignored, as the RFC asks. Positions are [lng, lat] or [lng, lat, altitude], in degrees; altitude is dropped.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

Position = Annotated[list[float], Meta(min_length=2, max_length=3)]
Ring = Annotated[list[Position], Meta(min_length=3)]


class Polygon(Struct, frozen=True, tag="Polygon"):
    """Outer ring, then holes."""

    coordinates: Annotated[list[Ring], Meta(min_length=1)]


class MultiPolygon(Struct, frozen=True, tag="MultiPolygon"):
    """Several polygons that are one area."""

    coordinates: Annotated[list[Annotated[list[Ring], Meta(min_length=1)]], Meta(min_length=1)]


class Point(Struct, frozen=True, tag="Point"):
    """An area of which only a point is known."""

    coordinates: Position


Geometry = Polygon | MultiPolygon | Point


class Collection(Struct, frozen=True):
    """A FeatureCollection whose features are still bytes, so that a whole country is never in memory as Python lists."""

    type: Literal["FeatureCollection"]
    features: list[Raw]


def rings_of(geometry: Polygon | MultiPolygon) -> list[list[list[float]]]:
    """All rings of an area in one list: by even-odd containment holes and parts need no further word."""
    if isinstance(geometry, Polygon):
        return geometry.coordinates
    return [ring for polygon in geometry.coordinates for ring in polygon]
