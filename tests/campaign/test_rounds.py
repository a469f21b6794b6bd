"""What the campaign calls an unsound market: one that stays so, not one that changes while it is looked at (P12)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from msgspec.structs import replace

from campaign import rounds
from campaign.claimant import connected
from campaign.rounds import GATEWAY, SILENCE_S, SPEED, SURE_S, Round
from campaign.state import OFF, UNKNOWN, State
from dispatch.engine.desk import Desk
from dispatch.engine.upkeep import Upkeep
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.store.embedded import Embedded
from tests.store import recount

DEVICES, BOOKINGS = 12, 4


@pytest.fixture
async def fresh(short_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Round, Any, str]]:
    """A round that has not begun, on a store of its own, with its URL."""
    monkeypatch.setattr(rounds, "LOOK_AGAIN_S", 0.0)
    with Embedded(short_dir / "data", "durable") as server:
        store = await connected(server.url, SPEED)
        desk = Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json"))
        yield Round(1, 1, store, desk, devices=DEVICES, bookings=BOOKINGS, search_s=20.0), store, server.url
        await store.close()


@pytest.fixture
async def prepared(fresh: tuple[Round, Any, str]) -> tuple[Round, Any, str]:
    """A round whose devices all hold their proposals."""
    await fresh[0].prepare()
    return fresh


async def records(one: Round, store: Any) -> list[Any]:
    found: list[Any] = await store.bookings.records(one.market, range(1, len(one.races) + 1))
    return found


async def test_in_a_round_as_it_should_be_everybody_is_asked_for_everything(prepared: tuple[Round, Any, str]) -> None:
    one, store, _ = prepared
    assert [race.missing for race in one.races] == [frozenset()] * BOOKINGS
    assert list(one._unasked(await records(one, store))) == []


async def test_who_is_connected_and_not_asked_is_found(fresh: tuple[Round, Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has not heard of one device, and no silence of ours explains it."""
    monkeypatch.setattr(rounds, "ASKED_S", 0.0)
    one, store, _ = fresh
    connect = one._connect
    monkeypatch.setattr(one, "_connect", lambda pno: connect(pno) if pno != 7 else asyncio.sleep(0))
    await one.prepare()
    assert [(race.missing, race.cause) for race in one.races] == [(frozenset({7}), UNKNOWN)] * BOOKINGS
    words = list(one._unasked(await records(one, store)))
    assert words[0] == f"booking 1: 1 of {DEVICES} devices were connected and held no proposal of it"
    assert len(words) == BOOKINGS


async def test_devices_that_were_taken_off_in_a_silence_come_back_and_that_is_the_cause_of_what_they_missed(
    fresh: tuple[Round, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ASKED_S", 0.0)
    one, store, _ = fresh
    enter, state = one._enter, State(seed=1)

    async def enter_and_fall_silent() -> None:
        await enter()
        await store.links.gateway_gone(GATEWAY, [one.market])
        one._beat_at -= SILENCE_S + 1
        monkeypatch.setattr(one, "_enter", enter)

    monkeypatch.setattr(one, "_enter", enter_and_fall_silent)
    await one.prepare()
    assert one._off == 1
    assert (await store.providers.get(one.market, "p-1")).reachable
    assert [(len(race.missing), race.cause) for race in one.races] == [(DEVICES, OFF)] * BOOKINGS
    assert list(one._unasked(await records(one, store))) == []
    for race in one.races:
        race.quiet = False
        one._count(race, state)
    assert (state.unraced, state.partly) == ({OFF: BOOKINGS}, {})


async def test_who_came_back_long_before_the_end_must_have_been_asked(prepared: tuple[Round, Any, str]) -> None:
    one, store, _ = prepared
    found = [replace(record, state="unfilled", proposals={}) for record in await records(one, store)]
    for race in one.races:
        race.missing, race.cause = frozenset({3, 4}), OFF
    assert list(one._unasked(found)) == [f"booking {n}: 2 devices came back in time and were never asked" for n in range(1, BOOKINGS + 1)]
    one._whole_since = one.races[0].deadline - SURE_S
    assert len(list(one._unasked(found))) < BOOKINGS


async def test_a_silence_in_which_nobody_was_taken_off_explains_nothing(prepared: tuple[Round, Any, str]) -> None:
    one, _, _ = prepared
    since = one._whole_since
    one._beat_at -= SILENCE_S + 1
    await one.beat()
    assert (one._off, one._whole_since) == (0, since)


async def test_a_sound_market_is_looked_at_once(prepared: tuple[Round, Any, str]) -> None:
    one, _, url = prepared
    state = State(seed=1)
    assert await one._unsound(state, url) == []
    assert state.looked_again == 0


async def test_a_gauge_that_is_wrong_stays_wrong_and_is_found(prepared: tuple[Round, Any, str]) -> None:
    one, store, url = prepared
    state = State(seed=1)
    await store.links._calls.command("HINCRBY", f"{{{one.market}}}:gauges", "providers.online", 1)
    assert await one._unsound(state, url) == [f"gauge providers.online: said {DEVICES + 1}, counted {DEVICES}"]
    assert state.looked_again == rounds.LOOKS - 1


async def test_devices_taken_off_in_the_middle_of_a_look_are_no_fault(
    prepared: tuple[Round, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker takes a gateway off that was silent for too long, while its providers are being counted."""
    one, store, url = prepared
    await store.links._calls.command("ZADD", f"{{{one.market}}}:gateways", 1, GATEWAY)
    askable, counted = recount.askable, 0

    async def reap() -> None:
        other = await connected(url, SPEED)
        await Upkeep(other).reap()
        await other.close()

    def counting(*facts: Any) -> bool:
        nonlocal counted
        counted += 1
        answer = askable(*facts)
        if counted == DEVICES // 2:
            _in_a_thread(reap)
        return answer

    monkeypatch.setattr(recount, "askable", counting)
    state = State(seed=1)
    assert await one._unsound(state, url) == []
    assert state.looked_again == 1
    assert not (await store.providers.get(one.market, "p-1")).reachable


def _in_a_thread(work: Any) -> None:
    """Now, although the loop of this thread is busy with the look."""
    thread = Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()
