"""What an idle device costs: memory of the process that holds 18,000 of them, beside other servers; and the processor time of its pings.

One contender after the other. Memory is the resident memory of the server process, all of it, divided by the devices; beside it what each
device added to the empty process. Ours are devices that have shown a token, are entered in the store, and are asked every 25 s whether they
live; the heartbeats of the others are off. What the kernel keeps for a socket is no process's, and the same for all.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers import Absent
from bench.peers.machine import machine
from bench.peers.pushers import PUSHERS, Starter, bare, ours
from bench.swarm.crowd import Crowd, held
from bench.swarm.files import raise_limit
from bench.swarm.picture import Bar, bars
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import cpu_s, heaviest, load, rss_kb

OURS, BARE = "ours", "websockets"
CONTENDERS: dict[str, Starter] = {OURS: ours, BARE: bare, **PUSHERS}
KB_AT_MOST, CPU_AT_MOST, EVERY_S = 16.0, 7.0, 25.0
SETTLED_S, CALM_S = 3.0, 30.0  # the second until every device has been asked once


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one contender, in KB a device: the whole process, and what the devices added. ``cpu``: % of a core while idle, or None."""

    version: str
    whole: float
    added: float
    cpu: float | None


def idle_cpu(pid: int, crowd: Crowd, seconds: float, calm_s: float, progress: Progress) -> float:
    """Processor time of the process in % of a core, while nothing happens but pings."""
    bar = progress.add_task("   idle", total=calm_s + seconds)
    before = 0.0
    for second in range(round(calm_s + seconds)):
        before = before or (cpu_s(pid) if second >= calm_s else 0.0)
        time.sleep(1)
        progress.advance(bar)
    used = cpu_s(pid) - before
    crowd.ask("look")  # nobody has left
    return 100 * used / seconds


def cost(name: str, count: int, files: int, idle_s: float, calm_s: float, progress: Progress) -> Cost:
    """Raises Absent, RuntimeError."""
    with CONTENDERS[name](files) as server:
        empty = rss_kb(heaviest(server.pid))
        with held(server, count, name, progress) as crowd:
            time.sleep(SETTLED_S)
            pid = heaviest(server.pid)
            full = rss_kb(pid)
            cpu = idle_cpu(pid, crowd, idle_s, calm_s, progress) if name == OURS and idle_s else None
            full = max(full, rss_kb(pid))
        return Cost(server.version, full / count, (full - empty) / count, cpu)


def measure(names: Sequence[str], count: int, idle_s: float, calm_s: float = CALM_S) -> dict[str, Cost]:
    """Each contender that is installed, one after the other."""
    found, files = {}, raise_limit(count)
    with Progress() as progress:
        for name in names:
            try:
                found[name] = cost(name, count, files, idle_s, calm_s, progress)
            except Absent as absent:
                print(f"skipped {name}: {absent}", file=sys.stderr)
    return found


def shown(found: dict[str, Cost], count: int) -> Table:
    """One row a contender."""
    table = Table(title=f"memory of a server process that holds {count:,} idle devices, KB a device")
    for head in ("contender", "version", "the whole process", "added by devices", "% of a core, idle"):
        table.add_column(head, justify="left" if head in ("contender", "version") else "right")
    for name, one in found.items():
        table.add_row(name, one.version, f"{one.whole:.1f}", f"{one.added:.1f}", "" if one.cpu is None else f"{one.cpu:.1f}")
    return table


def asked(mine: Cost, count: int) -> list[Asked]:
    """What must hold of ours."""
    rows = [Asked(words=f"memory of an idle device, of {count:,}", seen=mine.whole, unit=" KB", at_most=KB_AT_MOST)]
    if mine.cpu is not None:
        words = f"idle processor time, {count:,} devices asked every {EVERY_S:g} s"
        rows.append(Asked(words=words, seen=mine.cpu, unit=" % of a core", at_most=CPU_AT_MOST))
    return rows


def picture(found: dict[str, Cost], count: int, file: Path) -> None:
    """The memory as bars, the bound as a line."""
    rows = [Bar(name, one.whole, name == OURS) for name, one in sorted(found.items(), key=lambda item: item[1].whole)]
    file.write_text(bars(f"KB of memory for an idle device, the server process divided by {count:,}", rows, KB_AT_MOST), encoding="utf-8")


def main(argv: list[str]) -> int:
    """`python -m bench link-memory`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-memory", description=__doc__)
    parser.add_argument("--devices", type=int, default=18_000)
    parser.add_argument("--peers", default=",".join(name for name in CONTENDERS if name != OURS), help="beside whom, with commas between")
    parser.add_argument("--idle", type=float, default=60, help="seconds of which the processor time is measured; 0: not")
    parser.add_argument("--picture", type=Path, help="file for the memory as a picture (SVG)")
    chosen = parser.parse_args(argv)
    found = measure([OURS, *(name for name in chosen.peers.split(",") if name)], chosen.devices, chosen.idle)
    print(f"{machine()}; {load()}")
    Console(width=140).print(shown(found, chosen.devices))
    if chosen.picture:
        picture(found, chosen.devices, chosen.picture)
    return told(asked(found[OURS], chosen.devices))
