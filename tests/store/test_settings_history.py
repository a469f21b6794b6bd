"""What changes of a market's settings changed is kept: in the step of the change itself, bounded, and without words about people (R84)."""

import asyncio
from typing import Any

import msgpack
import msgspec
import pytest

from dispatch.errors import Unavailable
from dispatch.model import MarketSettings
from dispatch.store import Changed, Hand, Store, markets
from dispatch.store.keys import key

ZOE = Hand(key="k-zoe", name="Zoé Martin")


def told(found: list[Changed]) -> list[list[tuple[str, Any, Any]]]:
    """What each changed, oldest first."""
    return [[tuple(change) for change in one.changes] for one in reversed(found)]


async def test_each_change_is_kept_with_what_was_and_what_is_r84(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings(pause_after=9), by=ZOE)
    await store.markets.put_settings(market, MarketSettings(), ZOE)
    found = await store.markets.history(market, None, 10)
    assert told(found) == [[("pause_after", 4, 9)], [("pause_after", 9, 4)]]
    assert [(one.number, one.by, one.name, one.created, one.audit) for one in found] == [
        (2, "k-zoe", "Zoé Martin", False, 1),
        (1, "k-zoe", "Zoé Martin", True, None),
    ]
    assert found[0].at >= found[1].at > 0
    assert [line.what for line in await store.hands.audit(market, None, 10)] == ["settings"]


async def test_a_new_market_begins_its_history_and_a_put_of_the_same_adds_nothing(store: Store, market: str) -> None:
    for _ in range(3):
        await store.markets.put_settings(market, MarketSettings())
    assert [(one.created, one.changes) for one in await store.markets.history(market, None, 10)] == [(True, ())]


async def test_of_changes_made_at_once_each_says_what_it_found_r84(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings(open_proposals_cap=1))
    caps = range(2, 8)
    await asyncio.gather(*(store.markets.put_settings(market, MarketSettings(open_proposals_cap=cap)) for cap in caps))
    steps = [change for (change,) in told(await store.markets.history(market, None, 50))]
    assert [old for _, old, _ in steps] == [5, *(new for _, _, new in steps[:-1])]
    assert sorted(new for _, _, new in steps) == [1, *caps]
    found = await store.markets.get(market)
    assert found is not None
    assert (found.settings.open_proposals_cap, found.version) == (steps[-1][2], len(steps))


async def test_settings_that_change_all_the_time_are_not_put_on_what_is_not_known(
    store: Store, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.markets.put_settings(market, MarketSettings())
    stale = await store.markets.get(market)

    async def seen_before(_: str) -> Any:
        return stale

    await store.markets.put_settings(market, MarketSettings(pause_after=5))
    monkeypatch.setattr(store.markets, "get", seen_before)
    with pytest.raises(Unavailable):
        await store.markets.put_settings(market, MarketSettings(pause_after=6))
    assert len(await store.markets.history(market, None, 10)) == 2


async def test_only_the_last_thousand_are_kept_words_and_all(store: Store, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert markets.KEPT == 1_000
    monkeypatch.setattr(markets, "KEPT", 5)
    for cap in range(10, 22):
        await store.markets.put_settings(market, MarketSettings(open_proposals_cap=cap), by=ZOE)
    assert [one.number for one in await store.markets.history(market, None, 100)] == [12, 11, 10, 9, 8]
    calls = store._calls
    assert await calls.command("XLEN", key("settings_log", market)) == 5
    assert await calls.command("HLEN", key("settings_words", market)) == 5


async def test_the_log_holds_codes_and_settings_and_the_name_can_be_erased_p14b(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings(pause_after=9), ZOE)
    calls = store._calls
    ((_, pairs),) = await calls.command("XRANGE", key("settings_log", market), "-", "+")
    entry = msgpack.unpackb(pairs[1] if isinstance(pairs, list) else pairs[b"e"])
    assert set(entry) == {"at", "by", "audit", "created", "changes"}
    assert (entry["by"], [msgspec.json.decode(raw) for raw in entry["changes"]]) == ("k-zoe", [["pause_after", 4, 9]])
    await calls.command("HDEL", key("settings_words", market), 1)
    (one,) = await store.markets.history(market, None, 10)
    assert (one.name, one.by) == ("", "k-zoe")


async def test_markets_have_their_own_histories_p13(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings(pause_after=9))
    assert await store.markets.history(market + "-not", None, 10) == []
