"""A running gateway on a real store, a desk beside it that opens bookings, and bare sockets that say exactly what a test wants."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

import anyio
import jwt
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from dispatch.client import DeviceClient
from dispatch.engine.desk import Desk
from dispatch.gateway import Limits, listen
from dispatch.gateway.server import Gateway
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.settings import read
from dispatch.store import Store
from dispatch.wire import MSGPACK, Codec, Hello, Message, Resume

PATIENCE_S = 10.0
NUMBERS = count(1)  # of bookings
PLACE = {"lat": 48.8566, "lng": 2.3522}


@lru_cache
def gazetteer() -> Gazetteer:
    return Gazetteer.load(None)


def keys_of_test() -> DeviceKeys:
    secret = base64.urlsafe_b64encode(b"k" * 32).rstrip(b"=").decode()
    return DeviceKeys({"test": jwt.PyJWK({"kty": "oct", "kid": "test", "k": secret}, "HS256")}, "test")


class Bare:
    """A websocket that speaks the protocol only as far as the test does."""

    def __init__(self, socket: ClientConnection, codec: Codec) -> None:
        self.socket, self.codec = socket, codec

    async def say(self, message: Message | dict[str, Any]) -> None:
        await self.socket.send(self.codec.encode(message), text=self.codec.text)

    async def hear(self) -> Any:
        """The next message that is not a ping."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                message = self.codec.to_device(await self.socket.recv(decode=False))
                if message.__struct_config__.tag != "ping":
                    return message

    async def hear_until(self, kind: str) -> list[Any]:
        """Everything up to the first message of a type, which is the last of the list."""
        heard = [await self.hear()]
        while heard[-1].__struct_config__.tag != kind:
            heard.append(await self.hear())
        return heard

    async def end(self) -> tuple[int, str]:
        """Close code and reason with which the gateway ends the link; what comes before is not looked at."""
        with anyio.fail_after(PATIENCE_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


@dataclass
class Gate:
    """A gateway, the store behind it, and a market with a catalogue."""

    store: Store
    desk: Desk
    keys: DeviceKeys
    market: str
    gateway: Gateway
    port: int
    stop: anyio.Event = field(default_factory=anyio.Event)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/device"

    def token(self, provider: str = "p-1", device: str | None = None, ttl_s: int = 600) -> str:
        return self.keys.issue(self.market, provider, device, ttl_s)[0]

    async def provider(self, provider: str = "p-1") -> int:
        """A provider who can do anything anywhere near; his number."""
        settings = msgspec.convert(
            {"name": "Awa D.", "trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"},
            ProviderSettings,
        )
        await self.desk.put_provider(self.market, provider, settings)
        number = await self.store.providers.number(self.market, provider)
        assert number is not None
        return number

    async def book(self, *, hours: int = 4, note: str = "") -> str:
        """Opens a booking; its first wave leaves in the same step. Its id."""
        number = next(NUMBERS)
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        body = {"booking_id": f"b-{number}", "client_id": "c-1", "place": PLACE, "services": ["cut"], "windows": [window], "note": note}
        await self.desk.open(self.market, msgspec.convert(body, BookingRequest), rid=f"rid-{number}", may_override=False)
        return f"b-{number}"

    @asynccontextmanager
    async def socket(self, codec: Codec = MSGPACK, **options: Any) -> AsyncIterator[Bare]:
        """A bare socket, nothing said yet."""
        options = {"subprotocols": [Subprotocol(codec.subprotocol)], "compression": None, "ping_interval": None, "proxy": None} | options
        if "origin" in options:
            options["origin"] = Origin(options["origin"])
        async with connect(self.url, close_timeout=1, **options) as socket:
            yield Bare(socket, codec)

    @asynccontextmanager
    async def device(
        self, provider: str = "p-1", device: str = "d-1", *, codec: Codec = MSGPACK, resume: Resume | None = None
    ) -> AsyncIterator[tuple[Bare, list[Any]]]:
        """A bare socket that has said hello, and what it heard up to ``live``."""
        async with self.socket(codec) as bare:
            await bare.say(Hello(token=self.token(provider), device=device, resume=resume))
            yield bare, await bare.hear_until("live")

    def client(self, provider: str = "p-1", device: str = "d-1", **options: Any) -> DeviceClient:
        """The SDK's client; it reconnects at once."""
        return DeviceClient(self.url, self.token(provider), device=device, pause=lambda *_: 0.0, **options)


async def found(desk: Desk, market: str) -> None:
    """Makes a market with one service, without quiet hours."""
    await desk.put_market(market, MarketSettings(quiet_hours=None))
    catalogue = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 30}]}
    await desk.put_catalogue(market, msgspec.convert(catalogue, Catalogue))


@asynccontextmanager
async def gate(store: Store, market: str, limits: Limits | None = None, **settings: Any) -> AsyncIterator[Gate]:
    """A gateway that serves until the block ends."""
    keys = keys_of_test()
    desk = Desk(store, gazetteer(), keys)
    await found(desk, market)
    listener = listen("127.0.0.1", 0)
    gateway = Gateway(store, read(**({"dev": True} | settings)), keys, limits or Limits())
    running, ready = Gate(store, desk, keys, market, gateway, listener.getsockname()[1]), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gateway.run, listener, ready, running.stop)
        with anyio.fail_after(PATIENCE_S):
            await ready.wait()
        yield running
        running.stop.set()
