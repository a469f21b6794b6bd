"""kill -9, by a clock and a seed: the store, a process that claims, a worker of the engine, in turns. What ended by it is counted."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from campaign.claimants import Claimants
from campaign.rounds import SPEED, again, answered
from campaign.state import KINDS, State
from dispatch.store.calls import make_redis, wall_ms
from dispatch.store.child import with_parent
from dispatch.store.embedded import Embedded
from dispatch.store.keys import BEATS

LOOK_S = 0.1
DOWN_S = (0.0, 1.0)  # how long the store stays away
WORKERS = 2
FRESH_MS = 2_000  # a worker beats every second
GONE_S = 30.0  # for the kernel to end what was killed
REWRITTEN_FROM = "8mb"


async def trim(url: str) -> None:
    """Has the store rewrite its log early and often: it stays short, and crashes fall into rewrites too."""
    async with make_redis(url, connections=1) as redis:
        await again(lambda: answered(redis.config_set("auto-aof-rewrite-min-size", REWRITTEN_FROM)))


class Workers:
    """Workers of the engine: they close what nobody took."""

    def __init__(self, url: str, folder: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
        chosen = {"REDIS_URL": url, "DEV": "true", "CLOCK_SPEED": SPEED, "LOG_LEVEL": "error", "DATA_DIR": folder}
        self._environment = inherited | {f"DISPATCH_{name}": str(value) for name, value in chosen.items()}
        self._log = folder / "workers.log"
        self._processes: list[subprocess.Popen[bytes]] = []

    async def run(self) -> None:
        """Keeps them at work, for ever."""
        self._processes = [self._start() for _ in range(WORKERS)]
        while True:
            await asyncio.sleep(LOOK_S)
            self._processes = [one if one.poll() is None else self._start() for one in self._processes]

    async def crash(self, number: int) -> bool:
        """kill -9 of one of them; whether that is what ended it."""
        process = self._processes[number] if number < len(self._processes) else None
        if process is None or process.poll() is not None:
            return False
        process.kill()
        return await asyncio.to_thread(process.wait) == -signal.SIGKILL

    async def all_at_work(self) -> None:
        """Else, on a slow machine, each would be killed before it has done anything, and nobody would close a booking."""
        async with make_redis(self._environment["DISPATCH_REDIS_URL"], connections=1) as redis:
            while True:
                beats: dict[bytes, bytes] = await again(lambda: answered(redis.hgetall(BEATS)))
                fresh = [name for name, at in beats.items() if name.startswith(b"worker:") and int(at) > wall_ms() - FRESH_MS]
                if len(fresh) >= WORKERS:
                    return
                await asyncio.sleep(LOOK_S)

    def end(self) -> None:
        """All of them, at once."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("wb") as log:  # anew each time: it must not grow for ever
            return subprocess.Popen(
                [sys.executable, "-m", "dispatch", "worker"], env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=with_parent(signal.SIGKILL),
            )  # fmt: skip


class Crashes:
    """Kills, and brings the store back."""

    def __init__(self, store: Embedded, claimants: Claimants, workers: Workers, state: State, chance: Random, every_s: float) -> None:
        self._store, self._claimants, self._workers, self._state = store, claimants, workers, state
        self._chance, self._every_s = chance, every_s

    async def run(self) -> None:
        """For ever: one crash after the other, each kind as often as the others."""
        crash: dict[str, Callable[[], Awaitable[bool]]] = {
            "store": self._crash_store,
            "claimant": lambda: self._claimants.crash(self._chance.randrange(self._claimants.count)),
            "worker": self._crash_worker,
        }
        while True:
            for kind in self._chance.sample(KINDS, len(KINDS)):
                await asyncio.sleep(self._chance.uniform(0.5, 1.5) * self._every_s)
                self._state.crashes[kind] += await crash[kind]()

    async def _crash_worker(self) -> bool:
        await self._workers.all_at_work()
        return await self._workers.crash(self._chance.randrange(WORKERS))

    async def _crash_store(self) -> bool:
        """It is gone from one moment to the next, and comes back with what it had promised to keep; whether we ended it."""
        ours = await self._end_store()
        self._store.stop()
        await asyncio.sleep(self._chance.uniform(*DOWN_S))
        self._store.launch()
        await asyncio.to_thread(self._store.wait_until_ready)
        await trim(self._store.url)
        return ours

    async def _end_store(self) -> bool:
        """False when it was gone already. Raises TimeoutError when it does not end."""
        if not self._store.alive:
            return False
        os.kill(self._store.pid, signal.SIGKILL)
        async with asyncio.timeout(GONE_S):
            while self._store.alive:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S / 10)
        return True
