"""`make faults`: runs of the fault harness, one seed after the other; ends non-zero when anything was found or a fault never fired."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.counts import Fired
from tests.faults.run import Outcome, Plan, run
from tests.faults.verdict import NAMES

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def main(argv: list[str]) -> int:
    """The exit status: 0 when every promise was kept and every fault happened often enough."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many runs")
    parser.add_argument("--first", type=int, default=1, help="the first seed; the others follow")
    parser.add_argument("--bookings", type=int, default=60, help="bookings a run")
    parser.add_argument("--devices", type=int, default=8, help="providers, each with a device")
    parser.add_argument("--each", type=int, default=3, help="how often each kind of fault is made to happen in a run")
    parser.add_argument("--seconds", type=float, default=60, help="over which the bookings of a run are opened")
    parser.add_argument("--least", type=int, default=None, help="how often each kind must have happened in all (default: --seeds x --each)")
    parser.add_argument("--json", type=Path, default=None, help="file for the counts of all seeds")
    chosen = parser.parse_args(argv)
    console = Console()
    sizes = {"bookings": chosen.bookings, "devices": chosen.devices, "each": chosen.each, "seconds": chosen.seconds}
    plans = [Plan(seed=chosen.first + number, **sizes) for number in range(chosen.seeds)]
    with Progress(*COLUMNS, console=console) as progress:
        outcomes = [_one(plan, progress, console, bar) for bar in [progress.add_task("seeds", total=len(plans))] for plan in plans]
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([_counts(outcome) for outcome in outcomes], indent=1))
    return report(outcomes, console, chosen.seeds * chosen.each if chosen.least is None else chosen.least)


def _counts(outcome: Outcome) -> dict[str, object]:
    findings = outcome.findings
    return {
        "seed": outcome.plan.seed, "seconds": round(outcome.seconds), "bookings": findings.bookings, "claims": findings.claims,
        "told": findings.told, "unfilled": findings.unfilled, "witnessed": findings.witnessed,
        "fired": dict(outcome.fired.by_kind), "wrong": {name: len(found) for name, found in findings.wrong.items()},
    }  # fmt: skip


def _one(plan: Plan, progress: Progress, console: Console, bar: object) -> Outcome:
    outcome = asyncio.run(run(plan, lambda what: progress.update(bar, description=f"seed {plan.seed}: {what}")))
    progress.advance(bar)
    wrong = outcome.complaints()
    told = ", ".join(f"{number} {word}" for word, number in sorted(outcome.findings.told.items()))
    faults = outcome.fired.by_kind.total()
    console.print(f"seed {plan.seed}: {outcome.seconds:.0f} s, {faults} faults, {outcome.findings.claims} claims ({told})")
    witnessed = f"in {outcome.findings.witnessed} of these there was always somebody who fitted"
    console.print(f"seed {plan.seed}: {outcome.findings.unfilled} bookings unfilled; {witnessed}")
    for line in wrong:
        console.print(f"seed {plan.seed}: {line}", style="red", markup=False, soft_wrap=True)
    return outcome


def report(outcomes: list[Outcome], console: Console, least: int) -> int:
    """The whole: counts of faults, counts of what was found; the exit status."""
    fired = Fired(sum((outcome.fired.by_kind for outcome in outcomes), Counter()).items())
    console.print(fired.table(f"faults that happened, seeds {outcomes[0].plan.seed} to {outcomes[-1].plan.seed}"))
    for name in NAMES:
        console.print(f"{name}: {sum(len(outcome.findings.wrong[name]) for outcome in outcomes)}")
    rare = fired.never(least)
    for kind in rare:
        console.print(f"happened only {fired.by_kind[kind]} times of {least}: {kind}", style="red")
    return 1 if rare or any(outcome.complaints() for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
