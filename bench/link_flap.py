"""Networks that come and go: 2,000 devices of which 5 % a minute lose their connection at moments of chance, for three minutes.

Bookings go on: some stay open, some are taken, some are cancelled. Whenever a device is back, what is on its screen at that moment is
compared with what the engine says was open then; at the end all screens are. How long a return takes is counted from its first knock,
answered or not.
"""

import argparse
import asyncio
import tempfile
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
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import load

RETURN_S, RECALL_MS, REST_S = 1.0, 60.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """What was seen."""

    cuts: int
    returns: list[float]
    late: int
    proposals: int
    missing: list[str]
    ghosts: list[str]
    missing_at_rest: list[str]
    ghosts_at_rest: list[str]
    twice: int
    recalls: list[float]


async def measure(crowd: Crowd, book: Book, devices: int, share: float, seconds: float, rate: float, folder: Path) -> Flap:
    """Cut, book, rest, compare."""
    await asyncio.to_thread(crowd.ask, "cut", share)
    await book.some(max(1, round(seconds * rate)), rate)
    await asyncio.to_thread(crowd.ask, "calm")
    await asyncio.to_thread(crowd.ask, "until_live", devices, 60)
    await asyncio.sleep(REST_S)
    notes, shown = await asyncio.to_thread(report, crowd, folder)
    sent = await book.sent(notes)
    back = truth.returns(notes)
    missing, ghosts = truth.wrong_on_return(back, sent)
    at_rest = truth.wrong_at_rest(shown, sent)
    times = sorted(one.took for one in back)
    return Flap(
        cuts=len(truth.of(notes, "cut")), returns=times, late=sum(at > RETURN_S for at in times), proposals=len(sent), missing=missing,
        ghosts=ghosts, missing_at_rest=at_rest[0], ghosts_at_rest=at_rest[1], twice=len(truth.of(notes, "twice")),
        recalls=truth.recalls(notes, 5),
    )  # fmt: skip


def table(flap: Flap, title: str) -> Table:
    """How it went."""
    shown = Table(title=title)
    for head in (
        "cuts",
        "returns",
        "p50 ms",
        "p99 ms",
        "last ms",
        "proposals",
        "missing",
        "ghosts",
        "at rest",
        "twice",
        "recall p50 ms",
        "p99 ms",
    ):
        shown.add_column(head, justify="right")
    ms = [f"{1e3 * part(flap.returns, at):.0f}" if flap.returns else "-" for at in (0.5, 0.99, 1.0)]
    recalls = [f"{part(flap.recalls, at):.1f}" if flap.recalls else "-" for at in (0.5, 0.99)]
    at_rest = f"{len(flap.missing_at_rest)}, {len(flap.ghosts_at_rest)}"
    counts = [str(flap.proposals), str(len(flap.missing)), str(len(flap.ghosts)), at_rest, str(flap.twice)]
    shown.add_row(str(flap.cuts), str(len(flap.returns)), *ms, *counts, *recalls)
    return shown


def asked(flap: Flap) -> list[Asked]:
    """What must hold."""
    missing, ghosts = [*flap.missing, *flap.missing_at_rest], [*flap.ghosts, *flap.ghosts_at_rest]
    return [
        Asked(words="returns", seen=len(flap.returns), at_least=1),
        Asked(words=f"returns that took longer than {RETURN_S:g} s", seen=flap.late, at_most=0),
        Asked(words="open proposals that were not on the screen of who was back", seen=len(missing), at_most=0),
        Asked(words="ghosts", seen=len(ghosts), at_most=0),
        Asked(words="proposals told twice", seen=flap.twice, at_most=0),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-flap`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-flap", description=__doc__)
    parser.add_argument("--devices", type=int, default=2_000)
    parser.add_argument("--share", type=float, default=0.05, help="of them that are cut each minute")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--rate", type=float, default=3, help="bookings a second")
    chosen = parser.parse_args(argv)
    raise_limit(chosen.devices)
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, serving() as served, Progress() as progress:
        with phones(served, [served.device_url], chosen.devices, progress) as crowd:
            book = Book(served)
            flap = asyncio.run(measure(crowd, book, chosen.devices, chosen.share, chosen.seconds, chosen.rate, Path(folder)))
        busy = load()
    print(f"{machine()}; {busy}")
    Console(width=160).print(table(flap, f"{chosen.devices:,} devices, {chosen.share:.0%} of them cut a minute, {chosen.seconds:g} s"))
    return told(asked(flap))
