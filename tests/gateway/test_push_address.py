"""The push address in a hello: kept while the socket is away, taken off when the device says so, told when it cannot be used (R14)."""

import subprocess
import sys
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from prometheus_client import REGISTRY

from dispatch.gateway.effects import Entered, Say
from dispatch.gateway.limits import Limits
from dispatch.gateway.session import Session
from dispatch.messages import Error, Hello, Live, PushAddress
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK
from tests.gateway.gate import PATIENCE_S, Bare, Gate, gate
from tests.project.tree import ROOT

PHONE = PushAddress(kind="fcm", token="bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1")


async def greeted(bare: Bare, running: Gate, push: PushAddress | None) -> list[Any]:
    """A device says hello with that address; what it hears up to ``live``."""
    await bare.say(Hello(token=running.token(), device="d-1", push=push))
    return await bare.hear_until("live")


async def reachable(store: Store, market: str) -> bool:
    found = await store.providers.get(market, "p-1")
    return found is not None and found.reachable


async def left(running: Gate) -> None:
    """The gateway has taken his link off the store."""
    with anyio.fail_after(PATIENCE_S):
        while (await running.store.gauges.read(running.market)).get("providers.online"):
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=["msgpack", "json"])
async def test_an_address_keeps_a_provider_reachable_until_his_device_says_that_there_is_none(
    store: Store, market: str, codec: Any
) -> None:
    async with gate(store, market) as running:
        await running.provider()
        said: list[bool] = []
        for push in (None, PHONE, PHONE, None):
            async with running.socket(codec) as bare:
                await greeted(bare, running, push)
            await left(running)
            said.append(await reachable(store, market))
        assert said == [False, True, True, False]


async def test_links_that_are_entered_again_leave_addresses_as_they_are(store: Store, market: str) -> None:
    """A gateway that the store has not heard of for a while knows nothing of addresses any more."""
    async with gate(store, market) as running:
        await running.provider()
        async with running.socket() as bare:
            await greeted(bare, running, PHONE)
            await running.gateway.pulse._reconnect()
        await left(running)
        assert await reachable(store, market)


@pytest.mark.parametrize("push", [PushAddress(kind="pigeon", token="coo"), PushAddress(kind="apns", token="no hex")])
async def test_an_address_that_cannot_be_used_is_told_after_live_and_not_kept(store: Store, market: str, push: PushAddress) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.socket() as bare:
            await greeted(bare, running, push)
            error = await bare.hear()
            assert (error.id, error.code, error.retry) == (None, "bad_request", False)
            assert error.message.startswith("the push address is not taken: ")
        labels = {"service": {"pigeon": "other"}.get(push.kind, push.kind), "result": "unfit"}
        assert REGISTRY.get_sample_value("dispatch_gateway_push_addresses_total", labels)
        await left(running)
        assert not await reachable(store, market)


async def test_what_is_pushed_is_lent_with_the_address_as_it_was_said(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.socket() as bare:
            await greeted(bare, running, PHONE)
        await left(running)
        await running.book()
        assert [(push.device, push.address) for push in await store.pushes.due(100) if push.market == market] == [("d-1", PHONE)]


def test_a_gateway_carries_no_http_client_along() -> None:
    """Each costs it some megabytes, and it pushes nothing itself."""
    code = "import sys, dispatch.gateway; print(sorted({'aiohttp', 'httpx2', 'pywebpush', 'requests'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_session_complains_once_and_after_live() -> None:
    session = Session(JSON, Limits(), lambda now: now, chance=0.5, now=0)
    session.receive(JSON.encode(Hello(token="x", device="d")).decode(), 0)
    known = Entered(
        session="g.1", pno=7, expires_at=10_000_000, epoch="e", seq=0, resumed=False, reason="new", items=(), missed=(), unfit="why"
    )  # fmt: skip
    *_, live, error = [effect.message for effect in session.entered(known, 1) if isinstance(effect, Say)]
    assert isinstance(live, Live)
    assert error == Error(id=None, code="bad_request", message="the push address is not taken: why")
