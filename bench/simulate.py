"""The wave policies compared on a virtual clock: time to fill, late accepts, fairness, the same bookings and answers for each of them.

What is decided is decided by the engine's own files (waves.py, pacing.py, matcher.py, lifecycle.py, habits.py). Without --day each policy
is played over its speeds in each scenario, and compared with the others at equal late accepts; with --day one day of a city is played once
by each policy as a market has it by default. The same seed gives the same figures. See docs/explanation/pacing.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.pace import limit, offers
from bench.pace.figures import Figures, figures
from bench.pace.frontier import (
    CADENCES,
    FAMILIES,
    LATE,
    PACED,
    QUICK,
    WANTED,
    Line,
    Share,
    Verdict,
    can_be_filled,
    fillable,
    sweep,
    verdicts,
)
from bench.pace.picture import frontier
from bench.pace.play import Play
from bench.pace.world import SCENARIOS, Scenario, World, draw

WIDTH = 160  # of what is not written to a terminal
BOOKINGS, DAY_BOOKINGS, DAY_PROVIDERS = 1_500, 1_000, 1_200
NAMES = (*(scenario.name for scenario in SCENARIOS), offers.REAL.name)
COLUMNS = ("fill", "p50", "p95", "even p50", "even p95", "asked", "late", "in 60 s", "alone", "top", "new", "Gini asked", "won")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What can be chosen about a run."""

    scenario: list[str]
    bookings: int
    seed: int
    day: bool
    offers: Path | None
    pictures: Path | None
    limit: bool
    json: Path | None


def run(chosen: Chosen, console: Console) -> tuple[dict[str, list[Line]], list[Verdict]]:
    """Every family in every scenario chosen, and how `paced` stands beside the cadences. Raises NoOffers."""
    lines: dict[str, list[Line]] = {}
    judged: list[Verdict] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("drawing", total=chosen.bookings)
        for name in chosen.scenario:
            world = world_of(name, chosen)
            can_be = fillable(world)
            lines[name] = [
                sweep(world, family, can_be, told=lambda what, number: progress.update(bar, description=what, completed=number))
                for family in FAMILIES
            ]
            judged += verdicts(world, lines[name])
            progress.console.print(_table(world, lines[name]))
    return lines, judged


def world_of(name: str, chosen: Chosen) -> World:
    """A scenario's world. Raises NoOffers."""
    if name == offers.REAL.name:
        return offers.world_of(offers.read(offers.find(chosen.offers)), chosen.bookings, chosen.seed)
    return draw(next(scenario for scenario in SCENARIOS if scenario.name == name), chosen.bookings, chosen.seed)


def a_day(chosen: Chosen, console: Console) -> dict[str, Figures]:
    """One day of a city by each policy, as a market has it when it changes nothing else."""
    found: dict[str, Figures] = {}
    city: Scenario = replace(SCENARIOS[0], name="a_day", providers=DAY_PROVIDERS, a_day=chosen.bookings)
    world = draw(city, chosen.bookings, chosen.seed)
    can_be = can_be_filled(world, warm=0.0)
    table = _empty(f"One day of a city: {chosen.bookings} bookings, {DAY_PROVIDERS} providers, last minute", ("policy", *COLUMNS, "s"))
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True) as progress:
        for family in (CADENCES[0], PACED, QUICK):
            bar, begun = progress.add_task(family.name, total=chosen.bookings), time.perf_counter()
            play = Play(world, family.settings(city, 1.0)).run(lambda number, bar=bar: progress.update(bar, completed=number))  # type: ignore[misc]
            found[family.name] = figures(world, play, can_be, warm=0.0)
            table.add_row(family.name, *_cells(found[family.name]), f"{time.perf_counter() - begun:.1f}")
    console.print(table)
    return found


def _table(world: World, lines: Iterable[Line]) -> Table:
    scenario = world.scenario
    table = _empty(f"{scenario.name}: {scenario.about}; {len(world.visits)} bookings, minutes", ("late", "policy", *COLUMNS))
    for late in LATE:
        for line in lines:
            one = line.at(late)
            table.add_row(f"{late:g}", line.family.name, *(_cells(one) if one else ["-"] * len(COLUMNS)))
    return table


def _empty(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name == "policy" else "right")
    return table


def _cells(one: Figures) -> list[str]:
    times = [f"{value:.1f}" if isfinite(value) else "never" for value in (one.p50, one.p95, one.even50, one.even95)]
    shares = [f"{100 * value:.0f} %" for value in (one.top_wins, one.new_wins)]
    counts = [f"{one.asked:.1f}", f"{one.late:.2f}", f"{one.late_soon:.2f}", f"{one.head_start:.1f}"]
    return [f"{100 * one.of_fillable:.1f} %", *times, *counts, *shares, f"{one.gini_asked:.2f}", f"{one.gini_won:.2f}"]


def _judged(found: Iterable[Verdict]) -> Table:
    title = f"`paced` at equal late accepts and equal fill: shorter by (wanted: {WANTED:.0%})"
    table = _empty(title, ("scenario", "late", "beside", "p95", "quick first: median", "p95", "holds"))
    for one in found:
        shares = [_share(share) for share in (one.p95, one.quick_p50, one.quick_p95)]
        table.add_row(one.scenario, f"{one.late:g}", one.beside, *shares, "[green]yes[/]" if one.holds else "[red]no[/]")
    return table


def _share(one: Share | None) -> str:
    return "-" if one is None else f"{one.value:.0%} ({one.low:.0%} to {one.high:.0%})"


def what_is_possible(chosen: Chosen, console: Console) -> None:
    """By what share the best schedule is shorter than an even one in each scenario, if its providers were alike. Raises NoOffers."""
    columns = ("scenario", "late", "refusals", "even", "best", "shorter")
    table = _empty("Were all providers alike: the p95 of an even schedule, and of the best one, in minutes", columns)
    for name in chosen.scenario:
        for told in (False, True):
            of = _market(name, chosen, told)
            for late in LATE:
                one = limit.limit(of, late, told=told, seed=chosen.seed)
                known = "told at once" if told else "not told"
                table.add_row(name, f"{late:g}", known, f"{one.even:.1f}", f"{one.best:.1f}", f"{one.shorter:.0%}")
    console.print(table)


def _market(name: str, chosen: Chosen, told: bool) -> limit.Market:
    if name == offers.REAL.name:
        return limit.market(offers.read(offers.find(chosen.offers)), told=told)
    return limit.assumed(next(scenario for scenario in SCENARIOS if scenario.name == name), told=told)


def draw_pictures(folder: Path, lines: dict[str, list[Line]]) -> None:
    """An SVG for each scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_scenario in lines.items():
        title = f"Time by which 95 % of the fillable are filled: {name.replace('_', ' ')}"
        picture = frontier(title, of_scenario, lambda one: one.even95, "minutes", LATE)
        (folder / f"pacing-{name.replace('_', '-')}.svg").write_text(picture, encoding="utf-8")


def written(path: Path, seed: int, lines: dict[str, list[Line]], found: Sequence[Verdict]) -> None:
    """The figures of every point, for other programs; what never happened is null."""
    points = {
        name: {line.family.name: [{"speed": point.speed, **asdict(point.figures)} for point in line.points] for line in of_scenario}
        for name, of_scenario in lines.items()
    }
    body = {"seed": seed, "points": points, "verdicts": [{**asdict(one), "holds": one.holds} for one in found]}
    path.write_text(json.dumps(_finite(body), indent=1) + "\n", encoding="utf-8")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _chosen(argv: list[str]) -> Chosen:
    parser = argparse.ArgumentParser(prog="python -m bench simulate", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=NAMES, help="one of them, may be repeated; else all")
    parser.add_argument("--bookings", type=int, default=0, help=f"bookings of a scenario ({BOOKINGS}), or of the day ({DAY_BOOKINGS})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", action="store_true", help="one day of a city by each policy, instead of the comparison")
    parser.add_argument("--limit", action="store_true", help="what no schedule can win, instead of the comparison")
    parser.add_argument("--offers", type=Path, help="the csv.gz of real offers; else the one in DISPATCH_DATA_SETS, else in ../shared/data")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each scenario")
    parser.add_argument("--json", type=Path, help="file for the figures of every policy and speed")
    found = parser.parse_args(argv)
    found.scenario = list(dict.fromkeys(found.scenario or NAMES))
    found.bookings = found.bookings or (DAY_BOOKINGS if found.day else BOOKINGS)
    if found.bookings < 50:
        parser.error(f"--bookings {found.bookings}: fewer than 50 say nothing about a policy")
    return Chosen(**vars(found))


def main(argv: list[str]) -> int:
    """`python -m bench simulate`. 0: `paced` is as much shorter as wanted, everywhere; 1: not so; 2: it could not be run."""
    chosen, console = _chosen(argv), Console(soft_wrap=True, width=WIDTH if not sys.stdout.isatty() else None)
    if chosen.day:
        a_day(chosen, console)
        return 0
    try:
        if chosen.limit:
            what_is_possible(chosen, console)
            return 0
        lines, found = run(chosen, console)
    except offers.NoOffers as missing:
        print(missing, file=sys.stderr)
        return 2
    console.print(_judged(found))
    if chosen.pictures is not None:
        draw_pictures(chosen.pictures, lines)
    if chosen.json is not None:
        written(chosen.json, chosen.seed, lines, found)
    return 0 if all(one.holds for one in found) else 1
