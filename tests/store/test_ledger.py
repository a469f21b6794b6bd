"""Answers kept for repeats: one runs, the others wait or get what was said (P4)."""

import asyncio
from collections import Counter

import pytest

from dispatch.store import Store
from dispatch.store.ledger import KEPT_S, RUNNING_S, Kept
from tests.store.scene import Scene

PRINT = b"\x00print"


async def test_of_many_at_once_one_runs_p4(store: Store, market: str) -> None:
    begun = await asyncio.gather(*(store.ledger.begin(market, "r", PRINT) for _ in range(30)))
    assert Counter(runs for runs, _ in begun) == {True: 1, False: 29}
    assert {kept for _, kept in begun} == {None}


async def test_what_was_said_is_kept_with_what_was_asked_p4(store: Store, market: str) -> None:
    await store.ledger.begin(market, "r", PRINT)
    await store.ledger.keep(market, "r", PRINT, 201, b'{"x": 1}')
    runs, kept = await store.ledger.begin(market, "r", b"other")
    assert (runs, kept) == (True, Kept(PRINT, 201, b'{"x": 1}'))


async def test_a_request_that_failed_may_run_again_at_once(store: Store, market: str) -> None:
    await store.ledger.begin(market, "r", PRINT)
    await store.ledger.release(market, "r")
    assert await store.ledger.begin(market, "r", PRINT) == (True, None)


async def test_keys_of_one_market_say_nothing_of_another_p13(store: Store, market: str, fresh_market: object) -> None:
    other = fresh_market()  # type: ignore[operator]
    await store.ledger.keep(market, "r", PRINT, 200, b"")
    assert (await store.ledger.begin(other, "r", PRINT))[1] is None


async def test_an_answer_is_kept_for_a_day_and_a_mark_for_half_a_minute(scene: Scene) -> None:
    await scene.store.ledger.begin(scene.market, "r", PRINT)
    assert RUNNING_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:run:r") <= RUNNING_S
    await scene.store.ledger.keep(scene.market, "r", PRINT, 200, b"")
    assert KEPT_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:h:r") <= KEPT_S
    assert await scene.redis.exists(f"{{{scene.market}}}:r:run:r") == 0


async def test_what_a_verb_kept_for_a_request_lasts_a_day_too_p4(scene: Scene) -> None:
    await scene.open(rid="opened")
    await scene.cancel(rid="cancelled")
    for rid in ("opened", "cancelled"):
        assert KEPT_S - 5 < await scene.redis.ttl(f"{{{scene.market}}}:r:{rid}") <= KEPT_S


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"x" * 100_000])
async def test_any_answer_can_be_kept(store: Store, market: str, body: bytes) -> None:
    await store.ledger.keep(market, "r", PRINT, 404, body)
    assert (await store.ledger.begin(market, "r", PRINT))[1] == Kept(PRINT, 404, body)
