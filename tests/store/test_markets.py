"""Markets: created once, replaced whole, seen by every process as they are now, and strangers to each other (P13)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from dispatch.errors import NotFound, Unprocessable
from dispatch.model import Catalogue, MarketSettings, Service, Trade
from dispatch.store import Store
from dispatch.store.markets import Markets
from tests.store.scene import GATEWAY, Scene, everything, play
from tests.store.soundness import faults, strangers


async def test_a_market_begins_with_its_settings_and_an_epoch(store: Store, market: str) -> None:
    assert await store.markets.get(market) is None
    assert await store.markets.put_settings(market, MarketSettings(open_proposals_cap=3))
    found = await store.markets.get(market)
    assert found is not None
    assert (found.settings.open_proposals_cap, found.version, len(found.epoch), found.services) == (3, 1, 12, frozenset())
    assert market in await store.markets.names()


async def test_a_put_replaces_what_was_and_keeps_the_epoch(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings(open_proposals_cap=3))
    before = await store.markets.get(market)
    assert not await store.markets.put_settings(market, MarketSettings(travel_gap_s=60))
    after = await store.markets.get(market)
    assert before is not None
    assert after is not None
    assert (after.settings.open_proposals_cap, after.settings.travel_gap_s) == (5, 60)
    assert (after.epoch, after.version) == (before.epoch, before.version + 1)


async def test_what_one_process_changes_every_other_one_sees_at_once(store: Store, market: str) -> None:
    other = Markets(store._calls)
    await store.markets.put_settings(market, MarketSettings())
    assert await other.get(market) is not None
    await store.markets.put_catalogue(market, Catalogue(trades=(Trade(code="t"),), services=(Service(code="s", trade="t"),)))
    found = await other.get(market)
    assert found is not None
    assert found.services == {"s"}


async def test_a_market_that_has_not_changed_is_read_in_one_small_question(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings())
    first, second = await store.markets.get(market), await store.markets.get(market)
    assert first is not None
    assert second is not None
    assert first.settings is second.settings
    assert second.now >= first.now


async def test_areas_and_catalogue_say_whether_they_are_new(store: Store, market: str) -> None:
    await store.markets.put_settings(market, MarketSettings())
    assert [await store.markets.put_areas(market, b"x") for _ in range(2)] == [True, False]
    assert [await store.markets.put_catalogue(market, Catalogue()) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"time_zone": "Europe/Lutetia"}, "bad_time_zone"),
        ({"cadence": [{"class": "far", "lead_under_s": 60, "size": 1, "pause_s": 1}]}, "invalid"),
        ({"cadence": [{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 1}] * 2}, "invalid"),
        (
            {
                "cadence": [
                    {"class": "far", "lead_under_s": 60, "size": 1, "pause_s": 1},
                    {"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 1},
                ]
            },
            "invalid",
        ),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, "invalid"),
        ({"quiet_hours": {"from": "22:00", "to": "21:30"}}, "invalid"),
    ],
)
async def test_settings_that_make_no_sense_are_refused_and_change_nothing(scene: Scene, changes: dict[str, Any], code: str) -> None:
    before = everything(scene.redis_url, scene.market)
    with pytest.raises(Unprocessable) as refused:
        await scene.settings(**changes)
    assert refused.value.code == code
    assert everything(scene.redis_url, scene.market) == before


@pytest.mark.parametrize(
    "quiet", [None, {"from": "22:00", "to": "21:00"}, {"from": "07:00", "to": "07:01"}, {"from": "00:00", "to": "12:00"}]
)
async def test_quiet_hours_may_be_long_or_short(scene: Scene, quiet: dict[str, str] | None) -> None:
    await scene.settings(quiet_hours=quiet)


@pytest.mark.parametrize(
    "changes", [{"travel_gap_s": 7_200}, {"travel_gap_s": 0}, {"time_zone": "Asia/Tokyo"}, {"horizon_days": 9}, {"open_proposals_cap": 1}]
)
async def test_settings_that_the_index_depends_on_are_written_into_it(scene: Scene, changes: dict[str, Any]) -> None:
    await scene.provider("ada", hours="Mo-Su 09:00-20:00", reachable=False)
    await scene.open("b-1", lead=4)
    await scene.accept("ada", "b-1")
    await scene.settings(**changes)
    for lead in (2, 2.5, 5, 5.25, 6.75, 7, 23, 100):
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=lead)) == []
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_longer_horizon_can_be_booked_at_once(scene: Scene) -> None:
    assert len(await scene.candidates(lead=24 * 5)) == 4
    await scene.settings(horizon_days=20)
    assert len(await scene.candidates(lead=24 * 18)) == 4


async def test_a_store_that_was_emptied_and_filled_again_is_matched_as_new(scene: Scene, tmp_path: Path) -> None:
    """The server functions outlive the data; nothing they remember of it may leave anybody out."""
    asleep = {"from": "00:00", "to": "23:59"}
    await scene.provider("ed", do_not_disturb=asleep)
    assert "ada" in await scene.candidates()
    with Redis.from_url(scene.redis_url) as store:
        store.delete(*store.scan_iter(f"{{{scene.market}}}:*", count=1_000))
    async with play(scene.redis_url, scene.market, tmp_path) as again:
        for name in ("ada", "ben"):
            await again.provider(name)
        assert await again.candidates() == ["ada", "ben"]  # nobody sleeps: the bitmap of sleepers is not there
        for name, tier in (("finn", "limited"), ("gil", "premier")):
            await again.provider(name, do_not_disturb=asleep, initial_rank={"tier": tier, "score": 5})
        assert await again.candidates() == ["ada", "ben"]  # it is there again, and not yet as long as the others


async def test_one_market_never_sees_or_changes_another_p13(scene: Scene, fresh_market: Callable[[], str], tmp_path: Path) -> None:
    async with play(scene.redis_url, fresh_market(), tmp_path) as other:
        for name in ("ada", "ben"):
            await other.provider(name)
        await scene.open("b-1")
        before = everything(scene.redis_url, scene.market)
        await other.open("b-1", lead=3)
        await other.refuse("ben", "b-1")
        await other.accept("ada", "b-1")
        await other.cancel("b-1", by="provider")
        await other.desk.put_block(other.market, "c-1", "why not")
        await other.store.links.gateway_gone(GATEWAY, [other.market])
        assert everything(scene.redis_url, scene.market) == before
        with pytest.raises(NotFound):
            await other.record("b-2")


def test_settings_survive_being_written_and_read() -> None:
    settings = MarketSettings(travel_gap_s=17, quiet_hours=None)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=MarketSettings) == settings
