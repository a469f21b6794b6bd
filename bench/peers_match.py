"""A match beside PostgreSQL with PostGIS: the same dense city, the same questions, the same answers, taken in turn in one run.

PostgreSQL gets two plans, and the better counts: a walk of a btree in rank order with the filters until K fit; and GiST (zones) with GIN
(services), hours and visits as multiranges, then a sort. Each is planned anew or once and for all, with workers to help or without,
whichever is fastest for it. An answer of PostgreSQL that is not ours fails the bench, whoever was faster.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.peers import Absences, Absent
from bench.peers.machine import machine, version
from bench.peers.postgres import binaries, cluster, connected, import_asyncpg, versions
from bench.peers.rounds import Holds, Times, interleaved, part, table
from bench.peers.town_sql import GIST, PLANS, WALK, arguments, fill
from bench.town import CASES, Town, load, queries
from dispatch.store import Clock, Store
from dispatch.store.bookings import plain
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded, find_binary
from dispatch.store.functions import install, library
from dispatch.store.keys import key

OURS, PING, SELECT = "ours", "a PING", "a SELECT 1"  # the last two: what the way there costs, in either client
FASTER, TRIES, FROM = 20.0, 10, 100_000  # judged from so many providers on
LIMIT_MS = 5_000  # a call of PostgreSQL is ended then, and counts as so much
BEST = "its best plan"
Way = tuple[str, str]  # plan_cache_mode, and workers that may help
WAYS: tuple[Way, ...] = tuple((mode, workers) for mode in ("force_custom_plan", "force_generic_plan") for workers in ("0", "2"))
Ask = Callable[[int], Awaitable[list[int]]]  # question -> numbers of the first K, in order


@dataclass(slots=True)
class Case:
    """What was seen of one case: times, how many answers were the same, of how many people ours were, and the plans."""

    name: str
    times: Times = field(default_factory=Times)
    same: int = 0
    answered: int = 0
    compared: int = 0
    plans: dict[str, str] = field(default_factory=dict)
    better: str = ""


@dataclass(frozen=True, slots=True)
class Alike:
    """That every answer of PostgreSQL was ours; those that it did not give in time are none."""

    words: str
    same: int
    compared: int

    def __bool__(self) -> bool:
        return 0 < self.compared == self.same

    def line(self) -> str:
        """For a table: what, how many, whether."""
        return f"{'holds' if self else 'DOES NOT HOLD'}: {self.words}: {self.same} of {self.compared} answers the same as ours"


class Ours:
    """The engine's verb on one connection."""

    def __init__(self, calls: Calls, town: Town, asked: list[dict[str, Any]], k: int) -> None:
        self._calls, self._market = calls, town.market.id
        self._packed = [{**one, "query": plain(one["query"]), "k": k, "counting": False} for one in asked]

    async def ask(self, question: int) -> list[int]:
        """The first K."""
        reply = await self._calls.verb("match", self._market, **self._packed[question])
        return list((reply["first"] or [])[::5])

    async def ping(self, _: int) -> list[int]:
        """Nothing, on the same connection."""
        await self._calls.command("PING")
        return []


class Theirs:
    """One plan of PostgreSQL on a connection of its own."""

    def __init__(self, connection: Any, name: str, bound: list[tuple[Any, ...]]) -> None:
        self._connection, self._plan, self._bound = connection, PLANS[name], bound
        self._prepared: Any = None
        self._nothing: Any = None

    async def prepare(self, way: Way) -> None:
        """Plans under its settings."""
        mode, workers = way
        chosen = {"plan_cache_mode": mode, "max_parallel_workers_per_gather": workers, "statement_timeout": str(LIMIT_MS)}
        for setting, value in {**self._plan.settings, **chosen}.items():
            await self._connection.execute(f"SET {setting} = '{value}'")
        self._prepared = await self._connection.prepare(self._plan.sql)
        self._nothing = await self._connection.prepare("SELECT 1")

    async def settle(self) -> str:
        """Takes the fastest way to run it; what each took (ms)."""
        seen: dict[Way, float] = {}
        for way in WAYS:
            await self.prepare(way)
            for question in range(2):
                await within_limit(self.ask(question))
            seen[way] = part([(await timed(self.ask(question)))[0] for question in range(TRIES)], 0.5)
        await self.prepare(min(seen, key=lambda way: seen[way]))
        return "; ".join(f"{mode}, {workers} workers: {ms:.2f} ms" for (mode, workers), ms in seen.items())

    async def ask(self, question: int) -> list[int]:
        """The first K."""
        return [row[0] for row in await self._prepared.fetch(*self._bound[question])]

    async def ping(self, _: int) -> list[int]:
        """Nothing, on the same connection."""
        await self._nothing.fetch()
        return []

    async def explained(self) -> str:
        """What the planner does with the first question."""
        explain = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {self._plan.sql}"
        rows = await self._connection.fetch(explain, *self._bound[0])
        return "\n".join(row[0] for row in rows)


async def within_limit(call: Awaitable[list[int]]) -> list[int] | None:
    """Its answer; None when it was ended at the limit."""
    try:
        return await call
    except import_asyncpg().QueryCanceledError:
        return None


async def timed(call: Awaitable[list[int]]) -> tuple[float, list[int] | None]:
    """How long it took (ms), or the limit."""
    begun = time.perf_counter()
    answer = await within_limit(call)
    return (time.perf_counter() - begun) * 1e3 if answer is not None else float(LIMIT_MS), answer


@asynccontextmanager
async def opened(url: str) -> Any:
    """One connection to our store, with the verbs installed."""
    calls = Calls(make_redis(url, connections=1, answers_within_s=60), Clock())
    calls.redis.response_callbacks.clear()
    await install(calls.redis, library())
    try:
        yield calls
    finally:
        await calls.redis.aclose()


async def measure(case: Case, ours: Ours, theirs: dict[str, Theirs], rounds: int, count: int, asked: int) -> None:
    """Every question to everyone in turn; first each question once to everyone, whose answers are compared."""
    asks: dict[str, Ask] = {OURS: ours.ask, **{name: one.ask for name, one in theirs.items()}}
    for question in range(asked):
        expected = await ours.ask(question)
        case.answered += len(expected)
        for name in theirs:
            answer = await within_limit(asks[name](question))
            case.compared += answer is not None
            case.same += answer == expected
    asks |= {PING: ours.ping, SELECT: theirs[WALK].ping}
    for turn, call, name in interleaved(list(asks), rounds, count):
        ms, answer = await timed(asks[name]((turn * count + call) % asked))
        case.times.add(name, turn, ms, answer is None)
    case.better = min(theirs, key=lambda name: case.times.at(name, 0.5))


async def run(url: str, home: Path, size: int, rounds: int, count: int, k: int) -> list[Case]:
    """All cases in one city."""
    cases = []
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(opened(url))
        connections = {name: await stack.enter_async_context(connected(home)) for name in PLANS}
        with Progress() as progress:
            town = await load(Store(calls, calls), calls, size, progress)
            await fill(connections[WALK], calls, town, progress)
            client = int(await calls.command("HGET", key("client_ids", town.market.id), "client"))
            bar = progress.add_task("matches", total=len(CASES))
            for name, service in CASES.items():
                asked = queries(town, service, 60)
                bound = [arguments(one["query"], one["minute"], client, k, town.market.settings.time_zone) for one in asked]
                case, theirs = Case(name), {plan: Theirs(connection, plan, bound) for plan, connection in connections.items()}
                for plan, one in theirs.items():
                    case.plans[plan] = f"{await one.settle()}\n{await one.explained()}"
                await measure(case, Ours(calls, town, asked, k), theirs, rounds, count, len(asked))
                cases.append(case)
                progress.advance(bar)
    return cases


def judged(cases: list[Case], size: int) -> list[Holds | Alike]:
    """What must hold: the same answers at any size, our speed from a size on at which it matters."""
    found: list[Holds | Alike] = []
    for case in cases:
        found.append(Alike(f"{size:,}, {case.name}", case.same, case.compared))
        if size >= FROM:
            best = f"{size:,}, {case.name}: {BEST} ({case.better}) beside ours"
            found.append(Holds(best, case.times.ratio(case.better, OURS), at_least=1))
            found.append(Holds(f"{size:,}, {case.name}: {GIST} beside ours", case.times.ratio(GIST, OURS), at_least=FASTER))
    return found


def measured(size: int, chosen: argparse.Namespace) -> list[Holds | Alike]:
    """One city, shown."""
    with cluster() as home, tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder), "dev") as server:
        cases = asyncio.run(run(server.url, home, size, chosen.rounds, chosen.calls, chosen.k))
    console = Console(width=160)
    shown = table(
        f"match, {size:,} providers, K = {chosen.k}, {chosen.rounds} rounds", [(c.name, c.times) for c in cases], OURS, ("who fits",)
    )
    console.print(shown)
    for case in cases if chosen.plans else ():
        for plan, text in case.plans.items():
            console.print(f"\n{size:,}, {case.name}, {plan}: {text}", markup=False, highlight=False, soft_wrap=True)
    return judged(cases, size)


def main(argv: list[str]) -> int:
    """`python -m bench peers-match`."""
    parser = argparse.ArgumentParser(prog="python -m bench peers-match", description=__doc__)
    parser.add_argument("--providers", default="100000", help="sizes of the city, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=60, help="matches of each contender in a round")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--plans", action=argparse.BooleanOptionalAction, default=True, help="print what PostgreSQL's planner does")
    chosen, absences = parser.parse_args(argv), Absences()
    try:
        binaries()
    except Absent as absent:
        absences.note("PostgreSQL", absent)
        return 0 if absences.allowed() else 1
    print(f"{machine()}\n{versions()}; our store {version(str(find_binary()), '--version')}")
    held = [one for size in chosen.providers.split(",") for one in measured(int(size), chosen)]
    print("\n".join(one.line() for one in held))
    return 0 if all(held) else 1
