"""What a change of a market's settings changed: field by field, without secrets, and never too long (R84, P14b)."""

from typing import Any

import msgspec
import pytest

from dispatch.changes import ANOTHER, HIDDEN, LONGEST, Change, changes_of
from dispatch.model import MarketSettings

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
HOOK = {"url": "https://ada:pass@shop.example/hooks?token=t0k#x", "secret": SECRET}


def read(**chosen: Any) -> MarketSettings:
    return msgspec.convert(chosen, MarketSettings)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({}, {}, []),
        ({}, {"travel_gap_s": 60}, [("travel_gap_s", 1_800, 60)]),
        ({"travel_gap_s": 60}, {}, [("travel_gap_s", 60, 1_800)]),
        ({}, {"answer_s": {"last_minute": 600, "same_day": 1_800, "advance": 14_400, "far": 9}}, [("answer_s.far", 43_200, 9)]),
        ({}, {"pacing": {"speed": 2}}, [("pacing.speed", 1.0, 2.0)]),
        ({}, {"quiet_hours": None}, [("quiet_hours", {"from": "22:00", "to": "07:00"}, None)]),
        ({}, {"quiet_hours": {"from": "23:00", "to": "07:00"}}, [("quiet_hours.from", "22:00", "23:00")]),
        ({"bonus_steps": []}, {"bonus_steps": [{"zone_km": 2}]}, [("bonus_steps", [], [{"hours_min": 0, "zone_km": 2.0}])]),
        ({"horizon_days": 3}, {"horizon_days": 4, "pause_after": 9}, [("horizon_days", 3, 4), ("pause_after", 4, 9)]),
    ],
)
def test_a_change_names_the_field_what_it_was_and_what_it_is(old: dict[str, Any], new: dict[str, Any], changes: list[Any]) -> None:
    assert sorted(changes_of(read(**old), read(**new))) == sorted(Change(*each) for each in changes)


def test_a_market_that_is_new_had_the_defaults() -> None:
    assert changes_of(None, MarketSettings()) == ()
    assert changes_of(None, read(fair_window_s=2)) == (Change("fair_window_s", 0.0, 2.0),)


def test_a_shape_that_becomes_another_is_told_with_all_its_fields() -> None:
    circle, ring = {"type": "circle", "lat": 1, "lng": 2, "radius_km": 3}, [[0, 0], [0, 1], [1, 0]]
    changes = changes_of(read(bounds=circle), read(bounds={"type": "polygon", "coordinates": ring}))
    assert {change.field for change in changes} == {f"bounds.{name}" for name in ("type", "lat", "lng", "radius_km", "coordinates")}


def test_no_secret_is_told_and_of_a_url_only_its_place() -> None:
    told = [
        changes_of(read(), read(webhook=HOOK)),
        changes_of(read(webhook=HOOK), read(webhook=HOOK | {"secret": OTHER})),
        changes_of(read(webhook=HOOK), read(webhook=HOOK | {"url": "https://shop.example/else"})),
        changes_of(read(webhook=HOOK), read()),
    ]
    place = "https://shop.example/hooks?..."
    assert told[0] == (Change("webhook", None, {"url": place, "secret": HIDDEN}),)
    assert told[1] == (Change("webhook.secret", HIDDEN, ANOTHER),)
    assert told[2] == (Change("webhook.url", place, "https://shop.example/else"),)
    assert not [word for word in (SECRET, OTHER, "pass", "t0k", "ada") if word in str(told)]


def test_what_is_too_long_is_told_by_its_digest() -> None:
    ring = [[n / 1_000, (n * n) / 1e6] for n in range(400)]
    ((name, _, new),) = changes_of(read(), read(bounds={"type": "polygon", "coordinates": ring}))
    assert name == "bounds"
    assert set(new["coordinates"]) == {"length", "sha256"}
    assert new["coordinates"]["length"] > LONGEST
