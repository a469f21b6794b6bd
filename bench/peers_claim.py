"""A claim beside a SET: the verb `accept` and a plain SET on one store, the durable profile's fsync in both, at several numbers of clients.

`dispatch serve` opens the bookings, each with three providers who hold a proposal of it; then the store goes on by itself, so that nothing
else has a part in it. Every accept wins: it moves the booking, takes two proposals back, and blocks the winner's hours.
"""

import argparse
import asyncio
import random
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

import msgspec
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.driver import Packed, drive, packed
from bench.peers.machine import machine, version
from bench.peers.rounds import Holds, Times
from bench.push import MARKET, providers
from bench.serving import serving
from bench.timers import open_all
from dispatch.client import BookingClient
from dispatch.client.bookings import BookingRequest, Catalogue, MarketSettings, Place, Service, Trade, Window
from dispatch.messages import PushAddress
from dispatch.store import Clock, Store
from dispatch.store.calls import Calls, decode, make_redis
from dispatch.store.embedded import Embedded, find_binary, running
from dispatch.store.functions import install, library
from dispatch.wire import encode_json

OURS, SET = "accept", "SET"
HOLDERS, CONNECTING, READ = 3, 32, 200
AT_MOST = 3.0
LENGTH = timedelta(minutes=45)
VALUE = b"x" * 100
CALLS = {1: 100, 10: 300, 50: 500}  # accepts of a round at so many clients


def settings() -> MarketSettings:
    """Three are asked at once, and nothing moves by itself while it is measured."""
    long = 50_000
    return msgspec.convert(
        {
            "open_proposals_cap": 100,
            "cadence": [{"class": "far", "lead_under_s": None, "size": HOLDERS, "pause_s": long}],
            "quiet_hours": None,
            "answer_s": {"last_minute": long, "same_day": long, "advance": long, "far": long},
            "delivery_grace_s": {"last_minute": long, "other": long},
        },
        MarketSettings,
    )


def booking(number: int, groups: int, chance: random.Random) -> BookingRequest:
    """Of the group's service, on a day of its own, so that no claim stands in the way of another."""
    day = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=3 + number // groups)
    start = day + timedelta(minutes=chance.randrange(240))
    return BookingRequest(
        booking_id=f"b{number}", client_id=f"c{number % 500}", place=Place(lat=48.86, lng=2.34), services=(f"s{number % groups}",),
        windows=(Window(start=start, end=start + LENGTH),), price_cents=4_500,
    )  # fmt: skip


@asynccontextmanager
async def connected(url: str, connections: int = 1) -> AsyncIterator[Calls]:
    """The store, with the verbs installed."""
    calls = Calls(make_redis(url, connections=connections, answers_within_s=60), Clock())
    calls.redis.response_callbacks.clear()
    await install(calls.redis, library())
    try:
        yield calls
    finally:
        await calls.redis.aclose()


async def prepare(url: str, key: str, store_url: str, groups: int, rounds: int) -> None:
    """Bookings for all rounds, each held by the three of its group. They have a push address and no socket."""
    chance = random.Random(1)
    near = [msgspec.structs.replace(one, catalogue=(f"s{n % groups}",)) for n, one in enumerate(providers(groups * HOLDERS, chance))]
    people = [msgspec.structs.replace(one, zone=msgspec.structs.replace(one.zone, lat=48.86, lng=2.34)) for one in near]
    services = tuple(Service(code=f"s{n}", trade="hair") for n in range(groups))
    with Progress() as progress:
        async with BookingClient(url, key, MARKET) as bookings, connected(store_url, CONNECTING) as calls:
            await bookings.put_market(settings())
            await bookings.put_catalogue(Catalogue(trades=(Trade(code="hair"),), services=services))
            await bookings.import_providers(people)
            store, door = Store(calls, calls), asyncio.Semaphore(CONNECTING)

            async def reachable(pno: int) -> None:
                async with door:
                    address = encode_json(PushAddress(kind="fcm", token=f"bench-{pno}"))
                    await store.links.connect(MARKET, pno, "d", "bench", pno, push=address)
                    await store.links.disconnect(MARKET, pno, "d", "bench", pno)

            await asyncio.gather(*(reachable(pno) for pno in range(1, len(people) + 1)))
            await open_all(bookings, [booking(n, groups, chance) for n in range(groups * rounds)], "bookings", progress)


async def claims(calls: Calls, count: int) -> list[Packed]:
    """One accept for each booking that three providers hold, in the bookings' order."""
    store, commands = Store(calls, calls), list[Packed]()
    for first in range(1, count + 1, READ):
        for record in await store.bookings.records(MARKET, range(first, min(first + READ, count + 1))):
            holders = [pno for pno, proposal in record.proposals.items() if proposal.state == "open"]
            if len(holders) != HOLDERS:
                raise RuntimeError(f"{len(holders)} providers hold booking {record.no}, not {HOLDERS}: this would measure something else")
            proposal = f"{record.no}.{record.round}.{holders[0]}"
            accept = calls.call(
                "accept", MARKET, p=holders[0], id=f"tap-{record.no}", proposal=proposal, bno=record.no, round=record.round,
                version=record.version, window=0, cause="wave",
            )  # fmt: skip
            commands.append(packed(*accept))
    return commands


@dataclass(slots=True)
class Level:
    """What was seen at one number of clients: times, and commands a second of each round."""

    clients: int
    times: Times = field(default_factory=Times)
    rate: dict[str, list[float]] = field(default_factory=lambda: {OURS: [], SET: []})


async def one_round(path: str, level: Level, turn: int, accepts: Sequence[Packed]) -> None:
    """Accepts and as many SETs, another one first each round."""
    sets = [packed("SET", f"{{{MARKET}}}:bench:{level.clients}:{n}", VALUE) for n in range(len(accepts))]
    pairs = [(OURS, accepts), (SET, sets)]
    for name, commands in pairs if turn % 2 else reversed(pairs):
        seen = await drive(path, commands, level.clients)
        if name == OURS and (lost := [answer for answer in seen.answers if decode(answer)["word"] != "WON"]):
            raise RuntimeError(f"{len(lost)} of {len(accepts)} accepts did not win: {lost[0]!r}")
        if name == SET and set(seen.answers) != {b"OK"}:
            raise RuntimeError(f"SET was answered {set(seen.answers)}")
        for ms in seen.ms:
            level.times.add(name, turn, ms)
        level.rate[name].append(len(commands) / seen.lasted_s)


async def measure(url: str, levels: list[Level], rounds: int) -> str:
    """All rounds, on the store alone; its own word on what a call of either took it."""
    groups = sum(CALLS[level.clients] for level in levels)
    path = unquote(urlsplit(url).path)
    async with connected(url) as calls:
        accepts = await claims(calls, groups * rounds)
    with Progress() as progress:
        bar = progress.add_task("rounds", total=rounds * len(levels))
        for turn in range(rounds):
            rest = accepts[turn * groups : (turn + 1) * groups]
            for level in levels:
                some, rest = rest[: CALLS[level.clients]], rest[CALLS[level.clients] :]
                await one_round(path, level, turn, some)
                progress.advance(bar)
    async with connected(url) as calls:
        said = re.findall(r"cmdstat_(fcall|set):.*?usec_per_call=([\d.]+)", (await calls.command("INFO", "commandstats")).decode())
    return "in the server, without the disk: " + ", ".join(f"{OURS if name == 'fcall' else SET} {us} us" for name, us in sorted(said))


def shown(levels: list[Level], rounds: int) -> Table:
    """The table."""
    table = Table(title=f"accept beside SET, appendfsync always, {rounds} rounds")
    for name in ("clients", "what", "calls", "p50 ms", "p99 ms", "a second", "times a SET, by the rounds' p50"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for level in levels:
        for name in (OURS, SET):
            count = sum(map(len, level.times.taken[name].values()))
            times = [level.times.shown(name, share) for share in (0.5, 0.99)]
            beside = str(level.times.ratio(OURS, SET)) if name == OURS else ""
            table.add_row(str(level.clients), name, str(count), *times, f"{median(level.rate[name]):.0f}", beside)
        table.add_section()
    return table


def run(levels: list[Level], rounds: int) -> str:
    """An engine opens the bookings; then its store goes on alone. What the store says of the calls."""
    with tempfile.TemporaryDirectory(prefix="d-bench-") as kept:
        data = Path(kept) / "data"
        with serving(DISPATCH_DATA_DIR=str(data)) as served:
            groups = sum(CALLS[level.clients] for level in levels)
            asyncio.run(prepare(served.url, served.key, running(data) or "", groups, rounds))
        with Embedded(data) as store:
            return uvloop.run(measure(store.url, levels, rounds))


def main(argv: list[str]) -> int:
    """`python -m bench peers-claim`."""
    parser = argparse.ArgumentParser(prog="python -m bench peers-claim", description=__doc__)
    parser.add_argument("--clients", default="1,10,50", help=f"of {', '.join(map(str, CALLS))}, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(argv)
    wanted = [int(clients) for clients in chosen.clients.split(",")]
    if unknown := set(wanted) - set(CALLS):
        parser.error(f"--clients {', '.join(map(str, unknown))}: choose from {', '.join(map(str, CALLS))}")
    levels = [Level(clients) for clients in wanted]
    print(f"{machine()}\nour store {version(str(find_binary()), '--version')}")
    said = run(levels, chosen.rounds)
    table = shown(levels, chosen.rounds)
    table.caption = said
    Console(width=140).print(table)
    held = [Holds(f"accept at {level.clients} clients beside SET", level.times.ratio(OURS, SET), at_most=AT_MOST) for level in levels]
    print("\n".join(one.line() for one in held))
    return 0 if all(held) else 1
