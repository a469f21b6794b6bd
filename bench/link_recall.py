"""Recall at 15,000 connected devices: from the accept of one of five until the last of the other four is told that it is gone."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.machine import machine
from bench.peers.rounds import part
from bench.peers.speech import SIZE
from bench.serving import serving
from bench.swarm import truth
from bench.swarm.bookings import Book
from bench.swarm.crowd import Crowd, phones, report
from bench.swarm.files import raise_limit
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import load

P99_MS, REST_S = 60.0, 2.0


async def measure(crowd: Crowd, book: Book, count: int, rate: float, folder: Path) -> tuple[int, list[float]]:
    """How many accepts there were, and the recalls (ms) of those whose other four were all told."""
    await book.some(count, rate)
    await asyncio.sleep(REST_S)
    notes, _ = await asyncio.to_thread(report, crowd, folder)
    return len(truth.of(notes, "accept")), truth.recalls(notes, SIZE)


def asked(accepts: int, recalls: list[float]) -> list[Asked]:
    """What must hold."""
    return [
        Asked(words="accepts of which all others were told", seen=len(recalls), at_least=max(1, accepts)),
        Asked(words="recall, p99", seen=part(recalls, 0.99) if recalls else float("inf"), unit=" ms", at_most=P99_MS),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-recall`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-recall", description=__doc__)
    parser.add_argument("--devices", type=int, default=15_000)
    parser.add_argument("--bookings", type=int, default=600)
    parser.add_argument("--rate", type=float, default=10, help="bookings a second")
    chosen = parser.parse_args(argv)
    raise_limit(chosen.devices)
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, serving() as served, Progress() as progress:
        with phones(served, [served.device_url], chosen.devices, progress) as crowd:
            book = Book(served, kinds=("take",))
            accepts, recalls = asyncio.run(measure(crowd, book, chosen.bookings, chosen.rate, Path(folder)))
        busy = load()
    print(f"{machine()}; {busy}")
    table = Table(title=f"{chosen.devices:,} devices, {chosen.rate:g} bookings a second: accept sent -> the last of the others told, ms")
    for head in ("accepts", "all told", "p50", "p90", "p99", "last"):
        table.add_column(head, justify="right")
    times = [f"{part(recalls, share):.1f}" for share in (0.5, 0.9, 0.99, 1.0)] if recalls else []
    table.add_row(str(accepts), str(len(recalls)), *times)
    Console(width=120).print(table)
    return told(asked(accepts, recalls))
