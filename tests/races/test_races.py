"""Every pair of verbs raced on a whole engine, and the controls that must not pass (P1, P3, P4, P6, P9, P10, P12).

A short cut of `make check-long`, which races each pair 200 times: here 20 times.
"""

from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.broken import deaf_copy
from tests.faults.counts import Fired
from tests.faults.naive import naive_copy
from tests.races.__main__ import report
from tests.races.counts import tallies
from tests.races.pairs import PAIRS, Pair
from tests.races.run import Outcome, Plan, run

SEED = 11
CLAIMS = ("accept x accept", "accept x cancel by client", "accept x counter accepted")
WAVES = ("accept x next wave", "refuse x next wave", "cancel by client x next wave", "take over x next wave")


def named(*names: str) -> tuple[Pair, ...]:
    return tuple(pair for pair in PAIRS if pair.name in names)


def show(outcome: Outcome) -> int:
    return report(outcome, Console(width=160))


@pytest.mark.timeout(900)
async def test_whatever_meets_ends_in_one_way_that_all_parties_are_told_and_either_order_occurs_p1_p3_p10() -> None:
    outcome = await run(Plan(seed=SEED))
    assert show(outcome) == 0
    assert len(outcome.tallies) == 55
    assert all(tally.races >= 20 and all(tally.first) for tally in outcome.tallies.values())


@pytest.mark.timeout(300)
async def test_a_naive_claim_is_found_out_p1(tmp_path: Path) -> None:
    outcome = await run(Plan(seed=SEED, lanes=8, each=6, patience_s=3, pairs=named(*CLAIMS), code=naive_copy(tmp_path / "naive")))
    assert show(outcome) == 1
    assert any(line.startswith("accept x accept") and "('won',), ('won',)" in line for line in outcome.wrong)


@pytest.mark.timeout(300)
async def test_a_wave_that_leaves_whatever_has_happened_meanwhile_is_found_out_p6_p10(tmp_path: Path) -> None:
    outcome = await run(Plan(seed=SEED, lanes=8, each=6, patience_s=3, pairs=named(*WAVES), code=deaf_copy(tmp_path / "deaf")))
    assert show(outcome) == 1
    assert any("next wave" in line and "WaveSent wave C" in line for line in outcome.wrong)


def test_an_order_that_never_occurred_fails_the_run() -> None:
    outcome = Outcome(plan=Plan(seed=1, each=20), tallies=tallies(), fired=Fired())
    for tally in outcome.tallies.values():
        tally.races, tally.first = 20, [19, 1]
    assert outcome.complaints() == []
    outcome.tallies["accept x move"].first = [20, 0]
    outcome.tallies["move x move"].first = [0, 20]
    assert outcome.complaints() == [
        "never occurred in 20 races: move before accept",
        "never occurred in 20 races: the one before the other",
    ]


def test_a_pair_that_was_raced_too_seldom_fails_the_run() -> None:
    outcome = Outcome(plan=Plan(seed=1, each=2, pairs=PAIRS[:1]), tallies=tallies(PAIRS[:1]), fired=Fired())
    outcome.tallies["accept x accept"].first = [1, 1]
    assert outcome.complaints() == ["raced only 0 times: accept x accept"]
