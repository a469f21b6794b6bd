"""What a filled booking costs: processor time by process and by step, and a flame picture of each process.

Each booking is proposed to five devices at once; all confirm, one accepts, four are told that it is taken, the booking service gets a
webhook. Pictures and shares of the Python processes come from py-spy, the picture of the store from perf; without them those parts are
left out. What a verb costs the store is measured on a store of its own, call by call.
"""

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import flame, steps
from bench.push import MARKET, Run, Swarm, book_steadily, prepare, providers
from bench.serving import Served, cpu_seconds, pids, serving
from bench.verbs import verb_costs
from dispatch.client import BookingClient, DeviceClient, Proposal, Withdrawn
from dispatch.client.bookings import MarketSettings, Tier

WAVE, HERTZ, AT_MOST_MS = 5, 100, 3.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Filling(Run):
    """Devices that confirm; when all of a wave have a booking, the last of them accepts."""

    async def listen(self, client: DeviceClient, answers: "asyncio.Queue[tuple[DeviceClient, Proposal]]") -> None:
        """One device."""
        async for message in client:
            if isinstance(message, Proposal):
                booking = message.booking.booking_id
                self.holders[booking][message.proposal] = client
                self.booking_of[message.proposal] = booking
                if len(self.holders[booking]) == WAVE:
                    answers.put_nowait((client, message))
            elif isinstance(message, Withdrawn) and message.proposal in self.booking_of:
                self.told[self.booking_of[message.proposal]] += 1


@dataclass(slots=True)
class Seen:
    """What one run showed: bookings, webhooks (all say that one was filled), CPU seconds by process, frames, stacks by process."""

    bookings: int = 0
    hooks: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    frames: steps.Frames = field(default_factory=Counter)
    stacks: dict[str, flame.Stacks] = field(default_factory=dict)


@asynccontextmanager
async def receiving(seen: Seen) -> AsyncIterator[str]:
    """A booking service that takes webhooks; where it listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
                length = next(int(value) for name, _, value in lines if name == b"content-length")
                await reader.readexactly(length)
                seen.hooks += 1
                writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


def settings(hook: str) -> MarketSettings:
    """Waves of five, nothing that would take a device out of the running, and somewhere to send webhooks."""
    row = {"class": "last_minute", "lead_under_s": 21_600, "size": WAVE, "pause_s": 600}
    far = {"class": "far", "lead_under_s": None, "size": 1, "pause_s": 3_600}
    chosen = {"open_proposals_cap": 100, "travel_gap_s": 0, "webhook": {"url": hook, "secret": SECRET}, "cadence": [row, far]}
    return msgspec.convert(chosen, MarketSettings)


async def measure(served: Served, devices: int, rate: float, seconds: float) -> Seen:
    """The whole run."""
    rng, run, seen = random.Random(1), Filling(), Seen()
    with Progress() as progress:
        async with receiving(seen) as hook, BookingClient(served.url, served.key, MARKET) as bookings, asyncio.TaskGroup() as tasks:
            await prepare(bookings, providers(devices, rng, [Tier.PREFERRED], 1))  # equals take turns
            await bookings.put_market(settings(hook))
            swarm = Swarm(served, bookings, run, progress)
            running = await swarm.connect(devices, tasks)
            running.append(tasks.create_task(run.answer(swarm.answers)))
            await book_steadily(run, bookings, rng, rate, 2, progress)  # caches and connections
            warm = await heard(seen, len(run.posted))
            told = steps.frames(await asyncio.to_thread(served.metrics))
            before = cpu_seconds(served)
            watching = watch(served, seconds)
            await book_steadily(run, bookings, rng, rate, seconds, progress, first=warm)
            await heard(seen, len(run.posted))
            seen.cpu = {name: value - before[name] for name, value in cpu_seconds(served).items()}
            seen.frames = steps.frames(await asyncio.to_thread(served.metrics)) - told
            seen.bookings, seen.hooks = len(run.posted) - warm, seen.hooks - warm
            seen.stacks = {name: await asyncio.to_thread(one.stacks) for name, one in watching.items()}
            for task in running:
                task.cancel()
    return seen


async def heard(seen: Seen, bookings: int) -> int:
    """Waits until all of them are filled and told, some seconds at most; how many are told."""
    for _ in range(100):
        if seen.hooks >= bookings:
            break
        await asyncio.sleep(0.1)
    return seen.hooks


@dataclass(frozen=True, slots=True)
class Watch:
    """A sampler that runs beside a process, and the file it writes."""

    process: "subprocess.Popen[bytes]"
    file: Path
    perf: bool

    def stacks(self) -> flame.Stacks:
        """What it saw, when it has ended."""
        self.process.wait(60)
        if not self.file.exists():
            return flame.Stacks()
        if not self.perf:
            return flame.folded(self.file.read_text().splitlines())
        text = subprocess.run(["perf", "script", "-i", self.file], capture_output=True, check=False).stdout
        return flame.from_perf(text.decode(errors="replace").splitlines())


def watch(served: Served, seconds: float) -> dict[str, Watch]:
    """Starts a sampler for each process that can be watched."""
    spy, perf = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin"), shutil.which("perf")
    found = {}
    for name, pid in pids(served).items():
        file = served.folder / f"{name}.samples"
        if name == "store" and perf:
            command = [perf, "record", "-q", "-F", str(HERTZ), "-g", "-o", str(file), "-p", str(pid), "--", "sleep", f"{seconds:g}"]
        elif name != "store" and spy:
            command = [spy, "record", "-p", str(pid), "-d", f"{seconds:.0f}", "-r", str(HERTZ), "-f", "raw", "-o", str(file)]
        else:
            continue
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found[name] = Watch(process, file, name == "store")
    return found


def by_process(seen: Seen) -> Table:
    """What all took together."""
    whole = Table(title=f"processor time of a filled booking ({WAVE} proposals), ms")
    for name in (*seen.cpu, "all"):
        whole.add_column(name, justify="right")
    costs = [value * 1_000 / seen.bookings for value in seen.cpu.values()]
    whole.add_row(*(f"{cost:.2f}" for cost in (*costs, sum(costs))))
    return whole


def by_step(seen: Seen, verbs: dict[str, tuple[float, float]]) -> Table:
    """The same by step, a row each; the first wave leaves with the booking, so `open` holds what it costs."""
    shown = Table(title="by step, us a filled booking", caption="wave: later ones, and looking for them")
    shared = {name: steps.shares(name, seen.stacks[name], seen.frames) for name in steps.PATTERNS if seen.stacks.get(name)}
    shared["store"] = steps.store_shares(verbs)
    for column in ("step", *shared, "all"):
        shown.add_column(column, justify="left" if column == "step" else "right")
    for row in (*steps.ROWS, steps.BESIDE):
        costs = [share.get(row, 0.0) * seen.cpu[name] * 1e6 / seen.bookings for name, share in shared.items()]
        shown.add_row(row, *(f"{cost:.0f}" for cost in (*costs, sum(costs))))
    return shown


def by_verb(verbs: dict[str, tuple[float, float]]) -> Table:
    """By verb of the store, called one by one."""
    shown = Table(title="the store's verbs, on a store of their own", caption="match: that part of open")
    for name in ("verb", "calls a booking", "us a call"):
        shown.add_column(name, justify="left" if name == "verb" else "right")
    for verb, (calls, cost) in sorted(verbs.items(), key=lambda one: -one[1][0] * one[1][1]):
        shown.add_row(verb, f"{calls:.1f}", f"{cost:.0f}")
    return shown


def main(argv: list[str]) -> int:
    """`python -m bench profile`."""
    parser = argparse.ArgumentParser(prog="python -m bench profile", description=__doc__)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--rate", type=float, default=40, help="bookings a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pictures", type=Path, help="a folder for the flame pictures (SVG)")
    chosen = parser.parse_args(argv)
    if chosen.rate * chosen.seconds < 1 or chosen.devices < WAVE:
        parser.error(f"at least one booking (--rate times --seconds) and {WAVE} devices, whom it is proposed to")
    with serving() as served:
        seen = asyncio.run(measure(served, chosen.devices, chosen.rate, chosen.seconds))
    console = Console()
    console.print(by_process(seen))
    verbs = asyncio.run(verb_costs(chosen.devices, WAVE, settings("http://127.0.0.1:9/hook")))
    for table in (by_step(seen, verbs), by_verb(verbs)):
        console.print(table)
    for name in ("api", "gateway", "worker", "store"):
        if not seen.stacks.get(name):
            print(f"no samples of {name}: install {'linux-perf (Debian)' if name == 'store' else 'py-spy (PyPI)'}, and be allowed to trace")
    if chosen.pictures:
        chosen.pictures.mkdir(parents=True, exist_ok=True)
        for name, stacks in seen.stacks.items():
            (chosen.pictures / f"{name}.svg").write_text(flame.svg(stacks, f"{name}: {seen.bookings} filled bookings"))
    print(f"bookings {seen.bookings}, filled {seen.hooks}")
    cost = sum(seen.cpu.values()) * 1_000 / seen.bookings
    return 0 if seen.hooks == seen.bookings and cost <= AT_MOST_MS else 1
