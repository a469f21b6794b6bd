"""Laying days over each other: which days, how many, and in which order their calls come in."""

from datetime import timedelta

import pytest

from bench.overlay import MARGIN, booking_id, enough, from_hour, lead_h, overlay, urgency_in, urgency_of
from dispatch.model import MarketSettings
from dispatch.waves import row_of
from tests.bench.table import DAY, call


def many(days: int, a_day: int = 4) -> list[object]:
    """Days with calls at 9, 10, 11... each by a unit of its own."""
    return [call(540 + 60 * n, 30, day=DAY + timedelta(days=day), unit=f"E{n}", number=n + 1) for day in range(days) for n in range(a_day)]


@pytest.mark.parametrize(
    ("priority", "expected"), [("3", "last_minute"), ("E", "last_minute"), ("2", "same_day"), ("1", "advance"), ("A", "advance")]
)
def test_a_priority_becomes_a_lead_time_in_its_class_r12(priority: str, expected: str) -> None:
    assert urgency_of(priority) == expected
    assert row_of(MarketSettings(), round(lead_h(priority) * 3_600_000)).class_ == expected
    assert urgency_in(booking_id(call(priority=priority), 17)) == expected


def test_the_last_days_are_taken_each_call_at_its_own_hour() -> None:
    over = overlay(many(10), 3)
    assert (over.days[0], over.days[-1], len(over.days)) == (DAY + timedelta(days=7), DAY + timedelta(days=9), 3)
    assert [one.at_min for one in over.calls] == [540] * 3 + [600] * 3 + [660] * 3 + [720] * 3
    assert len(over.history) == 40


def test_units_are_those_of_the_days_that_are_taken_and_their_history_is_a_year_long() -> None:
    old = [call(unit="OLD", day=DAY - timedelta(days=400)), call(unit="RETIRED", day=DAY - timedelta(days=100))]
    over = overlay([*old, *many(10)], 3)
    assert over.units == {"E0", "E1", "E2", "E3"}
    assert {one.row.unit for one in over.history} == over.units | {"RETIRED"}


def test_the_share_of_units_out_is_time_away_over_time_there() -> None:
    assert overlay(many(10), 1).share_out(540, 4) == pytest.approx(4 * 30 / (4 * 240))
    assert overlay(many(10), 5).share_out(540, 4) == pytest.approx(5 * 4 * 30 / (4 * 240))
    assert overlay(many(10), 1).share_out(1_380, 11) == pytest.approx(30 / (4 * 660)), "11 hours from 23:00 hold the call of 9:00"


@pytest.mark.parametrize(("share", "days"), [(0.05, 1), (0.1, 2), (0.3, 4), (0.9, 10)])
def test_as_few_days_are_taken_as_are_enough_and_all_when_none_are(share: float, days: int) -> None:
    assert MARGIN == 1.6
    assert len(enough(many(10), share, 540, 4).days) == days


def test_calls_come_in_from_an_hour_on_past_midnight_and_round_again() -> None:
    calls = overlay(many(1), 1).calls
    assert [(after, one.at_min) for after, one in from_hour(calls, 630, 24)] == [(30, 660), (90, 720), (1_350, 540), (1_410, 600)]
    assert [after for after, _ in from_hour(calls, 630, 25.5)] == [30, 90, 1_350, 1_410, 1_470]
    assert list(from_hour((), 630, 24)) == []
