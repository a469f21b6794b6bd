"""An engine as an installation of some size runs it: a store, and two processes of each part, that can be killed, paused and started again.

The parts reach their store through a proxy. Whatever dies is started again, as a supervisor would. Who dies without having been killed,
after it was ready, is remembered: no fault may end a part.
"""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from dispatch.errors import ConfigError
from dispatch.settings import free_port
from dispatch.store.child import with_parent
from dispatch.store.embedded import Embedded, find_binary
from tests.faults.counts import ROLES

EACH = 2  # processes of each part
READY_S = 120.0  # a machine that has much else to do starts six processes slowly
LOOK_S = 0.05
AGAIN_S = 0.3  # between a death and the next start
STOP_S = 20.0
BUSY_MS = 50  # a script that runs for longer makes the store answer BUSY
BYTES_A_COMMAND = 60  # in the log, roughly
LAST_WORDS = 12  # lines


class SlowStore(Embedded):
    """The embedded store, whose start can be made slow: it answers LOADING meanwhile.

    A full disk is a write that fails, not a signal: the server is started with SIGXFSZ ignored, so that a limit on the size of its files
    gives it the error that a full disk would.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "server"
        program.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec '{find_binary()}' \"$@\"\n")
        program.chmod(0o700)
        super().__init__(folder / "data", "durable", port=0, binary=program)
        self.loading_s = 0.0

    def _configure(self) -> Path:
        written = super()._configure()
        pause_us = round(self.loading_s * 1e6 / max(1, self.log_bytes() / BYTES_A_COMMAND))
        with written.open("a") as file:
            file.write(f"\nbusy-reply-threshold {BUSY_MS}\nkey-load-delay {pause_us}\n")
        return written

    def log_bytes(self) -> int:
        """How long the longest file of the store is: the log of what was done."""
        return max((path.stat().st_size for path in (self.folder / "appendonlydir").glob("*.aof")), default=0)

    def fill_disk(self, room: int) -> None:
        """Only so many bytes more fit on its disk. No rights are needed for that, and a restart lifts it."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (self.log_bytes() + room, resource.RLIM_INFINITY))

    def send(self, number: signal.Signals) -> None:
        """A signal to the server."""
        if self.alive:
            os.kill(self.pid, number)


@dataclass(slots=True, eq=False)
class Part:
    """One process of a part of the engine. ``port``: where it serves; ``ops``: where it tells how it is."""

    role: str
    number: int
    code: Path
    log: Path
    environment: dict[str, str]
    port: int
    ops: int
    process: "subprocess.Popen[bytes] | None" = None
    ready: bool = False
    excused: bool = False  # somebody of ours has ended it

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.role} {self.number}"

    def start(self) -> None:
        """Run it, until it ends or this process does."""
        self.ready = self.excused = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatch", self.role],
                cwd=self.code, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=with_parent(signal.SIGKILL),
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """A signal to the process."""
        if self.process is not None and self.alive:
            self.excused |= number in (signal.SIGKILL, signal.SIGTERM)
            self.process.send_signal(number)

    def last_words(self) -> str:
        """The end of what it logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_WORDS:])


@dataclass(slots=True)
class Fleet:
    """All processes. ``fallen``: what died by itself, parts after they had been ready, with their last words."""

    store: SlowStore
    parts: list[Part]
    fallen: list[str] = field(default_factory=list)
    store_deaths: int = 0
    store_excused: bool = False  # somebody of ours ends it

    def of(self, role: str) -> list[Part]:
        """The processes of a part."""
        return [part for part in self.parts if part.role == role]

    @property
    def ready(self) -> bool:
        """Whether everything is there and says that it can work."""
        return self.store.alive and all(part.alive and part.ready for part in self.parts)

    async def until_ready(self, patience_s: float = READY_S) -> None:
        """Wait for that. Raises AssertionError with what is missing."""
        try:
            async with asyncio.timeout(patience_s):
                await until(lambda: self.ready)
        except TimeoutError:
            missing = [part for part in self.parts if not (part.alive and part.ready)]
            told = "\n".join(f"{part.name}:\n{part.last_words()}" for part in missing) or self.store.log_tail()
            raise AssertionError(f"the engine is not ready after {patience_s:g} s:\n{told}") from None

    async def mind(self) -> None:
        """Start again what has died, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._mind_store())
            for part in self.parts:
                tasks.create_task(self._mind(part))

    async def _mind_store(self) -> None:
        while True:
            if not self.store.alive:
                self.store_deaths += 1
                if not self.store_excused:
                    self.fallen.append(f"the store ended by itself:\n{self.store.log_tail()}")
                await asyncio.sleep(AGAIN_S)
                await self.start_store()
            await asyncio.sleep(LOOK_S)

    async def start_store(self) -> None:
        """The store, after whatever has ended it: launched from this thread, as its death signal demands."""
        self.store.stop()
        self.store_excused = False
        self.store.launch()
        await asyncio.to_thread(self.store.wait_until_ready)
        self.store.loading_s = 0.0

    async def _mind(self, part: Part) -> None:
        async with httpx2.AsyncClient(timeout=1.0, trust_env=False) as client:
            while True:
                if not part.alive:
                    if part.ready and not part.excused and part.process is not None:
                        self.fallen.append(f"{part.name} ended by itself ({part.process.returncode}):\n{part.last_words()}")
                    await asyncio.sleep(AGAIN_S)
                    part.start()
                elif not part.ready:
                    part.ready = await _says_ready(client, part.ops)
                await asyncio.sleep(LOOK_S)

    def end(self) -> None:
        """Everything ends, at once."""
        for part in self.parts:
            if part.process is not None:
                part.send(signal.SIGKILL)
                part.process.wait(STOP_S)
        self.store.send(signal.SIGCONT)
        self.store.stop()


async def until(true: Callable[[], bool]) -> None:
    """Wait for something outside, of which no event tells."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)


async def _says_ready(client: httpx2.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


def _parts(code: Path, folder: Path, store_port: int, speed: float, chosen: Mapping[str, str]) -> list[Part]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_") and name != "PYTHONPATH"}
    shared = {"REDIS_URL": f"redis://127.0.0.1:{store_port}", "DEV": "true", "CLOCK_SPEED": speed, "LOG_LEVEL": "warning"}
    shared |= {"DATA_DIR": folder / "engine", "DRAIN_S": 1, **chosen}
    (folder / "engine").mkdir()
    parts = []
    for role in ROLES:
        for number in range(1, EACH + 1):
            port, ops = free_port(), free_port()
            own = {"OPS_PORT": ops, "HTTP_PORT": port, "DEVICE_PORT": port}
            environment = inherited | {f"DISPATCH_{name}": str(value) for name, value in (shared | own).items()}
            parts.append(Part(role, number, code, folder / f"{role}-{number}.log", environment, port, ops))
    return parts


@asynccontextmanager
async def fleet(code: Path, folder: Path, store: SlowStore, store_port: int, speed: float, **chosen: str) -> AsyncIterator[Fleet]:
    """An engine run from this copy of the code, ready, minded until the block ends. ``store_port``: the proxy before its store;
    ``chosen``: more settings, by their names.

    The keys of device tokens are made by whichever part starts first: the others wait for it.
    """
    running = Fleet(store, _parts(code, folder, store_port, speed, chosen))
    try:
        await _first(running.parts[0])
        async with asyncio.TaskGroup() as tasks:  # a minder that fails ends the run
            minding = tasks.create_task(running.mind())
            await running.until_ready()
            yield running
            minding.cancel()
    finally:
        running.end()


async def _first(part: Part) -> None:
    part.start()
    keys = Path(part.environment["DISPATCH_DATA_DIR"]) / "jwt-keys.json"
    async with asyncio.timeout(READY_S):
        while not keys.exists():
            if not part.alive:
                raise ConfigError(f"{part.name} does not start:\n{part.last_words()}")
            await asyncio.sleep(LOOK_S)
