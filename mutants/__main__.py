"""`python -m mutants [NAME...]`: plants each fault in a copy of the engine and says which test noticed."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from difflib import get_close_matches

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mutants.seeded import Mutant, read
from mutants.trial import Outcome, Verdict, control, tried

JOBS, MOST_JOBS = 2, 16
COLOURS = {Verdict.KILLED: "green", Verdict.SURVIVED: "bold red", Verdict.BROKEN: "bold yellow"}
Outcomes = dict[str, Outcome]


def main(argv: Sequence[str]) -> int:
    """The exit status: 0 when every mutant was killed by a test, 1 when not, 2 when the command was not understood."""
    known, console = read(), Console()
    chosen = arguments(argv)
    mutants = [mutant for mutant in known if not chosen.names or mutant.name in chosen.names]
    if strangers := sorted(set(chosen.names) - {mutant.name for mutant in known}):
        print(f"no mutant {strangers[0]}; {near(strangers[0], known)}", file=sys.stderr)
        return 2
    if chosen.list:
        console.print(described(mutants))
        return 0
    with bar(console) as progress, ThreadPoolExecutor(chosen.jobs) as pool:
        if faults := checked(mutants, chosen.jobs, pool, progress):
            console.print("[bold red]Without any fault the tests do not pass, so they prove nothing:[/]", *map(escape, faults), sep="\n")
            return 1
        outcomes = run(mutants, pool, progress)
    console.print(judged(mutants, outcomes))
    console.print(summary(outcomes))
    return 0 if all(outcome.verdict is Verdict.KILLED for outcome in outcomes.values()) else 1


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for. Ends the process with 2 when it cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to try; all when none is named")
    parser.add_argument("--list", action="store_true", help="say what each breaks, and try none")
    parser.add_argument("--jobs", type=int, default=JOBS, choices=range(1, MOST_JOBS + 1), metavar="N", help="how many at a time (2)")
    return parser.parse_args(argv)


def near(name: str, known: Sequence[Mutant]) -> str:
    """What would be right instead of a name nobody has."""
    close = get_close_matches(name, [mutant.name for mutant in known])
    return f"did you mean {' or '.join(close)}?" if close else "`--list` shows them all"


def bar(console: Console) -> Progress:
    """The progress of a run."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    return Progress(*columns, console=console)


def parts_of(mutants: Sequence[Mutant], number: int) -> list[list[str]]:
    """Every test that some mutant names, in so many parts; tests of one file stay together."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    files = sorted({test.partition("::")[0] for test in tests})
    parts = [[test for test in tests if test.partition("::")[0] in files[first::number]] for first in range(number)]
    return [part for part in parts if part]


def checked(mutants: Sequence[Mutant], jobs: int, pool: ThreadPoolExecutor, progress: Progress) -> list[str]:
    """The control: the tests pass on a copy without a fault. What is wrong."""
    parts = parts_of(mutants, jobs)
    task = progress.add_task("control: the tests without a fault", total=len(parts))
    faults = []
    for done in as_completed([pool.submit(control, part) for part in parts]):
        faults += [done.result()] if done.result() else []
        progress.advance(task)
    return faults


def run(mutants: Sequence[Mutant], pool: ThreadPoolExecutor, progress: Progress) -> Outcomes:
    """Tries all of them."""
    task = progress.add_task("mutants", total=len(mutants))
    trials: dict[Future[Outcome], Mutant] = {pool.submit(tried, mutant): mutant for mutant in mutants}
    outcomes: Outcomes = {}
    try:
        for done in as_completed(trials):
            name, outcome = trials[done].name, done.result()
            outcomes[name] = outcome
            progress.update(task, advance=1, description=f"mutants ({name}: {outcome.verdict})")
            if outcome.verdict is not Verdict.KILLED or not progress.console.is_terminal:  # a log has no bar that moves
                progress.console.print(f"{name}: {outcome.verdict}, {escape(outcome.detail)}")
    finally:
        pool.shutdown(cancel_futures=True)
    return outcomes


def described(mutants: Sequence[Mutant]) -> Table:
    """What each of them is."""
    table = Table("name", "breaks", "fault", "file")
    for mutant in mutants:
        table.add_row(mutant.name, ", ".join(mutant.breaks), mutant.fault, mutant.file)
    return table


def judged(mutants: Sequence[Mutant], outcomes: Outcomes) -> Table:
    """What became of each."""
    table = Table("mutant", "breaks", "verdict", "s", "noticed by, or what is wrong")
    table.columns[0].no_wrap = True
    for mutant in mutants:
        outcome = outcomes[mutant.name]
        verdict = f"[{COLOURS[outcome.verdict]}]{outcome.verdict}[/]"
        table.add_row(mutant.name, ", ".join(mutant.breaks), verdict, f"{outcome.seconds:.0f}", escape(outcome.detail))
    return table


def summary(outcomes: Outcomes) -> str:
    """All in one line."""
    counts = {verdict: sum(outcome.verdict is verdict for outcome in outcomes.values()) for verdict in Verdict}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
