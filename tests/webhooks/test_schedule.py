"""When a failed delivery is tried again."""

import statistics

import pytest

from dispatch.webhooks import GIVE_UP_MS, next_attempt_ms


@pytest.mark.parametrize(
    ("attempts", "least", "most"), [(1, 500, 1_000), (2, 1_000, 2_000), (6, 16_000, 32_000), (12, 1_024_000, 2_048_000)]
)
def test_the_pause_doubles(attempts: int, least: int, most: int) -> None:
    assert all(least <= next_attempt_ms(attempts, f"msg_{number}") <= most for number in range(100))


@pytest.mark.parametrize("attempts", [13, 40, 10_000])
def test_the_pause_never_exceeds_an_hour(attempts: int) -> None:
    assert all(1_800_000 <= next_attempt_ms(attempts, f"msg_{number}") <= 3_600_000 for number in range(100))


def test_the_same_event_gets_the_same_pauses_and_many_events_spread_out() -> None:
    assert next_attempt_ms(5, "msg_1") == next_attempt_ms(5, "msg_1")
    pauses = [next_attempt_ms(5, f"msg_{number}") for number in range(1_000)]
    assert len(set(pauses)) > 800
    assert abs(statistics.mean(pauses) - 12_000) < 300


def test_a_day_of_failures_is_some_forty_attempts() -> None:
    passed = attempts = 0
    while passed < GIVE_UP_MS:
        attempts += 1
        passed += next_attempt_ms(attempts, "msg_1")
    assert 35 < attempts < 60
