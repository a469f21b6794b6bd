"""What each server function costs the store: processor time a call, measured one by one on a store of its own (durable)."""

import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.push import booking, providers
from bench.town import cpu_us
from dispatch import hours
from dispatch.client.bookings import MarketSettings as SdkSettings
from dispatch.client.bookings import Tier
from dispatch.engine.desk import Desk
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.store import Clock, Store
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.functions import install, library

MARKET, BOOKINGS, WARM = "bench", 150, 20
FEWEST = 2 * (WARM + BOOKINGS)  # people: each booking takes one away, and the last must still find a whole wave
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair"}]}


class Metered(Calls):
    """Calls that note the server's processor time of each verb."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.spent: dict[str, list[float]] = defaultdict(list)

    async def verb(self, name: str, market: str, /, **arguments: Any) -> Mapping[str, Any]:
        """The verb's reply."""
        first = await cpu_us(self)
        before = await cpu_us(self)
        reply = await super().verb(name, market, **arguments)
        self.spent[name].append(await cpu_us(self) - before - (before - first))
        return reply


async def verb_costs(people: int, wave: int, settings: SdkSettings) -> dict[str, tuple[float, float]]:
    """For each verb that a filled booking needs: how often, and microseconds a call; and ``match``, which is a part of its ``open``."""
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder) / "data", "durable") as server:
        calls = Metered(make_redis(server.url, connections=1, answers_within_s=60), Clock())
        calls.redis.response_callbacks.clear()
        await install(calls.redis, library())
        store = Store(calls, calls)
        desk = Desk(store, Gazetteer(), DeviceKeys.create(Path(folder) / "keys.json"))
        await _people(desk, store, max(people, FEWEST), settings)
        rng = random.Random(2)
        for number in range(WARM + BOOKINGS):
            if number == WARM:
                calls.spent.clear()
            await _filled(desk, store, calls, number, rng, wave)
        await calls.redis.aclose()
    return {name: (len(spent) / BOOKINGS, sum(spent) / len(spent)) for name, spent in calls.spent.items()}


async def _people(desk: Desk, store: Store, count: int, settings: SdkSettings) -> None:
    await desk.put_market(MARKET, msgspec.convert(msgspec.to_builtins(settings), MarketSettings))
    await desk.put_catalogue(MARKET, msgspec.convert(CATALOGUE, Catalogue))
    lines = [msgspec.to_builtins(line) for line in providers(count, random.Random(1), [Tier.PREFERRED], 1)]
    batch = [(line.pop("provider_id"), msgspec.convert(line, ProviderSettings)) for line in lines]
    await store.providers.enroll(await desk.market(MARKET), batch)
    for number in range(1, count + 1):
        await store.links.connect(MARKET, number, "phone", "gateway", 1)


async def _filled(desk: Desk, store: Store, calls: Calls, number: int, rng: random.Random, wave: int) -> None:
    """One booking from its opening to its webhook."""
    request = msgspec.convert(msgspec.to_builtins(booking(number, rng)), BookingRequest)
    await desk.open(MARKET, request, f"open-{number}", may_override=False)
    record = await store.bookings.get(MARKET, request.booking_id)
    market = await desk.market(MARKET)
    minute = hours.local_minute(market.settings.time_zone, market.now)
    await calls.verb("match", MARKET, query=record.query, minute=minute, client_id=request.client_id, k=wave, counting=False)
    holders = sorted(record.proposals)[:wave]
    proposals = {pno: f"{record.no}.{record.round}.{pno}" for pno in holders}
    await store.claims.receipts(MARKET, [(pno, [proposal], []) for pno, proposal in proposals.items()])
    await store.claims.accept(MARKET, holders[0], f"accept-{number}", proposals[holders[0]], record.version)
    for delivery in await store.outbox.due(10):
        await store.outbox.done(delivery)
