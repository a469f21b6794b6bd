"""Crews: what they answer and after how long, and how the share of those out is measured."""

from collections import Counter
from random import Random

import pytest

from bench.crews import Busy, by_delays, by_offers
from dispatch.demo.behaviour import Answer
from tests.bench.table import call

MINUTE = 60_000


def test_delays_are_those_of_calls_of_the_same_priority() -> None:
    draw = by_delays([call(priority="3", delay_min=2.0), call(priority="2", delay_min=7.5), call(priority="1", delay_min=30.0)])
    for urgency, minutes in {"last_minute": 2, "same_day": 7.5, "advance": 30}.items():
        assert {draw(Random(n), urgency).after_s for n in range(20)} == {minutes * 60}


def test_what_is_answered_follows_the_real_requests() -> None:
    draw = by_delays([call()])
    found = Counter(draw(Random(n), "last_minute").answer for n in range(5_000))
    assert found[Answer.ACCEPT] / 5_000 == pytest.approx(0.44, abs=0.03)
    assert found[Answer.NEVER] / 5_000 == pytest.approx(0.22, abs=0.03)


def test_nothing_is_answered_before_it_is_seen() -> None:
    for draw in (by_delays([call(delay_min=0.5)]), by_offers([])):
        plans = [draw(Random(n), "last_minute") for n in range(200)]
        assert all(0 <= plan.seen_s <= plan.after_s for plan in plans)


def test_the_busiest_hour_is_a_whole_hour_of_the_run() -> None:
    out = [0] * 60 + [40] * 30 + [20] * 30 + [0] * 60
    busy = Busy(100, [(n * MINUTE, count) for n, count in enumerate(out)])
    assert busy.peak == 0.4
    assert busy.busiest_hour == pytest.approx(0.3, abs=0.01)
    assert busy.mean == pytest.approx(0.1)


def test_a_run_shorter_than_an_hour_is_measured_as_a_whole() -> None:
    assert Busy(10, [(0, 2), (MINUTE, 4)]).busiest_hour == pytest.approx(0.3)
    assert (Busy(10).busiest_hour, Busy(10).peak, Busy(10).mean) == (0, 0, 0)
