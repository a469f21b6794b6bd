"""All have refused: how long until the next wave is on its devices (R13).

Everyone asked in the first waves of a booking refuses; then somebody is left to think. From the last refusal sent to the first proposal of
the next wave received.
"""

import argparse
import asyncio
import math
import random
import time
from collections import defaultdict

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.rounds import part
from bench.push import MARKET, Run, Swarm, book_steadily, prepare, providers, row
from bench.serving import serving
from bench.swarm.verdict import Asked, told
from dispatch.client import BookingClient, DeviceClient, Proposal
from dispatch.client.bookings import Tier

NEXT_MS = 50  # what docs/explanation/performance.md says is asked
SIZE, WAVES = 3, 3  # asked in a last-minute wave; waves that are refused


class Refusals(Run):
    """What is measured, and who refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[tuple[str, int], list[tuple[DeviceClient, Proposal]]] = defaultdict(list)
        self.refused: dict[tuple[str, int], float] = {}
        self.to_next: dict[tuple[str, int], float] = {}

    async def listen(self, client: DeviceClient, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """One device: when all of a wave have it, all are told to refuse."""
        async for message in client:
            if isinstance(message, Proposal):
                booking, wave = message.booking.booking_id, message.wave
                if (before := self.refused.get((booking, wave - 1))) is not None:
                    self.to_next.setdefault((booking, wave), time.perf_counter() - before)
                self.asked[booking, wave].append((client, message))
                if len(self.asked[booking, wave]) == SIZE and wave <= WAVES:
                    for one in self.asked.pop((booking, wave)):
                        answers.put_nowait(one)

    async def answer(self, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """Refuses, one after the other as they come."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                client, proposal = await answers.get()
                self.refused[proposal.booking.booking_id, proposal.wave] = time.perf_counter()
                tasks.create_task(client.refuse(proposal.proposal, proposal.version))


async def measure(devices: int, rate: float, seconds: float) -> Refusals:
    """The whole run."""
    rng, run = random.Random(1), Refusals()
    with serving() as served, Progress() as progress:
        async with BookingClient(served.url, served.key, MARKET) as bookings, asyncio.TaskGroup() as tasks:
            await prepare(bookings, providers(devices, rng, [Tier.PREFERRED], 1))  # equals take turns
            swarm = Swarm(served, bookings, run, progress)
            running = [*await swarm.connect(devices, tasks), tasks.create_task(run.answer(swarm.answers))]
            await book_steadily(run, bookings, rng, rate, seconds, progress)
            await asyncio.sleep(2)
            for task in running:
                task.cancel()
    return run


def main(argv: list[str]) -> int:
    """`python -m bench refusals`."""
    parser = argparse.ArgumentParser(prog="python -m bench refusals", description=__doc__)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--rate", type=float, default=10, help="bookings a second")
    parser.add_argument("--seconds", type=float, default=20)
    chosen = parser.parse_args(argv)
    run = asyncio.run(measure(chosen.devices, chosen.rate, chosen.seconds))
    table = Table(title=f"{chosen.devices} devices, {chosen.rate:g} bookings/s, {WAVES} waves of each refused by all (ms)")
    for name in ("what", "n", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="left" if name == "what" else "right")
    table.add_row("last refusal sent -> next wave on a device", *row(list(run.to_next.values())))
    Console().print(table)
    return told(asked(run))


def asked(run: Refusals) -> list[Asked]:
    """What must hold."""
    times = [1e3 * s for s in run.to_next.values()] or [math.inf]
    return [
        Asked(words="waves after a last refusal", seen=len(run.to_next), at_least=max(1, len(run.posted) * WAVES)),
        Asked(words="last refusal to the next wave on a device, p99", seen=part(times, 0.99), unit=" ms", at_most=NEXT_MS),
    ]
