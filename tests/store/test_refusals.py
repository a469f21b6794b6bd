"""A refusal never costs anything (R20): the same history told twice, once with refusals and once without, and whole states compared."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from dispatch.engine.faces import times_of
from dispatch.responses import response_ms
from dispatch.store.keys import key
from tests.store.scene import Scene, everything, play

NAMES = ("ada", "ben", "cleo", "dan", "eve", "finn")
BOOKINGS = 3
ALL_AT_ONCE = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 50, "pause_s": 180}]}
# What answers leave with a provider that no rule reads but to know who is new, and that is counted nowhere else.
BOOKKEEPING = {"answered", "seq"}

Telling = Callable[[Scene], Awaitable[None]]


async def told(redis_url: str, market: str, folder: Path, telling: Telling) -> Scene:
    """A history played in a market of its own."""
    async with play(redis_url, market, folder, **ALL_AT_ONCE) as scene:
        for name in NAMES:
            await scene.provider(name, initial_rank={"tier": "standard", "score": 7})
        await telling(scene)
    return scene


def standing(redis_url: str, scene: Scene) -> dict[str, dict[str, bytes]]:
    """All that the store keeps of each provider, and his place in the match index, but for the bookkeeping."""
    with Redis.from_url(redis_url) as client:
        found = {}
        for name, pno in scene.numbers.items():
            facts = {field.decode(): value for field, value in client.hgetall(key("provider", scene.market, pno)).items()}
            found[name] = {field: value for field, value in facts.items() if field not in BOOKKEEPING}
        return found


async def order(scene: Scene) -> list[str]:
    """Who would be asked next, in order."""
    async with play(scene.redis_url, scene.market, scene.folder, moment=scene.now, **ALL_AT_ONCE) as later:
        return await later.candidates(lead=12, client_id="c-new")


# -- an accept that lost, turned into a refusal at the same instant ------------------------------------------------------


@pytest.mark.proves("R20.b")
@pytest.mark.parametrize("seed", range(2))
async def test_an_accept_that_lost_turned_into_a_refusal_at_the_same_instant_changes_nothing(
    redis_url: str, fresh_market: Callable[[], str], tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.engine.desk.secrets", SimpleNamespace(randbits=lambda _: seed))  # of who is drawn

    async def telling(scene: Scene, *, refuses: bool) -> None:
        chance, winners = Random(seed), dict[str, list[str]]()
        for number in range(BOOKINGS):
            await scene.open(f"b-{number}", client_id=f"c-{number}", lead=4 + 3 * number)
            asked = sorted(who for who, state in (await scene.states(f"b-{number}")).items() if state == "open")
            winners[f"b-{number}"] = chance.sample(asked, 4)
        await scene.later(seconds=chance.randint(1, 50))
        for booking_id, (first, *losers) in winners.items():
            for who in (first, *losers[:2]):
                await scene.receive(who, booking_id, seen=chance.random() < 0.5)
            await scene.accept(first, booking_id)
            for who in losers:
                await (scene.refuse if refuses else scene.accept)(who, booking_id)
        await scene.later(minutes=chance.choice((1, 4)))
        await scene.settle()

    lost = await told(redis_url, fresh_market(), tmp_path, lambda scene: telling(scene, refuses=False))
    refused = await told(redis_url, fresh_market(), tmp_path, lambda scene: telling(scene, refuses=True))
    assert standing(redis_url, lost) == standing(redis_url, refused)
    assert await order(lost) == await order(refused)
    one, other = everything(redis_url, lost.market), everything(redis_url, refused.market)
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    # Nothing else differs: but the words that were said (events, the answer to the command), how often that was, and names of the market.
    assert {name.split(":")[0] for name in names} <= {"events", "t", "gauges", "r", "market", "gateways", "b"}
    with Redis.from_url(redis_url) as client:
        for number in range(1, BOOKINGS + 1):
            both = [client.hgetall(key("booking", scene.market, number)) for scene in (lost, refused)]
            assert int(both[0].pop(b"events")) > int(both[1].pop(b"events"))  # AcceptedTooLate stands on the timeline
            assert both[0] == both[1]
        gauges = [client.hgetall(key("gauges", scene.market)) for scene in (lost, refused)]
        assert gauges[0].pop(b"count.accepts_late") == b"9"
        assert gauges[0] == gauges[1]


# -- never worse than silence -------------------------------------------------------------------------------------------


async def history(scene: Scene, seed: int, *, refusals: bool, silent: str | None = None) -> dict[str, list[int]]:
    """Everybody is asked for everything and some win; the others refuse, or say nothing. The response times that count of each (ms)."""
    chance, took = Random(seed), {name: list[int]() for name in NAMES}
    for number in range(BOOKINGS):
        await scene.open(f"b-{number}", client_id=f"c-{number}", lead=4 + 3 * number)
    await scene.later(seconds=chance.randint(1, 30))
    unwilling: dict[str, list[str]] = {}
    for booking_id in (f"b-{number}" for number in range(BOOKINGS)):
        asked = sorted(who for who, state in (await scene.states(booking_id)).items() if state == "open")
        for who in asked:
            await scene.receive(who, booking_id, seen=True)
        unwilling[booking_id] = chance.sample(asked, 4)
    await scene.later(seconds=chance.randint(10, 500))
    for booking_id, people in unwilling.items():
        for who in people:
            reason = chance.choice((None, "too_far", "price_too_low"))
            if refusals and who != silent:
                await scene.refuse(who, booking_id, reason=reason)
    await scene.later(minutes=11)  # the silent ones go stale
    await scene.settle()
    for booking_id, people in unwilling.items():
        yes = next(who for who in NAMES if who not in people)
        assert await scene.accept(yes, booking_id) in ("won", "overlap")
        for name, times in (await _times(scene, booking_id)).items():
            took[name] += times
    return took


async def _times(scene: Scene, booking_id: str) -> dict[str, list[int]]:
    record = await scene.record(booking_id)
    counted = {
        name: response_ms(times_of(record.proposals[pno]), 3_600_000) for name, pno in scene.numbers.items() if pno in record.proposals
    }
    return {name: [value] for name, value in counted.items() if value is not None}


@pytest.mark.proves("R20.a", "R20.c", "R20.d")
@pytest.mark.parametrize("seed", range(2))
async def test_a_refusal_is_never_worse_than_silence_and_nothing_of_it_is_kept_against_him(
    redis_url: str, fresh_market: Callable[[], str], tmp_path: Path, seed: int
) -> None:
    """With all refusals removed tiers, scores, turns and places in the index are the same; times to answer only get longer (R21, R22)."""
    spoken: dict[str, Any] = {}

    async def with_them(scene: Scene) -> None:
        spoken["with"] = await history(scene, seed, refusals=True)

    async def without(scene: Scene) -> None:
        spoken["without"] = await history(scene, seed, refusals=False)

    refusing, silent = [await told(redis_url, fresh_market(), tmp_path, telling) for telling in (with_them, without)]
    ours, theirs = standing(redis_url, refusing), standing(redis_url, silent)
    for name in NAMES:
        for fact in ("tier", "score", "bucket", "slot", "askable", "status", "live"):
            assert ours[name].get(fact) == theirs[name].get(fact), (name, fact)
        assert int(ours[name].get("paused", 0)) <= int(theirs[name].get("paused", 0))
        assert int(ours[name].get("unanswered", 0)) <= int(theirs[name].get("unanswered", 0))
        assert sum(spoken["with"][name]) <= sum(spoken["without"][name])
    assert await order(refusing) == await order(silent)


@pytest.mark.proves("R20.c")
@pytest.mark.parametrize("who", NAMES[:1])
async def test_of_two_who_do_not_want_it_the_one_who_says_so_is_not_asked_later_next_time(
    redis_url: str, fresh_market: Callable[[], str], tmp_path: Path, who: str
) -> None:
    """One alone falls silent where he refused before: his place in the order gets no better by it, nor does anybody's."""

    async def all_refuse(scene: Scene) -> None:
        await history(scene, 7, refusals=True)

    async def one_is_silent(scene: Scene) -> None:
        await history(scene, 7, refusals=True, silent=who)

    refusing, silent = [await told(redis_url, fresh_market(), tmp_path, telling) for telling in (all_refuse, one_is_silent)]
    assert (await order(refusing)).index(who) <= (await order(silent)).index(who)
    assert await order(refusing) == await order(silent)
