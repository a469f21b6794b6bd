"""Was this proposal legal? The demo's own judgement of R2 and R3, from what it told the engine, sharing no code with it.

It judges zone, catalogue, hours, days off, visits already held with their gap, do-not-disturb and quiet hours. Zones are judged with a
tolerance, since two ways to compute on a sphere may differ by metres at the edge.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from zoneinfo import ZoneInfo

from dispatch.client.bookings import BookingRequest, CircleZone, DailyRange, PolygonZone
from dispatch.demo.city import Point, distance_km
from dispatch.demo.hours import covers
from dispatch.demo.providers import Provider
from dispatch.demo.record import Span

GAP_MS = 1_800_000  # between two visits of one provider (R2, the default of the market)
QUIET = DailyRange(from_="22:00", to="07:00")  # R12, the default of the market
EDGE_KM = 0.05
LAST_MINUTE = "last_minute"


def wrongs(
    provider: Provider, booking: BookingRequest, windows: Iterable[Span], sent: datetime, urgency: str, held: Iterable[Span], zone: ZoneInfo
) -> Iterator[str]:
    """What was wrong with a proposal sent at a local time to a provider who held these visits; nothing when it was legal."""
    held = tuple(held)
    if not in_zone(provider, Point(booking.place.lat, booking.place.lng)):
        yield "zone"
    if not set(booking.services) <= set(provider.line.catalogue):
        yield "catalogue"
    for start, end in windows:
        if not covers(provider.week, _local(start, zone), _local(end, zone), provider.days_off):
            yield "hours"
        if any(too_near((start, end), visit) for visit in held):
            yield "overlap"
    if provider.line.do_not_disturb and during(provider.line.do_not_disturb, sent.time()):
        yield "do_not_disturb"
    if urgency != LAST_MINUTE and during(QUIET, sent.time()):
        yield "quiet_hours"


def too_near(a: Span, b: Span, gap_ms: int = GAP_MS) -> bool:
    """Whether two visits overlap, or leave less than the gap between them."""
    return a[0] < b[1] + gap_ms and b[0] < a[1] + gap_ms


def in_zone(provider: Provider, place: Point) -> bool:
    """Whether his zone holds the place, give or take the edge."""
    match provider.line.zone:
        case CircleZone(lat=lat, lng=lng, radius_km=radius_km):
            return distance_km(Point(lat, lng), place) <= radius_km * 1.002 + EDGE_KM
        case PolygonZone(coordinates=ring):
            flat = [_flat(Point(lat, lng), place) for lng, lat in ring]
            return _inside(flat) or _to_edge(flat) <= EDGE_KM
        case _:
            return True  # areas: only the engine knows their borders


def during(daily: DailyRange, clock: time) -> bool:
    """Whether a local time lies in a daily range, which may pass midnight."""
    first, last, now = daily.from_, daily.to, clock.strftime("%H:%M")
    return first <= now < last if first < last else now >= first or now < last


def _local(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, zone)


def _flat(corner: Point, place: Point) -> tuple[float, float]:
    """A corner in km east and north of the place."""
    north = math.radians(corner.lat - place.lat) * 6371.0
    return math.radians(corner.lng - place.lng) * 6371.0 * math.cos(math.radians(place.lat)), north


def _sides(ring: list[tuple[float, float]]) -> Iterator[tuple[float, float, float, float]]:
    return ((*ring[i - 1], *ring[i]) for i in range(len(ring)))


def _inside(ring: list[tuple[float, float]]) -> bool:
    """Whether a ray from the origin to the east crosses an odd number of sides."""
    return sum((ay > 0) != (by > 0) and ax + (bx - ax) * ay / (ay - by) > 0 for ax, ay, bx, by in _sides(ring)) % 2 == 1


def _to_edge(ring: list[tuple[float, float]]) -> float:
    """Km from the origin to the nearest side."""
    return min(_to_side(*side) for side in _sides(ring))


def _to_side(ax: float, ay: float, bx: float, by: float) -> float:
    dx, dy = bx - ax, by - ay
    along = max(0.0, min(1.0, -(ax * dx + ay * dy) / ((dx * dx + dy * dy) or 1.0)))
    return math.hypot(ax + along * dx, ay + along * dy)
