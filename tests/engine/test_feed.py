"""What the ops stream shows (R80): one picture for all who watch, the truth of it, its bounds, and what it must not tell."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dispatch.engine import feed as feeds
from dispatch.engine.feed import Feed, Turns
from dispatch.engine.requests import LateRequest
from dispatch.errors import NotFound, Unavailable
from dispatch.store import Record, Store
from dispatch.store.bookings import Bookings
from dispatch.store.gauges import Gauges
from dispatch.store.keys import key
from tests.engine.test_cockpit import merge
from tests.engine.watched import PLACE, Town

PATIENCE_S = 20


@pytest.fixture
def feed(town: Town, monkeypatch: pytest.MonkeyPatch) -> Feed:
    monkeypatch.setattr(feeds, "PERIOD_S", 0.02)
    return Feed(town.store)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures that were taken."""
    taken: list[str] = []
    once = Turns.once

    async def counted(self: Turns) -> Any:
        taken.append(self._name)
        return await once(self)

    monkeypatch.setattr(Turns, "once", counted)
    return taken


class Page:
    """One who watches, as the page does: it takes the state, and merges every delta."""

    def __init__(self, feed: Feed, market: str) -> None:
        self._feed, self._market = feed, market
        self.state: dict[str, Any] = {}
        self.heard = 0

    async def __aenter__(self) -> "Page":
        self._deltas: AsyncIterator[dict[str, Any]] = await self._feed.deltas(self._market)
        self.state = await self._feed.state(self._market)
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def hear(self) -> dict[str, Any]:
        delta = json.loads(json.dumps(await anext(self._deltas)))
        self.state = merge(self.state, delta)
        self.heard += 1
        return dict(delta)

    async def until(self, condition: Any) -> None:
        """Hears deltas until it is so."""
        with anyio.fail_after(PATIENCE_S):
            while not condition(self.state):
                await self.hear()

    def booking(self, bno: int) -> dict[str, Any]:
        return dict(self.state["bookings"].get(str(bno), {}))


def types(state: dict[str, Any]) -> list[str]:
    return [event["type"] for _, event in sorted(state["events"].items(), key=lambda item: [int(part) for part in item[0].split("-")])]


# -- what it shows ----------------------------------------------------------------------------------------------------


async def test_the_state_shows_the_market_its_numbers_what_waits_and_what_happened(town: Town, feed: Feed) -> None:
    await town.open(hours=3)
    await town.open(hours=10)
    state = await feed.state(town.name)
    assert state["market"]["id"] == town.name
    assert state["market"]["services"] == {"cut": {"trade": "hair", "fr": "Coupe", "en": "Haircut"}}
    assert [row["class"] for row in state["market"]["classes"]] == ["last_minute", "same_day", "advance", "far"]
    assert state["gauges"] == await town.store.gauges.read(town.name)
    assert types(state) == ["Opened", "WaveSent"] * 2
    first, second = state["bookings"]["1"], state["bookings"]["2"]
    assert (first["class"], first["seats"], second["class"], second["seats"]) == ("last_minute", ["sss"], "same_day", ["ss"])
    assert first["opened"] < first["next"] < first["deadline"]
    assert state["flow"]["bins"].popitem()[1] == [2, 0, 0, 2]


async def test_deltas_merged_make_the_same_as_a_state_read_anew(town: Town, feed: Feed) -> None:
    async with Page(feed, town.name) as page:
        numbers = [await town.open() for _ in range(4)]
        await town.refuse(numbers[0])
        await town.accept(numbers[1])
        await town.add("p-new")
        await page.until(lambda state: "Accepted" in types(state) and len(state["bookings"]) == 4)
        await page.until(lambda state: state["cells"]["counts"] and set(state["cells"]["counts"].values()) <= {6, 7})
        fresh = await Feed(town.store).state(town.name)
        for part in ("market", "gauges", "events", "bookings", "accepts"):
            assert page.state[part] == fresh[part], part


async def test_an_accept_is_shown_with_the_time_it_took(town: Town, feed: Feed) -> None:
    async with Page(feed, town.name) as page:
        bno = await town.open()
        await page.until(lambda state: str(bno) in state["bookings"])
        winner = await town.accept(bno)
        await page.until(lambda state: state["bookings"][str(bno)]["state"] == "accepted")
        shown = page.booking(bno)
        assert sorted(shown["seats"][0]) == ["a", "w", "w"]
        [event] = [event for event in page.state["events"].values() if event["type"] == "Accepted"]
        assert event == {
            "type": "Accepted",
            "at": shown["ended"],
            "b": bno,
            "p": winner,
            "wave": 1,
            "took": shown["ended"] - shown["opened"],
        }
        assert page.state["accepts"]["count"] == 1
        assert page.state["accepts"]["p50"] == event["took"]


async def test_an_accept_of_a_booking_opened_before_anybody_looked_is_timed_too(town: Town, feed: Feed) -> None:
    bno = await town.open()
    await town.accept(bno)
    state = await feed.state(town.name)
    assert state["accepts"]["count"] == 1
    assert state["bookings"][str(bno)]["state"] == "accepted"


@pytest.mark.parametrize(("first", "letters"), [("refuse", "ssx"), ("see", "ssv"), ("receive", "rss")])
async def test_what_a_provider_does_shows_at_his_seat(town: Town, feed: Feed, first: str, letters: str) -> None:
    async with Page(feed, town.name) as page:
        bno = await town.open()
        pno = (await town.asked(bno))[0]
        proposal = f"{bno}.1.{pno}"
        if first == "refuse":
            await town.refuse(bno)
        else:
            await town.store.claims.receipts(town.name, [(pno, [proposal], [proposal] if first == "see" else [])])
        await page.until(lambda state: sorted("".join(state["bookings"].get(str(bno), {}).get("seats", []))) == sorted(letters))


async def test_a_search_that_opens_again_is_shown_as_searching(town: Town, feed: Feed) -> None:
    bno = await town.open()
    await town.accept(bno)
    async with Page(feed, town.name) as page:
        assert page.booking(bno)["state"] == "accepted"
        await town.cancel(bno, by="provider")
        await page.until(lambda state: state["bookings"][str(bno)]["state"] == "searching")
        assert "ended" not in page.booking(bno)


async def test_the_map_grows_around_the_bookings(town: Town, feed: Feed) -> None:
    await town.open()
    async with Page(feed, town.name) as page:
        await page.until(lambda state: len(state["cells"]["counts"]) > 20)
        assert set(page.state["cells"]["counts"].values()) == {6}


# -- for many, at the cost of one -------------------------------------------------------------------------------------


async def test_a_picture_is_taken_once_however_many_watch(town: Town, feed: Feed, turns: list[str]) -> None:
    pages = [Page(feed, town.name) for _ in range(30)]

    async def watch(page: Page) -> None:
        async with page:
            watching.append(page)
            await page.until(lambda state: "Accepted" in types(state))

    watching: list[Page] = []
    async with anyio.create_task_group() as tasks:
        for page in pages:
            tasks.start_soon(watch, page)
        with anyio.fail_after(PATIENCE_S):
            while len(watching) < len(pages):
                await anyio.lowlevel.checkpoint()
        for _ in range(3):
            await town.accept(await town.open())
    assert sum(page.heard for page in pages) >= len(pages)
    assert len(turns) < sum(page.heard for page in pages)  # and not one for each of them


async def test_nobody_watching_costs_nothing(town: Town, feed: Feed, turns: list[str]) -> None:
    async with Page(feed, town.name) as page:
        await town.open()
        await page.hear()
    taken = len(turns)
    for _ in range(3):
        await town.open()
    assert len(turns) == taken


async def test_whoever_watches_on_takes_the_picture_when_the_one_who_was_at_it_leaves(town: Town, feed: Feed) -> None:
    async with Page(feed, town.name) as first, Page(feed, town.name) as second, anyio.create_task_group() as tasks:
        leaving = anyio.CancelScope()

        async def leave() -> None:
            with leaving:
                await first.until(lambda state: False)

        tasks.start_soon(leave)
        await anyio.lowlevel.checkpoint()
        await town.open()
        leaving.cancel()
        await second.until(lambda state: types(state) == ["Opened", "WaveSent"])


async def test_a_slow_watcher_misses_pictures_and_no_change(town: Town, feed: Feed) -> None:
    async with Page(feed, town.name) as slow, Page(feed, town.name) as quick:
        for _ in range(3):
            bno = await town.open()
            await quick.until(lambda state, bno=bno: str(bno) in state["bookings"])
        await slow.until(lambda state: len(state["bookings"]) == 3)
        assert slow.heard < quick.heard
        assert slow.state["gauges"] == quick.state["gauges"]


async def test_a_picture_of_long_ago_is_not_shown_to_who_comes_now(town: Town, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    await feed.state(town.name)
    bno = await town.open()
    monkeypatch.setattr(feeds, "COLD_S", -1.0)
    assert str(bno) in (await feed.state(town.name))["bookings"]


# -- bounds -----------------------------------------------------------------------------------------------------------


async def test_a_picture_costs_as_many_commands_whatever_the_number_of_providers(town: Town, store: Store) -> None:
    async def commands() -> int:
        found = re.search(rb"total_commands_processed:(\d+)", await store._calls.command("INFO", "stats"))
        assert found
        return int(found[1])

    costs = []
    for more in (0, 120):
        for number in range(more):
            await town.add(f"p-more-{number}")
        turns = Turns(store, town.name)
        await turns.once()
        while not turns._reach.resting:  # the map is looked at once, and again when providers change
            await turns.once()
        before = await commands()
        for _ in range(5):
            await turns.once()
        costs.append(await commands() - before)
    assert costs[0] == costs[1] < 60


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Numbers of the bookings that were read, a list for each round trip."""
    found: list[list[int]] = []
    records = Bookings.records

    async def noted(self: Bookings, market: str, numbers: Sequence[int]) -> list[Record]:
        found.append(list(numbers))
        return await records(self, market, numbers)

    monkeypatch.setattr(Bookings, "records", noted)
    return found


async def test_at_most_so_many_bookings_are_shown_and_read(town: Town, read: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in {"WAITING": 5, "READ": 3, "AT_ONCE": 2}.items():
        monkeypatch.setattr(feeds, name, bound)
    turns = Turns(town.store, town.name)
    await town.open()
    await turns.once()
    for _ in range(8):
        await town.open()
    costs = []
    for _ in range(6):
        read.clear()
        state = await turns.once()
        costs.append([len(numbers) for numbers in read])
    assert costs[:2] == [[2, 1], [1]]
    assert all(sum(cost) <= 3 for cost in costs)  # afterwards, one now and then
    assert (len(state["bookings"]), state["gauges"]["bookings.searching"]) == (5, 9)


async def test_a_booking_at_rest_is_read_again_when_its_plan_moves(
    town: Town, read: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "AGAIN", 0)
    turns, bno, costs = Turns(town.store, town.name), await town.open(), []
    for due in (None, None, 1, None):
        if due:
            await town.store._calls.command("ZADD", key("due", town.name), due, bno)
        read.clear()
        await turns.once()
        costs.append(list(read))
    assert costs == [[[bno]], [], [[bno]], []]


async def test_after_a_flood_of_events_the_last_ones_are_shown_and_no_number_is_lost(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "EVENTS", 4)
    turns = Turns(town.store, town.name)
    await turns.once()
    for _ in range(8):
        await town.open()
    state = await turns.once()
    assert [event["b"] for event in state["events"].values()] == [7, 7, 8, 8]
    assert sum(opened for opened, *_ in state["flow"]["bins"].values()) == 8


# -- what it must not tell, and what it does when the store is down ---------------------------------------------------


async def test_places_are_rounded_and_nothing_else_personal_is_told(town: Town, feed: Feed) -> None:
    bno = await town.open(note="third floor, ring twice")
    await town.accept(bno)
    state = await feed.state(town.name)
    assert state["bookings"][str(bno)]["place"] == [48.857, 2.352]
    text = json.dumps(state)
    for secret in (str(PLACE["address"]), "48.856613", "48856613", "third floor", "c-secret", "Awa"):
        assert secret not in text


async def test_events_hold_numbers_and_codes_alone(town: Town, feed: Feed) -> None:
    await town.accept(await town.open())
    text = json.dumps((await feed.state(town.name))["events"])
    for secret in ("p-", "b-", "c-"):
        assert secret not in text


async def test_a_market_that_is_not_there_is_not_found(feed: Feed) -> None:
    for ask in (feed.state, feed.deltas):
        with pytest.raises(NotFound):
            await ask("m-nowhere")


async def test_when_the_store_is_down_the_last_picture_stays_and_says_so(town: Town, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Page(feed, town.name) as page:
        await town.open()
        await page.until(lambda state: state["bookings"])
        pulse = Gauges.pulse

        async def down(*args: Any, **kwargs: Any) -> Any:
            raise Unavailable("down")

        monkeypatch.setattr(Gauges, "pulse", down)
        await page.until(lambda state: not state["answering"])
        assert page.state["bookings"]
        monkeypatch.setattr(Gauges, "pulse", pulse)
        await page.until(lambda state: state["answering"])


async def test_a_store_that_is_down_from_the_start_is_unavailable(town: Town, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*args: Any, **kwargs: Any) -> Any:
        raise Unavailable("down")

    monkeypatch.setattr(Gauges, "pulse", down)
    with pytest.raises(Unavailable):
        await feed.state(town.name)


async def test_one_market_shows_nothing_of_another(town: Town, feed: Feed, fresh_market: Any) -> None:
    other = Town(town.store, town.desk, fresh_market())
    await other.settle(2)
    await other.open()
    state = await feed.state(town.name)
    assert (state["bookings"], state["gauges"]["providers.known"], "Opened" in types(state)) == ({}, 6, False)


async def test_ops_are_called_in_the_stream_and_what_is_settled_leaves_it_r37(town: Town, feed: Feed) -> None:
    await town.put_settings(no_show_after_s=0)
    bno = await town.open()
    pno = await town.accept(bno)
    async with Page(feed, town.name) as page:
        assert page.state["alarms"] == {}
        await town.desk.aftermath.late(town.name, f"b-{bno}", LateRequest(by="provider", minutes=20), "late")
        await page.until(lambda state: f"late:{bno}" in state["alarms"])
        alarm = page.state["alarms"][f"late:{bno}"]
        assert (alarm["id"], alarm["kind"], alarm["state"], alarm["p"]) == (f"b-{bno}", "late", "accepted", pno)
        await page.until(lambda state: "Late" in types(state))
        await town.cancel(bno)
        await page.until(lambda state: state["alarms"] == {})
