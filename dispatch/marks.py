"""How far a visit lies outside what a provider has set, and the words that he and ops read (R28, R30, R32).

Minutes are those by which his hours would have to be stretched, metres those by which his zone would have to grow; OUTSIDE says that it is
outside and by more than is measured.
"""

from collections.abc import Iterator, Sequence
from math import ceil, cos, hypot

from dispatch.hours import Spans, spans
from dispatch.model import ProviderSettings, Span
from dispatch.zones import M_PER_E6, RAD_PER_E6, Areas, Circle, Corner, Shape, covers, distance_m

OUTSIDE = -1
MEASURED_MIN = 240  # hours are stretched by so much at most
MINUTE_MS = 60_000


def minutes_outside(settings: ProviderSettings, time_zone: str, window: Span, most: int = MEASURED_MIN) -> int:
    """By how many minutes his hours must be stretched to hold the window: 0 if they do, OUTSIDE beyond ``most`` or on a day of absence."""
    reach = most * MINUTE_MS
    worked = spans(
        settings.hours, settings.absences, settings.extra_openings, time_zone, window.start - reach, window.end + reach + MINUTE_MS
    )
    gaps = list(_gaps(worked, window))
    if not gaps:
        return 0
    if spans("24/7", settings.absences, (), time_zone, window.start, window.end) != ((window.start, window.end),):
        return OUTSIDE  # absences are no habit that could be stretched
    stretches = [_stretch(worked, *gap) for gap in gaps]
    total = sum(stretch for stretch in stretches if stretch is not None)
    return OUTSIDE if None in stretches or total > reach else ceil(total / MINUTE_MS)


def _gaps(worked: Spans, window: Span) -> Iterator[tuple[int, int]]:
    """The parts of the window that he does not work."""
    at = window.start
    for start, end in worked:
        if end <= at or start >= window.end:
            continue
        if start > at:
            yield at, start
        at = end
    if at < window.end:
        yield at, window.end


def _stretch(worked: Spans, begin: int, end: int) -> int | None:
    """The shorter of the two ways to fill a gap: to begin earlier what comes after it, or to end later what comes before."""
    after = min((start - begin for start, _ in worked if start >= end), default=None)
    before = min((end - stop for _, stop in worked if stop <= begin), default=None)
    return min((way for way in (after, before) if way is not None), default=None)


def metres_outside(shape: Shape, lat_e6: int, lng_e6: int, areas: frozenset[str]) -> int:
    """By how many metres a zone must grow to hold the place. A list of areas has no rim that could be pushed out: it is OUTSIDE."""
    if covers(shape, lat_e6, lng_e6, areas):
        return 0
    if isinstance(shape, Areas):
        return OUTSIDE
    if isinstance(shape, Circle):
        return max(1, ceil(distance_m(shape.lat_e6, shape.lng_e6, lat_e6, lng_e6) - shape.radius_m))
    return max(1, ceil(_to_ring(shape.ring, lat_e6, lng_e6)))


def _to_ring(ring: tuple[Corner, ...], lat_e6: int, lng_e6: int) -> float:
    """Metres from a place to the nearest side, on a map that is flat around the place."""
    across = cos(lat_e6 * RAD_PER_E6) * M_PER_E6
    flat = [((lng - lng_e6) * across, (lat - lat_e6) * M_PER_E6) for lat, lng in ring]
    return min(_to_side(*flat[number - 1], *flat[number]) for number in range(len(flat)))


def _to_side(x1: float, y1: float, x2: float, y2: float) -> float:
    dx, dy = x2 - x1, y2 - y1
    along = min(1.0, max(0.0, -(x1 * dx + y1 * dy) / (dx * dx + dy * dy)))
    return hypot(x1 + along * dx, y1 + along * dy)


def words(minutes: Sequence[int], metres: int) -> tuple[str, ...]:
    """The reasons of a proposal: what is outside, for the windows shown (their minutes), and the place."""
    found = []
    if any(minutes):
        found.append(f"{_minutes(minutes)}outside your hours")
    if metres:
        found.append("outside your zone" if metres == OUTSIDE else f"{ceil(metres / 100) / 10:.1f} km outside your zone")
    return tuple(found)


def _minutes(minutes: Sequence[int]) -> str:
    if OUTSIDE in minutes:
        return "" if all(minutes) else "in some of the windows "
    return f"{minutes[0]} min " if len(set(minutes)) == 1 else f"up to {max(minutes)} min "
