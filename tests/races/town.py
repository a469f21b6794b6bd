"""Where races are run: an engine as processes behind the harness's proxies, a market, and lanes of three providers each.

A lane is a place of its own, far from all others, so that a booking there is asked of its three alone; in a lane one race follows the
other, and all lanes race at once. Each provider has two devices, on a gateway each.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2
import msgspec

from dispatch.client import BookingClient
from dispatch.client.bookings import Backoff, Catalogue, MarketSettings, ProviderLine
from dispatch.settings import read
from dispatch.store import Store
from dispatch.store.accounts import ApiKey
from tests.faults.counts import Fired
from tests.faults.fleet import Fleet, Part, SlowStore, fleet
from tests.faults.proxy import Proxy
from tests.races.pairs import PHONE, TABLET, YAN, ZOE
from tests.races.views import Device, Hooks, Person
from tests.webhooks.receiver import receiving

SERVICE = "service"  # the booking service, as a caller
ROLES = {SERVICE: ("booking",), ZOE: ("ops:agent",), YAN: ("ops:agent",)}
ASK_S, TRIES = 20.0, 6
LIVE_S = 300.0
SEARCH_S, HURRIED_S, PAUSE_S, REOPENED_S = 14_400, 7_200, 2, 900
SETTINGS = {
    "booking_cutoff_s": 0,
    "travel_gap_s": 0,
    "open_proposals_cap": 100,
    "pause_after": 100,
    # Hurried bookings are asked of two, and of the third a little later; all others of everybody at once.
    "cadence": [
        {"class": "last_minute", "lead_under_s": HURRIED_S, "size": 2, "pause_s": PAUSE_S},
        {"class": "far", "lead_under_s": None, "size": 3, "pause_s": 86_400},
    ],
    "answer_s": dict.fromkeys(("last_minute", "same_day", "advance", "far"), 36_000),
    "search_deadline_s": SEARCH_S,
    "reopened_deadline_s": REOPENED_S,
    "delivery_grace_s": {"last_minute": 3_600, "other": 3_600},
    "quiet_hours": None,
    "bonus_mode": "manual",
}
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 30}]}
PROVIDER = {"trade": "hair", "catalogue": ["cut"], "hours": "24/7"}


@dataclass(frozen=True, slots=True)
class Lane:
    """A place, and who works there."""

    number: int
    people: tuple[Person, ...]

    @property
    def place(self) -> dict[str, float]:
        """Some 20 km from the next."""
        return {"lat": 40.0 + self.number // 8 * 0.2, "lng": 2.0 + self.number % 8 * 0.25}


@dataclass(slots=True, kw_only=True)
class Stack:
    """The engine and the ways to it. ``gateways``: one proxy each."""

    fleet: Fleet
    api: Proxy
    gateways: tuple[Proxy, ...]
    to_store: Proxy
    store: Store
    fired: Fired

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """All of them."""
        return (self.api, *self.gateways, self.to_store)

    def now_ms(self) -> float:
        """The engine's time."""
        return self.store.clock.engine_ms(time.time() * 1_000)

    async def turns(self) -> dict[str, dict[str, float]]:
        """How the turns of bookings ended, by worker and outcome."""
        async with httpx2.AsyncClient(timeout=ASK_S, trust_env=False) as client:
            return {part.name: _outcomes(await _metrics(client, part)) for part in self.fleet.of("worker")}


async def _metrics(client: httpx2.AsyncClient, part: Part) -> str:
    return (await client.get(f"http://127.0.0.1:{part.ops}/metrics")).text


def _outcomes(text: str) -> dict[str, float]:
    lines = (
        line.removeprefix("dispatch_wave_turns_total{outcome=") for line in text.splitlines() if line.startswith("dispatch_wave_turns_t")
    )
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


@asynccontextmanager
async def stack(code: Path, folder: Path, seed: int) -> AsyncIterator[Stack]:
    """An engine run from this copy of the code, at the speed of the clock on the wall."""
    fired = Fired()
    ways = ("api", "devices", "devices", "store")
    api, one, other, to_store = (Proxy(way, fired, Random(f"{seed} {number} {way}")) for number, way in enumerate(ways))
    disk = SlowStore(folder / "store")
    disk.start()
    async with api.listening(), one.listening(), other.listening(), to_store.listening():
        to_store.upstreams = [int(disk.url.rpartition(":")[2])]
        async with fleet(code, folder, disk, to_store.port, 1.0, RATE_LIMITS="watch") as running:
            api.upstreams = [part.port for part in running.of("api")]
            for proxy, part in zip((one, other), running.of("gateway"), strict=True):
                proxy.upstreams = [part.port]
            store = await Store.connect(read(redis_url=disk.url, dev=True), install=False)
            try:
                await _callers(store)
                yield Stack(fleet=running, api=api, gateways=(one, other), to_store=to_store, store=store, fired=fired)
            finally:
                await store.close()


async def _callers(store: Store) -> None:
    for number, (name, roles) in enumerate(ROLES.items()):
        digest = hashlib.sha256(f"secret of {name}".encode()).hexdigest()
        await store.api_keys.add(ApiKey(id=f"k-{number}", name=name, roles=roles, markets=("*",), digest=digest, created_ms=number))


@dataclass(slots=True, kw_only=True)
class Town:
    """A market at work."""

    stack: Stack
    market: str
    callers: Mapping[str, BookingClient]
    lanes: tuple[Lane, ...]
    hooks: Hooks

    @property
    def service(self) -> BookingClient:
        """The booking service."""
        return self.callers[SERVICE]


@asynccontextmanager
async def town(stack: Stack, market: str, lanes: int) -> AsyncIterator[Town]:
    """A market with so many lanes, everybody connected."""
    async with AsyncExitStack() as open_:
        receiver = await open_.enter_async_context(receiving())
        backoff, url = Backoff(tries=TRIES), f"http://127.0.0.1:{stack.api.port}"
        made = {name: BookingClient(url, f"secret of {name}", market, timeout_s=ASK_S, backoff=backoff) for name in ROLES}
        callers = {name: await open_.enter_async_context(client) for name, client in made.items()}
        service = callers[SERVICE]
        settings = SETTINGS | {"webhook": msgspec.to_builtins(receiver.target())}
        await service.put_market(msgspec.convert(settings, MarketSettings))
        await service.put_catalogue(msgspec.convert(CATALOGUE, Catalogue))
        numbers: dict[str, str] = {}
        there = tuple(Lane(number, tuple(Person(f"{market}-{number}-{one}", numbers) for one in range(3))) for number in range(lanes))
        imported = await service.import_providers(_line(lane, person) for lane in there for person in lane.people)
        assert imported.accepted == 3 * lanes, imported
        for lane in there:
            await _connect(stack, service, lane, open_)
        async with asyncio.timeout(LIVE_S):
            for lane in there:
                for person in lane.people:
                    for device in person.devices.values():
                        await device.live()
        yield Town(stack=stack, market=market, callers=callers, lanes=there, hooks=Hooks(receiver))


def _line(lane: Lane, person: Person) -> ProviderLine:
    """Who works in a lane, as it is imported."""
    zone = {"type": "circle", **lane.place, "radius_km": 3}
    return msgspec.convert({"provider_id": person.name, "name": person.name, "zone": zone, **PROVIDER}, ProviderLine)


async def _connect(stack: Stack, service: BookingClient, lane: Lane, open_: AsyncExitStack) -> None:
    """Each of its people has a device at either gateway."""
    for person in lane.people:
        for name, encoding, proxy in zip((PHONE, TABLET), ("msgpack", "json"), stack.gateways, strict=True):
            url = f"ws://127.0.0.1:{proxy.port}/v1/device"
            await open_.enter_async_context(Device(url, service, person, name, encoding))
