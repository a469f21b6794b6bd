"""One part of the engine (api, gateway, worker) as a process: from its settings to its orderly end.

Around each part runs the same: its beat in the store, from which `/readyz` of the api knows who is there; the meter of its event loop; and
its probes, when it has an ops port.
"""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import anyio
import structlog

from dispatch.errors import Unavailable
from dispatch.processes import lag, ops
from dispatch.settings import Settings
from dispatch.store import Store

BEAT_S = 1.0
LATE_BEAT_S = 3.0  # without a beat for so long a process is not ready, whatever it thinks
GOODBYE_S = 2.0

log = structlog.get_logger("dispatch.processes")


class Role(StrEnum):
    """The three parts of an engine; any number of processes may play each."""

    API = "api"
    GATEWAY = "gateway"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Signs:
    """How a part and its surroundings speak: ``stop`` is set when it shall end, ``ready`` by the part once it serves."""

    stop: anyio.Event
    ready: anyio.Event


Part = Callable[[Store, Settings, Signs], Awaitable[None]]


async def run(
    role: Role,
    part: Part,
    settings: Settings,
    stop: anyio.Event,
    *,
    on_ready: Callable[[], None] = lambda: None,
    probes: socket.socket | None = None,
) -> None:
    """Run a part until ``stop`` is set and it has ended. Raises RuntimeError when it ends by itself.

    ``on_ready`` is called once it serves and its first beat is in the store; ``probes`` is a listening socket for its probes.
    """
    signs, heart = Signs(stop, anyio.Event()), Heartbeat(role)
    async with connected(settings) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(lag.measure, role.value)
        tasks.start_soon(_announce, heart, store, signs, on_ready)
        if listener := probes or _own_probes(settings):
            tasks.start_soon(ops.respond, listener, heart.is_fresh)
        await part(store, settings, signs)
        tasks.cancel_scope.cancel()
        await heart.end(store)
    if not stop.is_set():
        raise RuntimeError(f"the {role} ended by itself")


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Store]:
    """The store, closed at the end."""
    store = await Store.connect(settings)
    try:
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


class Heartbeat:
    """The beat of a process in the store: one each second while it is ready, none before, and a word when it leaves."""

    def __init__(self, role: Role) -> None:
        self.role, self.name = role, f"{socket.gethostname()}-{os.getpid()}"
        self._last = -LATE_BEAT_S

    def is_fresh(self) -> bool:
        """Whether the store has heard of this process just now."""
        return anyio.current_time() - self._last < LATE_BEAT_S

    async def beat(self, store: Store) -> None:
        """One beat; a store that is down misses it, and the process goes on."""
        try:
            await store.beat(self.role, self.name)
            self._last = anyio.current_time()
        except Unavailable as error:
            log.warning("beat.missed", role=self.role, why=error.detail)

    async def end(self, store: Store) -> None:
        """Say goodbye, if the store listens."""
        self._last = -LATE_BEAT_S
        with anyio.move_on_after(GOODBYE_S, shield=True):
            try:
                await store.leave(self.role, self.name)
            except Unavailable:
                return


async def _announce(heart: Heartbeat, store: Store, signs: Signs, on_ready: Callable[[], None]) -> None:
    """Beat from readiness until the end is asked for: from then on it is not ready, though it may serve those it has for a while yet."""
    await signs.ready.wait()
    await heart.beat(store)
    log.info("ready", role=heart.role)
    on_ready()
    while not signs.stop.is_set():
        await heart.beat(store)
        with anyio.move_on_after(BEAT_S):
            await signs.stop.wait()
    await heart.end(store)


def _own_probes(settings: Settings) -> socket.socket | None:
    return None if settings.ops_port is None else ops.listen("DISPATCH_OPS_PORT", settings.ops_host, settings.ops_port)
