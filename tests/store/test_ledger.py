"""Answers kept for repeats: one runs, the others wait or get what was said (P4)."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from dispatch.store import Store
from dispatch.store.ledger import KEPT_S, RUNNING_S, Kept
from tests.store.scene import Scene

PRINT = b"\x00print"


async def test_of_many_at_once_one_runs_p4(store: Store, market: str) -> None:
    begun = await asyncio.gather(*(store.ledger.begin(market, "r") for _ in range(30)))
    assert Counter(one.ours for one in begun) == {True: 1, False: 29}
    assert {one.kept for one in begun} == {None}


async def test_what_was_said_is_kept_with_what_was_asked_p4(store: Store, market: str) -> None:
    await store.ledger.begin(market, "r")
    await store.ledger.keep(market, "r", PRINT, 201, b'{"x": 1}')
    ours, kept, _ = await store.ledger.begin(market, "r")
    assert (ours, kept) == (False, Kept(PRINT, 201, b'{"x": 1}'))


async def test_a_request_that_failed_may_run_again_at_once(store: Store, market: str) -> None:
    await store.ledger.begin(market, "r")
    await store.ledger.release(market, "r")
    assert (await store.ledger.begin(market, "r"))[:2] == (True, None)


async def test_keys_of_one_market_say_nothing_of_another_p13(store: Store, market: str, fresh_market: object) -> None:
    other = fresh_market()  # type: ignore[operator]
    await store.ledger.keep(market, "r", PRINT, 200, b"")
    assert (await store.ledger.begin(other, "r"))[1] is None


async def test_an_answer_is_kept_for_a_day_and_a_mark_for_half_a_minute(scene: Scene) -> None:
    await scene.store.ledger.begin(scene.market, "r")
    assert RUNNING_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:h:r") <= RUNNING_S
    await scene.store.ledger.keep(scene.market, "r", PRINT, 200, b"")
    assert KEPT_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:h:r") <= KEPT_S


async def test_what_a_verb_kept_for_a_request_lasts_a_day_too_p4(scene: Scene) -> None:
    await scene.open(rid="opened")
    await scene.cancel(rid="cancelled")
    for rid in ("opened", "cancelled"):
        assert KEPT_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:{rid}") <= KEPT_S


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"x" * 100_000])
async def test_any_answer_can_be_kept(store: Store, market: str, body: bytes) -> None:
    await store.ledger.keep(market, "r", PRINT, 404, body)
    assert (await store.ledger.begin(market, "r"))[1] == Kept(PRINT, 404, body)


async def test_the_market_comes_with_the_mark(scene: Scene, fresh_market: Callable[[], str]) -> None:
    begun = await scene.store.ledger.begin(scene.market, "r")
    assert begun.market is not None
    assert (begun.market.id, begun.market.now) == (scene.market, await scene.store.now())
    assert (await scene.store.ledger.begin(fresh_market(), "r")).market is None
