"""Marks: how far a visit lies outside what a provider has set, to the minute and the metre, and in words (R28, R30, R32)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.hours import spans
from dispatch.marks import OUTSIDE, metres_outside, minutes_outside, words
from dispatch.model import ProviderSettings, Span, Zone
from dispatch.zones import covers, distance_m, from_model

PARIS = "Europe/Paris"
FRIDAY = "2027-03-12"
CIRCLE = {"type": "circle", "lat": 48.86, "lng": 2.34, "radius_km": 6}
MINUTE = 60_000


def provider(hours: str, **changes: Any) -> ProviderSettings:
    right = {"name": "Awa", "trade": "hair", "catalogue": ["cut"], "zone": CIRCLE, "hours": hours}
    return msgspec.convert(right | changes, ProviderSettings)


def moment(text: str, day: str = FRIDAY) -> int:
    return round(datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=ZoneInfo(PARIS)).timestamp() * 1_000)


def visit(start: str, end: str, day: str = FRIDAY) -> Span:
    return Span(moment(start, day), moment(end, day))


@pytest.mark.parametrize(
    ("hours", "start", "end", "minutes"),
    [
        ("Mo-Fr 09:00-18:00", "10:00", "11:00", 0),
        ("Mo-Fr 09:00-18:00", "09:00", "18:00", 0),
        ("Mo-Fr 09:00-18:00", "08:20", "09:20", 40),
        ("Mo-Fr 09:00-18:00", "17:30", "18:01", 1),
        ("Mo-Fr 09:00-18:00", "08:30", "18:20", 50),
        ("Mo-Fr 09:00-18:00", "18:00", "19:00", 60),
        ("Mo-Fr 09:00-18:00", "18:30", "19:00", 60),
        ("Mo-Fr 09:00-18:00", "18:00", "22:00", 240),
        ("Mo-Fr 09:00-18:00", "18:00", "22:01", OUTSIDE),
        ("Mo-Fr 09:00-18:00", "22:30", "23:00", OUTSIDE),
        ("Mo-Fr 09:00-12:30,13:15-18:00", "12:00", "14:00", 45),
        ("Mo-Fr 09:00-12:30,13:15-18:00", "12:40", "13:00", 30),
        ("Mo-Th 09:00-24:00", "00:30", "01:30", 90),
        ("Mo-Th 09:00-18:00", "10:00", "11:00", OUTSIDE),
    ],
)
def test_the_minutes_by_which_hours_must_be_stretched_r28_r30(hours: str, start: str, end: str, minutes: int) -> None:
    assert minutes_outside(provider(hours), PARIS, visit(start, end)) == minutes


def test_a_limit_is_a_limit_to_the_minute_r30() -> None:
    settings = provider("Mo-Fr 09:00-18:00")
    assert minutes_outside(settings, PARIS, visit("18:00", "19:00"), 60) == 60
    assert minutes_outside(settings, PARIS, visit("18:00", "19:01"), 60) == OUTSIDE


def test_a_day_of_absence_is_no_habit_to_be_stretched_r30() -> None:
    settings = provider("Mo-Sa 09:00-18:00", absences=[{"from": "2027-03-13", "to": "2027-03-13"}])
    assert minutes_outside(settings, PARIS, visit("18:00", "18:40")) == 40
    assert minutes_outside(settings, PARIS, visit("10:00", "11:00", "2027-03-13")) == OUTSIDE
    late = provider("Mo-Sa 09:00-24:00", absences=[{"from": "2027-03-13", "to": "2027-03-13"}])
    assert minutes_outside(late, PARIS, Span(moment("23:30"), moment("00:20", "2027-03-13"))) == OUTSIDE


@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])
def test_the_night_in_which_clocks_change_has_real_minutes_r30(day: str) -> None:
    start = moment("05:00", day)
    assert minutes_outside(provider("Mo-Su 06:00-18:00"), PARIS, Span(start, start + 90 * MINUTE)) == 60


@given(
    start=st.integers(0, 1_439),
    length=st.integers(1, 300),
    opens=st.integers(0, 1_200),
    works=st.integers(10, 239),
    most=st.integers(1, 240),
)
def test_hours_that_are_so_much_longer_hold_the_visit_r30(start: int, length: int, opens: int, works: int, most: int) -> None:
    """With one range a day: the visit fits when both ends together are stretched by what is said, and not by a minute less."""
    clock = lambda minute: f"{minute // 60:02}:{minute % 60:02}"  # noqa: E731
    settings = provider(f"Fr {clock(opens)}-{clock(opens + works)}")
    window = Span(moment("00:00") + start * MINUTE, moment("00:00") + (start + length) * MINUTE)
    said = minutes_outside(settings, PARIS, window, most)
    before, after = max(0, opens - start), max(0, start + length - opens - works)
    assert said == (before + after if before + after <= most else OUTSIDE)
    held = spans(settings.hours, (), (), PARIS, window.start, window.end) == ((window.start, window.end),)
    assert (said == 0) == held


ZONES: dict[str, dict[str, Any]] = {
    "circle": CIRCLE,
    "square": {"type": "polygon", "coordinates": [[2.30, 48.83], [2.38, 48.83], [2.38, 48.89], [2.30, 48.89]]},
}


@pytest.mark.parametrize(
    ("zone", "lat", "lng", "metres"),
    [
        ("circle", 48.86, 2.34, 0),
        ("circle", 48.86, 2.44, 1_315),
        ("square", 48.86, 2.34, 0),
        ("square", 48.86, 2.40, 1_463),
        ("square", 48.92, 2.34, 3_336),
        ("square", 48.90, 2.39, 1_331),
    ],
)
def test_the_metres_by_which_a_zone_must_grow_r28_r30(zone: str, lat: float, lng: float, metres: int) -> None:
    shape = from_model(msgspec.convert(ZONES[zone], Zone))
    found = metres_outside(shape, round(lat * 1e6), round(lng * 1e6), frozenset())
    assert abs(found - metres) <= max(2, metres // 200)


@given(lat=st.integers(48_700_000, 49_000_000), lng=st.integers(2_100_000, 2_600_000), name=st.sampled_from(sorted(ZONES)))
def test_inside_is_nothing_outside_is_something_and_it_is_the_way_to_the_zone(lat: int, lng: int, name: str) -> None:
    shape = from_model(msgspec.convert(ZONES[name], Zone))
    metres = metres_outside(shape, lat, lng, frozenset())
    assert (metres == 0) == covers(shape, lat, lng, frozenset())
    middle = distance_m(48_860_000, 2_340_000, lat, lng)
    assert metres <= middle + 1


def test_a_list_of_areas_has_no_rim() -> None:
    shape = from_model(msgspec.convert({"type": "areas", "codes": ["75001"]}, Zone))
    assert metres_outside(shape, 48_860_000, 2_340_000, frozenset({"75001"})) == 0
    assert metres_outside(shape, 48_860_000, 2_340_000, frozenset({"75002"})) == OUTSIDE


@pytest.mark.parametrize(
    ("minutes", "metres", "said"),
    [
        ((0,), 0, ()),
        ((40,), 0, ("40 min outside your hours",)),
        ((40, 40), 0, ("40 min outside your hours",)),
        ((0, 40), 0, ("up to 40 min outside your hours",)),
        ((OUTSIDE,), 0, ("outside your hours",)),
        ((0, OUTSIDE), 0, ("in some of the windows outside your hours",)),
        ((0,), 20, ("0.1 km outside your zone",)),
        ((0,), 3_120, ("3.2 km outside your zone",)),
        ((25,), OUTSIDE, ("25 min outside your hours", "outside your zone")),
    ],
)
def test_the_words_that_a_provider_reads_r32(minutes: tuple[int, ...], metres: int, said: tuple[str, ...]) -> None:
    assert words(minutes, metres) == said
