"""A whole engine under every kind of fault, and the control that must not pass (P1, P2, P3, P7, P8, P9, P12, P15).

A short cut of `make faults`, which runs 20 seeds of 60 bookings: here each kind of fault happens at least once.
"""

from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.broken import forgetful_copy, silent_copy
from tests.faults.counts import KINDS, Fired
from tests.faults.naive import naive_copy
from tests.faults.run import Outcome, Plan, run
from tests.faults.verdict import Findings

SEED = 7
REPEATED = ("api: reply cut", "api: reply dropped")  # the booking service asks again for what has been done
SLOW = ("pause store", "store: request delayed", "store: reply delayed")  # time between a naive claim's read and its write


def show(outcome: Outcome) -> None:
    """The seed, the counts, and what was found."""
    console = Console(width=120)
    console.print(outcome.fired.table(f"seed {outcome.plan.seed}: faults that happened in {outcome.seconds:.0f} s"))
    console.print(outcome.findings.told)
    for line in outcome.complaints():
        console.print(line, markup=False, soft_wrap=True)


@pytest.mark.timeout(240)
async def test_under_every_kind_of_fault_no_promise_is_broken() -> None:
    outcome = await run(Plan(seed=SEED, bookings=16, each=1, seconds=20))
    show(outcome)
    assert outcome.complaints() == []
    assert outcome.findings.bookings == 16
    assert outcome.findings.told["won"] > 0
    assert outcome.findings.told["lost"] > 0


@pytest.mark.timeout(240)
async def test_a_naive_claim_is_found_out_by_the_same_harness(tmp_path: Path) -> None:
    outcome = await run(Plan(seed=SEED, bookings=12, each=2, seconds=8, kinds=SLOW, code=naive_copy(tmp_path / "naive")))
    show(outcome)
    assert outcome.findings.wrong["double winners"]
    assert outcome.findings.wrong["impossible histories"]


@pytest.mark.timeout(240)
async def test_an_engine_that_forgets_requests_is_found_out_by_the_same_harness(tmp_path: Path) -> None:
    outcome = await run(Plan(seed=SEED, bookings=16, each=10, seconds=8, kinds=REPEATED, code=forgetful_copy(tmp_path / "forgetful")))
    show(outcome)
    wrong = outcome.findings.wrong["wrong answers"]
    assert any("open  was told error duplicate" in line for line in wrong)


@pytest.mark.timeout(240)
async def test_an_engine_that_asks_nobody_for_some_bookings_is_found_out_by_the_same_harness(tmp_path: Path) -> None:
    outcome = await run(Plan(seed=SEED, bookings=12, each=1, seconds=6, kinds=(), code=silent_copy(tmp_path / "silent")))
    show(outcome)
    assert outcome.findings.wrong["never asked"]
    assert outcome.findings.wrong["double winners"] == []


async def test_a_fault_that_never_fired_fails_the_run() -> None:
    fired = Fired((kind, 1) for kind in KINDS if kind != "kill store")
    outcome = Outcome(plan=Plan(seed=1), fired=fired, findings=Findings())
    assert outcome.complaints() == ["never fired: kill store"]
