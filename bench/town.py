"""A dense city in a store of its own, loaded in bulk, with every filter of R2 in force; for benches of the match index."""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from dispatch.matcher import Query
from dispatch.model import AreasZone, CircleZone, DailyRange, InitialRank, MarketSettings, PolygonZone, ProviderSettings, Span, Tier, Zone
from dispatch.store import Market, Store
from dispatch.store.calls import Calls
from dispatch.store.footprint import SHELVES, shelf_of
from dispatch.store.keys import key
from dispatch.zones import cells_of

CITY, BATCH, LAT, LNG = "bench", 16_384, 48_856_600, 2_352_200
HALF = (75_000, 110_000)  # half the city's height and width in millionths of a degree: some 16 km by 16 km
MINUTE = 10 * 60 + 7  # the local minute at which everybody is asked
DAY_HOURS = (
    "Mo-Su 08:00-20:00", "Mo-Su 09:00-19:00", "Mo-Fr 09:00-12:30,14:00-19:00; Sa,Su 10:00-18:00", "Mo-Su 08:05-20:20", "Tu-Su 10:00-22:00",
    "Mo-Su 07:00-15:00", "Mo-Su 13:00-23:00", "24/7",
)  # fmt: skip
NIGHT_HOURS = "Mo-Su 22:00-06:00"
QUIET = (("22:00", "07:00"), ("09:00", "11:00"), ("12:00", "13:30"))
AREAS = tuple(f"750{n:02d}" for n in range(1, 21))
BLOCKED, HOLDING, GAP, SLOTS = 3, 5_000, 1_800_000, 4_096
RECORD = [("pno", "<u4"), ("asked", "<f8"), ("zone", "V13"), ("bucket", "u1"), ("rest", "V6")]  # lua/lib/record.lua
CASES = {"8 %": "often", "0.5 %": "rare", "nobody": "night"}  # how many fit, and the service that makes it so


@dataclass(slots=True)
class Town:
    """A loaded city. ``bytes_all``: what it takes in the server, a provider."""

    market: Market
    size: int
    bytes_all: float = 0
    load_s: float = 0


def providers(count: int, rng: random.Random) -> Iterator[tuple[str, ProviderSettings]]:
    """Who works there. Four in five have circles of 4 to 9 km; one in ten a polygon, one in ten a list of areas."""
    ranks = [InitialRank(tier=tier, score=step / 2) for tier in Tier for step in range(21)]
    quiet = [DailyRange(from_=begin, to=end) for begin, end in QUIET]
    for index in range(count):
        night = rng.random() < 0.08
        services = ["night"] if night else [f"s{rng.randrange(40)}" for _ in range(6)]
        services += ["often"] * (rng.random() < 0.24) + ["rare"] * (rng.random() < 0.014)
        yield f"p{index}", ProviderSettings(
            name=f"Provider {index}", trade="hair", catalogue=tuple(dict.fromkeys(services)), zone=_zone(rng),
            hours=NIGHT_HOURS if night else DAY_HOURS[min(len(DAY_HOURS) - 1, int(rng.expovariate(0.6)))],
            do_not_disturb=rng.choice(quiet) if rng.random() < 0.2 else None, initial_rank=rng.choice(ranks),
            status="approved" if rng.random() < 0.98 else "inactive",
        )  # fmt: skip


def _zone(rng: random.Random) -> Zone:
    kind = rng.random()
    lat, lng = (LAT + rng.randint(-HALF[0], HALF[0])) / 1e6, (LNG + rng.randint(-HALF[1], HALF[1])) / 1e6
    if kind < 0.1:
        return AreasZone(codes=rng.sample(AREAS, 5))
    if kind < 0.2:
        size = rng.uniform(0.03, 0.07)
        ring = [
            (lng - 1.4 * size, lat - size),
            (lng + 1.5 * size, lat - 0.8 * size),
            (lng + size, lat + size),
            (lng - size, lat + 0.9 * size),
        ]
        return PolygonZone(coordinates=ring)
    return CircleZone(lat=lat, lng=lng, radius_km=round(rng.uniform(4, 9), 1))


async def load(store: Store, calls: Calls, count: int, progress: Progress) -> Town:
    """Everybody, reachable but one in twenty, asked at some moment of the last month; some hold visits."""
    market = f"{CITY}{count}"
    before = await _used(calls)
    await store.markets.put_settings(market, MarketSettings())
    found = await store.markets.get(market)
    assert found is not None
    town = Town(found, count)
    bar, batch = progress.add_task(f"{count:,} providers", total=count), []
    for one in providers(count, random.Random(count)):
        batch.append(one)
        if len(batch) == BATCH:
            await store.providers.enroll(found, batch)
            progress.update(bar, advance=len(batch))
            batch = []
    await store.providers.enroll(found, batch)
    progress.update(bar, advance=len(batch))
    await _live(store, calls, town, progress)
    town.bytes_all = (await _used(calls) - before) / count
    return town


async def _live(store: Store, calls: Calls, town: Town, progress: Progress) -> None:
    """What bookings and devices would have left: push addresses, moments of the last proposal, visits, blocks."""
    bar = progress.add_task("   made reachable", total=town.size)
    rng, market = np.random.default_rng(town.size), town.market.id
    ready = rng.random(town.size) < 0.95
    ready &= np.fromiter((one.status == "approved" for _, one in providers(town.size, random.Random(town.size))), np.bool_, town.size)
    for at in range(0, town.size, 2_000):
        some = 1 + at + np.flatnonzero(ready[at : at + 2_000])
        await calls.pipeline(*(("HSET", key("provider", market, pno), "push", 1, "askable", 1) for pno in some.tolist()))
        progress.update(bar, completed=at + 2_000)
    for shelf in SHELVES:
        await _live_shelf(calls, town, shelf, ready, rng)
    for pno in range(1, min(HOLDING, town.size // 10) + 1):
        visit = window(town.market.now, pno % 5)
        slot, bucket = (int(value) for value in await calls.command("HMGET", key("provider", market, pno), "slot", "bucket"))
        taken = range((visit.start - GAP) // 900_000, (visit.end + GAP) // 900_000)
        held = ("ZADD", key("visits", market, pno), visit.start, f"{pno}:{visit.start}:{visit.end}")
        await calls.pipeline(held, *(("SETBIT", key("x_quarter", market, shelf_of(bucket), quarter), slot, 0) for quarter in taken))
    for pno in range(1, BLOCKED + 1):
        await store.bookings.block(market, "client", pno=pno, on=True)


async def _live_shelf(calls: Calls, town: Town, shelf: int, ready: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Moments of the last proposal, and who can be asked."""
    market = town.market.id
    slots = int(await calls.command("HGET", key("numbers", market), f"slots{shelf}") or 0)
    askable = np.zeros(slots, np.bool_)
    for chunk in range(-(-slots // SLOTS)):
        name = key("x_records", market, shelf, chunk)
        raw = bytearray(await calls.command("GET", name) or b"")
        records = np.frombuffer(raw, np.dtype(RECORD), count=len(raw) // 32)
        held, month = records["pno"] > 0, rng.integers(town.market.now - 30 * 86_400_000, town.market.now, len(records))
        records["asked"] = np.where(held, month * (rng.random(len(records)) > 0.1), 0)
        askable[chunk * SLOTS : chunk * SLOTS + len(records)] = held & ready[np.maximum(records["pno"].astype(np.int64), 1) - 1]
        await calls.command("SET", name, bytes(raw))
        waiting: dict[int, list[Any]] = {}
        for slot in np.flatnonzero(held).tolist():
            pno, asked, _, bucket, _ = records[slot].tolist()
            waiting.setdefault(bucket, []).extend((asked, struct.pack(">II", pno, chunk * SLOTS + slot)))
        await calls.pipeline(*(("ZADD", key("x_waiting", market, bucket), *those) for bucket, those in waiting.items()))
    await calls.command("SETRANGE", key("x_askable", market, shelf), 0, np.packbits(askable).tobytes())


def window(now: int, days: int = 0) -> Span:
    """An hour from 14:00 UTC on, some days ahead."""
    start = (now // 86_400_000 + 2 + days) * 86_400_000 + 14 * 3_600_000
    return Span(start, start + 3_600_000)


def queries(town: Town, service: str, count: int) -> list[dict[str, Any]]:
    """Arguments of `match`: places all over the city's middle, on different days."""
    rng = random.Random(service)
    found = []
    for index in range(count):
        lat, lng = LAT + rng.randint(-HALF[0] // 2, HALF[0] // 2), LNG + rng.randint(-HALF[1] // 2, HALF[1] // 2)
        query = Query(
            lat=lat, lng=lng, cells=cells_of(lat, lng), areas=(rng.choice(AREAS),), services=(service,),
                windows=(window(town.market.now, index % 5),),
            gap=GAP,
        )  # fmt: skip
        found.append({"query": query, "minute": MINUTE, "client_id": "client"})
    return found


async def _used(calls: Calls) -> int:
    return int(_fields(await calls.command("INFO", "memory"))["used_memory"])


def _fields(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)


async def index_bytes(calls: Calls, town: Town) -> float:
    """What the keys of the index take, a provider."""
    total, cursor = 0, 0
    while True:
        cursor, names = await calls.command("SCAN", cursor, "MATCH", f"{{{town.market.id}}}:x:*", "COUNT", 20_000)
        total += sum(await calls.pipeline(*(("MEMORY", "USAGE", name) for name in names))) if names else 0
        if not (cursor := int(cursor)):
            return total / town.size


async def cpu_us(calls: Calls) -> float:
    """Processor time of the server so far."""
    fields = _fields(await calls.command("INFO", "cpu"))
    return (float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])) * 1e6


async def slow(calls: Calls) -> Sequence[tuple[str, float]]:
    """Calls over 5 ms since the last question: verb and ms on the server's clock."""
    entries = await calls.command("SLOWLOG", "GET", 1_000)
    await calls.command("SLOWLOG", "RESET")
    return [(entry[3][1].decode().rpartition("_")[0], entry[2] / 1_000) for entry in entries if entry[3][0].lower() == b"fcall"]
