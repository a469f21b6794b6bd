"""What the index is asked for near misses misses nobody whom a step lets in (R30)."""

from typing import Any

import h3.api.basic_str as h3
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.bonus import QUARTER_MS, disk, nearly, wider
from dispatch.matcher import Person, Query
from dispatch.model import BonusStep, MarketSettings, ProviderSettings, Span
from dispatch.store.footprint import footprint_of, names, worked
from dispatch.zones import cells_of, from_model

DAY = 1_804_806_000_000  # Friday 2027-03-12 00:00 in Paris
MINUTE = 60_000
LAT, LNG = 48_860_000, 2_340_000
MARKET = MarketSettings()


def query(*windows: tuple[int, int]) -> Query:
    """Visits between minutes of that day."""
    spans = tuple(Span(DAY + start * MINUTE, DAY + end * MINUTE) for start, end in windows)
    return Query(lat=LAT, lng=LNG, cells=cells_of(LAT, LNG), areas=(), services=("cut",), windows=spans, gap=0)


def person(hours: str, zone: dict[str, Any]) -> Person:
    sent = {"name": "Awa", "trade": "hair", "catalogue": ["cut"], "zone": zone, "hours": hours}
    settings_ = msgspec.convert(sent, ProviderSettings)
    return Person(no=1, settings=settings_, shape=from_model(settings_.zone))


def caught(one: Person, asked: dict[str, Any]) -> bool:
    """Whether the bitmaps of that wider query hold him, as near.lua joins them."""
    left = footprint_of(one.settings, MARKET.time_zone, DAY // QUARTER_MS - 96, DAY // QUARTER_MS + 192)
    free, cells = set(worked(left.work)), set(names(left.net.reach))
    ways = [way for ways in asked["windows"] for way in ways]
    when = any(free.issuperset(way["all"]) and (not way["some"] or not free.isdisjoint(way["some"])) for way in ways)
    return (when or not ways) and not cells.isdisjoint(asked["cells"])


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


HERE = {"type": "circle", "lat": 48.86, "lng": 2.34, "radius_km": 3}


@settings(max_examples=300)
@given(
    opens=st.integers(0, 1_100), works=st.integers(1, 300), rest=st.integers(1, 90), more=st.integers(0, 200),
    start=st.integers(0, 1_300), length=st.integers(1, 400),
)  # fmt: skip
def test_nobody_whose_hours_are_nearly_enough_is_missed_r30(opens: int, works: int, rest: int, more: int, start: int, length: int) -> None:
    closes = min(1_439, opens + works)
    again, late = closes + rest, closes + rest + more
    second = f",{clock(again)}-{clock(late)}" if more and late < 1_440 else ""
    one, asked = person(f"Mo-Su {clock(opens)}-{clock(closes)}{second}", HERE), query((start, start + length))
    found = nearly(asked, one, MARKET, DAY)
    if found is not None:
        assert caught(one, wider(asked, MARKET.bonus_steps[found.step]))


@settings(max_examples=300)
@given(north=st.integers(-160, 160), east=st.integers(-240, 240), radius=st.integers(1, 40), kind=st.sampled_from(["circle", "polygon"]))
def test_nobody_whose_zone_is_nearly_large_enough_is_missed_r30(north: int, east: int, radius: int, kind: str) -> None:
    lat, lng, side = 48.86 + north / 1_000, 2.34 + east / 1_000, radius / 400
    zone: dict[str, Any] = {"type": "circle", "lat": lat, "lng": lng, "radius_km": radius}
    if kind == "polygon":
        zone = {"type": "polygon", "coordinates": [[lng, lat], [lng + side, lat], [lng + side, lat + side]]}
    one, asked = person("24/7", zone), query((600, 660))
    found = nearly(asked, one, MARKET, DAY)
    if found is not None:
        assert caught(one, wider(asked, MARKET.bonus_steps[found.step]))
        assert found.step == 1


@given(metres=st.integers(1, 15_000), bearing=st.integers(0, 359), lat=st.integers(-60, 70), lng=st.integers(-170, 170))
def test_every_cell_that_holds_a_point_of_the_circle_is_in_the_disk_r30(metres: int, bearing: int, lat: int, lng: int) -> None:
    from math import asin, atan2, cos, degrees, radians, sin

    far, to, phi = metres / 6_371_008.8, radians(bearing), radians(lat)
    north = asin(sin(phi) * cos(far) + cos(phi) * sin(far) * cos(to))
    east = radians(lng) + atan2(sin(to) * sin(far) * cos(phi), cos(far) - sin(phi) * sin(north))
    for cells in disk(lat * 1_000_000, lng * 1_000_000, metres):
        assert h3.latlng_to_cell(degrees(north), degrees(east), h3.get_resolution(cells[0])) in cells


def test_a_step_that_leaves_the_zone_asks_for_the_cells_of_the_place_alone() -> None:
    asked = query((600, 660))
    assert wider(asked, BonusStep(hours_min=60))["cells"] == list(asked.cells)
    assert wider(asked, BonusStep(zone_km=5))["windows"] == []
