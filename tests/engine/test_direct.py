"""Direct bookings: the provider whom a client has chosen is asked first, for a while (R26-R28)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.engine import acquaintances
from dispatch.errors import Conflict, NotFound, Unprocessable
from dispatch.habits import NONE_YET
from tests.store.scene import HOUR, MINUTE, NOON, Scene, play
from tests.store.soundness import faults

DAY = 24 * HOUR

HELD = 30 * MINUTE  # the preferred hold of all classes but last minute
QUIET = {"quiet_hours": {"from": "22:00", "to": "07:00"}}


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Ada comes first in rank order by number; Zoe is last, and has served the client."""
    async with play(redis_url, market, tmp_path, moment=NOON - DAY) as scene:
        for name in ("ada", "ben", "cleo", "zoe"):
            await scene.provider(name)
        await scene.at(NOON)
        await served(scene, "zoe")
        yield scene
        assert await faults(scene.store, scene.market, scene.redis_url) == []


async def served(scene: Scene, name: str, booking_id: str = "b-past", client_id: str = "c-1") -> None:
    """He served the client yesterday."""
    await scene.at(NOON - DAY)
    await scene.open(booking_id, lead=3, client_id=client_id)
    await scene.only(name, booking_id)
    assert await scene.accept(name, booking_id) == "won"
    await scene.at(NOON - DAY + 4 * HOUR)
    await scene.desk.aftermath.complete(scene.market, booking_id, scene.fresh("done"))
    await scene.at(NOON)
    await scene.settle()


async def link_of(scene: Scene, name: str) -> str:
    made = await acquaintances.make_link(scene.store, await scene.desk.market(scene.market), name, scene.fresh("link"))
    return str(made["code"])


async def rebook(scene: Scene, booking_id: str = "b-1", name: str = "zoe", **changes: Any) -> dict[str, Any]:
    return await scene.open(booking_id, preferred_provider_id=name, **changes)


async def proposal_to(scene: Scene, name: str) -> dict[str, Any]:
    """The last proposal that his devices were told of."""
    found: dict[str, Any] = [message for message in await scene.told(name) if message["type"] == "proposal"][-1]
    return found


# -- R26: personal links ----------------------------------------------------------------------------------------------


@pytest.mark.proves("R26.a")
async def test_a_personal_link_exists_only_after_a_completed_service_r26(scene: Scene) -> None:
    with pytest.raises(Conflict, match="completed a service") as refused:
        await link_of(scene, "ada")
    assert refused.value.code == "no_service_yet"
    await scene.open("b-held", lead=30)
    await scene.only("ada", "b-held")
    await scene.accept("ada", "b-held")
    with pytest.raises(Conflict, match="completed a service"):
        await link_of(scene, "ada")
    assert len(await link_of(scene, "zoe")) >= 12


@pytest.mark.proves("R26.b")
async def test_a_booking_with_a_link_goes_to_its_provider_first_whoever_the_client_is_r26(scene: Scene) -> None:
    code = await link_of(scene, "zoe")
    body = await scene.open(client_id="c-stranger", link=code)
    assert body["direct"] == {"provider_id": "zoe", "state": "asked", "reasons": []}
    assert await scene.states() == {"zoe": "open"}
    proposal = await proposal_to(scene, "zoe")
    assert (proposal["kind"], proposal["reasons"], proposal["booking"]["known_client"]) == ("direct", [], False)


async def test_a_revoked_link_is_worth_nothing_r26(scene: Scene) -> None:
    code = await link_of(scene, "zoe")
    await scene.store.acquaintances.drop_link(scene.market, code)
    with pytest.raises(NotFound):
        await scene.store.acquaintances.drop_link(scene.market, code)
    with pytest.raises(Unprocessable) as refused:
        await scene.open(link=code)
    assert refused.value.code == "unknown_link"


async def test_one_request_makes_one_link_p4(scene: Scene) -> None:
    market = await scene.desk.market(scene.market)
    one, again = [await acquaintances.make_link(scene.store, market, "zoe", "the-same") for _ in range(2)]
    assert one == again
    assert (await acquaintances.links(scene.store, market, "zoe"))["links"] == [one["code"]]


async def test_a_provider_has_twenty_links_at_most(scene: Scene) -> None:
    for _ in range(20):
        await link_of(scene, "zoe")
    with pytest.raises(Conflict) as refused:
        await link_of(scene, "zoe")
    assert refused.value.code == "too_many_links"


# -- R27: rebooking ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("R27.a")
async def test_a_client_may_rebook_whom_he_knows_r27(scene: Scene) -> None:
    body = await rebook(scene, lead=30)
    assert await scene.states() == {"zoe": "open"}
    assert body["candidates"] == 4
    assert body["plan"][0]["at"].startswith("2027-03-12T12:30:00"), "the plan begins when the hold is over"
    assert (await proposal_to(scene, "zoe"))["booking"]["known_client"] is True
    assert (await scene.desk.booking(scene.market, "b-1"))["preferred_provider_id"] == "zoe"


@pytest.mark.proves("R27.a")
@pytest.mark.parametrize(("client", "name"), [("c-1", "ada"), ("c-2", "zoe"), ("c-1", "nobody")])
async def test_one_who_has_not_served_him_is_refused_r27(scene: Scene, client: str, name: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        await rebook(scene, name=name, client_id=client)
    assert refused.value.code == "not_served"


async def test_a_link_and_a_name_must_mean_the_same_provider(scene: Scene) -> None:
    await served(scene, "ada", "b-other")
    code = await link_of(scene, "ada")
    with pytest.raises(Unprocessable, match="two providers"):
        await rebook(scene, link=code)
    assert (await rebook(scene, name="ada", link=code))["direct"]["provider_id"] == "ada"


async def test_his_win_has_the_cause_direct_p1(scene: Scene) -> None:
    await rebook(scene)
    assert await scene.accept("zoe") == "won"
    events = await scene.store.bookings.timeline(scene.market, (await scene.record()).no)
    assert [event["cause"] for event in events if event["type"] == "Accepted"] == ["direct"]


# -- R28: hold and fall-through ---------------------------------------------------------------------------------------


@pytest.mark.proves("R26.b", "R27.a", "R28.c")
@pytest.mark.parametrize(("lead", "hold"), [(5, 2 * MINUTE), (30, HELD), (90, HELD)])
async def test_waves_hold_for_him_as_long_as_the_class_says_r26_r28(scene: Scene, lead: float, hold: int) -> None:
    await rebook(scene, lead=lead)
    await scene.receive("zoe")
    assert await scene.settle() <= NOON + hold  # type: ignore[operator]
    await scene.at(NOON + hold - 1)
    await scene.settle()
    assert await scene.states() == {"zoe": "open"}
    await scene.at(NOON + hold)
    await scene.settle()
    assert "ada" in await scene.states()
    assert (await scene.states())["zoe"] in ("open", "stale")


@pytest.mark.proves("R28.c", "R28.d")
async def test_after_his_no_the_waves_start_at_once_and_he_is_not_asked_again_r28(scene: Scene) -> None:
    await rebook(scene, lead=30)
    await scene.receive("zoe")
    await scene.later(minutes=1)
    await scene.refuse("zoe")
    assert list((await scene.timers()).values()) == [scene.now]
    await scene.settle()
    assert await scene.states() == {"ada": "open", "zoe": "refused"}
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
        await scene.settle()
    assert (await scene.states())["zoe"] == "refused"
    assert sum(message["type"] == "proposal" for message in await scene.told("zoe") if message.get("kind") == "direct") == 1


@pytest.mark.proves("R21.a", "R21.b")
@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_how_fast_he_answers_a_direct_proposal_is_on_record_r21(scene: Scene, answer: str) -> None:
    await rebook(scene)
    await scene.receive("zoe", seen=True)
    await scene.later(seconds=42)
    assert await (scene.accept if answer == "yes" else scene.refuse)("zoe") in ("won", "done")
    (row,) = [one for one in (await scene.desk.booking(scene.market, "b-1"))["proposals"] if one["provider_id"] == "zoe"]
    assert (row["kind"], row["response_ms"]) == ("direct", 42_000)


@pytest.mark.proves("R28.c")
@pytest.mark.parametrize(("lead", "grace"), [(5, 20_000), (30, 120_000)])
async def test_after_the_grace_the_waves_start_when_nothing_reached_him_r28_r14(scene: Scene, lead: float, grace: int) -> None:
    await rebook(scene, lead=lead)
    await scene.at(NOON + grace - 1)
    await scene.settle()
    assert await scene.states() == {"zoe": "open"}
    await scene.at(NOON + grace)
    await scene.settle()
    assert (await scene.states())["ada"] == "open"
    assert await scene.accept("zoe") == "won", "he may still take it"


async def test_the_first_wave_after_the_hold_is_a_whole_one_and_is_the_first_r28(scene: Scene) -> None:
    await rebook(scene, lead=5)
    await scene.refuse("zoe")
    await scene.settle()
    assert await scene.states() == {"ada": "open", "ben": "open", "cleo": "open", "zoe": "refused"}
    assert (await scene.record()).wave == 1


@pytest.mark.proves("R28.b")
async def test_zone_and_hours_only_mark_the_proposal_r28(scene: Scene) -> None:
    far = {"type": "circle", "lat": 48.86, "lng": 2.5, "radius_km": 3}
    await scene.provider("zoe", hours="Mo-Su 08:00-16:20", zone=far)
    body = await rebook(scene, lead=4)
    reasons = ["40 min outside your hours", "8.8 km outside your zone"]
    assert body["direct"] == {"provider_id": "zoe", "state": "asked", "reasons": reasons}
    assert (await proposal_to(scene, "zoe"))["reasons"] == reasons
    (row,) = (await scene.desk.booking(scene.market, "b-1"))["proposals"]
    assert (row["kind"], row["reasons"], row["wave"]) == ("direct", reasons, 0)
    assert await scene.accept("zoe") == "won"


async def _inactive(scene: Scene) -> None:
    await scene.provider("zoe", status="inactive", reachable=False)


async def _without_it(scene: Scene) -> None:
    await scene.provider("zoe", catalogue=[], reachable=False)


async def _blocked(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "zoe", "c-1")


async def _busy(scene: Scene) -> None:
    await scene.open("b-busy", lead=30.5, client_id="c-9")
    await scene.only("zoe", "b-busy")
    assert await scene.accept("zoe", "b-busy") == "won"


async def _away(scene: Scene) -> None:
    await scene.disconnect("zoe")


@pytest.mark.proves("R28.a")
@pytest.mark.parametrize(
    ("why", "reason"),
    [(_inactive, "status"), (_without_it, "catalogue"), (_blocked, "blocked"), (_busy, "overlap"), (_away, "unreachable")],
)
async def test_what_binds_makes_the_waves_start_with_the_booking_r28(scene: Scene, why: Any, reason: str) -> None:
    await why(scene)
    body = await rebook(scene, lead=30)
    assert body["direct"]["state"] == "missed"
    assert reason in body["direct"]["reasons"]
    assert list(await scene.states()) == ["ada"] or "ada" in await scene.states()
    assert "zoe" not in await scene.states()
    assert "Missed" in await scene.story()


async def test_a_day_of_absence_only_marks_it_too_r28(scene: Scene) -> None:
    await scene.provider("zoe", absences=[{"from": "2027-03-13", "to": "2027-03-13"}])
    assert (await rebook(scene, lead=24))["direct"]["reasons"] == ["outside your hours"]


async def test_quiet_hours_are_waited_for_and_the_hold_begins_after_them_r28_r12(scene: Scene) -> None:
    await scene.settings(**QUIET)
    await scene.at(NOON + 11 * HOUR)  # 23:00
    body = await rebook(scene, lead=40)
    assert body["direct"]["state"] == "waiting"
    assert await scene.states() == {}
    asked_at = await scene.settle()
    assert asked_at is not None
    assert 8 * HOUR <= asked_at - scene.now <= 8 * HOUR + 10 * MINUTE
    await scene.at(asked_at)
    await scene.settle()
    assert await scene.states() == {"zoe": "open"}
    await scene.receive("zoe")
    await scene.at(asked_at + HELD - 1)
    await scene.settle()
    assert await scene.states() == {"zoe": "open"}
    await scene.at(asked_at + HELD)
    await scene.settle()
    assert "ada" in await scene.states()


async def test_what_binds_only_at_night_is_judged_in_the_morning_r28_r3(scene: Scene) -> None:
    await scene.settings(**QUIET)
    await scene.disconnect("zoe")
    await scene.at(NOON + 11 * HOUR)
    assert (await rebook(scene, lead=40))["direct"]["state"] == "waiting"
    await scene.connect("zoe")
    asked_at = await scene.settle()
    assert asked_at is not None
    await scene.at(asked_at)
    await scene.settle()
    assert await scene.states() == {"zoe": "open"}


async def test_one_who_cannot_be_asked_in_the_morning_is_passed_over_at_once_r28(scene: Scene) -> None:
    await scene.settings(**QUIET)
    await scene.at(NOON + 11 * HOUR)
    await rebook(scene, lead=40)
    await scene.desk.put_provider_block(scene.market, "zoe", "c-1")
    asked_at = await scene.settle()
    assert asked_at is not None
    await scene.at(asked_at)
    await scene.settle()
    assert await scene.states() == {"ada": "open"}
    assert "Missed" in await scene.story()


@pytest.mark.proves("R13.b")
async def test_a_no_in_quiet_hours_does_not_wake_the_others_r28_r13(scene: Scene) -> None:
    await scene.settings(**QUIET)
    await scene.at(NOON + 10 * HOUR - 10 * MINUTE)  # 21:50
    await rebook(scene, lead=40)
    await scene.receive("zoe")
    await scene.later(minutes=20)
    await scene.refuse("zoe")
    due = await scene.settle()
    assert await scene.states() == {"zoe": "refused"}
    assert due is not None
    assert due - scene.now >= 8 * HOUR + 50 * MINUTE


async def test_a_last_minute_booking_asks_him_at_night_r28_r12(scene: Scene) -> None:
    await scene.settings(**QUIET)
    await scene.at(NOON + 12 * HOUR)
    assert (await rebook(scene, lead=5))["direct"]["state"] == "asked"


async def test_of_several_windows_he_sees_those_in_which_he_is_free_r28(scene: Scene) -> None:
    await _busy(scene)
    body = await rebook(scene, leads=(30, 50))
    assert body["direct"]["state"] == "asked"
    proposal = await proposal_to(scene, "zoe")
    assert len(proposal["booking"]["windows"]) == 1
    assert await scene.accept("zoe") == "won"
    assert (await scene.record()).window == 1


async def test_his_settings_that_change_before_he_is_asked_are_judged_anew_r28(scene: Scene) -> None:
    """The store refuses what was judged on settings that are no more."""
    await scene.settings(**QUIET)
    await scene.at(NOON + 11 * HOUR)
    await rebook(scene, lead=40)
    asked_at = await scene.settle()
    assert asked_at is not None
    await scene.at(asked_at)
    market, record = await scene.desk.market(scene.market), await scene.record()
    turn = await scene.rounds._turn(record.no, market, record, NONE_YET)
    await scene.provider("zoe", hours="Mo-Su 01:00-02:00")
    assert (await scene.take(turn))["word"] == "STALE"
    await scene.settle()
    assert (await proposal_to(scene, "zoe"))["reasons"] == ["outside your hours"]


# -- whom a client knows ----------------------------------------------------------------------------------------------


async def known(scene: Scene, *leads: float, client: str = "c-1", services: tuple[str, ...] = ()) -> dict[str, list[int]]:
    request = scene.request("probe", leads=leads)
    from dispatch.matcher import to_query

    market = await scene.desk.market(scene.market)
    windows = to_query(request, (), market.settings).windows
    rows = await acquaintances.known_providers(scene.store, market, client, windows, services)
    return {row["provider_id"]: row["windows"] for row in rows}


@pytest.mark.proves("R27.b")
async def test_whom_he_knows_and_who_of_them_is_free_best_first_r27(scene: Scene) -> None:
    await served(scene, "ada", "b-two")
    await scene.provider("zoe", hours="Mo-Su 08:00-20:00")
    assert await known(scene, 3, 12) == {"ada": [0, 1], "zoe": [0]}
    await _busy(scene)
    assert await known(scene, 30.5) == {"ada": [0]}
    assert await known(scene, 3, client="c-nobody") == {}
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")
    assert list(await known(scene, 3)) == ["zoe"]


@pytest.mark.proves("R27.b")
async def test_the_best_of_those_he_knows_come_by_rank_r27(scene: Scene) -> None:
    await scene.provider("zoe", initial_rank={"tier": "premier", "score": 9})
    await served(scene, "ada", "b-two")
    assert list(await known(scene, 3)) == ["zoe", "ada"]
