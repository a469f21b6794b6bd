"""The city of the bench `rematch`: bookings that nobody could be asked for, and everybody who is about to appear."""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from rich.progress import Progress

from bench.serving import Served
from dispatch.client import BookingClient
from dispatch.client.bookings import (
    BookingRequest,
    Catalogue,
    CircleZone,
    MarketSettings,
    Place,
    ProviderLine,
    ProviderSettings,
    Service,
    Trade,
    Window,
)
from dispatch.model import Absence
from dispatch.store import Store
from dispatch.store.calls import Calls, decode
from dispatch.store.keys import key

MARKET, SERVICES, GATEWAY = "bench", 40, "bench-gateway"
CHANGED, ONLINE = "settings widened", "appearing"
HOURS = ("Mo-Su 08:00-20:00", "Mo-Fr 09:00-12:30,14:00-19:00; Sa,Su 10:00-18:00", "Mo-Su 10:00-22:00", "24/7", "Mo-Su 22:00-06:00")
AT_ONCE, LINES, DAYS = 24, 4_000, 4
SIZE = 12  # seats of a wave: more than will be taken
FREED, OFF = 0.1, 0.3  # shares of those who are freed, or switch themselves on; the others come online
LONG_S = 50_000  # nothing fades or is given away meanwhile: that is measured elsewhere
BEAT_S = 1.0
DONE = 100_000  # events read at once


class Town:
    """The engine, its store, and everybody in it. ``offline``, ``off``: numbers of those who have yet to come, or switch themselves on;
    ``held``: by booking, who is freed when it is cancelled; ``narrow``: by number, those whose catalogue is about to be widened."""

    def __init__(self, store: Store, calls: Calls, bookings: BookingClient, served: Served) -> None:
        self.store, self.calls, self.bookings, self.served = store, calls, bookings, served
        self.rng = random.Random(1)
        self.offline: list[int] = []
        self.off: list[int] = []
        self.held: dict[str, int] = {}
        self.narrow: dict[int, ProviderLine] = {}

    async def online(self, pno: int) -> None:
        """As a gateway enters a socket."""
        await self.store.links.connect(MARKET, pno, "d", GATEWAY, pno)

    async def beat(self) -> None:
        """The gateway lives, for ever: else the engine would soon give up those that it holds."""
        while True:
            await self.store.links.gateway_alive(GATEWAY, [MARKET])
            await asyncio.sleep(BEAT_S)

    async def switch(self, pno: int, on: bool) -> None:
        """As a device says it."""
        await self.store.links.status(MARKET, pno, on, None, "d")

    async def widen(self, line: ProviderLine) -> None:
        """Over HTTP: he offers what he did not offer before."""
        wide = msgspec.structs.replace(line, catalogue=_catalogue(self.rng))
        settings = {name: getattr(wide, name) for name in ProviderSettings.__struct_fields__}
        await self.bookings.put_provider(line.provider_id, ProviderSettings(**settings))

    async def vacant(self) -> int:
        """How many bookings have vacancies."""
        return int(await self.calls.command("HLEN", key("v_briefs", MARKET)))

    async def seats_taken(self) -> list[dict[str, Any]]:
        """Every event of somebody who appeared and took a seat."""
        found, last = [], "-"
        while entries := await self.calls.command("XRANGE", key("events", MARKET), last, "+", "COUNT", DONE):
            found += [decode(fields[1]) for _, fields in entries]
            last = f"({entries[-1][0].decode()}"
        return [event for event in found if event["type"] == "WaveSent" and event["kind"] == "seat"]

    async def numbers(self, kind: str, count: int) -> list[int]:
        """The store's numbers of the providers of a kind."""
        ids = [f"{kind}{n}" for n in range(count)]
        return [int(no) for no in await self.calls.command("HMGET", key("provider_ids", MARKET), *ids)] if ids else []


def _settings() -> MarketSettings:
    return msgspec.convert(
        {
            "cadence": [{"class": "last_minute", "lead_under_s": None, "size": SIZE, "pause_s": 86_000}],
            "quiet_hours": None,
            "answer_s": dict.fromkeys(("last_minute", "same_day", "advance", "far"), LONG_S),
            "delivery_grace_s": {"last_minute": LONG_S, "other": LONG_S},
        },
        MarketSettings,
    )


def _somewhere(rng: random.Random) -> tuple[float, float]:
    """In a city some 45 km across."""
    return 48.86 + rng.uniform(-0.2, 0.2), 2.34 + rng.uniform(-0.3, 0.3)


def _catalogue(rng: random.Random) -> tuple[str, ...]:
    return tuple(f"s{n}" for n in rng.sample(range(SERVICES), 6))


def provider(provider_id: str, rng: random.Random, **changes: Any) -> ProviderLine:
    """Six services of forty, a circle of 4 to 9 km; one in five works at night only, and fits nothing."""
    lat, lng = _somewhere(rng)
    zone = CircleZone(lat=lat, lng=lng, radius_km=round(rng.uniform(4, 9), 1))
    right = {"name": provider_id, "trade": "t", "catalogue": _catalogue(rng), "zone": zone, "hours": rng.choice(HOURS)}
    return ProviderLine(provider_id=provider_id, **(right | changes))


def busy(number: int, rng: random.Random) -> ProviderLine:
    """He works three hours of one day, in the middle of which he will hold a visit: before it is gone no other fits."""
    day = _day(1 + number % DAYS)
    absent = (Absence(from_=date(2020, 1, 1), to=day - timedelta(days=1)), Absence(from_=day + timedelta(days=1), to=date(2099, 1, 1)))
    catalogue = (*_catalogue(rng), f"visit{number}")
    return provider(f"h{number}", rng, hours="Mo-Su 10:00-13:00", absences=absent, catalogue=catalogue)


def _day(ahead: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=ahead)


def _window(day: date, hour: float) -> Window:
    """An hour of that day, in the market's winter time."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 1)
    return Window(start=start, end=start + timedelta(hours=1))


def booking(number: int, rng: random.Random) -> BookingRequest:
    """An hour by day, within the next days."""
    lat, lng = _somewhere(rng)
    window = _window(_day(1 + rng.randrange(DAYS)), 9 + rng.randrange(36) / 4)
    return BookingRequest(
        booking_id=f"b{number}", client_id=f"c{number % 500}", place=Place(lat=lat, lng=lng), services=(f"s{rng.randrange(SERVICES)}",),
        windows=(window,),
    )  # fmt: skip


async def many(deeds: Sequence[Callable[[], Awaitable[object]]], progress: Progress, name: str) -> None:
    """All of them, some at once."""
    bar, door = progress.add_task(name, total=len(deeds)), asyncio.Semaphore(AT_ONCE)

    async def one(deed: Callable[[], Awaitable[object]]) -> None:
        async with door:
            await deed()
        progress.advance(bar)

    await asyncio.gather(*(one(deed) for deed in deeds))


async def settle(town: Town, chosen: argparse.Namespace, progress: Progress) -> dict[str, str]:
    """Everybody is there and about to appear, and the bookings wait. The tokens of the real devices, by provider."""
    rng, events = town.rng, int(chosen.rate * chosen.seconds)
    freed, off, changed = int(events * FREED), int(events * OFF), int(chosen.changes * chosen.seconds)
    codes = [*(f"s{n}" for n in range(SERVICES)), *(f"visit{n}" for n in range(freed))]
    await town.bookings.put_market(_settings())
    await town.bookings.put_catalogue(Catalogue(trades=(Trade(code="t"),), services=tuple(Service(code=c, trade="t") for c in codes)))
    holders = [busy(n, rng) for n in range(freed)]
    narrow = [provider(f"n{n}", rng, catalogue=()) for n in range(changed)]
    real = [provider(f"r{n}", rng, hours="24/7", catalogue=tuple(codes[:SERVICES])) for n in range(chosen.devices)]
    others = [provider(f"p{n}", rng) for n in range(events - freed)]
    lines, bar = [*others, *holders, *narrow, *real], progress.add_task("providers", total=events + changed + chosen.devices)
    for first in range(0, len(lines), LINES):
        await town.bookings.import_providers(lines[first : first + LINES])
        progress.advance(bar, len(lines[first : first + LINES]))
    numbers = await town.numbers("p", len(others))
    town.off, town.offline = numbers[:off], numbers[off:]
    town.narrow = dict(zip(await town.numbers("n", changed), narrow, strict=True))
    real_numbers = await town.numbers("r", len(real))
    await many([lambda n=n: town.switch(n, False) for n in (*town.off, *real_numbers)], progress, "switched off")
    await many([lambda n=n: town.online(n) for n in (*town.off, *town.narrow)], progress, "connected")
    await _hold(town, holders, progress)
    await many([lambda n=n: town.bookings.open(booking(n, rng)) for n in range(chosen.waiting)], progress, "waiting bookings")
    return {line.provider_id: (await town.bookings.device_token(line.provider_id, "real")).token for line in real}


async def _hold(town: Town, holders: Sequence[ProviderLine], progress: Progress) -> None:
    """Each of them wins a visit that only he can be asked for."""

    async def one(index: int, line: ProviderLine, pno: int) -> None:
        await town.online(pno)
        assert isinstance(line.zone, CircleZone)
        request = BookingRequest(
            booking_id=f"v{index}", client_id=f"c{index % 500}", place=Place(lat=line.zone.lat, lng=line.zone.lng),
            services=(f"visit{index}",), windows=(_window(_day(1 + index % DAYS), 11),),
        )  # fmt: skip
        await town.bookings.open(request)
        bno = await town.store.bookings.number(MARKET, request.booking_id)
        answer = await town.store.claims.accept(MARKET, pno, "take", f"{bno}.1.{pno}", 1)
        assert answer["outcome"] == "won", answer
        town.held[request.booking_id] = pno

    numbers = await town.numbers("h", len(holders))
    await many([lambda i=i, h=h, n=n: one(i, h, n) for i, (h, n) in enumerate(zip(holders, numbers, strict=True))], progress, "visits held")
