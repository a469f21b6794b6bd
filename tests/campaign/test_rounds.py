"""What the campaign calls an unsound market: one that stays so, not one that changes while it is looked at (P12)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from campaign import rounds
from campaign.claimant import connected
from campaign.rounds import GATEWAY, SPEED, Round
from campaign.state import State
from dispatch.engine.desk import Desk
from dispatch.engine.upkeep import Upkeep
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.store.embedded import Embedded
from tests.store import recount

DEVICES = 12


@pytest.fixture
async def prepared(short_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Round, Any, str]]:
    """A round whose devices all hold their proposals, on a store of its own, with its URL."""
    monkeypatch.setattr(rounds, "LOOK_AGAIN_S", 0.0)
    with Embedded(short_dir / "data", "durable") as server:
        store = await connected(server.url, SPEED)
        desk = Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json"))
        one = Round(1, 1, store, desk, devices=DEVICES, bookings=3, search_s=20.0)
        await one.prepare()
        yield one, store, server.url
        await store.close()


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
