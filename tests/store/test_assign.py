"""Ops give a booking to a provider by hand: the filters are those of matching, some of them overridable with a reason (R83; P1, P7)."""

from typing import Any

import pytest

from dispatch.errors import Conflict, NotFound, Unprocessable
from tests.store.by_hand import YAN, ZOE, alarms, assign, audit, hand_back, take_over
from tests.store.scene import Scene, everything
from tests.store.soundness import faults, strangers

ALL_THE_SAME = {"override": {"reason": "agreed by phone"}}
FAR = {"zone": {"type": "circle", "lat": 48.5, "lng": 2.0, "radius_km": 3}}


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_he_has_won_it_like_every_winner_with_the_cause_ops_p1(scene: Scene) -> None:
    await scene.settings(webhook={"url": "https://example.org/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    await scene.open()
    await take_over(scene)
    assert await assign(scene, "dan") == {"booking_id": "b-1", "state": "accepted", "provider_id": "dan"}
    record = await scene.record()
    assert (record.state, record.winner, record.owner) == ("accepted", scene.numbers["dan"], None)
    timeline = await scene.store.bookings.timeline(scene.market, record.no)
    (won,) = [event for event in timeline if event["type"] == "Accepted"]
    assert (won["cause"], won["p"], "took" in won) == ("ops", scene.numbers["dan"], False)
    assert (await scene.heard("dan"))[-1] == "booking accepted"
    assert await scene.items("dan") == ["b-1"]
    due = await scene.store.outbox.due(10)
    assert [one.type for one in due if one.market == scene.market] == ["booking.accepted"]
    await sound(scene)


async def test_it_is_no_answer_of_his_r21(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    await assign(scene, "dan")
    assert await scene.redis.hget(f"{{{scene.market}}}:p:{scene.numbers['dan']}", "answered") in (None, b"0")
    p = (await scene.record()).proposals[scene.numbers["dan"]]
    assert (p.kind, p.received_at, p.answered_at) == ("direct", 0, 0)


async def test_the_visit_takes_his_time_p7(scene: Scene) -> None:
    await scene.open()
    await scene.open("b-2", lead=4.5)
    await take_over(scene)
    assert "p2" in "".join(name.decode() for name in await scene.redis.hkeys(f"{{{scene.market}}}:o:{scene.numbers['ada']}"))
    await assign(scene, "ada")
    assert "withdrawn overlap" in await scene.heard("ada")
    assert "ada" not in await scene.candidates(lead=4)
    await sound(scene)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (FAR, "zone"),
        ({"hours": "Mo-Su 20:00-22:00"}, "hours"),
        ({"catalogue": []}, "catalogue"),
        ({"do_not_disturb": {"from": "11:00", "to": "13:00"}}, "do_not_disturb"),
    ],
)
async def test_the_filters_are_those_of_matching_and_a_reason_overrides_them_r83(scene: Scene, changes: Any, reason: str) -> None:
    await scene.provider("dan", reachable=False, **changes)
    await scene.open()
    await take_over(scene)
    with pytest.raises(Unprocessable, match=reason) as refused:
        await assign(scene, "dan")
    assert refused.value.code == "unfit"
    assert (await scene.record()).state == "taken_over"
    assert (await assign(scene, "dan", **ALL_THE_SAME))["state"] == "accepted"
    last = (await audit(scene))[-1]
    assert (last["what"], last["why"], last["override"], last["who"]) == ("assign", "agreed by phone", True, "Zoé")
    await sound(scene)


async def test_one_who_is_offline_or_said_no_needs_an_override_r83(scene: Scene) -> None:
    await scene.open()
    await scene.refuse("ada")
    await scene.disconnect("dan")
    await take_over(scene)
    for name, reason in (("ada", "asked"), ("dan", "unreachable")):
        with pytest.raises(Unprocessable, match=reason):
            await assign(scene, name)
    assert (await assign(scene, "ada", **ALL_THE_SAME))["state"] == "accepted"
    await sound(scene)


async def _holds_another(scene: Scene) -> None:
    await scene.open("b-2", lead=4.5)
    await scene.only("ada", "b-2")
    assert await scene.accept("ada", "b-2") == "won"


async def _blocked(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _not_approved(scene: Scene) -> None:
    await scene.provider("ada", reachable=False, status="pending")


@pytest.mark.parametrize(("before", "reason"), [(_holds_another, "overlap"), (_blocked, "blocked"), (_not_approved, "status")])
async def test_account_blocks_and_overlaps_bind_whatever_the_reason_p7(scene: Scene, before: Any, reason: str) -> None:
    await scene.open()
    await before(scene)
    await take_over(scene)
    was = await scene.record()
    with pytest.raises(Unprocessable, match=f"{reason} cannot be overridden"):
        await assign(scene, "ada", **ALL_THE_SAME)
    assert await scene.record() == was
    await sound(scene)


@pytest.mark.parametrize(("before", "word"), [(_holds_another, "OVERLAP"), (_blocked, "NOT_ASKED")])
async def test_what_came_between_the_look_and_the_word_is_found_by_the_claim_p1_p7(scene: Scene, before: Any, word: str) -> None:
    """The desk saw him free; a moment later he is not: the one claim says so, and not one byte changes."""
    await scene.open()
    await take_over(scene)
    record, one = await scene.record(), await scene.store.providers.get(scene.market, "ada")
    await before(scene)
    was = everything(scene.redis_url, scene.market)
    arguments = {"bno": record.no, "rid": "r", "reason": "x", "override": False, "p": one.no, "seen": one.version, "window": 0}
    reply = await scene.store.hands.assign(scene.market, ZOE, **arguments, wanted=-1, far=0, holder=0, held=0, working=[])
    assert reply["word"] == word
    now = everything(scene.redis_url, scene.market)
    assert {name for name in now if now[name] != was.get(name)} == {name for name in now if ":ops:" in name}  # the answer, kept


async def test_settings_that_changed_meanwhile_are_looked_at_again(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    record, one = await scene.record(), await scene.store.providers.get(scene.market, "dan")
    await scene.provider("dan", reachable=False, **FAR)
    arguments = {"bno": record.no, "rid": "r", "reason": "x", "override": False, "p": one.no, "seen": one.version, "window": 0}
    reply = await scene.store.hands.assign(scene.market, ZOE, **arguments, wanted=-1, far=0, holder=0, held=0, working=[])
    assert reply["word"] == "STALE"


async def test_who_held_it_is_told_and_free_again_r83(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await take_over(scene)
    await assign(scene, "ben")
    record = await scene.record()
    assert record.winner == scene.numbers["ben"]
    assert (await scene.heard("ada"))[-1] == "booking cancelled"
    assert await scene.items("ada") == []
    assert (await scene.states())["ada"] == "withdrawn ops"
    assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=4)) == []
    assert "ada" in await scene.candidates(lead=4)
    await sound(scene)


async def test_who_holds_it_needs_no_assignment(scene: Scene) -> None:
    await scene.open()
    await scene.accept("ada")
    await take_over(scene)
    with pytest.raises(Conflict, match="ada holds"):
        await assign(scene, "ada")
    await sound(scene)


async def test_of_several_windows_the_first_that_suits_him_is_his(scene: Scene) -> None:
    await scene.provider("dan", reachable=False, hours="Mo-Su 18:00-22:00")
    await scene.open(leads=(4, 7))
    await take_over(scene)
    await assign(scene, "dan")
    assert (await scene.record()).window == 1
    await sound(scene)


async def test_a_window_can_be_named_and_must_be_there(scene: Scene) -> None:
    await scene.open(leads=(4, 7))
    await take_over(scene)
    with pytest.raises(Unprocessable, match="this booking has 2"):
        await assign(scene, "dan", window=2)
    await assign(scene, "dan", window=1)
    assert (await scene.record()).window == 1


async def test_after_its_deadline_ops_may_still_give_it_away_until_the_visit_is_over_p3(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    await scene.later(hours=4, minutes=59)
    assert await alarms(scene) == [("overdue", "b-1")]
    await assign(scene, "dan")
    assert await alarms(scene) == []
    await sound(scene)


async def test_a_visit_that_is_over_is_nobodys(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    await scene.later(hours=5)
    with pytest.raises(Unprocessable, match="over"):
        await assign(scene, "dan")
    assert (await scene.record()).state == "taken_over"


async def test_only_what_was_taken_over_is_given_away(scene: Scene) -> None:
    await scene.open()
    with pytest.raises(Conflict, match="take it over first"):
        await assign(scene, "dan")
    await take_over(scene)
    with pytest.raises(Conflict, match="Zoé"):
        await assign(scene, "dan", hand=YAN)
    with pytest.raises(NotFound):
        await assign(scene, "nobody")


async def test_a_repeat_gives_it_away_once_p4(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    first = await assign(scene, "dan", rid="r-1")
    assert await assign(scene, "dan", rid="r-1") == first
    assert [line["what"] for line in await audit(scene)] == ["take_over", "assign"]
    await sound(scene)


async def test_one_who_was_given_it_can_give_it_up_and_the_search_goes_on_r35(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    await assign(scene, "dan")
    assert await scene.cancel(by="provider") == "searching"
    await scene.settle()
    assert (await scene.states())["dan"] == "withdrawn cancelled"
    await sound(scene)


async def test_given_back_after_all_it_is_searched_for(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    with pytest.raises(Unprocessable):
        await assign(scene, "dan", window=4)
    assert await hand_back(scene) == "searching"
    await sound(scene)
