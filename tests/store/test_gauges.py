"""Gauges: they say what a recount says (P12), and tell nothing about anybody (P14b)."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from redis import Redis

from dispatch.store import Store
from tests.store.recount import happened, recount, said
from tests.store.scene import Scene, everything
from tests.store.walk import Walk


async def test_a_market_that_nothing_happened_in_says_nothing(store: Store, market: str) -> None:
    assert await store.gauges.read(market) == {}


@pytest.mark.parametrize("seed", [101, 202, 303])
async def test_gauges_equal_a_recount_after_random_commands_p12(scene: Scene, seed: int) -> None:
    await scene.settings(webhook={"url": "https://example.org", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    walk = Walk(scene, Random(seed))
    await walk.begin()
    for number in range(120):
        await walk.step()
        if number % 20 == 0:
            for one in (await scene.store.outbox.due(3))[:2]:
                await scene.store.outbox.done(one)
    assert said(await scene.store.gauges.read(scene.market)) == await recount(scene.store, scene.market, scene.redis_url)
    assert sum(walk.done.values()) == 120


@pytest.mark.parametrize("gauge", ["bookings.searching", "proposals.live", "count.waves", "providers.askable", "sum.accept_ms"])
async def test_a_gauge_that_is_one_too_high_is_noticed(scene: Scene, gauge: str) -> None:
    """The control of the recount."""
    await scene.open()
    assert said(await scene.store.gauges.read(scene.market)) == await recount(scene.store, scene.market, scene.redis_url)
    await scene.redis.hincrby(f"{{{scene.market}}}:gauges", gauge, 1)
    assert said(await scene.store.gauges.read(scene.market)) != await recount(scene.store, scene.market, scene.redis_url)


async def test_the_life_of_a_booking_in_numbers(scene: Scene) -> None:
    await scene.open()
    await scene.receive("ada", seen=True)
    await scene.refuse("ben")
    await scene.later(seconds=20)
    await scene.settle()
    await scene.accept("ada")
    await scene.accept("cleo")
    assert said(await scene.store.gauges.read(scene.market)) == {
        "providers.known": 4,
        "providers.online": 4,
        "providers.askable": 4,
        "bookings.accepted": 1,
        "proposals.accepted": 1,
        "proposals.refused": 1,
        "proposals.withdrawn": 2,
        "count.opened": 1,
        "count.proposals": 4,
        "count.waves": 1,
        "count.fills": 1,
        "count.received": 2,  # who answers has received
        "count.seen": 1,
        "count.refused": 1,
        "count.accepted": 1,
        "count.accepts_late": 1,
        "sum.accept_ms": 20_000,
    }


async def test_a_search_that_becomes_urgent_is_counted_in_its_class(scene: Scene) -> None:
    await scene.open(lead=8)
    assert (await scene.gauge("searching.same_day"), await scene.gauge("searching.last_minute")) == (1, 0)
    await scene.later(hours=2, seconds=1)
    await scene.settle()
    assert (await scene.gauge("searching.same_day"), await scene.gauge("searching.last_minute")) == (0, 1)


# -- P14b -------------------------------------------------------------------------------------------------------------

CANARY = "kanari"
HOOK = {"url": "https://example.org/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


async def with_canaries(scene: Scene) -> None:
    """Everything that can happen to a booking, with a canary in every text that somebody can write, and in every outside id."""
    await scene.settings(webhook=HOOK)
    names = [f"p-{CANARY}-{number}" for number in range(4)]
    for name in names:
        await scene.provider(name, initial_rank={"tier": "premier", "score": 9})
    place = {"lat": 48.861234, "lng": 2.345678, "address": f"1 rue {CANARY}"}
    person = {"client_id": f"c-{CANARY}", "note": f"note {CANARY}", "place": place}
    for number, ends in enumerate(("accept", "cancel", "expire", "give back")):
        booking_id = f"b-{CANARY}-{number}"
        await scene.open(booking_id, leads=(4, 5), ops=True, override={"reason": f"because {CANARY}"}, **person)
        holders = [name for name, state in (await scene.states(booking_id)).items() if state == "open"]
        await scene.receive(holders[0], booking_id, seen=True)
        await scene.refuse(holders[1], booking_id, reason=f"no {CANARY}")
        if ends in ("accept", "give back"):
            await scene.accept(holders[0], booking_id)
            await scene.accept(holders[2], booking_id)
        if ends in ("cancel", "give back"):
            await scene.cancel(booking_id, by="provider" if ends == "give back" else "client", reason=f"so {CANARY}")
    await scene.desk.put_block(scene.market, f"c-{CANARY}-2", f"owes {CANARY}")
    await scene.desk.put_provider_block(scene.market, names[0], f"c-{CANARY}")
    for minutes in (1, 15, 200, 60):
        await scene.later(minutes=minutes)
        await scene.settle()


LASTING = ("events", "gauges", "due", "numbers", "b:", "pr:", "t:", "p:", "v:", "w:", "wdue", "wdead", "x:", "l:", "bk:", "gl:", "gateways")


async def test_events_and_numbers_carry_no_name_no_text_no_outside_id_p14b(scene: Scene) -> None:
    await with_canaries(scene)
    found = plain(scene.redis_url, scene.market)
    lasting = {name for name in found if name.startswith(LASTING)}
    told = [name for name in lasting if CANARY in found[name]]
    assert told == []
    assert {kind for name in lasting for kind in LASTING if name.startswith(kind)} >= {"events", "gauges", "t:", "pr:", "p:", "x:", "w:"}
    with Redis.from_url(scene.redis_url) as client:
        assert {type(event).__name__ for event in happened(client, scene.market)} >= {
            "Opened", "WaveSent", "Received", "Seen", "Refused", "Accepted", "AcceptedTooLate", "Withdrawn", "WindowsDropped", "Unfilled",
            "Cancelled", "Reopened", "Faded", "Replaced", "Blocked", "ProviderPut",
        }  # fmt: skip


async def test_what_names_somebody_stands_where_it_can_be_erased_p14b(scene: Scene) -> None:
    """Ids by number, the records of a booking and of a provider, what he is shown, the answers kept for repeats, and the blacklist."""
    await with_canaries(scene)
    found = plain(scene.redis_url, scene.market)
    kinds = {name if name.startswith("ids:") else name.partition(":")[0] for name, text in found.items() if CANARY in text}
    assert kinds == {"ids:p", "ids:b", "ids:c", "bw", "pw", "i", "o", "r", "blacklist"}


async def test_exact_places_are_in_no_event_p14b(scene: Scene) -> None:
    await with_canaries(scene)
    found = plain(scene.redis_url, scene.market)
    for name, text in found.items():
        if name.startswith(("events", "t:", "gauges", "due", "w:")):
            assert "48861234" not in text
            assert "2345678" not in text


def plain(redis_url: str, market: str) -> dict[str, str]:
    """Every key of a market and what it holds, as text in which numbers and strings can be found."""
    with Redis.from_url(redis_url) as client:
        names = sorted(client.scan_iter(f"{{{market}}}:*", count=1_000))
        return {name.decode().partition("}:")[2]: text_of(client, name) for name in names}


def text_of(client: "Redis", name: bytes) -> str:
    read: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(name),
        b"hash": lambda: client.hgetall(name),
        b"list": lambda: client.lrange(name, 0, -1),
        b"set": lambda: client.smembers(name),
        b"zset": lambda: client.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: client.xrange(name),
    }
    return str(unpacked(read[client.type(name)]()))


def unpacked(value: Any) -> Any:
    """Bytes as the msgpack they may be, else as text."""
    if isinstance(value, bytes):
        try:
            return value.decode() if value.isascii() else msgspec.msgpack.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return value.decode("latin-1")
    if isinstance(value, dict):
        return {unpacked(name): unpacked(part) for name, part in value.items()}
    return [unpacked(part) for part in value] if isinstance(value, list | tuple | set) else value


async def test_the_state_is_what_is_compared(scene: Scene) -> None:
    before = everything(scene.redis_url, scene.market)
    await scene.open()
    assert everything(scene.redis_url, scene.market) != before
