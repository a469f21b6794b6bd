"""The units of a fire department as providers: who goes where, and for what.

A unit's zone is where it went: the hull of the nearest nine in ten of its places, so that one far errand does not make it serve the whole
city; a circle where there are too few places for that. Its catalogue is every kind of call that units of its type went to, so an ambulance
and an engine both answer an accident, and only a boat's crew answers the water.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bench.calls import Call
from dispatch.client.bookings import Catalogue, CircleZone, Names, PolygonZone, ProviderLine, Service, Trade
from dispatch.demo.behaviour import Temperament
from dispatch.demo.city import Point, distance_km
from dispatch.demo.hours import Week
from dispatch.demo.providers import Provider

TRADE = "dispatch"
NEAREST = 0.9  # share of a unit's places that its zone holds at least
FEW = 8  # places that make no hull
LEAST_KM, EDGE_KM = 1.0, 0.1  # the smallest circle; what is added, so that the last place is inside
VISIT_MIN, PRICE_CENTS = 30, 0
ALWAYS: Week = (((0, 2 * 1_440),),) * 7  # each day and the next, so that a visit may pass midnight
CALM = Temperament(pace=1.0, drops_per_hour=0.05)


def catalogue(history: Iterable[Call]) -> Catalogue:
    """Every kind of call as a service, of one trade."""
    kinds = sorted({call.row.kind for call in history})
    services = tuple(Service(code=kind, trade=TRADE, name=_names(kind.replace("_", " ")), minutes=VISIT_MIN) for kind in kinds)
    return Catalogue(trades=(Trade(code=TRADE, name=_names("emergency calls")),), services=services)


def _names(text: str) -> Names:
    return Names(fr=text, en=text)


def providers(units: Iterable[str], history: Sequence[Call]) -> list[Provider]:
    """The units as providers, in the order of their names; half of their devices speak either encoding."""
    served, places, types = served_by_type(history), _places(history), {call.row.unit: call.row.unit_type for call in history}
    return [_provider(n, unit, types[unit], served[types[unit]], places[unit]) for n, unit in enumerate(sorted(units))]


def served_by_type(history: Iterable[Call]) -> Mapping[str, set[str]]:
    """The kinds of call that each type of unit went to."""
    served: dict[str, set[str]] = defaultdict(set)
    for call in history:
        served[call.row.unit_type].add(call.row.kind)
    return served


def _places(history: Iterable[Call]) -> Mapping[str, list[Point]]:
    places: dict[str, list[Point]] = defaultdict(list)
    for call in history:
        places[call.row.unit].append(Point(call.row.lat, call.row.lng))
    return places


def _provider(number: int, unit: str, kind: str, served: Iterable[str], places: Sequence[Point]) -> Provider:
    line = ProviderLine(
        provider_id=unit, name=f"{kind.title()} {unit}", trade=TRADE, catalogue=tuple(sorted(served)), zone=zone(places), hours="24/7"
    )
    return Provider(line=line, home=middle(places), week=ALWAYS, nature=CALM, encoding="json" if number % 2 else "msgpack")


def zone(places: Sequence[Point]) -> CircleZone | PolygonZone:
    """Where a unit goes, from the places it went to."""
    centre = middle(places)
    near = sorted(places, key=lambda place: distance_km(centre, place))[: math.ceil(NEAREST * len(places))]
    corners = hull(near)
    if len(set(near)) >= FEW and len(corners) >= 3:
        return PolygonZone(coordinates=[(round(corner.lng, 6), round(corner.lat, 6)) for corner in corners])
    radius = max(LEAST_KM, distance_km(centre, near[-1]) + EDGE_KM)
    return CircleZone(lat=round(centre.lat, 6), lng=round(centre.lng, 6), radius_km=round(radius, 2))


def middle(places: Sequence[Point]) -> Point:
    """The middle of some places, which one far away does not move: the median of each coordinate."""
    lats, lngs = sorted(place.lat for place in places), sorted(place.lng for place in places)
    return Point(lats[len(lats) // 2], lngs[len(lngs) // 2])


def hull(places: Iterable[Point]) -> list[Point]:
    """The corners around all places, counter-clockwise; fewer than three when they lie on a line (Andrew's monotone chain)."""
    ordered = sorted(set(places), key=lambda place: (place.lng, place.lat))
    if len(ordered) < 3:
        return ordered
    return _chain(ordered) + _chain(ordered[::-1])


def _chain(ordered: Iterable[Point]) -> list[Point]:
    """One side of the hull, without its last corner, which is the other side's first."""
    chain: list[Point] = []
    for place in ordered:
        while len(chain) >= 2 and _turn(chain[-2], chain[-1], place) <= 0:
            chain.pop()
        chain.append(place)
    return chain[:-1]


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 when a, b, c turn left."""
    return (b.lng - a.lng) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lng - a.lng)
