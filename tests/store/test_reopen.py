"""Ops have somebody asked again who was asked before: R2's "unless ops re-open it" (P5)."""

from typing import Any

import pytest

from dispatch.errors import Conflict, Unprocessable
from tests.store.by_hand import ZOE, audit, reopen, take_over
from tests.store.scene import Scene, everything
from tests.store.soundness import faults


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R2.m")
async def test_who_said_no_is_asked_again_and_may_say_yes_r2(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    assert await scene.accept("ada") == "not_asked"
    assert await reopen(scene, "ada") == {"booking_id": "b-1", "provider_id": "ada", "state": "open"}
    assert (await scene.states())["ada"] == "open"
    assert (await scene.told("ada"))[-1]["proposal"] == scene.proposal("ada", await scene.record())
    await sound(scene)
    assert await scene.accept("ada") == "won"
    assert [(line["what"], line["provider_id"], line["why"]) for line in await audit(scene)] == [("reopen", "ada", "he called back")]
    await sound(scene)


@pytest.mark.proves("R2.l")
async def test_without_it_nobody_is_asked_twice_in_a_round_r2(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    await scene.settle()
    await scene.refuse("dan")
    await scene.later(minutes=30)
    await scene.settle()
    assert set((await scene.states()).values()) == {"refused"}


async def test_he_holds_a_seat_and_the_next_wave_waits_for_him_r13(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    await scene.refuse("ben")
    await reopen(scene, "ada")
    await scene.refuse("cleo")
    await scene.settle()
    assert "dan" not in await scene.states()  # ada has not answered
    await scene.refuse("ada")
    await scene.settle()
    assert (await scene.states())["dan"] == "open"
    await sound(scene)


async def test_his_seat_ends_like_every_other_one_r12b_r14(scene: Scene) -> None:
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.receive(name)
    await scene.refuse("ada")
    await scene.later(minutes=1)
    await reopen(scene, "ada")
    await scene.receive("ada")
    await scene.later(minutes=10)
    await scene.settle()
    assert (await scene.states())["ada"] == "stale"
    await sound(scene)


async def _offline(scene: Scene) -> None:
    await scene.disconnect("ada")


async def _moved_away(scene: Scene) -> None:
    await scene.provider("ada", reachable=False, zone={"type": "circle", "lat": 48.5, "lng": 2.0, "radius_km": 3})


async def _blocked(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _at_the_cap(scene: Scene) -> None:
    for number in range(5):
        await scene.open(f"c-{number}", lead=10 + number)
        await scene.only("ada", f"c-{number}")


async def _holds_another(scene: Scene) -> None:
    await scene.open("b-2", lead=4.5)
    await scene.only("ada", "b-2")
    assert await scene.accept("ada", "b-2") == "won"


@pytest.mark.parametrize(
    ("before", "reason"),
    [(_offline, "unreachable"), (_moved_away, "zone"), (_blocked, "blocked"), (_at_the_cap, "cap"), (_holds_another, "overlap")],
)
async def test_the_filters_are_those_of_every_offer_p5(scene: Scene, before: Any, reason: str) -> None:
    await scene.open()
    await scene.refuse("ada")
    await before(scene)
    with pytest.raises(Unprocessable, match=reason) as refused:
        await reopen(scene, "ada")
    assert refused.value.code == "unfit"
    assert (await scene.states())["ada"] == "refused"
    await sound(scene)


@pytest.mark.parametrize("before", [_offline, _blocked, _holds_another, _moved_away])
async def test_what_came_between_is_found_by_the_verb_p5(scene: Scene, before: Any) -> None:
    """The desk saw him free; a moment later he is not: he is not asked, and not one byte changes."""
    await scene.open()
    await scene.refuse("ada")
    record, one = await scene.record(), await scene.store.providers.get(scene.market, "ada")
    asking = {"bno": record.no, "rid": "r", "reason": "", "p": one.no, "seen": one.version, "windows": [0], "far": 0}
    await before(scene)
    was = everything(scene.redis_url, scene.market)
    rev = (await scene.record()).rev
    reply = await scene.store.hands.reopen(scene.market, ZOE, **asking, rev=rev, answer_by=scene.now + 60_000, urgency="last_minute")
    assert reply["word"] in ("UNFIT", "OVERLAP", "STALE")
    assert everything(scene.redis_url, scene.market) == was


async def test_who_has_it_before_him_and_who_was_never_asked_is_not_asked_again(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Conflict, match="before him"):
        await reopen(scene, "ada")
    with pytest.raises(Conflict, match="has not been asked"):
        await reopen(scene, "dan")


async def test_only_a_search_asks_again(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    await take_over(scene)
    with pytest.raises(Conflict, match="taken_over"):
        await reopen(scene, "ada")
    assert await scene.heard("ada") == ["proposal", "withdrawn answered_elsewhere"]


async def test_quiet_hours_hold_for_ops_too_r12(scene: Scene) -> None:
    await scene.open(leads=(30,))
    holder = next(iter(await scene.states()))
    await scene.refuse(holder)
    await scene.settings(quiet_hours={"from": "11:00", "to": "13:00"})
    with pytest.raises(Unprocessable) as refused:
        await reopen(scene, holder)
    assert refused.value.code == "quiet_hours"


async def test_a_repeat_asks_once_p4(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    await reopen(scene, "ada", rid="r-1")
    await scene.refuse("ada")
    await reopen(scene, "ada", rid="r-1")
    assert (await scene.states())["ada"] == "refused"
    await sound(scene)


# -- by himself -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R2.m")
async def test_he_takes_his_own_no_back_and_may_say_yes_r2(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    assert await reopen(scene, "ada", himself=True) == {"booking_id": "b-1", "provider_id": "ada", "state": "open"}
    assert (await scene.states())["ada"] == "open"
    await sound(scene)
    assert await scene.accept("ada") == "won"
    assert [(event.p, event.audit, event.himself) for event in await scene.events("AskedAgain")] == [(scene.numbers["ada"], None, True)]
    assert await audit(scene) == []
    await sound(scene)


async def test_he_takes_nothing_back_but_his_own_no_r2(scene: Scene) -> None:
    await scene.open()
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")
    await scene.desk.delete_provider_block(scene.market, "ada", "c-1")
    assert (await scene.states())["ada"] == "withdrawn ops"
    for name in ("ada", "ben", "dan"):  # taken back by others, before him, never asked
        with pytest.raises(Conflict):
            await reopen(scene, name, himself=True)
    assert (await scene.states())["ada"] == "withdrawn ops"
    assert await reopen(scene, "ada") == {"booking_id": "b-1", "provider_id": "ada", "state": "open"}, "ops may"


async def test_the_hours_in_which_nobody_is_disturbed_do_not_bind_his_own_word_r2_r3(scene: Scene) -> None:
    await scene.open(leads=(30,))
    holder = next(iter(await scene.states()))
    await scene.refuse(holder)
    await scene.settings(quiet_hours={"from": "11:00", "to": "13:00"})
    await scene.provider(holder, reachable=False, do_not_disturb={"from": "11:30", "to": "12:30"})
    assert (await reopen(scene, holder, himself=True))["state"] == "open"


@pytest.mark.parametrize(("before", "reason"), [(_offline, "unreachable"), (_blocked, "blocked"), (_at_the_cap, "cap")])
async def test_the_filters_bind_him_too_p5(scene: Scene, before: Any, reason: str) -> None:
    await scene.open()
    await scene.refuse("ada")
    await before(scene)
    with pytest.raises(Unprocessable, match=reason):
        await reopen(scene, "ada", himself=True)
    assert (await scene.states())["ada"] == "refused"
