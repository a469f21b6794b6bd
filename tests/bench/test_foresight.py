"""Foresight: which bookings count, what is made of those that nobody took, and when a class is called good (R19)."""

import pytest

from bench.foresight import Wait, by_class, good, of, split


def wait(told: float | None = 4.0, took: float | None = 4.0, seen: float = 60.0, urgency: str = "last_minute", at: float = 0.0) -> Wait:
    return Wait(urgency=urgency, told=told, took=took, seen=seen, at=at)


@pytest.mark.parametrize(
    ("took", "ratio", "near"), [([4.0] * 3, 1.0, 1.0), ([1, 4, 16], 1.0, 1 / 3), ([2, 2, 20], 0.5, 0), ([7, 8, None], 2.0, 0)]
)
def test_a_class_is_judged_by_the_median_of_took_over_told(took: list[float | None], ratio: float, near: float) -> None:
    found = of(wait(took=one) for one in took)
    assert (found.ratio, found.near, found.judged) == (ratio, pytest.approx(near), 3)


def test_those_whom_nobody_took_are_slower_than_any() -> None:
    found = of([wait(took=3), wait(took=None), wait(took=None)])
    assert (found.ratio, found.took_min, found.unfilled, found.good) == (None, None, 2, False)


def test_a_booking_counts_when_three_times_the_told_minutes_were_seen_of_it_filled_or_not() -> None:
    found = of([wait(seen=12), wait(seen=11.9), wait(took=None, seen=11.9), wait(took=None, seen=12.1)])
    assert (found.judged, found.young, found.unfilled) == (2, 2, 1)


def test_those_that_were_told_nothing_are_in_no_ratio_and_are_counted() -> None:
    found = of([wait(), wait(told=None), wait(told=None, took=None)])
    assert (found.judged, found.told_nothing, found.told_nothing_filled, found.ratio) == (1, 2, 1, 1.0)


@pytest.mark.parametrize(("ratio", "expected"), [(0.6, False), (0.7, True), (1.5, True), (1.6, False)])
def test_a_class_is_good_within_a_factor_of_one_and_a_half(ratio: float, expected: bool) -> None:
    classes = by_class(wait(took=4 * ratio) for _ in range(10))
    assert classes["last_minute"].good is expected
    assert good(classes) is expected


def test_a_class_with_few_bookings_is_shown_and_not_judged_and_without_any_nothing_is_good() -> None:
    few = [wait(took=40, urgency="advance") for _ in range(9)]
    assert good(by_class([*few, *(wait() for _ in range(10))]))
    assert not good(by_class(few))
    assert not good(by_class([]))


def test_something_told_as_no_time_at_all_is_measured_against_three_seconds() -> None:
    assert wait(told=0.0, took=0.05).ratio == pytest.approx(1.0)


def test_the_hours_in_which_the_engine_gets_to_know_the_market_stand_apart() -> None:
    warming, judged = split([wait(took=40, at=59.9), wait(at=60), wait(at=600)], 60)
    assert (warming["last_minute"].ratio, judged["last_minute"].ratio, judged["last_minute"].judged) == (10.0, 1.0, 2)
    assert split([wait()], 0)[0] == {}
