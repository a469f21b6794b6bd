"""The match index after changes: the bits of a provider are those of his settings, whatever he was before, however the writing went."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch import hours
from dispatch.matcher import Query
from dispatch.model import (
    Absence,
    AreasZone,
    CircleZone,
    DailyRange,
    InitialRank,
    MarketSettings,
    PolygonZone,
    ProviderSettings,
    Span,
    Tier,
)
from dispatch.store import Clock, Market, Store
from dispatch.store.calls import Calls, make_redis, wall_ms
from dispatch.store.footprint import shelf_of
from dispatch.store.functions import Library, install, library
from dispatch.store.keys import key
from dispatch.zones import cells_of

NOW = int(datetime(2026, 10, 21, 9, 41, tzinfo=UTC).timestamp() * 1_000)
DAY, HOUR = 86_400_000, 3_600_000
SHORT = MarketSettings(horizon_days=5)
PARIS, LYON = (48_856_600, 2_352_200), (45_764_000, 4_835_700)
BITMAPS = ("in:", "rim:", "ar:", "s:", "q:", "dnd:", "stir:", "ask")


@dataclass(slots=True)
class Bench:
    """A store whose clock stands still, in a market of its own."""

    store: Store
    calls: Calls
    market: Market


async def opened(url: str, name: str, now: int = NOW, lib: Library | None = None, settings: MarketSettings | None = None) -> Bench:
    clock = Clock(speed=0.0, base_ms=now)
    redis = make_redis(url)
    redis.response_callbacks.clear()
    await install(redis, lib or library(clock))
    calls = Calls(redis, clock)
    if lib:
        calls.library, calls._names = lib, {verb: lib.function(verb) for verb in lib.verbs}
    store = Store(calls, calls)
    if settings or await store.markets.get(name) is None:
        await store.markets.put_settings(name, settings or MarketSettings())
    market = await store.markets.get(name)
    assert market is not None
    return Bench(store, calls, market)


@pytest.fixture
async def at(redis_url: str) -> AsyncIterator[Callable[..., Awaitable[Bench]]]:
    """Opens a market's store at a moment; all are closed afterwards."""
    made: list[Bench] = []

    async def open_(name: str, **how: Any) -> Bench:
        made.append(await opened(redis_url, name, **how))
        return made[-1]

    yield open_
    for one in made:
        await one.calls.redis.aclose()


@pytest.fixture
async def bench(at: Callable[..., Awaitable[Bench]], market: str) -> Bench:
    return await at(market, settings=SHORT)


def circle(place: tuple[int, int] = PARIS, km: float = 6) -> CircleZone:
    return CircleZone(lat=place[0] / 1e6, lng=place[1] / 1e6, radius_km=km)


def settings(**changed: Any) -> ProviderSettings:
    usual = {"name": "P", "trade": "hair", "catalogue": ("cut",), "zone": circle(), "hours": "Mo-Su 08:00-20:00"}
    return ProviderSettings(**{**usual, **changed})


def query(place: tuple[int, int] = PARIS, start: int = NOW // DAY * DAY + DAY + 10 * HOUR, **changed: Any) -> Query:
    usual = {"cells": cells_of(*place), "areas": (), "services": ("cut",), "windows": (Span(start, start + HOUR),), "gap": 1_800_000}
    return Query(lat=place[0], lng=place[1], **{**usual, **changed})


def without_time() -> Library:
    """The library with no time at all for a call."""
    usual = library(Clock(speed=0.0, base_ms=NOW))
    digest = usual.name.rpartition("_")[2]
    text = usual.text.replace("local DIGITS, LIMIT, LOOK = {}, 0.0015, 16", "local DIGITS, LIMIT, LOOK = {}, -1, 16").replace(
        digest, "hasty"
    )
    assert "LIMIT, LOOK = {}, -1" in text
    return Library("dispatch_hasty", text, usual.verbs)


async def count(bench: Bench, asked: Query) -> int:
    minute = hours.local_minute(bench.market.settings.time_zone, bench.market.now)
    return (await bench.store.bookings.match(bench.market.id, asked, minute=minute, k=5, client_id=None)).count


async def bits(bench: Bench, place: tuple[int, int]) -> set[str]:
    """The names of the bitmaps in which a slot's bit is set, without the market and the shelf."""
    prefix, slot = key("x_askable", bench.market.id, place[0]).removesuffix("ask"), place[1]
    kinds = tuple(prefix + kind for kind in BITMAPS)
    names = [name for name in await bench.calls.command("KEYS", f"{prefix}*") if name.decode().startswith(kinds)]
    found = await bench.calls.pipeline(*(("GETBIT", name, slot) for name in names))
    return {name.decode().removeprefix(prefix) for name, bit in zip(names, found, strict=True) if bit}


async def place_of(bench: Bench, provider: str) -> tuple[int, int]:
    """His shelf, and his slot there."""
    pno = await bench.store.providers.number(bench.market.id, provider)
    slot, bucket = await bench.calls.command("HMGET", key("provider", bench.market.id, pno), "slot", "bucket")
    return shelf_of(int(bucket)), int(slot)


async def reachable(bench: Bench, provider: str) -> None:
    pno = await bench.store.providers.number(bench.market.id, provider)
    assert pno is not None
    await bench.store.links.connect(bench.market.id, pno, "d", "g", pno)


SETTINGS = {
    "usual": settings(),
    "elsewhere": settings(zone=circle(LYON, 9.5)),
    "wide": settings(zone=circle(PARIS, 200)),
    "polygon": settings(zone=PolygonZone(coordinates=[(2.3, 48.8), (2.45, 48.8), (2.45, 48.9), (2.3, 48.92)])),
    "areas": settings(zone=AreasZone(codes=["75001", "75002"])),
    "always": settings(hours="24/7", catalogue=("cut", "colour")),
    "never": settings(hours="off", catalogue=()),
    "odd": settings(hours="Mo-Su 08:07-20:22", absences=(Absence(from_=datetime(2026, 10, 23).date(), to=datetime(2026, 10, 30).date()),)),  # noqa: DTZ001
    "quiet": settings(do_not_disturb=DailyRange(from_="22:10", to="07:05")),
    "top": settings(initial_rank=InitialRank(tier=Tier.PREMIER, score=9.5)),
    "waiting": settings(status="pending"),
}


@pytest.mark.parametrize("before", SETTINGS)
async def test_a_provider_who_changes_leaves_the_bits_of_his_new_settings_and_no_others(bench: Bench, before: str) -> None:
    for after, wanted in SETTINGS.items():
        changed, fresh = f"c-{after}", f"f-{after}"
        await bench.store.providers.put(bench.market, changed, SETTINGS[before])
        old = await place_of(bench, changed)
        await reachable(bench, changed)
        await bench.store.providers.put(bench.market, changed, wanted)
        await bench.store.providers.put(bench.market, fresh, wanted)
        await reachable(bench, fresh)
        new = await place_of(bench, changed)
        assert await bits(bench, new) == await bits(bench, await place_of(bench, fresh)), after
        assert new == old or await bits(bench, old) == set(), after


async def test_an_import_leaves_the_same_bits_as_one_by_one(bench: Bench) -> None:
    await bench.store.providers.enroll(bench.market, [(f"i-{name}", one) for name, one in SETTINGS.items()])
    for name, one in SETTINGS.items():
        await bench.store.providers.put(bench.market, f"p-{name}", one)
        assert await bits(bench, await place_of(bench, f"i-{name}")) == await bits(bench, await place_of(bench, f"p-{name}")), name


@pytest.mark.proves("R4.b")
async def test_a_zone_of_200_km_has_a_net_of_a_few_hundred_cells_and_is_exact(bench: Bench) -> None:
    await bench.store.providers.put(bench.market, "far", SETTINGS["wide"])
    await reachable(bench, "far")
    cells = [name for name in await bits(bench, await place_of(bench, "far")) if name.startswith(("in:", "rim:"))]
    assert len(cells) < 800
    degree = 111_194.9
    inside, outside = (PARIS[0] - round(share * 200_000 / degree * 1e6) for share in (0.9999, 1.0001))
    assert [await count(bench, query((lat, PARIS[1]))) for lat in (PARIS[0], inside, outside)] == [1, 1, 0]


async def test_a_new_time_zone_or_gap_writes_all_hours_anew(at: Callable[..., Awaitable[Bench]], market: str) -> None:
    paris = await at(market)
    await paris.store.providers.put(paris.market, "p", settings(hours="Mo-Su 08:00-09:00"))
    await reachable(paris, "p")
    eight = NOW // DAY * DAY + DAY + 6 * HOUR  # 08:00 in Paris in summer
    assert [await count(paris, query(start=eight)), await count(paris, query(start=eight + 2 * HOUR))] == [1, 0]
    utc = await at(market, settings=MarketSettings(time_zone="UTC"))
    await utc.store.providers.put(utc.market, "p", settings(hours="Mo-Su 08:00-09:00"))
    assert [await count(utc, query(start=eight)), await count(utc, query(start=eight + 2 * HOUR))] == [0, 1]


async def test_the_index_reaches_on_day_by_day(at: Callable[..., Awaitable[Bench]], market: str) -> None:
    today = await at(market)
    await today.store.providers.put(today.market, "p", settings(hours="Mo-Su 08:00-20:07"))
    await reachable(today, "p")
    later = await at(market, now=NOW + 20 * DAY)
    far = query(start=(NOW // DAY + 50) * DAY + 10 * HOUR)
    edge = query(start=(NOW // DAY + 50) * DAY + 18 * HOUR + 30 * 60_000)  # 19:30 in Paris in winter, until 20:30
    assert await count(later, far) == 0
    assert await later.store.providers.prolong(later.market, [1]) == 1
    assert await later.store.providers.prolong(later.market, [1]) == 0
    assert [await count(later, far), await count(later, edge)] == [1, 0]


async def test_writing_that_is_cut_into_many_calls_ends_the_same(
    at: Callable[..., Awaitable[Bench]], market: str, fresh_market: Any
) -> None:
    """With no time at all for a call, each writes a few bits; nobody who is half written can be asked."""
    hasty = await at(market, lib=without_time(), settings=SHORT)
    calm = await at(fresh_market(), settings=SHORT)
    for one in (hasty, calm):
        await one.store.providers.enroll(one.market, [(f"i{name}", kind) for name, kind in SETTINGS.items()])
        for name, kind in SETTINGS.items():
            await one.store.providers.put(one.market, f"p{name}", SETTINGS["usual"])
            await one.store.providers.put(one.market, f"p{name}", kind)
            await reachable(one, f"p{name}")
    for name in SETTINGS:
        for who in (f"p{name}", f"i{name}"):
            assert await bits(hasty, await place_of(hasty, who)) == await bits(calm, await place_of(calm, who)), who
    minute = hours.local_minute("Europe/Paris", NOW)
    answers = []
    for one in (hasty, calm):
        counts, left = await one.store.bookings.census(one.market.id, query(), minute=minute, client_id=None)
        answers.append((counts, len(left), await count(one, query())))
    assert answers[0] == answers[1]


async def test_one_whose_change_was_never_finished_is_out_until_somebody_finishes_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.store.providers.put(bench.market, "p", settings())
    await reachable(bench, "p")
    assert await count(bench, query()) == 1
    name = key("provider", bench.market.id, 1)
    await bench.calls.command("HSET", name, "status", "loading")  # what a process leaves that dies while it imports
    await bench.store.links.status(bench.market.id, 1, None, None, "d")
    assert await count(bench, query()) == 0
    assert await bench.store.providers.renew(bench.market, "p")
    assert await count(bench, query()) == 1
    assert not await bench.store.providers.renew(bench.market, "p")


async def test_a_change_cut_short_between_two_calls_is_finished_by_a_worker(
    at: Callable[..., Awaitable[Bench]], market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = await at(market, lib=without_time(), settings=SHORT)
    await hasty.store.providers.put(hasty.market, "p", settings())
    await reachable(hasty, "p")

    async def dies(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(hasty.store.providers, "_write_rest", dies)
    with pytest.raises(ConnectionResetError):
        await hasty.store.providers.put(hasty.market, "p", settings(hours="Mo-Su 07:00-21:00"))
    monkeypatch.undo()
    assert await count(hasty, query()) == 0
    assert await hasty.store.renewal.finish(hasty.market) == 0  # whoever puts him may still be at it
    monkeypatch.setattr("dispatch.store.renewal.wall_ms", lambda: wall_ms() + 6_000)
    await hasty.store.renewal.finish(hasty.market)
    assert await count(hasty, query()) == 1


async def test_a_search_joins_no_bitmaps_of_the_tiers_it_does_not_need(bench: Bench) -> None:
    """A bitmap becomes as long as its shelf's slot space the first time it is joined; until then it ends with its last bit."""
    for name, rank in (("best", InitialRank(tier=Tier.PREMIER, score=5)), ("last", InitialRank(tier=Tier.LIMITED, score=5))):
        await bench.store.providers.put(bench.market, name, settings(initial_rank=rank))
        await reachable(bench, name)
    shelves = [(await place_of(bench, name))[0] for name in ("best", "last")]

    async def joined() -> list[bool]:
        names = [(key("x_service", bench.market.id, shelf, "cut"), key("x_askable", bench.market.id, shelf)) for shelf in shelves]
        return [len({int(await bench.calls.command("STRLEN", name)) for name in pair}) == 1 for pair in names]

    minute = hours.local_minute(bench.market.settings.time_zone, NOW)
    asked = {"query": query(), "minute": minute, "client_id": None, "counting": False}
    assert await joined() == [False, False]
    assert [no for no, *_ in (await bench.store.bookings.match(bench.market.id, **asked, k=1)).first] == [1]
    assert await joined() == [True, False]
    assert [no for no, *_ in (await bench.store.bookings.match(bench.market.id, **asked, k=2)).first] == [1, 2]
    assert await joined() == [True, True]


async def test_matching_leaves_nothing_behind(bench: Bench) -> None:
    await bench.store.providers.put(bench.market, "p", settings())
    await reachable(bench, "p")
    await count(bench, query(windows=(Span(NOW + DAY, NOW + DAY + HOUR), Span(NOW + 2 * DAY, NOW + 2 * DAY + HOUR))))
    assert await bench.calls.command("KEYS", f"{{{bench.market.id}}}:~*") == []
