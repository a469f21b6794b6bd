"""The gateway at work: it listens, reads, and performs what sessions decide. One reading task a connection, none a message.

device -> Session -> effects -> Link (writes), Entry and Answers (ask the store)
store  -> Relay   -> Link
Timers -> Session -> Link        Receipts, Pulse -> store
"""

import logging
import secrets
import socket
from functools import partial
from typing import Any, Final

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from dispatch.errors import DispatchError, Unavailable
from dispatch.gateway.answers import Answers
from dispatch.gateway.door import Door
from dispatch.gateway.effects import Ask, Effect, Enter, Rest
from dispatch.gateway.entry import Entry
from dispatch.gateway.foyer import Foyer
from dispatch.gateway.latency import Latency
from dispatch.gateway.limits import Limits
from dispatch.gateway.link import WRITE_HIGH, WRITE_LOW, Device, Link, Links
from dispatch.gateway.metrics import CLOSES, FRAMES, LINKS, close_label
from dispatch.gateway.moments import Moments
from dispatch.gateway.pulse import Pulse
from dispatch.gateway.receipts import Receipts
from dispatch.gateway.registry import Registry
from dispatch.gateway.relay import Relay
from dispatch.gateway.rights import Rights
from dispatch.gateway.session import Phase, Session
from dispatch.gateway.slim import slim
from dispatch.gateway.timers import Timers
from dispatch.gateway.upgrade import Upgrade, listen, select
from dispatch.identity import DeviceKeys
from dispatch.messages import CloseCode, Hello
from dispatch.settings import Settings
from dispatch.store import Store
from dispatch.wire import CODECS, INBOUND_LIMIT

READ_AHEAD: Final = 4  # frames of one device read before they are dealt with
LAST_WORD_S: Final = 5.0  # for the store, at the end
DRAINED_AT_ONCE: Final = 128  # links asked to move before others get a turn

log = structlog.get_logger("dispatch.gateway")
_websockets_log = logging.getLogger(f"{__name__}.websockets")
_websockets_log.setLevel(logging.CRITICAL)  # a line for every port scanner and every lost phone is no news
_chance = secrets.SystemRandom()


async def serve(
    store: Store,
    settings: Settings,
    keys: DeviceKeys,
    *,
    ready: anyio.Event | None = None,
    stop: anyio.Event,
    limits: Limits | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Serve devices until ``stop``; then refuse upgrades, ask everybody to move and go on serving meanwhile (4013 at the deadline), send
    away who is left (1012), and take the gateway's links off the store.

    ``ready`` is set when devices can connect. ``listener``: a socket from ``upgrade.listen``; without it the settings say where.
    Raises ConfigError when the port is taken, Unavailable when the store is away at the start.
    """
    chosen = Limits(drain_ms=round(settings.drain_s * 1_000), age_ms=round(settings.connection_age_s * 1_000))
    gateway = Gateway(store, settings, keys, limits or chosen)
    await gateway.run(listener or listen(settings.device_host, settings.device_port), ready, stop)


class Gateway:
    """One gateway and all its links."""

    def __init__(self, store: Store, settings: Settings, keys: DeviceKeys, limits: Limits) -> None:
        # A name is worn once: whoever has crashed leaves links under it, and they must not look like those of his next life.
        self.name = "-".join(filter(None, (settings.gateway_id, secrets.token_hex(6))))
        self._limits = limits = msgspec.structs.replace(limits, enforced=limits.enforced and settings.rate_limits == "enforce")
        self.moments = Moments(store)
        self.registry = Registry()
        self._timers = Timers(self.moments.now)
        latency = Latency(self.moments, store.clock)
        self._receipts = Receipts(store, latency)
        self.rights = Rights(store, self.registry)
        self.relay = Relay(store, self.registry, self.moments, self.rights, self.name)
        self._foyer = Foyer(limits)
        self._entry = Entry(store, keys, self.registry, self.relay, self.moments, self.name, self._foyer)
        self.pulse = Pulse(store, self.registry, self.relay, self._entry, self.moments, self.name)
        self._answers = Answers(store, self.moments, self._entry, latency)
        self._door = Door(limits, settings)
        self._upgrade = Upgrade(settings.browser_origins, self._door, self.moments.now)
        self._everyone: set[Link] = set()
        self._left = anyio.Event()  # somebody did
        self._drained_at = 0  # wall ms at which nobody may be here any more, once that is asked for
        self._last = 0  # number of the youngest link
        self._greeting = 0
        self._ending = False
        self._tasks: TaskGroup
        self._shared = Links(
            limits=limits, now=self.moments.now, engine=self.moments.engine, confirm=self._receipts.add, part=self._part,
            arm=self._timers.arm, written=latency.written,
        )  # fmt: skip

    async def run(self, listener: socket.socket, ready: anyio.Event | None, stop: anyio.Event) -> None:
        """Everything, until ``stop``."""
        async with anyio.create_task_group() as self._tasks:
            with listener:
                await self.moments.agree()
                await self._tasks.start(self.relay.run)
                for duty in (self._timers.run, self._receipts.run, self.pulse.run, self.rights.run):
                    self._tasks.start_soon(duty)
                await self._listen(listener, ready, stop)
            self._tasks.cancel_scope.cancel()

    async def _listen(self, listener: socket.socket, ready: anyio.Event | None, stop: anyio.Event) -> None:
        server = serve_websockets(
            self._handle, sock=listener, process_request=self._upgrade.check, select_subprotocol=select, **websocket_options(self._door)
        )
        server.handler = partial(self._foyer.knock, server.handler)
        async with server:
            if ready is not None:
                ready.set()
            await stop.wait()
            with anyio.CancelScope(shield=True):
                await self._send_away()
                server.close(close_connections=False)

    async def _send_away(self) -> None:
        """Nobody may come in any more, everybody is asked to move and told to go, and the store hears of it once."""
        self._upgrade.stopping = True
        if self._limits.drain_ms:
            await self._drain()
        self._ending = True
        for link in list(self._everyone):
            link.close(CloseCode.RESTART, "restart")
        await self._empty(self._limits.goodbye_ms + 1_000)
        with anyio.move_on_after(LAST_WORD_S):
            await self.pulse.last()

    async def _drain(self) -> None:
        """Everybody moves elsewhere, each after a while of his own, and is served until he does; at the deadline his link is closed."""
        self._drained_at = self.moments.now() + self._limits.drain_ms
        log.info("draining", links=len(self._everyone), deadline_ms=self._limits.drain_ms)
        for number, link in enumerate(list(self._everyone)):
            self._ask_to_move(link)
            if number % DRAINED_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()  # those who are served meanwhile need not wait for all of them
        await self._empty(self._limits.drain_ms + self._limits.goodbye_ms)

    def _ask_to_move(self, link: Link) -> None:
        """One who is still being welcomed is asked afterwards."""
        link.act(link.session.drain(now := self.moments.now(), max(0, self._drained_at - now)))
        self._timers.arm(link, link.session.due)

    async def _empty(self, within_ms: int) -> None:
        """Until everybody has left."""
        with anyio.move_on_after(within_ms / 1_000):
            while self._everyone:
                self._left = anyio.Event()
                await self._left.wait()

    # -- one connection -----------------------------------------------------------------------------------------------

    async def _handle(self, connection: ServerConnection) -> None:
        """A connection, from the upgrade to its end."""
        assert isinstance(connection, Device)
        codec = CODECS.get(str(connection.subprotocol))
        if codec is None:
            await connection.close(CloseCode.VERSION, f"this server speaks {', '.join(CODECS)}")
            return
        slim(connection, _websockets_log)
        self._last += 1
        now = self.moments.now()
        session = Session(codec, self._limits, self.moments.engine, chance=_chance.random(), now=now)
        link = Link(connection, session, self._last, self._shared)
        self._everyone.add(link)
        LINKS.labels(codec.name).inc()
        try:
            await self._converse(link)
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("link_failed")
            link.close(CloseCode.INTERNAL, "internal error")
        finally:
            LINKS.labels(codec.name).dec()
            await self._forget(link)

    async def _converse(self, link: Link) -> None:
        if self._upgrade.stopping and not self._drained_at:
            link.close(CloseCode.RESTART, "restart")
        elif self._greeting >= self._limits.greeting:
            link.close(CloseCode.OVERLOADED, f"too many devices connect at once, after_ms={1_000 + _chance.randrange(4_000)}")
        self._timers.arm(link, link.session.due)
        self._greeting += 1
        try:
            while link.session.phase in (Phase.SILENT, Phase.ENTERING):
                await self._read_one(link)
        finally:
            self._greeting -= 1
        while True:
            await self._read_one(link)

    async def _read_one(self, link: Link) -> None:
        data = await link.device.recv()
        effects = link.session.receive(data, self.moments.now())
        FRAMES.labels("in", link.session.heard).inc()
        await self._perform(link, effects)
        self._timers.arm(link, link.session.due)

    async def _perform(self, link: Link, effects: list[Effect]) -> None:
        """Effects in order. Here, unlike in the relay, there is time to wait for a reader who is slow."""
        for effect in effects:
            match effect:
                case Enter():
                    await self._enter(link, effect.hello)
                case Ask():
                    await self._perform(link, await self._answers.to(link, effect.question))
                    self.relay.release(link)
                case Rest():
                    await anyio.sleep(effect.ms / 1_000)
                case _:
                    if link.congested:
                        await link.drained()
                    link.act((effect,))

    async def _enter(self, link: Link, hello: Hello) -> None:
        try:
            entered = await self._entry.enter(link, hello)
        except DispatchError as error:
            await self._perform(link, link.session.refused(error))
            return
        await self._perform(link, link.session.entered(entered, self.moments.now()))
        self.relay.release(link)
        if self._drained_at:
            self._ask_to_move(link)

    async def _forget(self, link: Link) -> None:
        """The link is gone. At the very end all links are taken off the store together."""
        self._everyone.discard(link)
        self._left.set()
        self.registry.remove(link)
        CLOSES.labels(close_label(link.closed or link.device.close_code)).inc()
        if link.linked and not self._ending:
            try:
                await self._entry.leave(link)
            except Unavailable:
                self.pulse.owe(link)

    def _part(self, link: Link, code: int, reason: str) -> None:
        self._tasks.start_soon(link.goodbye, code, reason)


def websocket_options(door: Door, *, largest: int | None = INBOUND_LIMIT) -> dict[str, Any]:
    """How our websockets are: guarded, uncompressed, bounded (``largest``: bytes of a message), and pinged by nobody but us."""
    limits = door.limits
    return {
        "create_connection": partial(Device, door=door),
        "logger": _websockets_log,
        "server_header": None,
        "compression": None,
        "ping_interval": None,
        "max_size": largest,
        "max_queue": READ_AHEAD,
        "write_limit": (WRITE_HIGH, WRITE_LOW),
        "open_timeout": limits.hello_ms / 1_000,
        "close_timeout": limits.goodbye_ms / 1_000,
    }
