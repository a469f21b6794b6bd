"""How our own engine is talked to by the process that holds the sockets: devices with their tokens, bookings with waves of five.

Two moments at which a wave begins: when its `POST /bookings` is sent, which then is matched, written, fsynced and only then told; and when
the store wakes the gateway with the messages, heard on the very channel that the gateway hears. The second is what a bare publish is.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import unquote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from bench.peers.driver import packed
from bench.peers.holding import MARK, SIZE
from bench.push import MARKET, booking, prepare, providers
from dispatch.client import BookingClient
from dispatch.client.bookings import MarketSettings, Tier, Window
from dispatch.client.protocol import Conversation, State
from dispatch.store import Clock
from dispatch.store.calls import Calls, make_redis
from dispatch.store.keys import key
from dispatch.wire import MSGPACK

WAKE = "wake"


def settings() -> MarketSettings:
    """Waves of five, one a booking."""
    long = 50_000
    return msgspec.convert(
        {
            "open_proposals_cap": 100,
            "travel_gap_s": 0,
            "cadence": [{"class": "last_minute", "lead_under_s": None, "size": SIZE, "pause_s": long}],
            "quiet_hours": None,
            "answer_s": {"last_minute": long, "same_day": long, "advance": long, "far": long},
            "delivery_grace_s": {"last_minute": long, "other": long},
        },
        MarketSettings,
    )


class Ear(asyncio.Protocol):
    """A bare subscription: the moment is taken before anything of the message is read, so that the way to the devices counts in full."""

    def __init__(self, channel: str, woken: dict[int, float]) -> None:
        self._channel, self._woken = channel, woken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(packed("SSUBSCRIBE", self._channel))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        for wave in MARK.findall(data):
            self._woken.setdefault(int(wave), now)


class Ours:
    """One device a provider, all of them of one rank, who take turns."""

    subprotocols: Sequence[Subprotocol] | None = (Subprotocol(MSGPACK.subprotocol),)

    def __init__(self, url: str, device_url: str, key: str, store: str) -> None:
        self._device_url, self._bookings = device_url, BookingClient(url, key, MARKET)
        self._calls = Calls(make_redis(store, answers_within_s=None), Clock())
        self._talks: list[Conversation] = []
        self._woken: dict[int, float] = {}
        self._stack, self._store = AsyncExitStack(), store

    async def begin(self, count: int) -> None:
        await self._stack.enter_async_context(self._bookings)
        self._calls.redis.response_callbacks.clear()
        await prepare(self._bookings, providers(count, random.Random(1), [Tier.PREFERRED], 1))
        await self._bookings.put_market(settings())
        self._talks = [Conversation(MSGPACK, token="", device="d") for _ in range(count)]

    async def url(self, i: int) -> str:
        self._talks[i].token = (await self._bookings.device_token(f"p{i}", "d")).token
        return self._device_url

    async def greet(self, socket: ClientConnection, i: int) -> None:
        await socket.send(self._talks[i].hello())
        while self._talks[i].state is not State.LIVE:
            for reply in self.replies(i, await socket.recv(decode=False)):
                await socket.send(reply)
        if i == 0:
            await self._listen()

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        return self._talks[i].receive(frame, time.time_ns() // 1_000_000).frames

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        request, start = booking(wave, random.Random(wave)), datetime.now(UTC) + timedelta(hours=3, minutes=wave % 120)
        window = Window(start=start, end=start + timedelta(minutes=45))
        await self._bookings.open(msgspec.structs.replace(request, booking_id=f"wave-{wave}-", windows=(window,)))

    async def _listen(self) -> None:
        """Hears what the gateway hears."""
        [gateway] = await self._calls.command("ZRANGE", key("gateways", MARKET), 0, -1)
        channel = key("gateway_wakes", MARKET, gateway.decode())
        await asyncio.get_running_loop().create_unix_connection(lambda: Ear(channel, self._woken), unquote(urlsplit(self._store).path))

    def other(self) -> dict[str, dict[int, float]]:
        return {WAKE: self._woken}
