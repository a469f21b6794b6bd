"""Wake-ups: the store's word that something is new. They may be lost, repeated or late: the truth is in the inboxes and the timers.

Channels are sharded (SSUBSCRIBE), so that in a cluster a market's wake-ups stay on its shard. After any interruption the listener is
told ``lost`` and rereads everything it cares for.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from dispatch.store.calls import Calls, decode, text
from dispatch.store.keys import key

RETRY_S = 0.2
QUIET_S = 1.0  # without a word from the server it is asked whether it is still there
SILENT_S = 3.0  # without an answer to that the subscription counts as lost, whatever the connection looks like
CONFIRMED_S = 1.0  # for the server's word that it heard a subscription; whoever reads messages hears it


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """New messages of a market's providers (number, message); connections to close (provider, connection); ``rights``: somebody may
    no longer hold a socket; ``lost``: maybe more."""

    market: str = ""
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    closes: list[tuple[int, int]] = field(default_factory=list)
    rights: bool = False
    lost: bool = False


class Listening:
    """A subscription to the channel of one kind in the markets followed; survives the loss of its connection."""

    def __init__(self, calls: Calls, channel: str, *parts: str) -> None:
        self._calls, self._channel, self._parts = calls, channel, parts
        self._pubsub: Any = calls.redis.pubsub()
        self._markets: dict[str, str] = {}
        self._changed = anyio.Event()
        self._confirmed: dict[str, anyio.Event] = {}
        self._renewing: set[str] = set()  # channels that were followed when the connection was lost, and are not yet again

    async def follow(self, market: str) -> None:
        """Hears of a market once this returns (the server has said so; a lost connection is renewed, and then told as lost)."""
        name = key(self._channel, market, *self._parts)
        if name not in self._markets:
            self._markets[name] = market
            confirmed = self._confirmed[name] = anyio.Event()
            await self._say("SSUBSCRIBE", name)
            self._changed.set()
            with anyio.move_on_after(CONFIRMED_S):
                await confirmed.wait()

    async def _say(self, *command: str) -> None:
        try:
            await self._pubsub.execute_command(*command)
        except (RedisError, OSError):
            return  # the reader notices too, and subscribes anew to all that is followed

    async def messages(self) -> AsyncIterator[tuple[str, bytes | None]]:
        """(market, payload) for each message; ("", None) whenever some may have been missed."""
        while True:
            if not self._markets:
                await self._changed.wait()
            try:
                async for message in self._read():
                    yield message
            except (RedisError, OSError, TimeoutError):
                await anyio.sleep(RETRY_S)
                await self._renewed()

    async def _read(self) -> AsyncIterator[tuple[str, bytes | None]]:
        while True:
            if self._pubsub.connection is None or not self._pubsub.connection.is_connected:
                raise NotConnected("no connection")  # reading now would make one, without a subscription
            raw = await self._next()
            if raw and raw[0] == b"smessage":
                market = self._markets.get(text(raw[1]))
                if market is not None:
                    yield market, raw[2]
            elif raw and raw[0] == b"ssubscribe" and self._again(text(raw[1])):
                yield "", None

    def _again(self, name: str) -> bool:
        """The server has heard a subscription; whether it was the last one of a renewal. Only from here on is nothing missed: what was
        read before might be older than a message that came while nobody was subscribed."""
        if event := self._confirmed.pop(name, None):
            event.set()
        renewing = len(self._renewing) > 0
        self._renewing.discard(name)
        return renewing and not self._renewing

    async def _next(self) -> Any:
        """What the server says next. A connection that has died without a word (a firewall forgot it) must not look like a quiet one."""
        raw = await self._pubsub.parse_response(block=False, timeout=QUIET_S)
        if raw is None:
            await self._pubsub.execute_command("PING")
            raw = await self._pubsub.parse_response(block=False, timeout=SILENT_S)
            if raw is None:
                raise NotConnected("the server has nothing to say, and does not answer")
        return raw

    async def _renewed(self) -> bool:
        """A new connection that has asked for all subscriptions; False: that does not work yet."""
        self._renewing = set(self._markets)
        try:
            await self._pubsub.aclose()
            self._pubsub = self._calls.redis.pubsub()
            if self._markets:
                await self._pubsub.execute_command("SSUBSCRIBE", *self._markets)
        except (RedisError, OSError, TimeoutError):
            return False  # whoever reads next finds no connection, and it is tried again
        return True

    async def close(self) -> None:
        """Ends the subscription."""
        await self._pubsub.aclose()


class Wakeups(Listening):
    """What a gateway hears."""

    def __aiter__(self) -> AsyncIterator[Wake]:
        return self._wakes()

    async def _wakes(self) -> AsyncIterator[Wake]:
        async for market, payload in self.messages():
            if payload is None:
                yield Wake(lost=True)
            else:
                yield _wake(market, payload)


def _wake(market: str, payload: bytes) -> Wake:
    """A message as news.lua writes it."""
    at = 4 + int.from_bytes(payload[:4])
    head = decode(payload[4:at])
    frames = []
    for pno, size in zip(head.get("p", ()), head.get("n", ()), strict=True):
        frames.append((int(pno), payload[at : at + size]))
        at += size
    return Wake(market=market, frames=frames, closes=[(int(pno), int(conn)) for pno, conn in head.get("c", ())], rights="r" in head)


@asynccontextmanager
async def gateway_wakeups(calls: Calls, gateway: str) -> AsyncIterator[Wakeups]:
    """The wake-ups of one gateway."""
    listening = Wakeups(calls, "gateway_wakes", gateway)
    try:
        yield listening
    finally:
        await listening.close()
