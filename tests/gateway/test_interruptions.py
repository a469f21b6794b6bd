"""The store goes away and comes back: nobody who stays connected may notice more than a delay. On a real store."""

from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from prometheus_client import REGISTRY
from redis import Redis

from dispatch.messages import Accept, Error, Ping, Pong, Proposal, Result, Resume
from dispatch.settings import read
from dispatch.store import Store
from dispatch.store.embedded import Embedded
from dispatch.store.keys import key
from tests.faults.counts import Fired
from tests.faults.proxy import Fault, Proxy
from tests.gateway.gate import Bare, Gate, gate


async def test_wake_ups_lost_with_their_connection_are_made_good(store: Store, market: str, redis_url: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            with Redis.from_url(redis_url) as redis:
                assert redis.client_kill_filter(_type="pubsub") > 0
            booking = await running.book()
            assert (await bare.hear()).booking.booking_id == booking
            another = await running.book()
            assert (await bare.hear()).booking.booking_id == another


async def test_a_restored_store_sends_devices_away_to_take_a_snapshot(store: Store, market: str, redis_url: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, (welcome, _)):
            await running.book()
            await bare.hear()
            with Redis.from_url(redis_url) as redis:
                redis.hset(key("market", market), "epoch", "restored")
                redis.client_kill_filter(_type="pubsub")
            assert (await bare.end())[0] == 4010
        async with running.device(resume=Resume(epoch=welcome.epoch, seq=1)) as (_, (again, _)):
            assert (again.epoch, again.resumed, again.reason, len(again.items)) == ("restored", False, "epoch", 1)


@pytest.mark.parametrize("removed", [True, False])
async def test_links_are_entered_again_after_a_long_silence(store: Store, market: str, removed: bool) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            if removed:  # what others do with a gateway that does not beat
                await store.links.gateway_gone(running.gateway.name, [market])
                assert not (await store.providers.get(market, "p-1")).reachable
            await running.gateway.pulse.once(running.gateway.moments.now() + 10_000)
            assert (await store.providers.get(market, "p-1")).reachable
            await is_served(running, bare)


async def test_the_gateway_beats_while_it_enters_its_links_again(store: Store, market: str, redis_url: str, monkeypatch: Any) -> None:
    """Entering many takes longer than others are patient: without a beat they would take off what has just been entered, for ever."""
    async with gate(store, market) as running:
        pulse, entry, beats = running.gateway.pulse, running.gateway.pulse._entry, []
        link_up = entry.link_up

        async def in_five_seconds(link: Any) -> None:
            beats.append(await store.links.silent_gateways(market, 5_000))
            redis.zincrby(key("gateways", market), -5_001, running.gateway.name)
            pulse._beat_at -= 5_001
            await link_up(link)

        await running.provider()
        async with running.device(), running.device(device="d-2"):
            with Redis.from_url(redis_url) as redis:
                monkeypatch.setattr(entry, "link_up", in_five_seconds)
                pulse._beat_at -= 5_001
                await pulse.once(running.gateway.moments.now())
    assert beats[:2] == [[], []]


async def test_what_the_stream_has_forgotten_sends_a_device_away_to_take_a_snapshot(store: Store, market: str, redis_url: str) -> None:
    async with gate(store, market) as running:
        number = await running.provider()
        async with running.device() as (bare, _):
            (link,) = running.gateway.registry
            link.held = True
            await running.book()
            await running.book()
            with Redis.from_url(redis_url) as redis:
                redis.xtrim(key("inbox", market, number), maxlen=1, approximate=False)
            link.behind = True
            running.gateway.relay.release(link)
            assert (await bare.end())[0] == 4010


async def test_a_link_whose_goodbye_the_store_did_not_hear_is_taken_off_later(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            (link,) = running.gateway.registry
            running.gateway.pulse.owe(link)
            await running.gateway.pulse.once(running.gateway.moments.now())
            assert not (await store.providers.get(market, "p-1")).reachable
            await bare.say(Ping())
            assert isinstance(await bare.hear(), Pong)


async def test_an_accept_that_meets_a_store_that_is_down_is_not_lost_and_wins_when_it_is_back_p15(short_dir: Path) -> None:
    with Embedded(short_dir, "dev") as server:
        store = await Store.connect(read(redis_url=server.url, profile="dev", dev=True))
        async with gate(store, "paris") as running:
            await running.provider()
            async with running.device() as (bare, _):
                await running.book()
                offer = await bare.hear()
                yes = Accept(id="yes", proposal=offer.proposal, version=offer.version)
                server.stop()
                await bare.say(yes)
                down = await bare.hear()
                assert isinstance(down, Error)
                assert (down.id, down.code, down.retry) == ("yes", "unavailable", True)
                server.start()
                answer = down
                for _ in range(15):  # connections of the pool that have died in the meantime are found out one by one
                    await bare.say(yes)
                    answer = await bare.hear()
                    if isinstance(answer, Result):
                        break
                assert (answer.id, answer.outcome) == ("yes", "won")
        await store.close()


async def test_an_older_socket_does_not_come_back_over_a_newer_one_that_its_gateway_did_not_hear_of_p8(
    store: Store, market: str, monkeypatch: Any
) -> None:
    """The gateway was cut off while the device moved: when it is back, its links are entered again, but not that one."""
    async with gate(store, market) as away, gate(store, market) as other:
        await away.provider()
        async with away.device() as (older, _):
            monkeypatch.setattr(away.gateway.relay, "_woken", lambda wake: None)
            async with other.device() as (newer, _):
                await away.gateway.pulse.once(away.gateway.moments.now() + 10_000)
                assert (await older.end())[0] == 4503
                await is_served(other, newer)
                assert (await store.providers.get(market, "p-1")).devices == 1


async def test_links_of_another_store_are_not_entered_again(store: Store, market: str, redis_url: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            with Redis.from_url(redis_url) as redis:
                redis.hset(key("market", market), "epoch", "restored")
            await running.gateway.pulse.once(running.gateway.moments.now() + 10_000)
            assert (await bare.end())[0] == 4010


async def test_a_subscription_that_died_without_a_word_is_noticed_and_made_good_p8(short_dir: Path) -> None:
    """The connection looks well, but nothing comes through any more, as behind a firewall that has forgotten it."""
    proxy = Proxy("store", Fired(), Random(1))
    with Embedded(short_dir, "dev", port=0) as server:
        proxy.upstreams = [int(server.url.rpartition(":")[2].partition("/")[0])]
        async with proxy.listening():
            store = await Store.connect(read(redis_url=f"redis://127.0.0.1:{proxy.port}", profile="dev", dev=True))
            async with gate(store, "paris") as running:
                await running.provider()
                async with running.device() as (bare, _):
                    before = rereads()
                    deaf = [pair for pair in proxy.pairs if b"SSUBSCRIBE" in pair.asked or b"PING" in pair.asked]
                    for pair in deaf:
                        pair.swallowed.update(("request", "reply"))
                    assert len(deaf) == 1
                    booking = await running.book()
                    assert (await bare.hear()).booking.booking_id == booking
                    assert rereads() == before + 1
                    await is_served(running, bare)
            await store.close()


def rereads() -> float:
    return REGISTRY.get_sample_value("dispatch_gateway_rereads_total") or 0.0


async def test_nothing_is_reread_before_the_server_has_heard_the_new_subscription_p8(short_dir: Path) -> None:
    """What is written between a reading and a subscription would be told to nobody. Here the new subscription takes its time."""
    proxy, channel = Proxy("store", Fired(), Random(1)), key("gateway_wakes", "paris", "gw-1")
    with Embedded(short_dir, "dev", port=0) as server:
        proxy.upstreams = [int(server.url.rpartition(":")[2].partition("/")[0])]
        async with proxy.listening():
            store = await Store.connect(read(redis_url=f"redis://127.0.0.1:{proxy.port}", profile="dev", dev=True))
            async with store.wakeups("gw-1") as wakeups, anyio.create_task_group() as tasks:
                wakes = aiter(wakeups)
                tasks.start_soon(wakeups.follow, "paris")
                tasks.start_soon(lost_and_slow, proxy)
                with anyio.fail_after(10), Redis.from_url(server.url) as redis:
                    assert (await anext(wakes)).lost
                    assert redis.execute_command("PUBSUB", "SHARDNUMSUB", channel) == [channel.encode(), 1]
            await store.close()
    assert proxy.fired.by_kind["store: request delayed"] == 1


async def lost_and_slow(proxy: Proxy) -> None:
    """Ends the subscription; the next one reaches the server only after a while."""
    while not (subscribed := [pair for pair in proxy.pairs if b"SSUBSCRIBE" in pair.asked]):
        await anyio.lowlevel.checkpoint()
    tied = anyio.create_task_group()
    async with tied:
        tied.start_soon(proxy.strike, Fault("request delayed", 1.0), 5.0)
        await anyio.lowlevel.checkpoint()
        subscribed[0].abort(reset=True)


async def is_served(running: Gate, bare: Bare) -> None:
    await running.book()
    assert isinstance(await bare.hear(), Proposal)
