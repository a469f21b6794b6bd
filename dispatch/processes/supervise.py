"""The supervisor of `dispatch serve`: keeps api, gateway and worker alive, and ends all of them, and then the store, in good order.

A child that crashes is started again, at once the first time and then ever less eagerly. A child that says the *installation* is wrong
(exit code 2) would only say so again: everything ends. Children live in sessions of their own, so that a Ctrl-C in the terminal reaches the
supervisor alone; if the supervisor itself is killed, the kernel tells the children.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import anyio
import structlog
from anyio import to_thread
from anyio.abc import Process

from dispatch.errors import ConfigError
from dispatch.processes.part import Role
from dispatch.processes.stopping import Stop
from dispatch.processes.tether import Tether
from dispatch.store.embedded import Embedded

WRONG = 2  # exit code of a child that cannot run as it is installed
GRACE_S = 10.0  # for a child to end in good order
LONGEST_PAUSE_S = 30.0
SETTLED_S = 60.0  # a child that lived so long starts with a clean slate
STORE_LOOK_S = 0.2

log = structlog.get_logger("dispatch.supervisor")


def pauses() -> Iterator[float]:
    """Seconds to wait before each new start of a child that keeps crashing."""
    yield 0.0
    pause = 0.5
    while True:
        yield pause
        pause = min(LONGEST_PAUSE_S, pause * 2)


class Child:
    """One of the processes that are kept alive."""

    def __init__(self, role: Role, environment: Mapping[str, str], program: Sequence[str] = (sys.executable, "-m", "dispatch")) -> None:
        self.role, self._environment, self._program = role, environment, program
        self.ready = anyio.Event()
        self.pid = 0
        self._drain_s = float(environment.get("DISPATCH_DRAIN_S") or 0)
        self._probes = socket.create_server(("127.0.0.1", 0))

    @property
    def ops_address(self) -> str:
        """Where it answers probes: the same for all its lives."""
        host, port = self._probes.getsockname()
        return f"{host}:{port}"

    async def keep(self, stop: Stop) -> None:
        """Let it live, again and again, until the stop. Raises ConfigError when it cannot run as it is installed."""
        waits = pauses()
        with self._probes:
            while not stop.asked.is_set():
                began = anyio.current_time()
                code = await self._live(stop)
                if stop.asked.is_set():
                    return
                if code == WRONG:
                    raise ConfigError(f"the {self.role} cannot run as it is installed; it said why above")
                if anyio.current_time() - began > SETTLED_S:
                    waits = pauses()
                pause = next(waits)
                log.warning("child.crashed", role=self.role, code=code, again_in_s=pause)
                with anyio.move_on_after(pause):
                    await stop.asked.wait()

    async def _live(self, stop: Stop) -> int:
        """One life; answers its exit code (negative: the signal that ended it)."""
        with _pipe() as (read, write):
            tether = Tether(os.getpid(), write, self._probes.fileno())
            command = [*self._program, self.role, "--tether", str(tether)]
            process = await anyio.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=None,
                stderr=None,
                env=self._environment,
                start_new_session=True,
                pass_fds=(write, tether.probes),
            )
            self.pid = process.pid
            async with process, anyio.create_task_group() as tasks:
                tasks.start_soon(self._hear, read)
                tasks.start_soon(_end_on, stop, process, self._drain_s)
                code = await process.wait()
                tasks.cancel_scope.cancel()
        return code

    async def _hear(self, read: int) -> None:
        await anyio.wait_readable(read)
        if os.read(read, 1):
            self.ready.set()


async def _end_on(stop: Stop, process: Process, drain_s: float) -> None:
    """When the stop is asked for: politely; by force after the grace, or when someone is out of patience."""
    await stop.asked.wait()
    process.terminate()
    with anyio.move_on_after(GRACE_S + drain_s):
        await stop.now.wait()
    process.kill()


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


async def supervise(children: Sequence[Child], store: Embedded | None, stop: Stop, on_ready: Callable[[], None]) -> None:
    """Keep the children and the embedded store alive until the stop; all children have ended when it returns.

    Raises ConfigError when a child cannot run as it is installed, or the store does not come up again.
    """
    failures: list[ConfigError] = []

    async def keep(task: Callable[..., Awaitable[None]], argument: object) -> None:
        try:
            await task(argument)
        except ConfigError as error:
            failures.append(error)
            stop.asked.set()

    async with anyio.create_task_group() as around:
        around.start_soon(_tell, children, on_ready)
        if store:
            around.start_soon(keep, mind_store, store)
        async with anyio.create_task_group() as living:
            for child in children:
                living.start_soon(keep, child.keep, stop)
        around.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _tell(children: Sequence[Child], on_ready: Callable[[], None]) -> None:
    for child in children:
        await child.ready.wait()
    on_ready()


async def mind_store(store: Embedded) -> None:
    """Start the store again when it has died. It is launched from this thread, the main one, as its death signal demands."""
    while True:
        while store.alive:  # noqa: ASYNC110 - its end is no event of the loop, which did not start it
            await anyio.sleep(STORE_LOOK_S)
        log.error("store.died", log=store.log_tail(5))
        store.launch()
        await to_thread.run_sync(store.wait_until_ready, abandon_on_cancel=True)
        log.info("store.back")
