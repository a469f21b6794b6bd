"""France: its communes, their contours, and the arrondissements of Paris, Lyon and Marseille.

Source: ``fr_communes.csv.gz`` (INSEE code, name, parent, postcodes, point) and ``fr_communes_contours.geojson.gz`` (polygons, property
``code``), licence ouverte. The contours are simplified to about 130 m, one by one, so that neighbours may overlap or leave slivers.
Arrondissements have points only, of which the nearest counts. A code of five figures may be the postcode of one place and the INSEE code
of another; a zone that names it covers both.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dispatch.gazetteer.geojson import Collection, MultiPolygon, Polygon, rings_of

FILES = ("fr_communes.csv.gz", "fr_communes_contours.geojson.gz")
SLIVER_M = 300  # a place in no contour belongs to the nearest one within this (twice the simplification and its rounding)

Rings = list[list[list[float]]]
Commune = tuple[str, str, str, str, Rings | None, tuple[float, float] | None]


class _Properties(msgspec.Struct, frozen=True):
    code: str


class _Contour(msgspec.Struct, frozen=True):
    properties: _Properties
    geometry: Polygon | MultiPolygon


def find(data_sets: Path | str | None) -> Path | None:
    """The folder that holds the files: the one named, else ``shared/data`` beside the project's root; None if neither has them."""
    folder = Path(data_sets) if data_sets else Path(__file__).resolve().parents[3] / "shared" / "data"
    return folder if all((folder / name).is_file() for name in FILES) else None


def communes(folder: Path) -> Iterator[Commune]:
    """(code, name, postcodes, parent, rings, point) of every commune with a contour, then of every arrondissement."""
    rows = {row["code_insee"]: row for row in _rows(folder / FILES[0])}
    for contour in _contours(folder / FILES[1]):
        row = rows.get(contour.properties.code)
        if row is not None:
            yield *_names(row), rings_of(contour.geometry), None
    for row in rows.values():
        if row["parent_code"] and row["lat"]:
            yield *_names(row), None, (float(row["lon"]), float(row["lat"]))


def _names(row: dict[str, str]) -> tuple[str, str, str, str]:
    return row["code_insee"], row["name"], row["postcodes"], row["parent_code"]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _contours(path: Path) -> Iterator[_Contour]:
    """The polygons, decoded one by one: the whole country as Python lists would take ten times its bytes."""
    with gzip.open(path, "rb") as packed:
        features = msgspec.json.decode(packed.read(), type=Collection).features
    decode = msgspec.json.Decoder(_Contour).decode
    return map(decode, features)
