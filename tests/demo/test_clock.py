"""The city's time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dispatch.demo.clock import CityClock, ms, zone_for


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("start", [0, 8, 20])
def test_the_zone_makes_it_the_hour_that_was_asked_for(hour: int, start: int) -> None:
    now = datetime(2026, 11, 24, hour, 42, tzinfo=UTC)
    assert now.astimezone(ZoneInfo(zone_for(start, now))).hour == start


def test_without_an_hour_the_city_has_the_time_of_paris() -> None:
    assert zone_for(None, datetime.now(UTC)) == "Europe/Paris"


def test_a_fast_clock_runs_fast() -> None:
    clock = CityClock(engine_ms=1_000_000, wall_s=0.0, speed=60, zone=ZoneInfo("UTC"))
    assert clock.wall(120) == 2
    assert clock.local(1_500).microsecond == 500_000
    assert clock.now_ms() > 1_000_000


def test_a_moment_is_read_to_the_millisecond() -> None:
    assert ms(datetime.fromisoformat("2026-11-24T10:00:00.123+01:00")) == 1_795_510_800_123
