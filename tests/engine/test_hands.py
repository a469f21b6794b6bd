"""What ops have in their hands, as the ops stream shows it, and as a worker at work sees to it (R80, R83; P3)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from dispatch.engine import feed as feeds
from dispatch.engine.feed import Feed
from dispatch.engine.requests import AssignRequest, HandBackRequest, TakeOverRequest
from dispatch.store import Hand, Store
from tests.engine.test_feed import Page, feed, turns, types
from tests.engine.test_worker import working
from tests.engine.watched import Town
from tests.store.by_hand import alarms, take_over
from tests.store.scene import play
from tests.store.soundness import faults

__all__ = ["feed", "turns"]  # fixtures
ZOE = Hand(key="k-zoe", name="Zoé")
PATIENCE_S = 30.0


async def taken_over(town: Town, bno: int) -> None:
    await town.desk.ops.take_over(town.name, f"b-{bno}", TakeOverRequest(reason="the client called"), ZOE, f"take {bno}")


async def test_what_ops_take_leaves_the_queue_and_stands_under_its_owners_name_r80(town: Town, feed: Feed) -> None:
    bno = await town.open()
    async with Page(feed, town.name) as page:
        assert page.booking(bno)["state"] == "searching"
        await taken_over(town, bno)
        await page.until(lambda state: str(bno) in state["taken_over"])
        face = page.state["taken_over"][str(bno)]
        assert (face["id"], face["owner"], face["services"], "p" in face) == (f"b-{bno}", "Zoé", ["cut"], False)
        await page.until(lambda state: str(bno) not in state["bookings"])
        assert "TakenOver" in types(page.state)
        back = HandBackRequest()
        await town.desk.ops.hand_back(town.name, f"b-{bno}", back, ZOE, "back", any_=False)
        await page.until(lambda state: str(bno) not in state["taken_over"] and str(bno) in state["bookings"])
        assert page.booking(bno)["state"] == "searching"


async def test_whoever_comes_later_sees_the_same_r80(town: Town, feed: Feed) -> None:
    bno = await town.open()
    await taken_over(town, bno)
    async with Page(feed, town.name) as page:
        assert page.state["taken_over"][str(bno)]["owner"] == "Zoé"
        assert page.state["alarms"] == {}
        await town.desk.ops.assign(town.name, f"b-{bno}", msgspec.convert({"provider_id": "p-0", "reason": "why"}, AssignRequest), ZOE, "a")
        await page.until(lambda state: state["taken_over"] == {})
        assert {"Accepted", "Assigned"} <= set(types(page.state))


async def test_an_alarm_is_pushed_and_goes_when_it_is_settled_p3(town: Town, feed: Feed) -> None:
    bno = await town.open()
    await taken_over(town, bno)
    due = await town.store.now() - 1
    await town.store.markets._calls.command("ZADD", f"{{{town.name}}}:taken", due, bno)  # its moment has come
    async with Page(feed, town.name) as page:
        await town.store.hands.alarm(town.name, 10)
        await page.until(lambda state: {name: face["at"] for name, face in state["alarms"].items()} == {f"overdue:{bno}": due})
        await town.desk.ops.hand_back(town.name, f"b-{bno}", HandBackRequest(), ZOE, "back", any_=False)
        await page.until(lambda state: state["alarms"] == {})


async def test_events_and_pictures_hold_no_word_of_ops_but_the_owners_name_p14b(town: Town, feed: Feed) -> None:
    bno = await town.open()
    await taken_over(town, bno)
    async with Page(feed, town.name) as page:
        assert "the client called" not in str(page.state)
        assert "Zoé" not in str(page.state["events"])


async def test_a_worker_at_work_raises_the_alarm_and_moves_nothing_p3_p10(redis_url: str, market: str, tmp_path: Path) -> None:
    """In the time of the wall: the deadline passes two seconds from now, in the hands of ops, under the eyes of a worker."""
    async with play(redis_url, market, tmp_path, search_deadline_s=0, booking_cutoff_s=0) as scene:
        await scene.at_wall()
        await scene.provider("ada")
        async with working(redis_url) as store:
            await scene.open(lead=2 / 3_600)
            await take_over(scene)
            was = await scene.record()
            await _eventually(lambda: _raised(store, market))
            assert await alarms(scene) == [("overdue", "b-1")]
            now = await scene.record()
            assert (now.state, now.rev, now.deadline) == ("taken_over", was.rev, was.deadline)
            assert (await scene.story())[-1] == "Overdue"
        assert await faults(scene.store, market, redis_url) == []


async def _raised(store: Store, market: str) -> bool:
    return (await store.gauges.read(market)).get("alarms.overdue") == 1


async def _eventually(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(feeds.PERIOD_S / 10)
