"""kill -9 of a gateway that holds 10,000 devices, 3 s of nothing, and the storm when it is back: who is live when, and what he then sees.

Every device comes back with the pauses of the protocol. Some bookings are open before, some are opened, taken and cancelled while nobody
is connected. The outage lasts from the kill until the next process serves (it is started earlier by what a start took before); from that
moment on the return counts. At the end each screen is compared with what the engine says is open, and no proposal may have been told twice
as new.
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

SHARE, WITHIN_S, GIVE_UP_S, REST_S = 0.99, 15.0, 90.0, 2.0
BEFORE, MEANWHILE, RATE = 0.03, 0.003, 40.0  # bookings a device, before the kill and during the outage, and how many a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What was seen. ``outage``: s from the kill until the next process served; ``back``: s from then on until each was live."""

    devices: int
    outage: float
    back: list[float]
    proposals: int
    missing: list[str]
    ghosts: list[str]
    twice: int
    recalls: list[float]

    def share(self, within_s: float) -> float:
        """Of all devices, those that were live again by then."""
        return sum(at <= within_s for at in self.back) / self.devices


async def measure(crowd: Crowd, door: Gateway, book: Book, devices: int, outage_s: float, folder: Path) -> Storm:
    """Open bookings, kill, book on, start again, wait, compare."""
    await book.some(max(3, round(BEFORE * devices)), RATE)
    await asyncio.to_thread(door.end, signal.SIGKILL, 5)
    killed = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(book.some(max(3, round(MEANWHILE * devices)), RATE))
        await asyncio.sleep(max(0.0, outage_s - door.took))
        door.start()
        ready = await asyncio.to_thread(door.wait)
    await asyncio.to_thread(crowd.ask, "until_live", devices, GIVE_UP_S)
    await asyncio.sleep(REST_S)
    notes, shown = await asyncio.to_thread(report, crowd, folder)
    sent = await book.sent(notes)
    missing, ghosts = truth.wrong_at_rest(shown, sent)
    return Storm(
        devices=devices, outage=ready - killed, back=sorted(truth.back(notes, killed, ready).values()), proposals=len(sent),
        missing=missing, ghosts=ghosts, twice=len(truth.of(notes, "twice")), recalls=truth.recalls(notes, 5),
    )  # fmt: skip


def shown(storm: Storm) -> Table:
    """When they were back."""
    table = Table(title=f"{storm.devices:,} devices after kill -9; s from the restart until they were live")
    for head in ("outage", "first", "half", "90 %", "99 %", "last", "within 15 s", "proposals", "missing", "ghosts", "twice"):
        table.add_column(head, justify="right")
    times = [storm.back[min(len(storm.back) - 1, int(storm.devices * at))] for at in (0, 0.5, 0.9, 0.99, 1)] if storm.back else []
    counts = (storm.proposals, len(storm.missing), len(storm.ghosts), storm.twice)
    table.add_row(f"{storm.outage:.1f}", *(f"{at:.1f}" for at in times), f"{storm.share(WITHIN_S):.1%}", *map(str, counts))
    return table


def asked(storm: Storm) -> list[Asked]:
    """What must hold."""
    return [
        Asked(
            words=f"devices live again {WITHIN_S:g} s after the restart", seen=100 * storm.share(WITHIN_S), unit=" %", at_least=100 * SHARE
        ),
        Asked(words="open proposals that are on no screen", seen=len(storm.missing), at_most=0),
        Asked(words="proposals on a screen that are no longer open", seen=len(storm.ghosts), at_most=0),
        Asked(words="proposals told twice", seen=storm.twice, at_most=0),
        Asked(words="proposals looked at", seen=storm.proposals, at_least=1),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-storm`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-storm", description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--outage", type=float, default=3, help="seconds from the kill until the next process serves")
    chosen = parser.parse_args(argv)
    raise_limit(chosen.devices)
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, serving() as served, gateway(served) as door, Progress() as progress:
        with phones(served, [door.url], chosen.devices, progress) as crowd:
            storm = asyncio.run(measure(crowd, door, Book(served), chosen.devices, chosen.outage, Path(folder)))
        busy = load()
    print(f"{machine()}; {busy}")
    Console(width=140).print(shown(storm))
    if storm.recalls:
        print(f"recalls meanwhile: {len(storm.recalls)}, p50 {part(storm.recalls, 0.5):.1f} ms, p99 {part(storm.recalls, 0.99):.1f} ms")
    return told(asked(storm))
