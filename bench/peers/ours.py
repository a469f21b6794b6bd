"""How our own engine is talked to by the process that holds the sockets: devices with their tokens.

Two ways to tell five of them something. `publish` is what a bare publish is elsewhere: a message for each goes to the gateway, on the
channel and in the form in which the store's verbs hand theirs over; half of the providers are there for this alone. `post` is a booking:
matched, written and fsynced before anybody is told.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import msgspec
from websockets.typing import Subprotocol

from bench.peers.driver import packed
from bench.peers.speech import SIZE, Socket, message
from bench.push import MARKET, booking, providers
from dispatch.client import BookingClient
from dispatch.client.bookings import Catalogue, CircleZone, MarketSettings, Service, Tier, Trade, Window
from dispatch.client.protocol import Conversation, State
from dispatch.store import Clock
from dispatch.store.calls import Calls, make_redis
from dispatch.store.keys import key
from dispatch.wire import MSGPACK, Notice

IMPORTED = 5_000  # in one call
SERVICES = ("cut", "other")  # of those who are booked, and of those to whom is published


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


class Ours:
    """One device a provider, all of them of one rank, who take turns; every other one does what is booked."""

    subprotocols: Sequence[Subprotocol] | None = (Subprotocol(MSGPACK.subprotocol),)

    def __init__(self, url: str, device_url: str, key: str, store: str) -> None:
        self._device_url, self._bookings = device_url, BookingClient(url, key, MARKET)
        self._calls, self._store = Calls(make_redis(store), Clock()), unquote(urlsplit(store).path)
        self._talks: list[Conversation] = []
        self._numbers: list[int] = []
        self._told: dict[int, int] = {}  # provider -> the last message of his stream
        self._stack = AsyncExitStack()

    async def begin(self, count: int) -> None:
        await self._stack.enter_async_context(self._bookings)
        await self._bookings.put_market(settings())
        services = tuple(Service(code=code, trade="hair") for code in SERVICES)
        await self._bookings.put_catalogue(Catalogue(trades=(Trade(code="hair"),), services=services))
        wide = CircleZone(lat=48.86, lng=2.34, radius_km=30)  # so that any five fit
        people = enumerate(providers(count, random.Random(1), [Tier.PREFERRED], 1))
        lines = [msgspec.structs.replace(one, catalogue=(SERVICES[i % 2],), zone=wide) for i, one in people]
        for first in range(0, count, IMPORTED):
            await self._bookings.import_providers(lines[first : first + IMPORTED])
        self._calls.redis.response_callbacks.clear()
        found = await self._calls.command("HMGET", key("provider_ids", MARKET), *(f"p{i}" for i in range(count)))
        self._numbers = [int(number) for number in found]
        self._talks = [Conversation(MSGPACK, token="", device="d") for _ in range(count)]

    async def url(self, i: int) -> str:
        self._talks[i].token = (await self._bookings.device_token(f"p{i}", "d")).token
        return self._device_url

    async def greet(self, socket: Socket, i: int) -> None:
        await socket.send(self._talks[i].hello())
        while self._talks[i].state is not State.LIVE:
            for reply in self.replies(i, await socket.recv(decode=False)):
                await socket.send(reply)
        if i == 0:
            [gateway] = await self._calls.command("ZRANGE", key("gateways", MARKET), 0, -1)
            self._channel = key("gateway_wakes", MARKET, gateway.decode())
            _, self._writer = await asyncio.open_unix_connection(self._store)

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        return self._talks[i].receive(frame, time.time_ns() // 1_000_000).frames

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        """A notice each, to those who do nothing that is booked: their streams are ours alone."""
        await self._tell(random.Random(wave).sample(range(1, len(self._talks), 2), len(to)), message(wave).decode())

    async def flood(self, to: Sequence[int], size: int) -> None:
        """A notice of so many bytes to each of these."""
        await self._tell(to, "." * size)

    async def _tell(self, to: Sequence[int], text: str) -> None:
        numbers, frames = [], []
        for i in to:
            self._told[i] = max(self._told.get(i, 0), self._talks[i].seq) + 1
            numbers.append(self._numbers[i])
            frames.append(MSGPACK.encode(Notice(seq=self._told[i], kind="bench", text=text)))
        head = msgspec.msgpack.encode({"p": numbers, "n": [len(frame) for frame in frames]})
        self._writer.write(packed("SPUBLISH", self._channel, len(head).to_bytes(4) + head + b"".join(frames)))
        await self._writer.drain()

    async def post(self, wave: int, to: Sequence[int]) -> None:
        """A booking, for five whom the engine chooses."""
        request, start = booking(wave, random.Random(wave)), datetime.now(UTC) + timedelta(hours=3, minutes=wave % 120)
        window = Window(start=start, end=start + timedelta(minutes=45))
        await self._bookings.open(msgspec.structs.replace(request, booking_id=f"wave-{wave}-", windows=(window,)))
