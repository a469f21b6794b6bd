"""From the booking to the devices: POST -> proposal on the device, and accept -> the last loser told, at a steady rate.

Everything is real: `dispatch serve` with the durable profile, websockets, HTTP; the generator runs on the same machine.
"""

import argparse
import asyncio
import math
import random
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.rounds import part
from bench.serving import Served, cpu_seconds, serving
from bench.swarm.verdict import Asked, told
from dispatch.client import BookingClient, DeviceClient, Proposal, Withdrawn
from dispatch.client.bookings import (
    BookingRequest,
    Catalogue,
    CircleZone,
    InitialRank,
    MarketSettings,
    Place,
    ProviderLine,
    Service,
    Tier,
    Trade,
    Window,
)

MARKET, CONNECTING, IMPORTED = "bench", 50, 20_000
FRAME_P50_MS, FRAME_P99_MS, RECALL_P99_MS = 8, 40, 40  # what docs/explanation/performance.md says is asked


class Listener(Protocol):
    """What a device does with what it hears."""

    async def listen(self, client: DeviceClient, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """Until it is cancelled."""


class Run:
    """What is measured: moments on this process's clock, by booking and proposal."""

    def __init__(self) -> None:
        self.posted: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        self.holders: dict[str, dict[str, DeviceClient]] = defaultdict(dict)
        self.booking_of: dict[str, str] = {}
        self.to_frame: list[float] = []
        self.to_told: dict[str, float] = {}
        self.post: list[float] = []
        self.told: dict[str, int] = defaultdict(int)
        self.cpu: dict[str, float] = {}
        self.lag: dict[str, float] = {}
        self.imported: tuple[int, float] | None = None

    async def listen(self, client: DeviceClient, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """One device: notes when proposals and withdrawals arrive; the last of a wave to get one accepts."""
        async for message in client:
            now = time.perf_counter()
            if isinstance(message, Proposal):
                booking = message.booking.booking_id
                self.booking_of[message.proposal] = booking
                self.holders[booking][message.proposal] = client
                self.to_frame.append(now - self.posted[booking])
                if len(self.holders[booking]) == 3:
                    answers.put_nowait((client, message))
            elif isinstance(message, Withdrawn) and message.reason in ("taken", "overlap") and message.proposal in self.booking_of:
                booking = self.booking_of[message.proposal]
                self.told[booking] += 1
                if message.reason == "taken":
                    self.to_told[booking] = now - self.accepted[booking]

    async def answer(self, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """Accepts, one after the other as they come."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                client, proposal = await answers.get()
                self.accepted[proposal.booking.booking_id] = time.perf_counter()
                tasks.create_task(client.accept(proposal.proposal, proposal.version))

    async def book(self, bookings: BookingClient, number: int, rng: random.Random) -> None:
        """One booking."""
        request = booking(number, rng)
        self.posted[request.booking_id] = begun = time.perf_counter()
        await bookings.open(request)
        self.post.append(time.perf_counter() - begun)


def providers(count: int, rng: random.Random, tiers: Sequence[Tier] = tuple(Tier), steps: int = 21) -> list[ProviderLine]:
    """People all over Paris who always work, of these tiers and so many steps of score."""
    return [
        ProviderLine(
            provider_id=f"p{i}",
            name=f"P {i}",
            trade="hair",
            catalogue=("cut",),
            zone=CircleZone(lat=48.86 + rng.uniform(-0.05, 0.05), lng=2.34 + rng.uniform(-0.08, 0.08), radius_km=rng.choice([4, 6, 8])),
            hours="24/7",
            initial_rank=InitialRank(tier=rng.choice(tiers), score=rng.randrange(steps) / 2),
        )
        for i in range(count)
    ]


async def import_crowd(bookings: BookingClient, count: int, progress: Progress) -> tuple[int, float]:
    """Many more providers, while everything else goes on; how many, and in how many seconds."""
    lines = [msgspec.structs.replace(line, provider_id=f"x{line.provider_id}") for line in providers(count, random.Random(2))]
    bar, begun, taken = progress.add_task("import", total=count), time.perf_counter(), 0
    for first in range(0, count, IMPORTED):
        taken += (await bookings.import_providers(lines[first : first + IMPORTED])).accepted
        progress.update(bar, completed=taken)
    return taken, time.perf_counter() - begun


def booking(number: int, rng: random.Random) -> BookingRequest:
    """A last-minute booking somewhere in Paris."""
    start = datetime.now(UTC) + timedelta(hours=3, minutes=rng.randrange(0, 170))
    return BookingRequest(
        booking_id=f"b{number}",
        client_id=f"c{number % 500}",
        place=Place(lat=48.86 + rng.uniform(-0.04, 0.04), lng=2.34 + rng.uniform(-0.06, 0.06)),
        services=("cut",),
        windows=(Window(start=start, end=start + timedelta(minutes=45)),),
        price_cents=4_500,
    )


async def prepare(bookings: BookingClient, people: list[ProviderLine]) -> None:
    """The market, its catalogue and its providers."""
    await bookings.put_market(MarketSettings(open_proposals_cap=100, travel_gap_s=0))
    await bookings.put_catalogue(Catalogue(trades=(Trade(code="hair"),), services=(Service(code="cut", trade="hair"),)))
    for first in range(0, len(people), IMPORTED):
        await bookings.import_providers(people[first : first + IMPORTED])


class Swarm:
    """Every provider's device, half of them in each encoding, each in a task of its own; a few connect at a time."""

    def __init__(self, served: Served, bookings: BookingClient, run: Listener, progress: Progress) -> None:
        self._served, self._bookings, self._run, self._progress = served, bookings, run, progress
        self._door = asyncio.Semaphore(CONNECTING)
        self.answers: asyncio.Queue[tuple[DeviceClient, Proposal]] = asyncio.Queue(10_000)

    async def connect(self, count: int, tasks: asyncio.TaskGroup) -> list["asyncio.Task[None]"]:
        """Returns when all are live."""
        bar = self._progress.add_task("devices", total=count)
        live = [asyncio.Event() for _ in range(count)]
        running = [tasks.create_task(self._device(i, live[i])) for i in range(count)]
        for event in live:
            await event.wait()
            self._progress.advance(bar)
        return running

    async def _device(self, i: int, live: asyncio.Event) -> None:
        async with self._door:
            token = (await self._bookings.device_token(f"p{i}", "d")).token
            client = DeviceClient(self._served.device_url, token, device="d", encoding=("msgpack", "json")[i % 2])
            await client.__aenter__()
            await client.live()
        live.set()
        try:
            await self._run.listen(client, self.answers)
        finally:
            await client.__aexit__(None, None, None)


async def measure(served: Served, devices: int, rate: float, seconds: float, importing: int = 0) -> Run:
    """The whole run."""
    rng, run = random.Random(1), Run()
    with Progress() as progress:
        async with BookingClient(served.url, served.key, MARKET) as bookings, asyncio.TaskGroup() as tasks:
            await prepare(bookings, providers(devices, rng))
            swarm = Swarm(served, bookings, run, progress)
            running = await swarm.connect(devices, tasks)
            running.append(tasks.create_task(run.answer(swarm.answers)))
            crowd = tasks.create_task(import_crowd(bookings, importing, progress)) if importing else None
            run.cpu = {name: -value for name, value in {**cpu_seconds(served), "generator": time.process_time()}.items()}
            before = lags(await asyncio.to_thread(served.metrics))
            await book_steadily(run, bookings, rng, rate, seconds, progress)
            run.lag = loop_lag(before, lags(await asyncio.to_thread(served.metrics)))
            if crowd:
                run.imported = await crowd
            await asyncio.sleep(2)
            for name, value in {**cpu_seconds(served), "generator": time.process_time()}.items():
                run.cpu[name] = run.cpu.get(name, 0.0) + value
            for task in running:
                task.cancel()
    return run


async def book_steadily(
    run: Run, bookings: BookingClient, rng: random.Random, rate: float, seconds: float, progress: Progress, first: int = 0
) -> None:
    """An open loop: each booking leaves at its moment, whatever became of those before. They are numbered from ``first`` on."""
    bar = progress.add_task("bookings", total=int(rate * seconds))
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as posts:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            posts.create_task(run.book(bookings, first + number, rng))
            progress.advance(bar)


def row(values: list[float]) -> tuple[str, ...]:
    """Count, p50, p90, p99, max in ms."""
    ordered = sorted(values) or [float("nan")]
    picks = (ordered[int(len(ordered) * share)] for share in (0.5, 0.9, 0.99))
    return (str(len(values)), *(f"{value * 1_000:.1f}" for value in (*picks, ordered[-1])))


Lags = dict[tuple[str, float], float]


def lags(metrics: str) -> Lags:
    """How often so far the loop of a process lagged at most so long: the buckets of its histogram."""
    found: Lags = {}
    for line in metrics.splitlines():
        if bucket := re.match(r"dispatch_loop_lag_seconds_bucket\{(.*)\} ([0-9.e+]+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', bucket[1]))
            found[labels.get("process", labels.get("role", "all")), float(labels["le"])] = float(bucket[2])
    return found


def loop_lag(before: Lags, after: Lags) -> dict[str, float]:
    """The upper edge of the bucket that holds the 99th percentile of the loop lag between two moments, by process."""
    edges: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (name, edge), n in after.items():
        edges[name].append((edge, n - before.get((name, edge), 0.0)))
    return {name: min(edge for edge, n in rows if n >= 0.99 * max(n for _, n in rows)) for name, rows in edges.items()}


def main(argv: list[str]) -> int:
    """`python -m bench push`."""
    parser = argparse.ArgumentParser(prog="python -m bench push", description=__doc__)
    parser.add_argument("--devices", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=50, help="bookings a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--importing", type=int, default=0, help="providers imported over HTTP meanwhile")
    parser.add_argument("--profile", choices=("durable", "dev"), default="durable")
    chosen = parser.parse_args(argv)
    with serving(chosen.profile) as served:
        run = asyncio.run(measure(served, chosen.devices, chosen.rate, chosen.seconds, chosen.importing))
    table = Table(title=f"{chosen.devices} devices, {chosen.rate:g} bookings/s, profile {chosen.profile} (ms)")
    for name in ("what", "n", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="left" if name == "what" else "right")
    table.add_row("POST answered", *row(run.post))
    table.add_row("POST sent -> proposal on the device", *row(run.to_frame))
    table.add_row("accept sent -> last loser told", *row(list(run.to_told.values())))
    Console().print(table)
    print("event loop lag p99 by process (ms): " + ", ".join(f"{name} {value * 1_000:.1f}" for name, value in run.lag.items()))
    print("CPU ms per booking: " + ", ".join(f"{name} {value * 1_000 / len(run.posted):.1f}" for name, value in run.cpu.items()))
    if run.imported:
        print(f"imported meanwhile: {run.imported[0]} providers in {run.imported[1]:.1f} s")
    print(f"bookings {len(run.posted)}, accepted {len(run.accepted)}, both losers told {complete(run)}")
    return told(asked(run))


def complete(run: Run) -> int:
    """Accepts of which both losers were told."""
    return sum(heard == 2 for heard in run.told.values())


def asked(run: Run) -> list[Asked]:
    """What must hold. What is asked in milliseconds is asked of an engine that does nothing else: not beside an import."""
    all_told = [Asked(words="accepts of which both losers were told", seen=complete(run), at_least=max(1, len(run.accepted)))]
    if run.imported:
        return all_told
    to_frame, to_told = ([1e3 * s for s in some] or [math.inf] for some in (run.to_frame, run.to_told.values()))
    return [
        *all_told,
        Asked(words="POST to the frame on a device, p50", seen=part(to_frame, 0.5), unit=" ms", at_most=FRAME_P50_MS),
        Asked(words="POST to the frame on a device, p99", seen=part(to_frame, 0.99), unit=" ms", at_most=FRAME_P99_MS),
        Asked(words="accept to the last loser told, p99", seen=part(to_told, 0.99), unit=" ms", at_most=RECALL_P99_MS),
    ]
