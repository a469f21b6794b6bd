"""A booking in the hands of ops: nobody else moves it, its moments raise alarms, and it can be given back (R83; P3, P10)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch import waves
from dispatch.engine.requests import CancelRequest
from dispatch.errors import Conflict
from dispatch.store import closing, sending
from tests.store.by_hand import WHY, YAN, ZOE, alarms, assign, extend, hand_back, reopen, take_over
from tests.store.scene import HOUR, MINUTE, Scene, everything
from tests.store.soundness import faults

ELSEWHERE = {"type": "circle", "lat": 43.6, "lng": 3.9, "radius_km": 6}


async def _searching(scene: Scene) -> None:
    await scene.open()


async def _accepted(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")


async def _unfilled(scene: Scene) -> None:
    await scene.open()
    await scene.later(hours=3)
    await scene.settle()


async def _cancelled(scene: Scene) -> None:
    await scene.open()
    await scene.cancel()


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize("before", [_searching, _accepted, _unfilled])
async def test_what_is_not_over_can_be_taken_over_r83(scene: Scene, before: Any) -> None:
    await before(scene)
    assert await take_over(scene) == {"booking_id": "b-1", "state": "taken_over", "by": "Zoé"}
    record = await scene.record()
    assert (record.state, record.owner, record.who["owner"], record.due) == ("taken_over", ZOE.key, "Zoé", None)
    seen = (await scene.desk.booking(scene.market, "b-1"))["taken_over"]
    assert (seen["by"], seen["reason"]) == ("Zoé", WHY)
    await sound(scene)


async def test_what_is_over_cannot_r83(scene: Scene) -> None:
    await _cancelled(scene)
    with pytest.raises(Conflict, match="cancelled"):
        await take_over(scene)
    await sound(scene)


async def test_a_second_take_over_hears_the_owners_name_r80b(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    with pytest.raises(Conflict, match="Zoé") as refused:
        await take_over(scene, hand=YAN)
    assert refused.value.code == "taken_over"
    assert (await take_over(scene))["by"] == "Zoé"  # it is his already
    assert (await scene.story()).count("TakenOver") == 1
    await sound(scene)


@pytest.mark.proves("R15.b")
async def test_all_who_were_asked_are_told_at_once_r15(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    for name in ("ada", "ben", "cleo"):
        assert await scene.heard(name) == ["proposal", "withdrawn ops"]
        assert await scene.items(name) == []


async def test_who_holds_it_keeps_the_visit_and_is_told_r83(scene: Scene) -> None:
    await _accepted(scene)
    await take_over(scene)
    assert (await scene.heard("ada"))[-1] == "booking taken_over"
    assert await scene.items("ada") == ["b-1"]
    assert "ada" not in await scene.candidates(lead=4)
    await sound(scene)


async def _accept(scene: Scene) -> Any:
    return await scene.accept("ada")


async def _refuse(scene: Scene) -> Any:
    return await scene.refuse("ada")


async def _receipt(scene: Scene) -> Any:
    return await scene.receive("ada", seen=True)


async def _by_client(scene: Scene) -> Any:
    return await scene.cancel(by="client")


async def _by_provider(scene: Scene) -> Any:
    return await scene.cancel(by="provider")


async def _by_another_of_ops(scene: Scene) -> Any:
    return await assign(scene, "dan", hand=YAN)


async def _given_back_by_another(scene: Scene) -> Any:
    return await hand_back(scene, hand=YAN)


async def _taken_by_another(scene: Scene) -> Any:
    return await take_over(scene, hand=YAN)


async def _asked_again(scene: Scene) -> Any:
    return await reopen(scene, "ada")


async def _extended(scene: Scene) -> Any:
    return await extend(scene)


async def _extended_by_ops(scene: Scene) -> Any:
    return await extend(scene, hand=YAN)


async def _worker(scene: Scene) -> Any:
    return await scene.settle()


async def _alarm(scene: Scene) -> Any:
    return await (await scene.upkeep()).alarm()


async def _refusal(scene: Scene, act: Callable[[Scene], Awaitable[Any]]) -> str | None:
    try:
        await act(scene)
    except Conflict as refused:
        return refused.detail
    return None


STRANGERS: list[Callable[[Scene], Awaitable[Any]]] = [
    _accept, _refuse, _receipt, _by_client, _by_provider, _by_another_of_ops, _given_back_by_another, _taken_by_another, _asked_again,
    _extended, _extended_by_ops, _worker, _alarm,
]  # fmt: skip


@pytest.mark.parametrize("act", STRANGERS)
@pytest.mark.parametrize("before", [_searching, _accepted, _unfilled])
async def test_after_a_take_over_nobody_else_moves_it_p10(scene: Scene, before: Any, act: Callable[[Scene], Awaitable[Any]]) -> None:
    await before(scene)
    await take_over(scene)
    was = await scene.record()
    await scene.later(hours=1)
    said = await _refusal(scene, act)
    assert said is None or "Zoé" in said or "taken_over" in said
    now = await scene.record()
    assert (now.state, now.owner, now.winner, now.rev, now.deadline) == (was.state, was.owner, was.winner, was.rev, was.deadline)
    assert {pno: p.state for pno, p in now.proposals.items()} == {pno: p.state for pno, p in was.proposals.items()}
    await sound(scene)


async def test_a_late_accept_has_lost_p10(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    assert await scene.accept("ada") == "lost"
    await hand_back(scene)
    assert await scene.accept("ada") == "lost"  # of what ops took back; he may be asked again, and then say yes
    await sound(scene)


@pytest.mark.parametrize("away", [False, True], ids=["some were asked", "nobody was"])
@pytest.mark.parametrize("later_by", [0, 3 * MINUTE, 3 * HOUR])
async def test_what_a_worker_decided_before_a_take_over_changes_nothing_after_it_p10(scene: Scene, later_by: int, away: bool) -> None:
    """It read the booking, froze, and goes on when ops have it, or have given it back: not one byte changes."""
    if away:
        for name in ("ada", "ben", "cleo", "dan"):
            await scene.provider(name, zone=ELSEWHERE)
    await scene.open()
    record = await scene.record()
    settings = (await scene.desk.market(scene.market)).settings
    step = waves.next_step(settings, record.search(), scene.now + 3 * MINUTE)
    turns = [sending(record, step, minute=0, ready=0), closing(record.no, record.rev)]
    assert step.release is not None
    await take_over(scene)
    for given_back in (False, True):
        if given_back:
            await hand_back(scene)
        await scene.at(scene.now + later_by)
        was = everything(scene.redis_url, scene.market)
        assert [(await scene.take(turn))["word"] for turn in turns] == ["STALE", "STALE"]
        assert everything(scene.redis_url, scene.market) == was


async def test_its_moments_raise_an_alarm_and_change_nothing_p3(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    was = await scene.record()
    await scene.at(was.deadline - 1)
    await (await scene.upkeep()).alarm()
    assert await alarms(scene) == []
    await scene.at(was.deadline)
    assert await alarms(scene) == [("overdue", "b-1")]  # whether or not a worker has seen to it
    for _ in range(2):
        await (await scene.upkeep()).alarm()
    assert await alarms(scene) == [("overdue", "b-1")]
    assert (await scene.story()).count("Overdue") == 1
    now = await scene.record()
    assert (now.state, now.rev) == ("taken_over", was.rev)
    assert await scene.gauge("alarms.overdue") == 1
    await sound(scene)


async def test_a_visit_that_somebody_has_is_overdue_when_it_begins_p3(scene: Scene) -> None:
    await _accepted(scene)
    await take_over(scene)
    start = (await scene.record()).windows[0].start
    for moment, found in ((start - 1, []), (start, [("overdue", "b-1")])):
        await scene.at(moment)
        await (await scene.upkeep()).alarm()
        assert await alarms(scene) == found
    await sound(scene)


async def _back(scene: Scene) -> Any:
    return await hand_back(scene)


async def _given(scene: Scene) -> Any:
    return await assign(scene, "dan")


async def _ended(scene: Scene) -> Any:
    request = CancelRequest(by="ops", reason="nobody can")
    await scene.desk.cancel(scene.market, "b-1", request, scene.fresh("cancel"), hand=ZOE)


@pytest.mark.parametrize(("settle", "state"), [(_back, "searching"), (_given, "accepted"), (_ended, "cancelled")])
async def test_who_has_it_settles_it_and_the_alarm_is_over_r83(scene: Scene, settle: Any, state: str) -> None:
    await scene.open()
    await take_over(scene)
    await scene.at((await scene.record()).deadline)
    await (await scene.upkeep()).alarm()
    await settle(scene)
    record = await scene.record()
    assert (record.state, record.owner, "owner" in record.who) == (state, None, False)
    assert await alarms(scene) == []
    assert await scene.gauge("alarms.overdue") == 0
    await sound(scene)


async def test_given_back_the_search_goes_on_with_who_is_left_r83(scene: Scene) -> None:
    """Three were asked: one said no, two lost their proposals to the take-over. The wave leaves at once, and asks all but the first."""
    await scene.open()
    assert await scene.refuse("ada") == "done"
    await take_over(scene)
    await scene.later(minutes=5)
    assert await hand_back(scene) == "searching"
    await scene.settle()
    assert await scene.states() == {"ada": "refused", "ben": "open", "cleo": "open", "dan": "open"}
    await sound(scene)
    assert await scene.accept("ben") == "won"
    await sound(scene)


async def test_given_back_before_its_pause_is_over_a_wave_leaves_at_once_r83(scene: Scene) -> None:
    await scene.open(leads=(30,))
    await take_over(scene)
    await hand_back(scene)
    await scene.settle()
    assert (await scene.record()).wave == 2


async def test_deadlines_that_passed_meanwhile_get_their_due_when_it_is_given_back_r17(scene: Scene) -> None:
    """The first of two windows cannot be met any more: it is dropped, and the search goes on for the other."""
    await scene.open(leads=(4, 8))
    await take_over(scene)
    await scene.later(hours=3, minutes=30)
    await hand_back(scene)
    await scene.settle()
    record = await scene.record()
    assert (record.state, len(record.windows)) == ("searching", 1)
    await sound(scene)


async def test_given_back_when_no_window_is_left_it_ends_unfilled_r17(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    await scene.later(hours=3, minutes=30)
    await hand_back(scene)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    await sound(scene)


async def test_given_back_with_a_holder_it_is_his_again_r83(scene: Scene) -> None:
    await _accepted(scene)
    await take_over(scene)
    assert await hand_back(scene) == "accepted"
    assert (await scene.heard("ada"))[-2:] == ["booking taken_over", "booking accepted"]
    assert await scene.cancel(by="provider") == "searching"
    await sound(scene)


async def test_a_manager_gives_back_what_another_has_left_p3(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    with pytest.raises(Conflict, match="Zoé"):
        await hand_back(scene, hand=YAN)
    assert await hand_back(scene, hand=YAN, manager=True) == "searching"
    await sound(scene)


async def test_what_nobody_took_over_cannot_be_given_back(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Conflict, match="nobody has taken it over"):
        await hand_back(scene)


async def test_a_take_over_that_is_repeated_is_one_p4(scene: Scene) -> None:
    await scene.open()
    await take_over(scene, rid="r-1")
    await hand_back(scene)
    was = everything(scene.redis_url, scene.market)
    assert (await take_over(scene, rid="r-1"))["state"] == "taken_over"  # the answer of the first time
    assert everything(scene.redis_url, scene.market) == was
