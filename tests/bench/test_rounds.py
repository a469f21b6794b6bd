"""Ratios within rounds, what is said of them, and what must hold."""

from collections import Counter

import pytest
from rich.console import Console

from bench.peers.rounds import Holds, Ratio, Times, interleaved, part, table


def seen(**rounds: list[list[float]]) -> Times:
    """Times of contenders, a list a round."""
    times = Times()
    for name, lists in rounds.items():
        for turn, some in enumerate(lists):
            for ms in some:
                times.add(name, turn, ms)
    return times


def test_a_ratio_is_taken_within_each_round_and_shown_with_its_spread() -> None:
    """In the second round the machine takes ten times as long: that is no difference between the two."""
    times = seen(ours=[[1, 1, 9], [10, 10, 90], [1, 1, 1]], other=[[2, 2, 2], [20, 20, 20], [8, 8, 8]])
    assert times.ratio("other", "ours") == Ratio(2, 2, 8)
    assert str(times.ratio("other", "ours")) == "2.00 (2.00-8.00)"


def test_a_ratio_counts_rounds_in_which_both_took_part() -> None:
    times = seen(ours=[[1], [1]], other=[[5]])
    assert times.ratio("other", "ours") == Ratio(5, 5, 5)


@pytest.mark.parametrize(
    ("cut", "p50", "p99"),
    [(0, "1.00", "1.00"), (1, "1.00", "> 5000"), (5, "> 5000", "> 5000"), (10, "> 5000", "> 5000")],
)
def test_a_call_that_was_ended_counts_as_the_limit_and_is_shown_as_more(cut: int, p50: str, p99: str) -> None:
    times = Times()
    for number in range(10):
        times.add("other", 0, 5_000 if number < cut else 1, number < cut)
    assert (times.shown("other", 0.5), times.shown("other", 0.99)) == (p50, p99)


@pytest.mark.parametrize(
    ("bounds", "ratio", "kept"),
    [
        ({"at_least": 20}, Ratio(20, 1, 30), True),
        ({"at_least": 20}, Ratio(19.9, 19, 300), False),
        ({"at_most": 3}, Ratio(3, 1, 9), True),
        ({"at_most": 3}, Ratio(3.1, 3, 4), False),
    ],
)
def test_what_must_hold_is_judged_by_the_median_of_the_rounds(bounds: dict[str, float], ratio: Ratio, kept: bool) -> None:
    judged = Holds("this beside that", ratio, **bounds)
    assert bool(judged) is kept
    assert judged.line().startswith("holds: this" if kept else "DOES NOT HOLD: this")


def test_everybody_is_called_once_a_call_and_each_goes_first_as_often() -> None:
    plan = list(interleaved(["a", "b", "c"], rounds=3, calls=2))
    assert Counter(plan) == Counter({(turn, call, name): 1 for turn in range(3) for call in range(2) for name in "abc"})
    assert Counter(name for _, _, name in plan[::3]) == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 3), (0.99, 4), (1, 4)])
def test_a_quantile_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert part([4, 1, 3, 2], share) == value


def test_the_table_has_a_row_for_each_contender_and_the_ratio_beside_ours() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table("a title", [("rare", seen(ours=[[1], [2]], other=[[4], [12]]))], "ours"))
    lines = [line for line in shown.get().splitlines() if "rare" in line]
    assert len(lines) == 2
    assert "5.00 (4.00-6.00)" in lines[1]
