"""`make check-long`: every pair of verbs raced by the hundred; ends non-zero when the parties disagreed, or an order never occurred."""

import argparse
import asyncio
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.races.counts import table
from tests.races.pairs import PAIRS
from tests.races.run import LANES, Outcome, Plan, run

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def main(argv: list[str]) -> int:
    """The exit status: 0 when all parties agreed on each race, and each order of each pair occurred."""
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("pairs", nargs="*", help="only pairs whose name has one of these in it, such as 'accept x'")
    parser.add_argument("--each", type=int, default=200, help="races of each pair")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=LANES, help="races at once")
    chosen = parser.parse_args(argv)
    pairs = tuple(pair for pair in PAIRS if not chosen.pairs or any(part in pair.name for part in chosen.pairs))
    if not pairs:
        parser.error(f"no pair has {' or '.join(chosen.pairs)} in its name; there are {', '.join(pair.name for pair in PAIRS)}")
    console = Console()
    with Progress(*COLUMNS, console=console) as progress:
        bar = progress.add_task("start", total=chosen.each * len(pairs))
        plan = Plan(seed=chosen.seed, each=chosen.each, lanes=chosen.lanes, pairs=pairs)
        outcome = asyncio.run(run(plan, lambda what, done: progress.update(bar, description=what, completed=done)))
    return report(outcome, console)


def report(outcome: Outcome, console: Console) -> int:
    """The counts of every pair, the faults, what was found; the exit status."""
    races = sum(tally.races for tally in outcome.tallies.values())
    console.print(table(outcome.tallies, f"seed {outcome.plan.seed}: {races} races in {outcome.seconds:.0f} s"))
    console.print(f"held up or cut on the way: {', '.join(f'{count} {kind}' for kind, count in sorted(outcome.fired.by_kind.items()))}")
    for line in outcome.complaints():
        console.print(line, style="red", markup=False, soft_wrap=True)
    return 1 if outcome.complaints() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
