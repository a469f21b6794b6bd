"""Near misses: who would fit with an hour more or five kilometres more, out of 10,000 to a million providers (R30).

The city of the bench `match`. For a booking of each kind: the processor time of the store for one step of the search (the verb `near`), and
what a whole look takes in the worker, where every provider whom the bitmaps name is judged exactly.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.match import part
from bench.town import Town, cpu_us, load, queries
from dispatch import bonus
from dispatch.engine.bonus import LOOKED, look
from dispatch.matcher import Query
from dispatch.model import MarketSettings, Span
from dispatch.store import Clock, Store
from dispatch.store.bookings import plain
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.functions import install, library

BOOKINGS, MINUTE, AT_MOST_MS = 20, 10 * 60 + 7, 5.0
CASES = {"by day, 8 % do it": ("often", 0), "by day, 0.5 % do it": ("rare", 0), "late, 0.5 % do it": ("rare", 7), "nobody": ("night", 0)}


@dataclass(slots=True)
class Row:
    """What was seen of one kind of booking, ms. ``named``: providers a look judges; ``found``: near misses it finds."""

    size: int
    case: str
    named: int = 0
    found: int = 0
    steps: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    match: list[float] = field(default_factory=list)


async def opened(store: Store, town: Town, service: str, later_h: int, index: int) -> int:
    """A booking that searches and asks nobody; its number."""
    query = queries(town, service, index + 1)[index]["query"]
    later = tuple(Span(window.start + later_h * 3_600_000, window.end + later_h * 3_600_000) for window in query.windows)
    query = msgspec.structs.replace(query, windows=later)
    now, (window,) = town.market.now, query.windows
    arguments: dict[str, Any] = {
        "rid": f"{service}-{later_h}-{index}", "print": "p", "booking_id": f"{service}-{later_h}-{index}", "client_id": "client", "who": {},
        "query": plain(query), "windows": [(window.start, window.end)], "ends": [window.start], "services": query.services, "area": {},
        "face": b"", "face_pairs": 0, "price": 0, "currency": "EUR", "urgency": "advance", "start": window.start, "deadline": window.start,
        "override": None, "plan": None, "due": now + 10**9, "minute": MINUTE,
    }  # fmt: skip
    return int((await store.bookings.open(town.market.id, **arguments))["bno"])


async def measure(store: Store, calls: Calls, town: Town, case: str) -> Row:
    """Each step's calls, then the whole look, for some bookings."""
    row, (service, later_h) = Row(town.size, case), CASES[case]
    for index in range(BOOKINGS):
        bno = await opened(store, town, service, later_h, index)
        (record,) = await store.bookings.records(town.market.id, [bno])
        query = msgspec.convert({name: value for name, value in record.query.items() if name != "client"}, Query)
        named: set[int] = set()
        for step in MarketSettings().bonus_steps:
            near = store.starvation.near(town.market.id, bno, MINUTE, bonus.wider(query, step), LOOKED)
            row.steps.append(await spent(calls, near, named))
        found = store.bookings.match(town.market.id, query, minute=MINUTE, k=LOOKED, client_id="client", counting=False)
        row.match.append(await spent(calls, found, set()))
        begun = time.perf_counter()
        row.found += len(await look(store, town.market, record))
        row.looks.append((time.perf_counter() - begun) * 1e3)
        row.named += len(named)
    return row


async def spent(calls: Calls, call: Any, named: set[int]) -> float:
    """The processor time of the store for a call, ms; whom it names is added to ``named``."""
    idle = await cpu_us(calls)
    before = await cpu_us(calls)
    found = await call
    named.update(found if isinstance(found, list) else ())
    return max(0.0, await cpu_us(calls) - before - (before - idle)) / 1e3


async def run(url: str, sizes: list[int]) -> list[Row]:
    """Every kind of booking in every city."""
    calls = Calls(make_redis(url, connections=1, answers_within_s=60), Clock())
    calls.redis.response_callbacks.clear()
    await install(calls.redis, library())
    store, rows = Store(calls, calls), []
    with Progress() as progress:
        for size in sizes:
            town = await load(store, calls, size, progress)
            bar = progress.add_task("looks", total=len(CASES))
            for case in CASES:
                rows.append(await measure(store, calls, town, case))
                progress.advance(bar)
    await calls.redis.aclose()
    return rows


def shown(rows: list[Row]) -> Table:
    """The table."""
    table = Table(title="near misses, ms")
    for name in (
        "providers",
        "booking",
        "judged",
        "found",
        "a step, CPU p50",
        "max",
        "match of 200, CPU p50",
        "max",
        "a look p50",
        "max",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        times = [f"{part(times, share):.2f}" for times in (row.steps, row.match, row.looks) for share in (0.5, 1)]
        table.add_row(f"{row.size:,}", row.case, f"{row.named / BOOKINGS:.0f}", f"{row.found / BOOKINGS:.0f}", *times)
    return table


def main(argv: list[str]) -> int:
    """`python -m bench near`."""
    parser = argparse.ArgumentParser(prog="python -m bench near", description=__doc__)
    parser.add_argument("--providers", default="10000,100000", help="sizes of the city, with commas between")
    sizes = [int(size) for size in parser.parse_args(argv).providers.split(",")]
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder), "dev") as server:
        rows = asyncio.run(run(server.url, sizes))
    Console(width=160).print(shown(rows))
    return 0 if all(part(row.steps, 0.5) <= AT_MOST_MS for row in rows) else 1
