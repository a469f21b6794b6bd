"""The store goes away and comes back: nobody who stays connected may notice more than a delay. On a real store."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from dispatch.messages import Accept, Error, Ping, Pong, Proposal, Result, Resume
from dispatch.settings import read
from dispatch.store import Store
from dispatch.store.embedded import Embedded
from dispatch.store.keys import key
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


async def is_served(running: Gate, bare: Bare) -> None:
    await running.book()
    assert isinstance(await bare.hear(), Proposal)
