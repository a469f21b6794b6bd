"""Caps by address: how many sockets one has, how often it knocks, and whom a proxy speaks for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
import structlog

from dispatch.gateway import Limits
from dispatch.gateway.door import KNOCKING, Door
from dispatch.gateway.metrics import OVER
from dispatch.settings import read
from dispatch.store import Store
from dispatch.wire import MSGPACK
from tests.gateway.gate import PATIENCE_S, Gate, gate
from tests.gateway.raw import Raw, raw, upgrade

PROXY = "127.0.0.1"


def door(limits: Limits | None = None, **settings: object) -> Door:
    return Door(limits or Limits(), read(**settings))


def counted(limit: str) -> float:
    return OVER.labels(limit)._value.get()


@pytest.mark.parametrize(
    ("host", "dev", "party"),
    [
        ("203.0.113.7", False, "203.0.113.7"),
        ("::ffff:203.0.113.7", False, "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", False, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", False, "2001:db8:1:2::/64"),
        ("fe80::1%eth0", False, "fe80::/64"),
        ("127.0.0.1", False, "127.0.0.1"),
        ("127.0.0.1", True, None),
        ("::1", True, None),
        ("::ffff:127.0.0.1", True, None),
        ("203.0.113.7", True, "203.0.113.7"),
        ("gibberish", False, None),
        ("", False, None),
        (None, False, None),
    ],
)
def test_an_address_is_counted_as_one_party(host: object, dev: bool, party: str | None) -> None:
    assert door(dev=dev).party(host) == party


@pytest.mark.parametrize(
    ("headers", "party"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # what stands on the left anybody may write
        (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.1.2.3,10.0.0.1"], "203.0.113.7"),
        (["10.1.2.3"], None),
        (["203.0.113.7, nonsense"], None),
        ([], None),
    ],
)
def test_a_proxy_speaks_for_the_last_address_that_is_no_proxy(headers: list[str], party: str | None) -> None:
    assert door(trusted_proxies="10.0.0.0/8,192.0.2.1").behind(headers) == party


def test_links_are_counted_until_they_are_gone() -> None:
    at = door(address_links=2)
    for _ in range(2):
        at.enter("a")
        assert at.refusal("a", 0) == ""
    at.enter("a")
    assert at.refusal("a", 0).startswith("too many links")
    assert at.refusal("b", 0) == ""
    at.leave("a")
    assert at.refusal("a", 0) == ""
    at.leave("a")
    at.leave("a")
    at.leave("a")
    assert at._links == {}


def test_one_who_knocks_too_often_is_told_to_wait_a_while() -> None:
    at = door(address_upgrades=60)
    assert [at.refusal("a", 0) for _ in range(60)] == [""] * 60
    assert at.refusal("a", 0).startswith("too many upgrades")
    assert at.refusal("b", 0) == ""
    assert at.refusal("a", 1_000) == ""
    assert at.refusal("a", 1_000) != ""


def test_zero_is_no_cap_and_who_has_no_address_is_not_counted() -> None:
    at = door(address_links=0, address_upgrades=0)
    for _ in range(5_000):
        at.enter("a")
        at.enter(None)
        assert at.refusal("a", 0) == at.refusal(None, 0) == ""
    assert not at.crowded("a")
    assert list(at._links) == ["a"]


def test_caps_that_are_only_watched_count_and_refuse_nothing() -> None:
    at, before = door(Limits(enforced=False), address_links=1, address_upgrades=1), counted("links")
    for _ in range(9):
        at.enter("a")
        assert at.refusal("a", 0) == ""
    assert not at.crowded("a")
    assert counted("links") == before + 8


def test_what_is_remembered_of_those_who_knock_is_bounded() -> None:
    at = door()
    for number in range(KNOCKING + 500):
        at.refusal(f"a-{number}", 0)
    assert len(at._knocks) == KNOCKING


# -- on real sockets --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def knocking(running: Gate, **headers: str) -> AsyncIterator[tuple[Raw, int]]:
    """A connection, and the status its request got."""
    further = [(name.replace("_", "-"), value) for name, value in headers.items()]
    async with raw(running.port, upgrade(MSGPACK, "/v1/device", *further)) as connection:
        yield connection, await connection.status()


async def test_an_address_with_too_many_sockets_gets_no_further_one_until_one_is_gone(store: Store, market: str) -> None:
    async with gate(store, market, dev=False, address_links=2) as running, AsyncExitStack() as held:
        for _ in range(2):
            _, status = await held.enter_async_context(knocking(running))
            assert status == 101
        async with knocking(running) as (_, status):
            assert status == 429
        await held.aclose()
        with anyio.fail_after(PATIENCE_S):
            status = 0
            while status != 101:
                async with knocking(running) as (_, status):
                    pass


async def test_connections_that_never_ask_for_anything_count_too(store: Store, market: str) -> None:
    """Those who only hold connections open are refused at twice the cap without a word."""
    async with gate(store, market, dev=False, address_links=2) as running, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(raw(running.port))
        async with knocking(running) as (_, status):
            assert status == 429
        for _ in range(2):
            await held.enter_async_context(raw(running.port))
        async with knocking(running) as (_, status):
            assert status == 0


async def test_loopback_is_exempt_in_development_only(store: Store, market: str) -> None:
    settings = {"address_links": 1, "address_upgrades": 1}
    async with gate(store, market, dev=True, **settings) as running, knocking(running) as (_, one), knocking(running) as (_, two):
        assert (one, two) == (101, 101)


async def test_behind_a_proxy_each_client_has_his_own_cap(store: Store, market: str) -> None:
    async with (
        gate(store, market, dev=False, address_links=1, trusted_proxies=PROXY) as running,
        knocking(running, X_Forwarded_For="203.0.113.1") as (_, one),
        knocking(running, X_Forwarded_For="203.0.113.2") as (_, two),
        knocking(running, X_Forwarded_For="203.0.113.9, 203.0.113.1") as (_, again),
        knocking(running) as (_, nobody),
    ):
        assert (one, two, again, nobody) == (101, 101, 429, 101)


async def test_nobody_but_a_proxy_may_speak_for_others(store: Store, market: str) -> None:
    async with (
        gate(store, market, dev=False, address_links=1) as running,
        knocking(running, X_Forwarded_For="203.0.113.1") as (_, one),
        knocking(running, X_Forwarded_For="203.0.113.2") as (_, two),
    ):
        assert (one, two) == (101, 429)


async def test_an_operator_who_forgot_to_name_his_proxy_is_told_once(store: Store, market: str) -> None:
    with structlog.testing.capture_logs() as logged:
        async with gate(store, market, dev=False) as running:
            for number in range(3):
                async with knocking(running, X_Forwarded_For=f"203.0.113.{number}") as (_, status):
                    assert status == 101
    warnings = [line for line in logged if line["event"] == "untrusted_proxy"]
    assert len(warnings) == 1
    assert "DISPATCH_TRUSTED_PROXIES" in warnings[0]["hint"]
    assert "203.0.113" not in str(logged)


async def test_one_who_knocks_too_often_is_refused_with_a_word_when_to_come_back(store: Store, market: str) -> None:
    async with gate(store, market, dev=False, address_upgrades=3) as running:
        statuses = []
        for _ in range(5):
            async with knocking(running) as (_, status):
                statuses.append(status)
        assert statuses == [101, 101, 101, 429, 429]
