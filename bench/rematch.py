"""Whoever appears meets the waiting bookings (R18): 10,000 of them, 400 providers a second come online or are freed, 20 widen settings.

A whole engine runs (`dispatch serve`, durable) on a store that the bench shares with it. Providers come online as a gateway enters them,
switch themselves on as a device says it, or are freed by a client's cancellation over HTTP; settings are widened over HTTP; some of them
are real devices, on websockets. Every booking keeps vacancies all the while, so that no list ever becomes short. Measured from before the
call that makes somebody appear: until his first proposal is written (its event), until he has met everything (the worker's histogram), and
until the proposal is at his device. It fails when one of the 99th percentiles is not under a second, or somebody was not served.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.push import row
from bench.rematch_town import CHANGED, MARKET, ONLINE, Town, settle
from bench.serving import Served, cpu_seconds, serving
from bench.town import cpu_us
from dispatch.client import BookingClient, DeviceClient, Proposal
from dispatch.store import Clock, Store
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.keys import key

LIMIT_S, TAIL_S, LOOK_S, SHARE = 1.0, 20.0, 0.05, 0.99
BUCKET = re.compile(r'dispatch_rematch_seconds_bucket\{(?:.*,)?le="([^"]+)".*\} ([0-9.e+]+)')
Deed = tuple[str, Callable[[], Awaitable[object]], int]  # what, how, and the number of the provider who appears


@dataclass(slots=True)
class Run:
    """What happened. Seconds, but ``appeared``: engine ms at which a provider appeared, by his number."""

    appeared: dict[int, float] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    behind: list[float] = field(default_factory=list)
    to_seat: list[float] = field(default_factory=list)
    to_device: list[float] = field(default_factory=list)
    met: dict[float, float] = field(default_factory=dict)
    left: int = 0
    waiting: tuple[int, int] = (0, 0)
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def handled(self) -> int:
        """How many have met everything."""
        return int(max(self.met.values(), default=0))

    def met_within(self) -> float:
        """The upper edge of the bucket that holds the 99th percentile of those."""
        return min((edge for edge, n in self.met.items() if n >= SHARE * self.handled), default=inf) if self.handled else inf


def deeds(town: Town, count: int) -> Iterable[Deed]:
    """Who appears, in which way, one after the other: each once."""
    ways = {
        "came online": [(lambda n=n: town.online(n), n) for n in town.offline],
        "switched on": [(lambda n=n: town.switch(n, True), n) for n in town.off],
        "freed": [(lambda b=b: town.bookings.cancel(b, by="client", reason="ill"), n) for b, n in town.held.items()],
    }
    every = [(name, deed, number) for name, some in ways.items() for deed, number in some]
    town.rng.shuffle(every)
    return every[:count]


async def steadily(run: Run, some: Iterable[Deed], rate: float, progress: Progress, name: str) -> None:
    """An open loop: each leaves at its moment, whatever became of those before."""
    every = list(some)
    bar, begun = progress.add_task(name, total=len(every)), time.perf_counter()

    async def one(what: str, deed: Callable[[], Awaitable[object]], number: int) -> None:
        run.appeared[number] = time.time() * 1_000
        await deed()
        run.done[what] += 1
        progress.advance(bar)

    async with asyncio.TaskGroup() as tasks:
        for index, deed in enumerate(every):
            late = time.perf_counter() - begun - index / rate
            await asyncio.sleep(max(0.0, -late))
            run.behind.append(max(0.0, late))
            tasks.create_task(one(*deed))


async def phones(run: Run, town: Town, tokens: dict[str, str], seconds: float) -> None:
    """Real devices: connected, switched off; each switches on at its moment, and waits for its first proposal."""

    async def one(index: int, token: str) -> None:
        async with DeviceClient(town.served.device_url, token, device="real", encoding=("msgpack", "json")[index % 2]) as client:
            await client.live()
            await asyncio.sleep(1 + index * seconds / len(tokens))
            begun = time.perf_counter()
            switching = asyncio.create_task(client.status(available=True))
            heard = inf
            with suppress(TimeoutError):
                async with asyncio.timeout(TAIL_S):
                    async for message in client:
                        if isinstance(message, Proposal):
                            heard = time.perf_counter() - begun
                            break
            run.to_device.append(heard)
            await switching

    await asyncio.gather(*(one(index, token) for index, token in enumerate(tokens.values())))


async def buckets(served: Served) -> dict[float, float]:
    """The worker's histogram so far."""
    text = await asyncio.to_thread(served.metrics)
    found: dict[float, float] = {}
    for edge, n in BUCKET.findall(text):
        found[float(edge)] = found.get(float(edge), 0.0) + float(n)
    return found


async def quiet(run: Run, calls: Calls) -> None:
    """Waits until nobody waits to be served any more; who is left after a while has not been."""
    for _ in range(int(TAIL_S / LOOK_S)):
        run.left = int(await calls.command("ZCARD", key("freed", MARKET)))
        if not run.left:
            return
        await asyncio.sleep(LOOK_S)


async def first_seats(run: Run, town: Town) -> None:
    """From the appearance of each to the event that says that he took a seat."""
    seats: dict[int, int] = {}
    for event in await town.seats_taken():
        seats.setdefault(event["asked"][0], event["at"])
    run.to_seat = [max(0.0, seats[pno] - moment) / 1_000 for pno, moment in run.appeared.items() if pno in seats]


async def spent(served: Served, calls: Calls) -> dict[str, float]:
    """Processor seconds of each process so far."""
    return cpu_seconds(served) | {"store": await cpu_us(calls) / 1e6, "generator": time.process_time()}


async def measure(served: Served, url: str, chosen: argparse.Namespace) -> Run:
    """The whole run."""
    redis = make_redis(url)
    redis.response_callbacks.clear()
    calls, run = Calls(redis, Clock()), Run()
    with Progress() as progress:
        async with BookingClient(served.url, served.key, MARKET) as bookings:
            town = Town(Store(calls, calls), calls, bookings, served)
            beating = asyncio.create_task(town.beat())
            tokens = await settle(town, chosen, progress)
            before, vacant = await buckets(served), await town.vacant()
            cpu = await spent(served, calls)
            changes = [(CHANGED, (lambda line=line: town.widen(line)), n) for n, line in town.narrow.items()]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(steadily(run, deeds(town, int(chosen.rate * chosen.seconds)), chosen.rate, progress, ONLINE))
                tasks.create_task(steadily(run, changes, chosen.changes, progress, CHANGED))
                tasks.create_task(phones(run, town, tokens, chosen.seconds))
            await quiet(run, calls)
            run.cpu = {name: value - cpu[name] for name, value in (await spent(served, calls)).items()}
            run.met = {edge: n - before.get(edge, 0.0) for edge, n in (await buckets(served)).items()}
            run.waiting = vacant, await town.vacant()
            await first_seats(run, town)
            beating.cancel()
    await redis.aclose()
    return run


def report(run: Run, chosen: argparse.Namespace) -> bool:
    """Prints what was measured; whether it keeps the promise."""
    table = Table(
        title=f"{chosen.waiting} waiting bookings, {chosen.rate:g}/s appear and {chosen.changes:g}/s widen, {chosen.seconds:g} s (ms)"
    )
    for name in ("from appearing to", "n", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="left" if name == "from appearing to" else "right")
    table.add_row("his first proposal written", *row(run.to_seat))
    table.add_row("a proposal at his device", *row(run.to_device))
    table.add_row("(the generator behind its plan)", *row(run.behind))
    table.caption = (
        f"{run.handled} have met all they fit, 99 % of them within {run.met_within() * 1_000:.0f} ms; {run.left} were not served"
    )
    Console().print(table)
    print(
        ", ".join(f"{n} {what}" for what, n in run.done.items())
        + f"; bookings with vacancies: {run.waiting[0]} before, {run.waiting[1]} after"
    )
    print("CPU s: " + ", ".join(f"{name} {value:.1f}" for name, value in run.cpu.items()))
    worst = [sorted(values)[int(len(values) * SHARE)] if values else inf for values in (run.to_seat, run.to_device)]
    return max(*worst, run.met_within()) < LIMIT_S and run.left == 0 and min(run.waiting) > 0.9 * chosen.waiting


def main(argv: list[str]) -> int:
    """`python -m bench rematch`."""
    parser = argparse.ArgumentParser(prog="python -m bench rematch", description=__doc__)
    parser.add_argument("--waiting", type=int, default=10_000, help="bookings that wait")
    parser.add_argument("--rate", type=float, default=400, help="providers a second who come online or are freed")
    parser.add_argument("--changes", type=float, default=20, help="settings widened a second")
    parser.add_argument("--devices", type=int, default=60, help="real devices among them")
    parser.add_argument("--seconds", type=float, default=30)
    chosen = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="d-bench-") as folder,
        Embedded(Path(folder), "durable") as server,
        serving(DISPATCH_REDIS_URL=server.url) as served,
    ):
        run = asyncio.run(measure(served, server.url, chosen))
    return 0 if report(run, chosen) else 1
