"""Waves on time (P6): many pending timers, hundreds due a second, and once more after kill -9 and restart.

20,000 far bookings wait with their next wave an hour away; beside them last-minute bookings whose pauses are short make some 200 waves
due every second. Lateness is read from the timelines (`late`: ms after max(due, engine ready)). What fell due while all was down is more
than P6's 200 a second: it is shown beside, with what had to wait behind it (docs/decisions/0014-what-fell-due-meanwhile.md).
"""

import argparse
import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.push import Swarm, booking, prepare, providers
from bench.serving import Served, serving
from dispatch.client import BookingClient, DeviceClient
from dispatch.client.bookings import BookingRequest, MarketSettings, Window

MARKET, AT_ONCE, LATE = "bench", 16, 250


def settings(pause_s: int) -> MarketSettings:
    """Pauses that make the last-minute class busy, and grace and answers that leave everything else alone."""
    long = 50_000
    return msgspec.convert(
        {
            "open_proposals_cap": 100,
            "cadence": [
                {"class": "last_minute", "lead_under_s": 21_600, "size": 1, "pause_s": pause_s},
                {"class": "far", "lead_under_s": None, "size": 1, "pause_s": 3_600},
            ],
            "quiet_hours": None,
            "answer_s": {"last_minute": long, "same_day": long, "advance": long, "far": long},
            "delivery_grace_s": {"last_minute": long, "other": long},
        },
        MarketSettings,
    )


def far(number: int, rng: random.Random) -> BookingRequest:
    """A booking in some days."""
    start = datetime.now(UTC) + timedelta(days=rng.randrange(4, 30), minutes=rng.randrange(0, 1_400))
    near = booking(number, rng)
    return msgspec.structs.replace(near, booking_id=f"far{number}", windows=(Window(start=start, end=start + timedelta(minutes=30)),))


class Quiet:
    """Devices that confirm what they get and answer nothing."""

    async def listen(self, client: DeviceClient, _: object) -> None:
        """Takes in messages; acknowledging is the client's business."""
        async for _message in client:
            pass


async def open_all(bookings: BookingClient, requests: list[BookingRequest], name: str, progress: Progress) -> None:
    """Opens bookings, some at once."""
    bar, door = progress.add_task(name, total=len(requests)), asyncio.Semaphore(AT_ONCE)

    async def one(request: BookingRequest) -> None:
        async with door:
            await bookings.open(request)
        progress.advance(bar)

    await asyncio.gather(*(one(request) for request in requests))


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave that was sent: when, when it was due and since when somebody could send it (engine ms); ms late."""

    at: int
    due: int
    ready: int
    late: float


async def sent(bookings: BookingClient, numbers: range, progress: Progress) -> list[Wave]:
    """Every later wave of the busy bookings."""
    bar, found = progress.add_task("timelines", total=len(numbers)), []
    for number in numbers:
        for event in await bookings.timeline(f"b{number}"):
            if event.type == "WaveSent" and event.fields["wave"] > 1:
                due, ready = (_ms(datetime.fromisoformat(event.fields[name])) for name in ("due", "ready"))
                found.append(Wave(_ms(event.at), due, ready, float(event.fields["late"])))
        progress.advance(bar)
    return found


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def parted(waves: list[Wave], killed_at: float) -> dict[str, list[Wave]]:
    """While it ran; after the restart the pile (due before somebody was ready), those that left while it was worked off, and the rest."""
    after = [wave for wave in waves if wave.at >= killed_at]
    pile = [wave for wave in after if wave.due < wave.ready]
    gone = max((wave.at for wave in pile), default=0)
    return {
        "running": [wave for wave in waves if wave.at < killed_at],
        "pile": pile,
        "behind it": [wave for wave in after if wave.due >= wave.ready and wave.due <= gone],
        "after it": [wave for wave in after if wave.due > gone],
    }


async def measure(served: Served, pending: int, busy: int, pause_s: int, seconds: float) -> tuple[dict[str, list[Wave]], float]:
    """The waves before the kill and after it, and how long the restart took (s)."""
    rng = random.Random(1)
    with Progress() as progress:
        async with BookingClient(served.url, served.key, MARKET) as bookings, asyncio.TaskGroup() as tasks:
            await prepare(bookings, providers(400, rng))
            await bookings.put_market(settings(pause_s))
            swarm = Swarm(served, bookings, Quiet(), progress)
            running = await swarm.connect(400, tasks)
            await open_all(bookings, [far(n, rng) for n in range(pending)], "pending", progress)
            await open_all(bookings, [booking(n, rng) for n in range(busy)], "busy", progress)
            await asyncio.sleep(seconds)
            killed_at = datetime.now(UTC).timestamp() * 1_000
            down = await asyncio.to_thread(served.kill_and_restart)
            await asyncio.sleep(seconds)
            found = await sent(bookings, range(busy), progress)
            for task in running:
                task.cancel()
    return parted(found, killed_at), down


def main(argv: list[str]) -> int:
    """`python -m bench timers`."""
    parser = argparse.ArgumentParser(prog="python -m bench timers", description=__doc__)
    parser.add_argument("--pending", type=int, default=20_000)
    parser.add_argument("--due", type=int, default=200, help="waves due a second")
    parser.add_argument("--pause", type=int, default=5, help="seconds between the waves of a busy booking")
    parser.add_argument("--seconds", type=float, default=20)
    chosen = parser.parse_args(argv)
    with serving() as served:
        parts, down = asyncio.run(measure(served, chosen.pending, chosen.due * chosen.pause, chosen.pause, chosen.seconds))
    table = Table(title=f"{chosen.pending} timers pending, {chosen.due} waves due a second, kill -9 and back in {down:.1f} s: ms late")
    for name in ("when", "waves", "p50", "p99", "max", "over 250"):
        table.add_column(name, justify="left" if name == "when" else "right")
    for name, waves in parts.items():
        ordered = sorted(wave.late for wave in waves) or [float("nan")]
        share = [f"{ordered[int(len(ordered) * part)]:.0f}" for part in (0.5, 0.99)]
        table.add_row(name, str(len(waves)), *share, f"{ordered[-1]:.0f}", str(sum(wave.late > LATE for wave in waves)))
    if pile := parts["pile"]:
        lasted = (max(wave.at for wave in pile) - min(wave.ready for wave in pile)) / 1_000
        table.caption = (
            f"the pile was gone after {lasted:.1f} s: {(len(pile) + len(parts['behind it'])) / max(lasted, 0.001):.0f} waves a second"
        )
    Console().print(table)
    judged = [wave.late for name in ("running", "after it") for wave in parts[name]]
    return 0 if parts["running"] and parts["after it"] and max(judged) <= LATE else 1
