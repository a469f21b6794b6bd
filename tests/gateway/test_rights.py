"""A right that is taken away ends the sockets that stood on it, within two seconds and at every gateway, whatever became of the wake-up."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest
from redis import Redis

from dispatch.errors import NotFound
from dispatch.messages import AuthNeeded
from dispatch.model import ProviderSettings
from dispatch.store import Store
from dispatch.store.keys import key
from dispatch.store.rights import REMEMBERED
from dispatch.wire import JSON, MSGPACK, Codec, Error, Hello, Ping, Pong, Refresh, Refreshed
from tests.gateway.gate import Bare, Gate, gate

PROMISED_S = 2.0
BLOCKED, REVOKED = 4505, 4500
CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


async def block(running: Gate, provider: str = "p-1", status: str = "inactive") -> None:
    found = await running.store.providers.get(running.market, provider)
    settings = msgspec.structs.replace(found.settings, status=status, initial_rank=msgspec.UNSET)
    await running.desk.put_provider(running.market, provider, msgspec.convert(settings, ProviderSettings, from_attributes=True))


async def revoke(running: Gate, device: str | None = "d-1", provider: str = "p-1") -> None:
    await running.desk.devices.revoke(running.market, provider, device)


async def issued(running: Gate, provider: str = "p-1", device: str = "d-1", ttl_s: int = 600) -> str:
    """A token as the interface gives it: of the provider's present generation."""
    return str((await running.desk.devices.token(running.market, provider, device, ttl_s))["token"])


@asynccontextmanager
async def connected(running: Gate, token: str, device: str = "d-1") -> AsyncIterator[Bare]:
    async with running.socket() as bare:
        await bare.say(Hello(token=token, device=device))
        await bare.hear_until("live")
        yield bare


async def hello(running: Gate, token: str, device: str = "d-1") -> int:
    """The code with which a hello ends that is not let in."""
    async with running.socket() as bare:
        await bare.say(Hello(token=token, device=device))
        return (await bare.end())[0]


async def lives(bare: Bare) -> None:
    await bare.say(Ping())
    assert isinstance(await bare.hear(), Pong)


async def deaf(running: Gate) -> None:
    """The gateway's subscription is gone and it does not know: every wake-up from now on is lost."""
    wakeups: Any = running.gateway.relay._wakeups
    await wakeups._pubsub.execute_command("SUNSUBSCRIBE")
    wakeups._markets.clear()  # nor does it hear what was under way


@pytest.mark.parametrize("wakes", ["arrive", "are lost"])
@pytest.mark.parametrize(("what", "code"), [("account", BLOCKED), ("device", REVOKED), ("devices", REVOKED)])
async def test_a_right_that_is_taken_away_ends_open_sockets_at_every_gateway(
    store: Store, market: str, what: str, code: int, wakes: str
) -> None:
    async with gate(store, market) as one, gate(store, market) as other:
        await one.provider()
        await one.provider("p-2")
        async with one.device() as (here, _), other.device(device="d-2") as (there, _), one.device("p-2") as (stranger, _):
            if wakes == "are lost":
                await deaf(one)
                await deaf(other)
            before = time.monotonic()
            if what == "account":
                await block(one)
            else:
                await revoke(one, "d-1" if what == "device" else None)
            assert (await here.end())[0] == code
            if what != "device":
                assert (await there.end())[0] == code
            assert time.monotonic() - before < PROMISED_S
            if what == "device":
                await lives(there)
            await lives(stranger)


async def test_a_blocked_account_may_not_come_in_until_it_is_approved_again(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        token = await issued(running)
        await block(running)
        assert await hello(running, token) == BLOCKED
        assert not (await store.providers.get(market, "p-1")).reachable
        await block(running, status="approved")
        async with connected(running, token) as bare:
            await lives(bare)


async def test_an_account_that_waits_for_approval_may_hold_a_socket(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            await block(running, status="pending")
            await running.gateway.rights.once()
            await lives(bare)


async def test_a_revoked_token_opens_nothing_and_one_issued_afterwards_does(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        old, others = await issued(running), await issued(running, device="d-2")
        await revoke(running)
        new = await issued(running)  # in the same second: generations need no clock
        assert await hello(running, old) == REVOKED
        async with connected(running, new) as mine, connected(running, others, "d-2") as theirs:
            await running.gateway.rights.once()
            await lives(mine)
            await lives(theirs)
        await revoke(running, None)
        assert [await hello(running, token, device) for token, device in ((new, "d-1"), (others, "d-2"))] == [REVOKED, REVOKED]


async def test_who_was_revoked_at_a_gateway_that_had_lost_the_store_for_a_while_ends_too(store: Store, market: str) -> None:
    """Others took his link off the store, so nobody wakes this gateway for him; it finds out when it enters its links again."""
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            await store.links.gateway_gone(running.gateway.name, [market])
            running.gateway.rights._read[market] += 10  # as if it had looked at everything
            await block(running)
            await running.gateway.pulse.once(running.gateway.moments.now() + 10_000)
            assert (await bare.end())[0] == BLOCKED


@pytest.mark.parametrize("how", ["too many", "trimmed", "restored"])
async def test_when_the_store_does_not_know_any_more_who_changed_everybody_is_looked_at(
    store: Store, market: str, redis_url: str, how: str
) -> None:
    async with gate(store, market) as running:
        pno = await running.provider()
        await running.provider("p-2")
        async with running.device() as (bare, _), running.device("p-2") as (stranger, _):
            with Redis.from_url(redis_url) as redis, redis.pipeline() as pipe:
                pipe.hset(key("provider", market, pno), "status", "inactive")  # without a word in the stream
                if how == "too many":
                    pipe.hincrby(key("numbers", market), "rights", REMEMBERED + 1)
                elif how == "trimmed":
                    pipe.hincrby(key("numbers", market), "rights", 1)
                else:
                    running.gateway.rights._read[market] = 50
                pipe.execute()
            assert (await bare.end())[0] == BLOCKED
            await lives(stranger)


async def test_the_stream_of_changes_is_short(store: Store, market: str, redis_url: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        for _ in range(REMEMBERED + 50):
            await revoke(running)
    with Redis.from_url(redis_url) as redis:
        assert redis.xlen(key("rights", market)) == REMEMBERED


async def test_revoking_needs_a_provider_who_is_there(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        with pytest.raises(NotFound):
            await revoke(running, provider="nobody")


# -- a newer token on the open socket -------------------------------------------------------------------------------


@CODECS
async def test_a_device_that_refreshes_its_token_stays_beyond_the_end_of_the_first(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running, running.socket(codec) as bare:
        await running.provider()
        await bare.say(Hello(token=await issued(running, ttl_s=2), device="d-1"))
        await bare.hear_until("live")
        asked = await bare.hear()
        assert isinstance(asked, AuthNeeded)
        await bare.say(Refresh(id="f", token=await issued(running, ttl_s=60)))
        answer = await bare.hear()
        assert isinstance(answer, Refreshed)
        assert answer.expires_at >= asked.by + 50_000
        while running.gateway.moments.now() < asked.by + 500:
            await lives(bare)


async def test_a_token_that_is_not_ours_refreshes_nothing_and_the_link_ends_with_the_old_one(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket() as bare:
        await running.provider()
        await running.provider("p-2")
        await bare.say(Hello(token=await issued(running, ttl_s=2), device="d-1"))
        await bare.hear_until("live")
        elsewhere, _ = running.keys.issue("elsewhere", "p-1", "d-1", 60)
        for token, code in (
            ("x", "unauthorized"),
            (running.token(ttl_s=-60), "unauthorized"),
            (await issued(running, "p-2"), "forbidden"),
            (await issued(running, device="d-2"), "forbidden"),
            (elsewhere, "forbidden"),
        ):
            await bare.say(Refresh(id=token[-8:], token=token))
            (*_, error) = await bare.hear_until("error")
            assert isinstance(error, Error)
            assert (error.id, error.code, error.retry) == (token[-8:], code, False)
        assert (await bare.end())[0] == 4012


async def test_a_token_from_before_a_revocation_refreshes_nothing(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        older = await issued(running, ttl_s=900)
        await revoke(running)
        async with connected(running, await issued(running)) as bare:
            await bare.say(Refresh(id="f", token=older))
            assert (await bare.hear()).code == "unauthorized"
            await lives(bare)


async def test_a_refreshed_token_is_the_one_that_is_revoked(store: Store, market: str) -> None:
    """A link that came in with an old token and holds a newer one is judged by the newer one."""
    async with gate(store, market) as running:
        await running.provider()
        await revoke(running)
        first = await issued(running)
        async with connected(running, first) as bare:
            await revoke(running, "d-2")
            await bare.say(Refresh(id="f", token=await issued(running)))
            assert isinstance(await bare.hear(), Refreshed)
            await revoke(running)
            assert (await bare.end())[0] == REVOKED


async def test_a_clock_that_was_wrong_when_the_gateway_began_shortens_no_token(store: Store, market: str, monkeypatch: Any) -> None:
    """Set right by an hour after the start, as machines are that have just booted."""
    async with gate(store, market) as running:
        await running.provider()
        running.gateway.moments._base += 3_600_000
        async with running.device() as (bare, _), anyio.create_task_group():
            await lives(bare)
