"""The coverage report: service by zone by hour, how many providers could serve, so that no one sells what nobody can do (R9)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from h3.api import basic_str as h3  # type: ignore[import-untyped]

from dispatch.engine import checks, faces
from dispatch.engine.places import Places
from dispatch.engine.requests import CoverageQuestion
from dispatch.errors import Unprocessable
from dispatch.hours import QUARTER
from dispatch.store import Market, Store
from dispatch.zones import RESOLUTION, cell_of, larger

ZONES, REGIONS, MOST = 120, 16, 200_000  # zones of a report, coarse cells they are looked for in, numbers it may hold
HOUR_MS = 3_600_000


class Zone(NamedTuple):
    """A part of the market: an H3 cell of resolution 5 to 7, and the place in it for which is counted."""

    cell: str
    lat_e6: int
    lng_e6: int


class Coverage:
    """Counts who could serve."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store, self._places = store, places

    async def report(self, market: Market, question: CoverageQuestion) -> dict[str, Any]:
        """The report. Raises Unprocessable when what is asked for is not there, or too much at once."""
        services = question.services or tuple(service.code for service in market.catalogue.services)
        checks.check_services(market, services)
        hours = list(hours_of(market, question))
        zones = [zone_of(cell) for cell in question.zones] or await self.zones(market)
        if len(services) * len(zones) * max(1, len(hours)) > MOST:
            asked = f"{len(services)} services, {len(zones)} zones and {len(hours)} hours"
            raise Unprocessable(f"{asked} are over {MOST:,} numbers; ask for fewer services, zones or days")
        named = [await self._face(market, zone) for zone in zones]
        grid = [await self._at(market, zone, services, [at // QUARTER for at in hours]) for zone in zones]
        by_service = [[column[index] for column in grid] for index in range(len(services))]
        threshold, clock = market.settings.coverage_threshold, faces.clock_of(market.settings.time_zone)
        told = [service_face(one, counts, named, hours, threshold, clock) for one, counts in zip(services, by_service, strict=True)]
        short = sorted((one for one in told if one["gaps"]), key=lambda one: (one["most"], -one["short"]))
        return {
            "threshold": threshold,
            "hours": [clock(at) for at in hours],
            "zones": named,
            "services": told,
            "below_threshold": [one["service"] for one in short],
        }

    async def _at(self, market: Market, zone: Zone, services: Sequence[str], quarters: Sequence[int]) -> list[list[int]]:
        spot = await self._places.spot(market, zone.lat_e6, zone.lng_e6)
        cells = larger(cell_of(zone.lat_e6, zone.lng_e6))
        areas = sorted(spot.codes)
        return await self._store.coverage.at(market.id, cells=cells, areas=areas, services=services, hours=quarters)

    async def _face(self, market: Market, zone: Zone) -> dict[str, Any]:
        spot = await self._places.spot(market, zone.lat_e6, zone.lng_e6)
        return {"zone": zone.cell, "name": spot.name, "lat": zone.lat_e6 / 1e6, "lng": zone.lng_e6 / 1e6}

    async def zones(self, market: Market) -> list[Zone]:
        """The parts of a market that some provider reaches, as fine as a report can show."""
        found: list[str] = []
        for region in (await self._store.gauges.regions(market.id))[:REGIONS]:
            found += await self._store.coverage.reached(market.id, sorted(h3.cell_to_children(region, RESOLUTION)))
        for level in (RESOLUTION, RESOLUTION - 1, RESOLUTION - 2):
            parts: dict[str, list[str]] = {}
            for cell in found:
                parts.setdefault(h3.cell_to_parent(cell, level), []).append(cell)
            if len(parts) <= ZONES:
                break
        return [_part(whole, cells) for whole, cells in sorted(parts.items())[:ZONES]]


def _part(whole: str, cells: Sequence[str]) -> Zone:
    """A zone, counted at its middle, or where somebody reaches it when nobody reaches that."""
    middle = h3.cell_to_center_child(whole, RESOLUTION)
    lat, lng = h3.cell_to_latlng(middle if middle in cells else cells[0])
    return Zone(whole, round(lat * 1e6), round(lng * 1e6))


def zone_of(cell: str) -> Zone:
    """A zone by its cell. Raises Unprocessable when it is none."""
    if not h3.is_valid_cell(cell) or not RESOLUTION - 2 <= h3.get_resolution(cell) <= RESOLUTION:
        raise Unprocessable(f"zones: {cell[:40]} is no H3 cell of resolution 5 to 7; take those of a report without `zones`")
    lat, lng = h3.cell_to_latlng(h3.cell_to_center_child(cell, RESOLUTION))
    return Zone(cell, round(lat * 1e6), round(lng * 1e6))


def hours_of(market: Market, question: CoverageQuestion) -> Iterator[int]:
    """The hours asked for, by their beginnings (ms), those that are over left out. Raises Unprocessable for days beyond the horizon."""
    zone = ZoneInfo(market.settings.time_zone)
    today = datetime.fromtimestamp(market.now / 1_000, zone).date()
    first = question.from_ or today
    if not today <= first or first + timedelta(days=question.days - 1) > today + timedelta(days=market.settings.horizon_days):
        raise Unprocessable(f"from and days must lie between today ({today}) and the horizon, {market.settings.horizon_days} days ahead")
    if question.until_hour <= question.from_hour:
        raise Unprocessable("until_hour must be after from_hour")
    for day in range(question.days):
        begin, end = (_moment(first + timedelta(days=day), hour, zone) for hour in (question.from_hour, question.until_hour))
        yield from (at for at in range(begin, end, HOUR_MS) if at >= market.now)


def _moment(day: date, hour: int, zone: ZoneInfo) -> int:
    """When a local hour (24: the next day) begins."""
    local = datetime.combine(day + timedelta(days=hour // 24), time(hour % 24), zone)
    return round(local.astimezone(UTC).timestamp() * 1_000)


def service_face(
    service: str, counts: Sequence[Sequence[int]], zones: Sequence[dict[str, Any]], hours: Sequence[int], threshold: int, clock: Any
) -> dict[str, Any]:
    """One service: how many could serve, by zone and hour, and where and when they are fewer than the threshold."""
    numbers = [number for row in counts for number in row]
    return {
        "service": service,
        "least": min(numbers, default=0),
        "most": max(numbers, default=0),
        "short": sum(number < threshold for number in numbers),
        "counts": counts,
        "gaps": [
            {"zone": zone["zone"], "name": zone["name"], "from": clock(begin), "until": clock(end), "providers": least}
            for zone, row in zip(zones, counts, strict=True)
            for begin, end, least in gaps(row, hours, threshold)
        ],
    }


def gaps(row: Sequence[int], hours: Sequence[int], threshold: int) -> Iterator[tuple[int, int, int]]:
    """Runs of hours with fewer than the threshold: from, until, and the fewest in them."""
    begin, end, least = 0, 0, threshold
    for number, at in zip(row, hours, strict=True):
        if end and (number >= threshold or at != end):
            yield begin, end, least
            end = 0
        if number < threshold:
            begin, least = (begin, min(least, number)) if end else (at, number)
            end = at + HOUR_MS
    if end:
        yield begin, end, least
