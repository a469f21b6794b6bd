"""`python -m campaign`: contested claims by the million while processes are killed; goes on where it stopped.

Ends non-zero when anything was found, or when some kind of process was never killed. The state and the report are in build/campaign.
"""

import argparse
import asyncio
import logging
import shutil
import sys
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from campaign import code
from campaign import state as states
from campaign.campaign import Options, run
from campaign.report import markdown
from campaign.state import State

COLUMNS = (
    TextColumn("{task.completed:,.0f} of {task.total:,.0f} claims"), BarColumn(), TextColumn("{task.fields[rate]:,.0f}/s"),
    TextColumn("{task.fields[crashes]} crashes, {task.fields[found]} found"), TimeElapsedColumn(), TimeRemainingColumn(),
)  # fmt: skip


def main(argv: list[str]) -> int:
    """The exit status."""
    options, fresh = parsed(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if fresh:
        shutil.rmtree(options.folder, ignore_errors=True)
    console = Console()
    try:
        state = opened(options)
    except ValueError as wrong:
        console.print(str(wrong), style="red", markup=False, soft_wrap=True)
        return 2
    if state.claims >= options.claims:
        finished = f"this campaign is finished: its {state.claims:,} claims were made before, and none now"
        console.print(f"{finished}; --fresh begins anew, more --claims go on", style="bold", markup=False, soft_wrap=True)
    else:
        with Progress(*COLUMNS, console=console) as progress:
            bar = progress.add_task("", total=options.claims, completed=state.claims, rate=0.0, crashes=0, found=0)
            asyncio.run(run(options, state, lambda known: show(progress, bar, known)))
    text = markdown(state)
    (options.folder / "report.md").write_text(text)
    console.print(text, markup=False)
    return verdict(state, console)


def opened(options: Options) -> State:
    """The state to go on with. Raises ValueError, saying what to do, when it is of another campaign or of another engine."""
    state, here = states.load(options.file, options.seed), code.digest()
    if wrong := states.other(state, here, options.sizes):
        raise ValueError(f"{options.file}: {wrong}")
    state.code, state.chosen = here, options.sizes
    return state


def verdict(state: State, console: Console) -> int:
    """0 when nothing was found, and crashes of every kind happened."""
    spared = [kind for kind, number in state.crashes.items() if not number]
    if spared:
        console.print(f"never killed: {', '.join(spared)}; a longer run would prove more", style="red")
    return 0 if state.fine and not spared else 1


def show(progress: Progress, bar: TaskID, state: State) -> None:
    """The bar as it stands."""
    rate = state.claims / state.seconds if state.seconds else 0.0
    crashes, found = sum(state.crashes.values()), sum(state.found.values())
    progress.update(bar, completed=state.claims, rate=rate, crashes=crashes, found=found)


def parsed(argv: list[str]) -> tuple[Options, bool]:
    """The options, and whether to begin anew."""
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--claims", type=int, default=usual.claims, help="claims in all, those of earlier starts among them")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="end after so long, however many were made")
    parser.add_argument("--seed", type=int, default=usual.seed, help="draws the races and the crashes")
    parser.add_argument("--folder", type=Path, default=usual.folder, help="where its state, its store and its report are")
    parser.add_argument("--devices", type=int, default=usual.devices, help="who claim each booking, at most 50")
    parser.add_argument("--bookings", type=int, default=usual.bookings, help="bookings of a round, at most 99")
    parser.add_argument("--claimants", type=int, default=usual.claimants, help="processes that claim, at least 2")
    parser.add_argument("--search-s", type=float, default=usual.search_s, help="seconds until nobody may claim a booking any more")
    parser.add_argument("--every-s", type=float, default=usual.every_s, help="mean seconds between two crashes")
    parser.add_argument("--thorough", type=int, default=usual.thorough, help="look a market through key by key every so many rounds")
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    chosen = vars(parser.parse_args(argv))
    fresh = bool(chosen.pop("fresh"))
    bounds = {"devices": (2, 50), "bookings": (1, 99), "claimants": (2, 32), "claims": (1, 10**9), "thorough": (1, 10**9)}
    for name, (least, most) in bounds.items():
        if not least <= chosen[name] <= most:
            parser.error(f"--{name} {chosen[name]}: {least} to {most} would be right")
    return Options(**chosen), fresh


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
