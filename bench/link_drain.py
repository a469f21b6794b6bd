"""SIGTERM of a gateway that holds 10,000 devices while bookings go on: nobody may miss a proposal, and nobody be without a link for long.

Two gateways stand behind one name; all devices are at the first. It is told to end as a deploy does. A device that is asked to drain opens
its new socket at the other gateway first; one that is refused or sent away goes there too. The longest time that each was without a live
link counts, and every proposal that the engine sent from the signal on.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.machine import machine
from bench.peers.rounds import part
from bench.serving import serving
from bench.swarm import truth
from bench.swarm.bookings import Book
from bench.swarm.crowd import Crowd, phones, report
from bench.swarm.files import raise_limit
from bench.swarm.gateway import Gateway, gateway
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import load

RATE, PATIENCE_S, REST_S, CALM_S = 5.0, 120.0, 3.0, 2.0
GAP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """What was seen. ``gaps``: of each device the longest time without a link, 0 for most."""

    devices: int
    lasted: float
    asked: int
    moved: int
    gaps: list[float]
    proposals: int
    missed: list[str]
    missing: list[str]
    ghosts: list[str]


async def measure(crowd: Crowd, old: Gateway, book: Book, devices: int, folder: Path) -> Drain:
    """Book, say SIGTERM, book on until the process has ended and all are live elsewhere."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(book.until(stop, RATE))
        await asyncio.sleep(CALM_S)
        begun = time.perf_counter()
        lasted = await asyncio.to_thread(old.end, signal.SIGTERM, PATIENCE_S)
        await asyncio.to_thread(crowd.ask, "until_live", devices, PATIENCE_S)
        await asyncio.sleep(CALM_S)
        stop.set()
    await asyncio.sleep(REST_S)
    notes, shown = await asyncio.to_thread(report, crowd, folder)
    until = time.perf_counter()
    sent = await book.sent(notes)
    missing, ghosts = truth.wrong_at_rest(shown, sent)
    gaps = truth.gaps(notes, begun, until)
    during = [one for one in sent if one.at >= begun]
    return Drain(
        devices=devices, lasted=lasted, asked=len({note[truth.NUMBER] for note in truth.of(notes, "drain")}),
        moved=len(truth.back(notes, begun, begun)), gaps=sorted([*gaps.values(), *[0.0] * (devices - len(gaps))]), proposals=len(during),
        missed=truth.never_heard(notes, during), missing=missing, ghosts=ghosts,
    )  # fmt: skip


def shown(drain: Drain) -> Table:
    """How it went."""
    table = Table(title=f"SIGTERM with {drain.devices:,} devices; longest time without a link, s a device")
    for head in ("took s", "asked to drain", "live elsewhere", "half", "99 %", "longest", "proposals", "missed", "missing", "ghosts"):
        table.add_column(head, justify="right")
    gaps = (f"{part(drain.gaps, share):.2f}" for share in (0.5, 0.99, 1.0))
    counts = (drain.proposals, len(drain.missed), len(drain.missing), len(drain.ghosts))
    table.add_row(f"{drain.lasted:.1f}", str(drain.asked), str(drain.moved), *gaps, *map(str, counts))
    return table


def asked(drain: Drain) -> list[Asked]:
    """What must hold."""
    return [
        Asked(words="devices live at the other gateway", seen=drain.moved, at_least=drain.devices),
        Asked(words="proposals missed", seen=len(drain.missed), at_most=0),
        Asked(words="open proposals that are on no screen at the end", seen=len(drain.missing), at_most=0),
        Asked(words="proposals on a screen that are no longer open", seen=len(drain.ghosts), at_most=0),
        Asked(words="longest time that a device was without a link", seen=drain.gaps[-1], unit=" s", at_most=GAP_S),
        Asked(words="proposals looked at", seen=drain.proposals, at_least=1),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-drain`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-drain", description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    chosen = parser.parse_args(argv)
    raise_limit(chosen.devices)
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, serving() as served, gateway(served) as old, Progress() as progress:
        with phones(served, [old.url, served.device_url], chosen.devices, progress) as crowd:
            drain = asyncio.run(measure(crowd, old, Book(served), chosen.devices, Path(folder)))
        busy = load()
    print(f"{machine()}; {busy}")
    Console(width=140).print(shown(drain))
    return told(asked(drain))
