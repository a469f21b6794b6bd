"""A match: the first K of those who fit, out of 10,000 to a million providers, beside a PING on the same connection (R2, R5).

One dense city, loaded in bulk, every filter of R2 in force; 8 %, 0.5 % or none of the providers fit. A table of the match, one of memory.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.town import CASES, Town, cpu_us, index_bytes, load, queries, slow
from dispatch.store import Clock, Store
from dispatch.store.bookings import plain
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.functions import install, library

QUERIES, AT_MOST, GROWTH, BYTES, LATE_US = 60, 4.0, 2.0, 2_048.0, 5_000.0


@dataclass(slots=True)
class Row:
    """What was seen at one point of the grid. Times in microseconds, of the match and of the PINGs between. ``late``: calls over 5 ms on
    the server's clock (verb and ms)."""

    size: int
    case: str
    fit: int
    count_ms: float
    cpu: float
    late: list[tuple[str, float]] = field(default_factory=list)
    match: list[float] = field(default_factory=list)
    ping: list[float] = field(default_factory=list)

    def ratio(self) -> float:
        """How many PINGs a match takes, by the medians."""
        return part(self.match, 0.5) / part(self.ping, 0.5)

    def hiccups(self) -> int:
        """PINGs that took over 5 ms: what the machine itself does to any call."""
        return sum(time > LATE_US for time in self.ping)


def part(values: list[float], share: float) -> float:
    """A quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measure(store: Store, calls: Calls, town: Town, case: str, count: int, k: int) -> Row:
    """Matches and PINGs in turn, on one connection."""
    asked = queries(town, CASES[case], QUERIES)
    counts, market = [], town.market.id
    begun = time.perf_counter()
    for one in asked:  # the first look at a bitmap makes it as long as the others
        counts.append((await store.bookings.match(market, **one, k=k)).count)
    row = Row(town.size, case, sum(counts) // len(counts), (time.perf_counter() - begun) / len(asked) * 1e3, 0)
    packed = [{**one, "query": plain(one["query"]), "k": k, "counting": True} for one in asked]
    spent = await cpu_us(calls)
    for index in range(count):
        row.ping.append(await timed(calls.command("PING")))
        row.match.append(await timed(calls.verb("match", market, **packed[index % len(packed)])))
    row.cpu = (await cpu_us(calls) - spent) / count
    row.late = list(await slow(calls))
    return row


async def timed(call: Any) -> float:
    begun = time.perf_counter()
    await call
    return (time.perf_counter() - begun) * 1e6


async def run(url: str, sizes: list[int], count: int, k: int) -> tuple[list[Row], list[tuple[Town, float, Any]]]:
    """Every point of the grid; each city with the bytes of its index and the slow calls of its loading."""
    calls = Calls(make_redis(url, connections=1, answers_within_s=60), Clock())
    calls.redis.response_callbacks.clear()
    await install(calls.redis, library())
    await calls.redis.config_set("slowlog-log-slower-than", 5_000)
    await calls.redis.config_set("slowlog-max-len", 1_000)
    store, rows, towns = Store(calls, calls), [], []
    with Progress() as progress:
        for size in sizes:
            begun = time.perf_counter()
            town = await load(store, calls, size, progress)
            town.load_s = time.perf_counter() - begun
            towns.append((town, await index_bytes(calls, town), await slow(calls)))
        bar = progress.add_task("matches", total=len(sizes) * len(CASES))
        for case in CASES:  # one case of all cities in a row: only what is measured in the same minute compares
            for town, _, _ in towns:
                rows.append(await measure(store, calls, town, case, count, k))
                progress.advance(bar)
    await calls.redis.aclose()
    return rows, towns


def growths(rows: list[Row]) -> list[tuple[str, int, int, float]]:
    """From the smallest city to the largest: how the ratio to the PING grows, of each case."""
    found = []
    for case in CASES:
        by_size = sorted((row for row in rows if row.case == case), key=lambda row: row.size)
        low, high = by_size[0], by_size[-1]
        found.append((case, low.size, high.size, high.ratio() / low.ratio()))
    return found


def shown(rows: list[Row], towns: list[tuple[Town, float, Any]], k: int) -> list[Table]:
    """The tables."""
    table = Table(title=f"match, K = {k}: microseconds, PING on the same connection in brackets")
    for name in ("providers", "who fits", "fit", "p50", "p99", "max", "ratio of p50", "server CPU of both", "over 5 ms", "exact count, ms"):
        table.add_column(name, justify="right")
    for row in rows:
        beside = [f"{part(row.match, share):.0f} ({part(row.ping, share):.0f})" for share in (0.5, 0.99, 1)]
        over = f"{len(row.late)} ({row.hiccups()})"
        table.add_row(
            f"{row.size:,}", row.case, f"{row.fit:,}", *beside, f"{row.ratio():.2f}", f"{row.cpu:.0f}", over, f"{row.count_ms:.1f}"
        )
    table.caption = "; ".join(f"from {low:,} to {high:,}, {case}: {times:.2f} times" for case, low, high, times in growths(rows))
    memory = Table(title="memory and loading")
    for name in ("providers", "loaded in s", "us a provider", "index, bytes a provider", "all keys", "loading calls over 5 ms", "worst"):
        memory.add_column(name, justify="right")
    for town, index, slow_ones in towns:
        worst = max(slow_ones, key=lambda one: float(one[1]), default=("", 0.0))
        memory.add_row(
            f"{town.size:,}", f"{town.load_s:.0f}", f"{town.load_s / town.size * 1e6:.0f}", f"{index:.0f}", f"{town.bytes_all:.0f}",
            str(len(slow_ones)), f"{worst[0]} {worst[1]:.1f} ms" if slow_ones else "",
        )  # fmt: skip
    return [table, memory]


def main(argv: list[str]) -> int:
    """`python -m bench match`."""
    parser = argparse.ArgumentParser(prog="python -m bench match", description=__doc__)
    parser.add_argument("--providers", default="10000,100000", help="sizes of the city, with commas between")
    parser.add_argument("--calls", type=int, default=1_000, help="matches at each point")
    parser.add_argument("--k", type=int, default=10)
    chosen = parser.parse_args(argv)
    sizes = [int(size) for size in chosen.providers.split(",")]
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder), "dev") as server:
        rows, towns = asyncio.run(run(server.url, sizes, chosen.calls, chosen.k))
    for table in shown(rows, towns, chosen.k):
        Console(width=160).print(table)
    kept = all(row.ratio() <= AT_MOST and len(row.late) <= row.hiccups() for row in rows)
    kept &= all(index <= BYTES for _, index, _ in towns) and all(times < GROWTH for *_, times in growths(rows))
    return 0 if kept else 1
