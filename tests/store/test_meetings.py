"""Who meets which vacancies: the store agrees with the pure reference on random markets (R18, R2; P5)."""

import os
from random import Random
from typing import Any

import msgspec
import pytest

from dispatch.engine.desk import person
from dispatch.matcher import Query
from dispatch.model import Catalogue, Service, Trade
from dispatch.vacancies import Waiting, met
from tests.store.scene import PLACE, Scene
from tests.store.soundness import faults

MARKETS = max(12, int(os.environ.get("WORLDS", "200")) // 16)
BOOKINGS, SERVICES = 24, ("cut", "color", "beard")
HOURS = ("24/7", "Mo-Su 08:00-20:00", "Mo-Su 13:10-18:50", "Sa 10:00-16:00", "Mo-Su 22:00-04:00")
QUIET = (None, None, {"from": "11:00", "to": "13:00"}, {"from": "12:00", "to": "12:05"})
CLIENTS = ("c-1", "c-2", "c-3")


def place(rng: Random) -> dict[str, float]:
    return {"lat": round(PLACE["lat"] + rng.uniform(-0.15, 0.15), 5), "lng": round(PLACE["lng"] + rng.uniform(-0.2, 0.2), 5)}


def zone(rng: Random) -> dict[str, Any]:
    here = place(rng)
    if rng.random() < 0.3:
        lat, lng, size = here["lat"], here["lng"], rng.uniform(0.05, 0.2)
        return {"type": "polygon", "coordinates": [[lng - size, lat - size], [lng + 1.2 * size, lat], [lng, lat + size]]}
    return {"type": "circle", **here, "radius_km": rng.choice((3, 8, 25))}


async def some_market(scene: Scene, rng: Random) -> None:
    """Bookings that found nobody, or not enough, some of which have been answered or narrowed since."""
    trades, services = (Trade(code="hair"),), tuple(Service(code=code, trade="hair") for code in SERVICES)
    await scene.desk.put_catalogue(scene.market, Catalogue(trades=trades, services=services))
    await scene.settings(open_proposals_cap=rng.choice((2, 5, 40)), horizon_days=6)
    for name in ("ada", "ben", "cleo", "dan"):
        if rng.random() < 0.8:
            await scene.disconnect(name)
    for index in range(BOOKINGS):
        leads = tuple(dict.fromkeys(rng.choice((2, 2.25, 3, 4.5, 7, 20, 26, 50)) for _ in range(rng.choice((1, 1, 2, 4)))))
        wanted = rng.sample(SERVICES, rng.choice((1, 1, 2)))
        await scene.open(f"b-{index}", place=place(rng), services=wanted, leads=leads, client_id=rng.choice(CLIENTS))
    for name, booking_id in [(name, f"b-{rng.randrange(BOOKINGS)}") for name in ("ada", "ben", "cleo", "dan")]:
        if name in await scene.states(booking_id):
            await rng.choice((scene.accept, scene.refuse))(name, booking_id)
    await scene.later(minutes=rng.choice((0, 5, 75)))
    await scene.settle()


async def newcomer(scene: Scene, rng: Random) -> None:
    await scene.provider(
        "eve", reachable=False, catalogue=rng.sample(SERVICES, rng.choice((1, 2, 3))), zone=zone(rng), hours=rng.choice(HOURS),
        do_not_disturb=rng.choice((None, None, None, {"from": "11:00", "to": "15:00"})),
    )  # fmt: skip
    for client in CLIENTS:
        if rng.random() < 0.2:
            await scene.desk.put_provider_block(scene.market, "eve", client)


async def reference(scene: Scene, name: str) -> list[tuple[int, tuple[int, ...]]]:
    """What the pure decisions say."""
    market = await scene.desk.market(scene.market)
    standing = await scene.store.providers.get(scene.market, name)
    waiting = []
    for record in await scene.store.bookings.records(scene.market, range(1, BOOKINGS + 1)):
        if record.state == "searching" and record.vacant:
            query = msgspec.convert({k: v for k, v in record.query.items() if k != "client"}, Query)
            apart = frozenset(await scene.store.bookings.blocked(scene.market, record.client))
            one = Waiting(no=record.no, start=record.start, query=query, asked=frozenset(record.proposals), apart=apart)
            waiting.append(one)
    return list(met(waiting, person(standing, blocked=False), market.settings, scene.now))


async def really(scene: Scene, name: str) -> list[tuple[int, tuple[int, ...]]]:
    """What the store has done, in the order of his stream."""
    found = []
    for message in await scene.told(name):
        if message["type"] == "proposal":
            bno = int(message["proposal"].split(".")[0])
            (record,) = await scene.store.bookings.records(scene.market, [bno])
            found.append((bno, tuple(record.proposals[scene.numbers[name]].windows)))
    return found


@pytest.mark.proves("R18.a", "R18.e", "R18.f")
@pytest.mark.parametrize("seed", range(MARKETS))
async def test_who_appears_takes_the_seats_that_the_pure_decisions_give_him_r18(scene: Scene, seed: int) -> None:
    rng = Random(seed)
    await some_market(scene, rng)
    await newcomer(scene, rng)
    await scene.settings(open_proposals_cap=rng.choice((2, 5, 40)), quiet_hours=rng.choice(QUIET))
    await scene.meet()
    await scene.connect("eve")
    right = await reference(scene, "eve")
    await scene.meet()
    assert await really(scene, "eve") == right
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize(("radius_km", "asked"), [(6.3, False), (6.5, True)])
async def test_a_place_on_the_other_side_of_the_date_line_is_as_near_as_any_r4_r18(scene: Scene, radius_km: float, asked: bool) -> None:
    """6.4 km from east to west: by a search, and by who comes when it waits."""
    for name, reachable in (("early", True), ("late", False)):
        await scene.provider(name, reachable=reachable, zone={"type": "circle", "lat": -16.8, "lng": 179.97, "radius_km": radius_km})
    await scene.open(place={"lat": -16.8, "lng": -179.97})
    assert ("early" in await scene.states()) == asked
    await scene.connect("late")
    await scene.meet()
    assert ("late" in await scene.states()) == asked
    assert await faults(scene.store, scene.market, scene.redis_url) == []
