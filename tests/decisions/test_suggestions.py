"""Suggestions: what follows from why a provider refused, and nothing more (R20)."""

from typing import Any

import msgspec
import pytest

from dispatch import hours
from dispatch.model import ProviderSettings, Span
from dispatch.suggestions import Asked, applied, suggest
from dispatch.zones import covers, from_model

PARIS = "Europe/Paris"
FRIDAY_14 = 1_804_856_400_000  # Friday 2027-03-12 14:00 in Paris
HOUR = 3_600_000
HOME = {"lat": 48.86, "lng": 2.34}


def settings(**changes: Any) -> ProviderSettings:
    right = {
        "name": "Awa", "trade": "hair", "catalogue": ["cut", "dry"],
        "zone": {"type": "circle", **HOME, "radius_km": 6}, "hours": "Mo-Fr 09:00-19:00",
    }  # fmt: skip
    return msgspec.convert(right | changes, ProviderSettings)


def asked(**changes: Any) -> Asked:
    right: dict[str, Any] = {
        "proposal": "1.1.1", "lat": 48_900_000, "lng": 2_340_000, "areas": frozenset({"75018", "75118"}),
        "services": ("cut",), "window": Span(FRIDAY_14, FRIDAY_14 + HOUR),
    }  # fmt: skip
    return Asked(**right | changes)


@pytest.mark.parametrize("lat", [48_862_000, 48_880_000, 48_900_000, 48_913_000])
def test_too_far_suggests_the_largest_zone_that_leaves_the_place_out(lat: int) -> None:
    there = asked(lat=lat)
    found = suggest("too_far", settings(), there, PARIS)
    if found is None:
        assert lat == 48_862_000  # within the first step: nothing would be left
        return
    after = applied(settings(), found)
    shape = from_model(after.zone)
    assert not covers(shape, there.lat, there.lng, frozenset())
    wider = from_model(msgspec.convert({"type": "circle", **HOME, "radius_km": found.radius_m / 1_000 + 0.5}, type(after.zone)))  # type: ignore[operator]
    assert covers(wider, there.lat, there.lng, frozenset())
    assert {name for name in ProviderSettings.__struct_fields__ if getattr(after, name) != getattr(settings(), name)} == {"zone"}


def test_too_far_for_areas_leaves_those_that_hold_the_place_but_never_all_of_them() -> None:
    mine = settings(zone={"type": "areas", "codes": ["75017", "75018"]})
    found = suggest("too_far", mine, asked(), PARIS)
    assert found is not None
    assert found.areas == ("75018",)
    assert applied(mine, found).zone.codes == ["75017"]  # type: ignore[union-attr]
    assert suggest("too_far", settings(zone={"type": "areas", "codes": ["75018"]}), asked(), PARIS) is None


@pytest.mark.parametrize("reason", ["not_then", "not_free"])
@pytest.mark.parametrize("written", ["Mo-Fr 09:00-19:00", "24/7", "Mo-Fr 09:00-12:30,13:00-19:00; Sa 10:00-18:00"])
def test_not_then_leaves_out_that_time_of_that_day_and_no_other(reason: str, written: str) -> None:
    mine = settings(hours=written)
    found = suggest(reason, mine, asked(), PARIS)
    assert found is not None
    after = applied(mine, found)
    week = (FRIDAY_14 - 5 * 24 * HOUR, FRIDAY_14 + 9 * 24 * HOUR)
    before, now = (sum(end - start for start, end in hours.spans(one.hours, (), (), PARIS, *week)) for one in (mine, after))
    assert before - now == 2 * HOUR  # this Friday and the next
    for shift in (0, 7 * 24 * HOUR):
        assert hours.spans(after.hours, (), (), PARIS, FRIDAY_14 + shift, FRIDAY_14 + shift + HOUR) == ()


def test_not_then_past_midnight_leaves_out_the_evening() -> None:
    late = FRIDAY_14 + 9 * HOUR + HOUR // 2
    found = suggest("not_then", settings(hours="24/7"), asked(window=Span(late, late + HOUR)), PARIS)
    assert found is not None
    assert found.hours == "24/7; Fr 23:30-24:00 off"


def test_not_my_service_drops_the_one_that_was_asked() -> None:
    found = suggest("not_my_service", settings(), asked(), PARIS)
    assert found is not None
    assert tuple(applied(settings(), found).catalogue) == ("dry",)


@pytest.mark.parametrize(
    ("reason", "mine", "there"),
    [
        ("price_too_low", {}, {}),
        ("my car broke down", {}, {}),
        ("", {}, {}),
        ("too_far", {"zone": {"type": "circle", **HOME, "radius_km": 4}}, {}),  # it is a bonus beyond his zone already
        ("too_far", {"zone": {"type": "polygon", "coordinates": [[2.3, 48.8], [2.4, 48.8], [2.4, 48.95]]}}, {}),
        ("not_then", {"hours": "Mo-Th 09:00-19:00"}, {}),  # he does not work then anyway
        ("not_then", {"hours": "Mo-Fr 09:00-19:00; " + "Sa 10:00-11:00; " * 61}, {}),  # it would become too long
        ("not_my_service", {"catalogue": ["cut"]}, {}),  # his last one
        ("not_my_service", {}, {"services": ("cut", "dry")}),  # which of them?
        ("not_my_service", {"catalogue": ["dry", "wax"]}, {}),
    ],
)
def test_from_other_reasons_and_in_other_cases_nothing_follows(reason: str, mine: dict[str, Any], there: dict[str, Any]) -> None:
    assert suggest(reason, settings(**mine), asked(**there), PARIS) is None


def test_what_was_applied_is_applied_once() -> None:
    for reason in ("too_far", "not_then", "not_my_service"):
        found = suggest(reason, settings(), asked(), PARIS)
        assert found is not None
        once = applied(settings(), found)
        assert once != settings()
        assert applied(once, found) == once
