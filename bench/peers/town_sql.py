"""The dense city as a table of PostgreSQL, read from the loaded store, and the two plans that find the first K in it.

Everything a query reads stands in one row, as a careful designer would have it: one flag for approved, reachable, unpaused and below the
cap; services as int[] (intarray); the week's hours, do-not-disturb hours and visits with their gaps as multiranges; of a zone the polygon,
or the box of its circle, for GiST, and what the exact test needs. Rows lie in rank order.
"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.progress import Progress

from bench.peers.postgres import import_asyncpg
from bench.town import AREAS, GAP, HOLDING, RECORD, SLOTS, Town, providers
from dispatch.hours import spans
from dispatch.matcher import Query, minute_of
from dispatch.model import AreasZone, CircleZone, DailyRange, ProviderSettings
from dispatch.store.calls import Calls
from dispatch.store.footprint import SHELVES
from dispatch.store.keys import key

BATCH = 20_000
MONDAY = datetime(2026, 1, 12, tzinfo=UTC)  # of a week without a change of clocks
WEEK, DAY = 10_080, 1_440  # minutes
SERVICES = {name: number for number, name in enumerate(("night", "often", "rare", *(f"s{n}" for n in range(40))), 1)}

STAGE = """
CREATE EXTENSION postgis; CREATE EXTENSION intarray;
CREATE UNLOGGED TABLE stage (pno int, bucket smallint, asked bigint, askable boolean, services int[], areas int[], lat float8, lng float8,
    radius float8, ring text, hours text, dnd text, busy text);
CREATE TABLE blocks (client int, pno int, PRIMARY KEY (client, pno));
"""
# The box of a circle is a little larger than the circle; of its centre the row keeps what the distance over the sphere needs.
FILL = """
CREATE TABLE providers AS
WITH wide AS (SELECT *, radius / 111000 AS up, radius / (111000 * cos(radians(lat))) AS aside FROM stage)
SELECT pno, bucket, asked, askable, services, areas, radius, radians(lat) AS lat, radians(lng) AS lng, cos(radians(lat)) AS shrink,
    CASE WHEN radius IS NOT NULL THEN ST_MakeEnvelope(lng - aside, lat - up, lng + aside, lat + up, 4326)
        WHEN ring IS NOT NULL THEN ST_GeomFromText(ring, 4326) END AS zone,
    hours::int4multirange AS hours, dnd::int4multirange AS dnd, busy::int8multirange AS busy
FROM wide ORDER BY bucket, asked, pno;
DROP TABLE stage;
ALTER TABLE providers ADD PRIMARY KEY (pno);
CREATE INDEX by_rank ON providers (bucket, asked, pno) WHERE askable;
CREATE INDEX by_zone ON providers USING gist (zone) WHERE askable;
CREATE INDEX by_service ON providers USING gin (services gin__int_ops) WHERE askable;
CREATE INDEX by_area ON providers USING gin (areas gin__int_ops) WHERE askable;
CREATE INDEX by_hours ON providers USING gist (hours) WHERE askable;
"""
# $1 the place, $2 areas that hold it, $3 services, $4 minutes of the week, $5 minute of the day now, $6 the window (ms), $7 the client,
# $8 K, $9 to $11 latitude, longitude and the cosine of the latitude of the place. A circle: haversine, four times faster than
# ST_DistanceSphere, and the same doubles as ours.
FITS = """askable AND services @> $3::int[] AND hours @> $4::int4range
    AND (dnd IS NULL OR NOT dnd @> $5::int) AND (busy IS NULL OR NOT busy && $6::int8range)
    AND pno <> ALL (ARRAY(SELECT b.pno FROM blocks b WHERE b.client = $7::int))
    AND (areas && $2::int[] OR zone && ST_GeomFromEWKB($1::bytea) AND
        CASE WHEN radius IS NULL THEN ST_Intersects(zone, ST_GeomFromEWKB($1::bytea))
        ELSE 12742017.6 * asin(sqrt(least(1.0, sin(($9::float8 - lat) * 0.5) ^ 2
            + shrink * $11::float8 * sin(($10::float8 - lng) * 0.5) ^ 2))) <= radius END)"""
ORDER = "ORDER BY bucket, asked, pno LIMIT $8::int"
WALK, GIST = "rank walk", "GiST + GIN"


@dataclass(frozen=True, slots=True)
class Plan:
    """A query, and the settings under which the planner takes the plan that is meant."""

    sql: str
    settings: Mapping[str, str]


PLANS = {
    WALK: Plan(
        f"SELECT pno, bucket FROM providers WHERE {FITS} {ORDER}",
        {"enable_bitmapscan": "off", "enable_seqscan": "off", "enable_sort": "off", "enable_incremental_sort": "off"},
    ),
    GIST: Plan(
        f"WITH fit AS MATERIALIZED (SELECT pno, bucket, asked FROM providers WHERE {FITS}) SELECT pno, bucket FROM fit {ORDER}",
        {"enable_indexscan": "off", "enable_seqscan": "off"},
    ),
}


def row(pno: int, live: "Live", one: ProviderSettings) -> tuple[Any, ...]:
    """A provider for the staging table."""
    zone, areas, lat, lng, radius, ring = one.zone, None, None, None, None, None
    if isinstance(zone, CircleZone):
        lat, lng, radius = round(zone.lat * 1e6) / 1e6, round(zone.lng * 1e6) / 1e6, float(round(zone.radius_km * 1_000))
    elif isinstance(zone, AreasZone):
        areas = sorted(AREAS.index(code) for code in zone.codes)
    else:
        corners = [(round(x * 1e6) / 1e6, round(y * 1e6) / 1e6) for x, y in zone.coordinates]
        ring = f"POLYGON(({', '.join(f'{x} {y}' for x, y in (*corners, corners[0]))}))"
    quiet = None if one.do_not_disturb is None else multirange(_daily(one.do_not_disturb))
    return (
        pno, int(live.bucket[pno]), int(live.asked[pno]), bool(live.askable[pno]), sorted(SERVICES[name] for name in one.catalogue),
        areas, lat, lng, radius, ring, weekly(one.hours), quiet, live.busy.get(pno),
    )  # fmt: skip


def multirange(ranges: list[tuple[int, int]]) -> str:
    """Ranges as PostgreSQL reads them."""
    return "{" + ",".join(f"[{start},{end})" for start, end in ranges) + "}"


def _daily(quiet: DailyRange) -> list[tuple[int, int]]:
    begin, end = minute_of(quiet.from_), minute_of(quiet.to)
    return [(begin, end)] if begin < end else [(0, end), (begin, DAY)]


@lru_cache
def weekly(hours: str) -> str:
    """The hours of a week in local minutes from its Monday on; a shift over the week's end lies at both ends."""
    start = round(MONDAY.timestamp() * 1_000)
    found = spans(hours, (), (), "UTC", start, start + WEEK * 60_000)
    return multirange([((begin - start) // 60_000, (end - start) // 60_000) for begin, end in found])


@dataclass(frozen=True, slots=True)
class Live:
    """What bookings and devices left in the store, by provider number: his bucket, when he was asked, his flag, his visits with gaps."""

    number: dict[str, int]
    bucket: np.ndarray[Any, Any]
    asked: np.ndarray[Any, Any]
    askable: np.ndarray[Any, Any]
    busy: dict[int, str]


async def live(calls: Calls, town: Town) -> Live:
    """Read from the loaded store."""
    market, size = town.market.id, town.size + 1
    found = Live(await _numbers(calls, market), np.zeros(size, int), np.zeros(size, int), np.zeros(size, bool), {})
    for shelf in SHELVES:
        bits = np.unpackbits(np.frombuffer(await calls.command("GET", key("x_askable", market, shelf)) or b"", np.uint8))
        for chunk in range(-(-len(bits) // SLOTS)):
            raw = await calls.command("GET", key("x_records", market, shelf, chunk)) or b""
            records = np.frombuffer(raw, np.dtype(RECORD), count=len(raw) // 32)
            held = np.flatnonzero(records["pno"] > 0)
            who = records["pno"][held]
            found.bucket[who], found.asked[who] = records["bucket"][held], records["asked"][held]
            found.askable[who] = bits[chunk * SLOTS + held]
    for pno in range(1, min(HOLDING, town.size) + 1):
        visits = [visit.decode().split(":")[1:] for visit in await calls.command("ZRANGE", key("visits", market, pno), 0, -1)]
        if visits:
            found.busy[pno] = multirange([(int(start) - GAP, int(end) + GAP) for start, end in visits])
    return found


async def _numbers(calls: Calls, market: str) -> dict[str, int]:
    found: dict[str, int] = {}
    cursor = 0
    while True:
        cursor, flat = await calls.command("HSCAN", key("provider_ids", market), cursor, "COUNT", 10_000)
        found.update((name.decode(), int(number)) for name, number in zip(flat[::2], flat[1::2], strict=True))
        if not (cursor := int(cursor)):
            return found


def _rows(town: Town, facts: Live) -> Iterator[tuple[Any, ...]]:
    for name, one in providers(town.size, random.Random(town.size)):
        pno = facts.number[name]
        yield row(pno, facts, one)


async def fill(connection: Any, calls: Calls, town: Town, progress: Progress) -> None:
    """The same city, in PostgreSQL; with statistics, and every page as clean as it will be."""
    bar = progress.add_task(f"{town.size:,} rows", total=town.size)
    facts = await live(calls, town)
    await connection.execute(STAGE)
    batch: list[tuple[Any, ...]] = []
    for one in _rows(town, facts):
        batch.append(one)
        if len(batch) == BATCH:
            await connection.copy_records_to_table("stage", records=batch)
            progress.update(bar, advance=len(batch))
            batch = []
    await connection.copy_records_to_table("stage", records=batch)
    progress.update(bar, advance=len(batch), description="   indexes, ANALYZE")
    await connection.execute(FILL, timeout=1_800)
    client = int(await calls.command("HGET", key("client_ids", town.market.id), "client"))
    blocked = await calls.command("SMEMBERS", key("blocks", town.market.id, client))
    await connection.executemany("INSERT INTO blocks VALUES ($1, $2)", [(client, int(pno)) for pno in blocked])
    await connection.execute("VACUUM (FREEZE, ANALYZE) providers", timeout=1_800)
    await connection.execute("VACUUM (FREEZE, ANALYZE) blocks")
    await connection.execute("CHECKPOINT")


def arguments(query: Query, minute: int, client: int, k: int, time_zone: str) -> tuple[Any, ...]:
    """What is bound to a plan's parameters; see FITS. The week's minutes are of the market's clock."""
    [window] = query.windows
    start = datetime.fromtimestamp(window.start / 1_000, ZoneInfo(time_zone))
    first = start.weekday() * DAY + start.hour * 60 + start.minute
    last = first + round((window.end - window.start) / 60_000)
    if last > WEEK:
        raise ValueError("the window passes the end of the week; take another day")
    place = _point(query.lng / 1e6, query.lat / 1e6)
    areas = [AREAS.index(code) for code in query.areas]
    services = [SERVICES[name] for name in query.services]
    return place, areas, services, _range(first, last), minute, _range(window.start, window.end), client, k, *_angles(query)


def _angles(query: Query) -> tuple[float, float, float]:
    lat, lng = math.radians(query.lat / 1e6), math.radians(query.lng / 1e6)
    return lat, lng, math.cos(lat)


def _point(lng: float, lat: float) -> bytes:
    """EWKB of a place in WGS 84."""
    return bytes.fromhex("0101000020e6100000") + np.array([lng, lat], "<f8").tobytes()


def _range(first: int, end: int) -> Any:
    return import_asyncpg().Range(first, end)
