"""What the store pays for a match, an opening, a wave, an answer, beside an earlier commit, in turns in one run.

Each side runs in processes of its own, from its own files: bookings that are opened, refused by all, proposed once more, accepted.
Processor time of the server, a call. Exit status 1 when one of them costs more than 1.3 times what it did.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
BOOKINGS, WARM, AT_MOST = 150, 20, 1.3
MEASURED = ("match", "open", "receipt", "refuse", "wave", "accept")


async def measure(people: int) -> dict[str, float]:
    """Microseconds a call, by the files that Python finds: those of the side at hand."""
    from bench import verbs
    from bench.profile import WAVE, settings
    from bench.push import booking
    from bench.town import cpu_us
    from dispatch.engine.desk import Desk
    from dispatch.engine.rounds import Rounds
    from dispatch.gazetteer import Gazetteer
    from dispatch.identity import DeviceKeys
    from dispatch.store import Clock, Store
    from dispatch.store.calls import make_redis
    from dispatch.store.embedded import Embedded
    from dispatch.store.functions import install, library

    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder) / "data", "durable") as server:
        calls = verbs.Metered(make_redis(server.url, connections=1, answers_within_s=60), Clock())
        calls.redis.response_callbacks.clear()
        await install(calls.redis, library())
        store = Store(calls, calls)
        desk = Desk(store, Gazetteer(), DeviceKeys.create(Path(folder) / "keys.json"))
        await verbs._people(desk, store, people, settings("http://127.0.0.1:9/hook"))
        rounds, rng = Rounds(store, 0), random.Random(2)
        for number in range(WARM + BOOKINGS):
            if number == WARM:
                calls.spent.clear()
            await _one(desk, store, calls, rounds, booking(number, rng), number, WAVE, cpu_us)
        await calls.redis.aclose()
    return {name: statistics.median(calls.spent[name]) for name in MEASURED}


async def _one(desk: Any, store: Any, calls: Any, rounds: Any, asked: Any, number: int, wave: int, cpu_us: Any) -> None:
    import msgspec

    from bench.verbs import MARKET
    from dispatch import hours
    from dispatch.model import BookingRequest

    request = msgspec.convert(msgspec.to_builtins(asked), BookingRequest)
    await desk.open(MARKET, request, f"open-{number}", may_override=False)
    record, market = await store.bookings.get(MARKET, request.booking_id), await desk.market(MARKET)
    minute = hours.local_minute(market.settings.time_zone, market.now)
    await calls.verb("match", MARKET, query=record.query, minute=minute, client_id=request.client_id, k=wave, counting=False)
    first = sorted(record.proposals)
    await store.claims.receipts(MARKET, [(pno, [f"{record.no}.1.{pno}"], []) for pno in first])
    for pno in first:
        await store.claims.refuse(MARKET, pno, f"no-{number}", f"{record.no}.1.{pno}", record.version)
    idle = await cpu_us(calls)
    before = await cpu_us(calls)
    await rounds.once(await store.now())
    calls.spent["wave"].append(await cpu_us(calls) - before - (before - idle))
    again = await store.bookings.get(MARKET, request.booking_id)
    pno = next(pno for pno, one in sorted(again.proposals.items()) if one.state == "open")
    await store.claims.accept(MARKET, pno, f"yes-{number}", f"{record.no}.1.{pno}", record.version)


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder of their own. Raises SystemExit when there is no such commit here."""
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder:
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode:
            raise SystemExit(f"{commit} is no commit of this clone: {packed.stderr.decode().strip()}")
        subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
        yield Path(folder)


def side(tree: Path, people: int) -> dict[str, float]:
    """One measurement of one side."""
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--measure", str(people)]
    done = subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, stdout=subprocess.PIPE, check=True, timeout=600)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: list[str]) -> int:
    """`python -m bench costs --against COMMIT`."""
    parser = argparse.ArgumentParser(prog="python -m bench costs", description=__doc__)
    parser.add_argument("--against", required=True, metavar="COMMIT")
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(argv)
    before, now = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    with tree_of(chosen.against) as earlier, Progress(console=Console(stderr=True)) as progress:
        for number in progress.track(range(2 * chosen.rounds), description="measurements"):
            turn = number % 2 == number // 2 % 2  # A B, B A, A B: whatever drifts, drifts for both
            for name, spent in side(ROOT if turn else earlier, chosen.people).items():
                (now if turn else before)[name].append(spent)
    ratios = {name: statistics.median(now[name]) / statistics.median(before[name]) for name in MEASURED}
    table = Table(title=f"microseconds of the store a call, {chosen.people:,} providers; before: {chosen.against}")
    for column in ("call", "before", "now", "ratio", f"asked: at most {AT_MOST}"):
        table.add_column(column, justify="right")
    for name, ratio in ratios.items():
        table.add_row(name, _range(before[name]), _range(now[name]), f"{ratio:.2f}", "holds" if ratio <= AT_MOST else "no")
    Console().print(table)
    return 0 if max(ratios.values()) <= AT_MOST else 1


def _range(found: list[float]) -> str:
    return f"{statistics.median(found):.0f} ({min(found):.0f} to {max(found):.0f})"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[sys.argv.index("--measure") + 1])))))
