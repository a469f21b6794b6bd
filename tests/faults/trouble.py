"""Who makes the faults of a run: three lanes, each with its list of kinds in an order drawn from the seed."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dispatch.settings import free_port
from tests.faults.counts import NETWORK, PARTS, STORE, Fired
from tests.faults.fleet import Fleet, until
from tests.faults.proxy import Fault, Proxy

PATIENCE_S = 8.0  # for something to which a fault can happen
TRIES = 4
BACK_S = 40.0  # for everything to be ready again
LOOK_S = 0.02
DELAY_S = (0.05, 1.2)
LONG_DELAY_S = 5.6  # beyond the engine's patience with its store
DROP_S = (0.2, 2.5)
PAUSE_S = (0.3, 2.5)
LONG_PAUSE_S = 6.0  # beyond that of those who watch gateways
DOWN_S = (0.2, 1.2)
LOADING_S = 1.5
ROOM = 3_000  # bytes that still fit on a full disk
CLAIM = b"accept_"  # how a claim looks between engine and store
ERRORS = {
    "store READONLY": b"-READONLY",
    "store OOM": b"-OOM",
    "store LOADING": b"-LOADING",
    "store BUSY": b"-BUSY",
    "store without functions": b"Function not found",
}
FULL = "Can't recover from AOF write error"  # what the server says of a disk that is full


def lanes(chance: Random, kinds: Sequence[str], each: int) -> list[list[str]]:
    """The faults of a run: each of these kinds so many times, in three rows that are worked off side by side."""
    rows = [[kind for kind in row if kind in kinds] * each for row in (NETWORK, PARTS, STORE)]
    for row in rows:
        chance.shuffle(row)
    return rows


class Trouble:
    """Makes faults happen, and counts those that did. ``store_url`` leads to the store without a proxy."""

    def __init__(self, fleet: Fleet, proxies: Sequence[Proxy], fired: Fired, chance: Random, store_url: str) -> None:
        self.fleet, self.fired, self.chance, self._url = fleet, fired, chance, store_url
        self.proxies = {proxy.name: proxy for proxy in proxies}

    async def lane(self, kinds: Sequence[str]) -> None:
        """One row, one after the other; each until it has happened, or has failed to some times."""
        for kind in kinds:
            for _ in range(TRIES):
                before = self.fired.by_kind[kind]
                await self._make(kind)
                if self.fired.by_kind[kind] > before:
                    break

    async def _make(self, kind: str) -> None:
        if kind in NETWORK:
            await self._network(*kind.split(": "))
        elif kind in PARTS:
            await self._part(*kind.split(" "))
        else:
            await self._store(kind)

    def _some(self, bounds: tuple[float, float]) -> float:
        return self.chance.uniform(*bounds)

    # -- the network --------------------------------------------------------------------------------------------------

    async def _network(self, name: str, harm: str) -> None:
        """Mostly it is a claim that suffers on the way to the store."""
        seconds = self._some(DROP_S if harm.endswith("dropped") else DELAY_S)
        if name == "store" and harm.endswith("delayed") and self.chance.random() < 0.2:
            seconds = LONG_DELAY_S
        where = CLAIM if name == "store" and self.chance.random() < 0.7 else b""
        await self.proxies[name].strike(Fault(harm, seconds, where), PATIENCE_S)
        await asyncio.sleep(self._some((0.0, 0.3)))

    # -- parts of the engine ------------------------------------------------------------------------------------------

    async def _part(self, what: str, role: str) -> None:
        part = self.chance.choice(self.fleet.of(role))
        if not part.alive:
            await asyncio.sleep(LOOK_S)
            return
        match what:
            case "kill":
                part.send(signal.SIGKILL)
                await self._gone(lambda: not part.alive)
            case "restart":
                part.send(signal.SIGTERM)
                await self._gone(lambda: not part.alive)
            case "pause":
                part.send(signal.SIGSTOP)
                await asyncio.sleep(LONG_PAUSE_S if role == "gateway" and self.chance.random() < 0.3 else self._some(PAUSE_S))
                part.send(signal.SIGCONT)
        self.fired.note(f"{what} {role}")
        with suppress(TimeoutError):  # other faults may keep it from starting; at the end of the run it must be there
            async with asyncio.timeout(BACK_S):
                await until(lambda: self.fleet.ready)

    async def _gone(self, gone: Callable[[], bool], patience_s: float = 25.0) -> None:
        """Raises TimeoutError when something does not end that should."""
        async with asyncio.timeout(patience_s):
            await until(gone)

    # -- the store ----------------------------------------------------------------------------------------------------

    async def _store(self, kind: str) -> None:
        if not self.fleet.store.alive:
            await asyncio.sleep(LOOK_S)
            return
        match kind:
            case "kill store" | "restart store":
                await self._end_store(signal.SIGKILL if kind.startswith("kill") else signal.SIGTERM)
                self.fired.note(kind)
            case "pause store":
                self.fleet.store.send(signal.SIGSTOP)
                await asyncio.sleep(self._some(PAUSE_S))
                self.fleet.store.send(signal.SIGCONT)
                self.fired.note(kind)
            case "store LOADING":
                self.fleet.store.loading_s = LOADING_S
                before = self._heard(kind)
                await self._end_store(signal.SIGKILL)
                await self._back()
                self._count(kind, before)
            case "store with a full disk":
                await self._fill_disk(kind)
            case _:
                await self._refusing(kind)
        await self._back()
        await asyncio.sleep(self._some((0.0, 0.3)))

    async def _end_store(self, how: signal.Signals) -> None:
        deaths, self.fleet.store_excused = self.fleet.store_deaths, True
        self.fleet.store.send(how)
        await self._gone(lambda: self.fleet.store_deaths > deaths)

    async def _back(self) -> None:
        """The store answers again."""
        async with asyncio.timeout(BACK_S), Redis.from_url(self._url, socket_timeout=2) as redis:
            while not await _answers(redis):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)

    async def _fill_disk(self, kind: str) -> None:
        """The next write that no longer fits ends the server, as it must: it could not keep what it promises."""
        deaths, self.fleet.store_excused = self.fleet.store_deaths, True
        log = self.fleet.store.folder / "valkey.log"
        self.fleet.store.fill_disk(self.chance.randrange(ROOM))
        await self._gone(lambda: self.fleet.store_deaths > deaths, PATIENCE_S * 2)
        if FULL in log.read_text(errors="replace"):
            self.fired.note(kind)

    async def _refusing(self, kind: str) -> None:
        """The store refuses until the engine has heard of it, and a little longer."""
        before = self._heard(kind)
        async with Redis.from_url(self._url, socket_timeout=5) as redis:
            undo = await getattr(self, "_" + kind.split(" ", 1)[1].lower().replace(" ", "_"))(redis)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await until(lambda: self._heard(kind) > before)
                await asyncio.sleep(self._some(DOWN_S))
            except TimeoutError:
                pass
            finally:
                await undo()
        self._count(kind, before)

    def _heard(self, kind: str) -> int:
        return self.proxies["store"].heard[ERRORS[kind]]

    def _count(self, kind: str, before: int) -> None:
        """It happened if the engine was told so."""
        if self._heard(kind) > before:
            self.fired.note(kind)

    async def _readonly(self, redis: Any) -> Any:
        """A replica of a primary that is not there."""
        await redis.execute_command("REPLICAOF", "127.0.0.1", free_port())
        return lambda: redis.execute_command("REPLICAOF", "NO", "ONE")

    async def _oom(self, redis: Any) -> Any:
        await redis.config_set("maxmemory", 1)
        return lambda: redis.config_set("maxmemory", 0)

    async def _busy(self, redis: Any) -> Any:
        """Somebody's script never ends."""
        other = Redis.from_url(self._url, socket_timeout=BACK_S)
        spinning = asyncio.create_task(_spin(other))

        async def undo() -> None:
            await redis.execute_command("SCRIPT", "KILL")
            await spinning
            await other.aclose()

        return undo

    async def _without_functions(self, redis: Any) -> Any:
        """Somebody flushes the functions; an administrator loads them again."""
        kept = await redis.execute_command("FUNCTION", "DUMP")
        await redis.execute_command("FUNCTION", "FLUSH", "SYNC")
        return lambda: redis.execute_command("FUNCTION", "RESTORE", kept, "REPLACE")


async def _spin(redis: Any) -> None:
    try:
        await redis.eval("while true do end", 0)
    except RedisError:
        return  # killed


async def _answers(redis: Any) -> bool:
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False
