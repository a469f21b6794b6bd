"""Bonus proposals: when nobody is left, those who would fit if one setting of theirs were wider (R30-R32)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine import bonus
from dispatch.engine.requests import BonusRequest
from dispatch.errors import Conflict, Unprocessable
from dispatch.model import MarketSettings
from tests.store.scene import HOUR, MINUTE, NOON, Scene, play
from tests.store.soundness import faults

EARLY = "Mo-Su 08:00-17:20"  # a visit from 17:00 to 18:00 ends 40 min after that
AWAY = {"type": "circle", "lat": 48.86, "lng": 2.44, "radius_km": 3}  # its rim is 4.3 km from the place


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A market in which ada alone fits; visits begin in five hours, at 17:00."""
    async with play(redis_url, market, tmp_path) as scene:
        await scene.provider("ada")
        yield scene
        assert await faults(scene.store, scene.market, scene.redis_url) == []


async def starve(scene: Scene, booking_id: str = "b-1", **changes: Any) -> None:
    """Ada says no, and nobody is left."""
    await scene.open(booking_id, **{"lead": 5, **changes})
    if (await scene.states(booking_id)).get("ada") == "open":
        await scene.refuse("ada", booking_id)
    await scene.settle()


async def work(scene: Scene) -> None:
    """What the worker does for those that have nobody left, and for plans that it moves."""
    await bonus.Bonuses(scene.store).once()
    await scene.settle()


async def listed(scene: Scene, booking_id: str = "b-1") -> list[dict[str, Any]]:
    body = await bonus.listing(scene.store, await scene.desk.market(scene.market), booking_id)
    rows: list[dict[str, Any]] = body["providers"]
    return rows


async def approve(scene: Scene, *names: str, rid: str | None = None, reason: str = "") -> dict[str, Any]:
    request = msgspec.convert({"provider_ids": names or None, "reason": reason}, BonusRequest)
    market = await scene.desk.market(scene.market)
    return await bonus.approve(scene.store, market, "b-1", request, rid or scene.fresh("approve"), "key-of-ops")


async def message_to(scene: Scene, name: str) -> dict[str, Any]:
    found: dict[str, Any] = [message for message in await scene.told(name) if message["type"] == "proposal"][-1]
    return found


async def kinds(scene: Scene) -> dict[str, str]:
    record = await scene.record()
    return {name: record.proposals[no].kind for name, no in scene.numbers.items() if no in record.proposals}


# -- R30: who, and in which order -------------------------------------------------------------------------------------


@pytest.mark.proves("R30.b")
async def test_one_setting_at_a_time_is_stretched_hours_before_zone_before_both_r30(scene: Scene) -> None:
    await scene.provider("both", hours=EARLY, zone=AWAY)
    await scene.provider("zone", zone=AWAY)
    await scene.provider("hours", hours=EARLY)
    await starve(scene)
    rows = [(row["provider_id"], row["step"], row["reasons"]) for row in await listed(scene)]
    assert rows == [
        ("hours", 0, ["40 min outside your hours"]),
        ("zone", 1, ["4.4 km outside your zone"]),
        ("both", 2, ["40 min outside your hours", "4.4 km outside your zone"]),
    ]


@pytest.mark.proves("R30.b")
@pytest.mark.parametrize(
    ("hours", "minutes"),
    [
        ("Mo-Su 08:00-17:00", 60),
        ("Mo-Su 08:00-16:59", None),
        ("Mo-Su 18:00-22:00", 60),
        ("Mo-Su 18:01-22:00", None),
        ("Mo-Su 08:00-17:10,17:50-20:00", 40),
        ("Mo-Su 17:20-17:40", 40),
        ("Mo-Su 08:00-12:00", None),
        ("Mo-Th 08:00-20:00", None),
    ],
)
async def test_hours_are_stretched_by_an_hour_at_most_r30(scene: Scene, hours: str, minutes: int | None) -> None:
    await scene.provider("ben", hours=hours)
    await starve(scene)
    assert [row["reasons"] for row in await listed(scene)] == ([] if minutes is None else [[f"{minutes} min outside your hours"]])


@pytest.mark.parametrize(("start", "length", "minutes"), [(17, 0.5, 60), (17, 3, 60), (16.5, 2, 30), (14, 4.5, 60), (17.25, 0.5, None)])
async def test_short_and_long_visits_are_found_too_r30(scene: Scene, start: float, length: float, minutes: int | None) -> None:
    close = {(17, 0.5): "16:30", (17, 3): "19:00", (16.5, 2): "18:00", (14, 4.5): "17:30", (17.25, 0.5): "16:40"}[(start, length)]
    await scene.provider("ben", hours=f"Mo-Su 08:00-{close}")
    lead = start - 12
    window = scene.request("probe", lead=lead).windows[0]
    end = window.start.fromtimestamp(window.start.timestamp() + length * 3_600, window.start.tzinfo)
    await starve(scene, windows=[{"start": window.start, "end": end}])
    assert [row["reasons"] for row in await listed(scene)] == ([] if minutes is None else [[f"{minutes} min outside your hours"]])


@pytest.mark.proves("R30.b")
@pytest.mark.parametrize(
    ("zone", "reasons"),
    [
        ({"type": "circle", "lat": 48.86, "lng": 2.34 + 0.1, "radius_km": 2.4}, ["5.0 km outside your zone"]),
        ({"type": "circle", "lat": 48.86, "lng": 2.34 + 0.1, "radius_km": 2.2}, None),
        (
            {"type": "polygon", "coordinates": [[2.38, 48.84], [2.42, 48.84], [2.42, 48.88], [2.38, 48.88]]},
            ["3.0 km outside your zone"],
        ),
        ({"type": "polygon", "coordinates": [[2.42, 48.84], [2.45, 48.84], [2.45, 48.88], [2.42, 48.88]]}, None),
    ],
)
async def test_zones_grow_by_five_kilometres_at_most_r30(scene: Scene, zone: dict[str, Any], reasons: list[str] | None) -> None:
    await scene.provider("ben", zone=zone)
    await starve(scene)
    assert [row["reasons"] for row in await listed(scene)] == ([reasons] if reasons else [])


async def test_those_of_whom_less_is_asked_come_first_then_by_rank_r30(scene: Scene) -> None:
    await scene.provider("hour", hours="Mo-Su 08:00-17:00")
    await scene.provider("low", hours="Mo-Su 08:00-17:50")
    await scene.provider("high", hours="Mo-Su 08:00-17:50", initial_rank={"tier": "premier", "score": 9})
    await scene.provider("near", zone={"type": "circle", "lat": 48.86, "lng": 2.44, "radius_km": 6})
    await scene.provider("far", zone=AWAY, initial_rank={"tier": "premier", "score": 9})
    await starve(scene)
    assert [row["provider_id"] for row in await listed(scene)] == ["high", "low", "hour", "near", "far"]


@pytest.mark.proves("R30.b")
async def test_the_steps_are_a_setting_r30(scene: Scene) -> None:
    await scene.provider("zone", zone=AWAY)
    await scene.provider("hours", hours=EARLY)
    await scene.settings(bonus_steps=[{"zone_km": 5}, {"hours_min": 30}])
    await starve(scene)
    assert [row["provider_id"] for row in await listed(scene)] == ["zone"]


async def _other_trade(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY, catalogue=[])


async def _blocked(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await scene.desk.put_provider_block(scene.market, "ben", "c-1")


async def _busy(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await scene.open("b-busy", lead=3.5, client_id="c-9")  # until 16:30, and half an hour of travel
    await scene.only("ben", "b-busy")
    assert await scene.accept("ben", "b-busy") == "won"
    await scene.settings(travel_gap_s=2_400)


async def _away(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY, reachable=False)


async def _undisturbed(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY, do_not_disturb={"from": "11:50", "to": "12:10"})


async def _absent(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY, absences=[{"from": "2027-03-12", "to": "2027-03-12"}])


@pytest.mark.proves("R30.c")
@pytest.mark.parametrize("why", [_other_trade, _blocked, _busy, _away, _undisturbed, _absent])
async def test_catalogue_blocks_overlaps_and_the_rest_of_r2_are_never_stretched_r30_p5(scene: Scene, why: Any) -> None:
    await why(scene)
    await scene.settings(bonus_mode="auto", **({"travel_gap_s": 2_400} if why is _busy else {}))
    await starve(scene)
    await work(scene)
    assert await listed(scene) == []
    assert "ben" not in await scene.states()


async def test_one_who_fits_is_no_near_miss_and_neither_is_one_who_was_asked_r30(scene: Scene) -> None:
    await scene.settings(bonus_mode="auto")
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary", "ben": "bonus"}
    await scene.provider("cleo")
    assert await listed(scene) == []


# -- R31: the three modes ---------------------------------------------------------------------------------------------


@pytest.mark.proves("R30.a", "R31.a")
async def test_by_default_ops_confirm_the_list_r31(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await scene.provider("cleo", zone=AWAY)
    assert MarketSettings().bonus_mode == "approve"
    await starve(scene)
    await work(scene)
    assert (await scene.story())[-1] == "BonusPrepared"
    await scene.later(minutes=10)
    await scene.settle()
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary"}, "nothing is sent without a word of theirs"
    assert (await scene.story()).count("BonusPrepared") == 1, "and they are told once"
    said = await approve(scene, "cleo", reason="he is near")
    assert said["approved"] == ["cleo"]
    assert [(row["provider_id"], row["approved"]) for row in await listed(scene)] == [("ben", False), ("cleo", True)]
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary", "cleo": "bonus"}
    events = await scene.store.bookings.timeline(scene.market, (await scene.record()).no)
    (approved,) = [event for event in events if event["type"] == "BonusApproved"]
    assert (approved["approved"], approved["by"]) == ([scene.numbers["cleo"]], "key-of-ops")
    assert (await scene.record()).who["bonus_reason"] == "he is near"


async def test_a_whole_list_is_sent_by_waves_of_the_class_r31_r12(scene: Scene) -> None:
    for number in range(5):
        await scene.provider(f"p-{number}", hours=EARLY)
    await starve(scene)
    await work(scene)
    assert (await approve(scene))["approved"] == [f"p-{number}" for number in range(5)]
    await work(scene)
    assert list((await kinds(scene)).values()) == ["ordinary", *["bonus"] * 3]
    for name in ("p-0", "p-1", "p-2"):
        await scene.receive(name)
    await scene.later(minutes=3)
    await scene.settle()
    await work(scene)
    assert len(await kinds(scene)) == 6


async def test_when_all_of_them_say_no_the_next_are_asked_at_once_r31_r13(scene: Scene) -> None:
    for number in range(4):
        await scene.provider(f"p-{number}", hours=EARLY)
    await scene.settings(bonus_mode="auto")
    await starve(scene)
    await work(scene)
    for name in ("p-0", "p-1", "p-2"):
        await scene.refuse(name)
    await scene.settle()
    await work(scene)
    assert (await scene.states())["p-3"] == "open"


@pytest.mark.proves("R31.b", "R32.a")
async def test_in_mode_auto_they_leave_by_themselves_marked_and_with_their_reason_r31_r32(scene: Scene) -> None:
    await scene.settings(bonus_mode="auto")
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    await work(scene)
    message = await message_to(scene, "ben")
    assert (message["kind"], message["reasons"], message["wave"]) == ("bonus", ["40 min outside your hours"], 2)
    assert "BonusPrepared" not in await scene.story()
    assert await scene.accept("ben") == "won"


@pytest.mark.proves("R30.a")
async def test_with_nobody_at_all_they_leave_with_the_booking_r30_r31(scene: Scene) -> None:
    await scene.settings(bonus_mode="auto")
    await scene.disconnect("ada")
    await scene.provider("ben", hours=EARLY)
    body = await scene.open(lead=5)
    assert body["candidates"] == 0
    await work(scene)
    assert await kinds(scene) == {"ben": "bonus"}


@pytest.mark.proves("R31.c")
async def test_in_mode_manual_nothing_happens_by_itself_r31(scene: Scene) -> None:
    await scene.settings(bonus_mode="manual")
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary"}
    assert "BonusPrepared" not in await scene.story()
    await approve(scene, "ben")
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary", "ben": "bonus"}


@pytest.mark.proves("R30.a")
async def test_no_bonus_leaves_while_somebody_is_left_r30(scene: Scene) -> None:
    for name in ("ben", "cleo", "dan"):
        await scene.provider(name)
    await scene.provider("late", hours=EARLY)
    await scene.open(lead=5)
    await approve(scene, "late")
    await work(scene)
    assert set((await kinds(scene)).values()) == {"ordinary"}
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    await scene.settle()
    await work(scene)
    assert "late" not in await kinds(scene), "dan is left"
    await scene.refuse("dan")
    await scene.settle()
    await work(scene)
    assert (await kinds(scene))["late"] == "bonus"


async def test_ops_confirm_only_whom_the_list_names_r31(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    with pytest.raises(Unprocessable, match="ada") as refused:
        await approve(scene, "ada")
    assert refused.value.code == "not_nearly"
    await scene.cancel()
    with pytest.raises(Conflict, match="cancelled"):
        await approve(scene)


async def test_one_request_approves_once_and_hears_the_same_p4(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    first = await approve(scene, "ben", rid="the-same")
    await work(scene)
    assert await approve(scene, "ben", rid="the-same") == first
    assert (await scene.story()).count("BonusApproved") == 1


async def test_quiet_hours_are_respected_r31_r12(scene: Scene) -> None:
    await scene.settings(bonus_mode="auto", quiet_hours={"from": "22:00", "to": "07:00"})
    await scene.provider("ben", hours="Mo-Su 08:00-17:20")
    await scene.at(NOON + 9 * HOUR + 50 * MINUTE)
    await scene.open(lead=43 + 1 / 6)  # at 17:00 the day after tomorrow
    await scene.later(minutes=12)  # 22:02
    await scene.refuse("ada")
    await scene.settle()
    await work(scene)
    assert await kinds(scene) == {"ada": "ordinary"}
    for _ in range(3):
        due = await scene.settle()
        assert due is not None
        await scene.at(max(due, scene.now))
        await scene.settle()
        await work(scene)
    assert (await kinds(scene))["ben"] == "bonus"
    assert scene.now >= NOON + 19 * HOUR


async def test_an_approval_at_night_waits_for_the_morning_r31_r12(scene: Scene) -> None:
    await scene.provider("ben", hours="Mo-Su 08:00-17:20")
    await starve(scene, lead=29)
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    await scene.at(NOON + 11 * HOUR)
    said = await approve(scene, "ben")
    assert said["from"].startswith("2027-03-13T07:0")
    await work(scene)
    assert "ben" not in await kinds(scene)
    await scene.at(NOON + 19 * HOUR + 10 * MINUTE)
    await scene.settle()
    await work(scene)
    assert (await kinds(scene))["ben"] == "bonus"


async def test_what_changed_since_the_look_is_not_sent_p5(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    market, record = await scene.desk.market(scene.market), await scene.record()
    (found,) = await bonus.look(scene.store, market, record)
    await scene.provider("ben", hours="Mo-Su 01:00-02:00")
    plan = bonus._plan(market, record)
    assert await scene.store.starvation.settle(scene.market, record.no, record.rev, people=[found.named()], plan=plan) == 0
    assert await scene.store.starvation.settle(scene.market, record.no, record.rev - 1, people=[found.named()], plan=plan) is None
    assert "ben" not in await scene.states()


async def test_one_who_has_won_another_visit_meanwhile_is_not_asked_r30_p5(scene: Scene) -> None:
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    market, record = await scene.desk.market(scene.market), await scene.record()
    (found,) = await bonus.look(scene.store, market, record)
    await scene.open("b-busy", lead=4.1, client_id="c-9")
    await scene.only("ben", "b-busy")
    assert await scene.accept("ben", "b-busy") == "won"
    plan = bonus._plan(market, record)
    assert await scene.store.starvation.settle(scene.market, record.no, record.rev, people=[found.named()], plan=plan) == 0
    assert "ben" not in await scene.states()


# -- R32: it never counts ---------------------------------------------------------------------------------------------


async def asked_for_bonus(scene: Scene) -> dict[str, Any]:
    """Ben has a bonus proposal on his screen; what was kept of him before."""
    await scene.settings(bonus_mode="auto")
    await scene.provider("ben", hours=EARLY)
    await starve(scene)
    before = await facts_of(scene, "ben")
    await work(scene)
    await scene.receive("ben", seen=True)
    return before


async def facts_of(scene: Scene, name: str) -> dict[str, Any]:
    """What may count for or against him: answers, a row of silence, since when he waits."""
    key = f"{{{scene.market}}}:p:{scene.numbers[name]}"
    kept = await scene.redis.hmget(key, "answered", "unanswered", "paused")
    standing = await scene.store.providers.get(scene.market, name)
    return {"kept": kept, "asked_at": standing.asked_at}


@pytest.mark.proves("R32.b")
async def test_a_no_to_a_bonus_counts_nowhere_r32(scene: Scene) -> None:
    before = await asked_for_bonus(scene)
    habits = await scene.store.habits.read(scene.market, scene.now)
    await scene.later(minutes=5)
    assert await scene.refuse("ben") == "done"
    assert await facts_of(scene, "ben") == before
    assert await scene.store.habits.read(scene.market, scene.now) == habits
    row = next(p for p in (await scene.desk.booking(scene.market, "b-1"))["proposals"] if p["kind"] == "bonus")
    assert (row["state"], row["response_ms"]) == ("refused", None)
    events = await scene.store.bookings.timeline(scene.market, (await scene.record()).no)
    assert [event.get("took") for event in events if event["type"] == "Refused" and event["p"] == scene.numbers["ben"]] == [None]


@pytest.mark.proves("R32.b", "R40.d")
async def test_silence_to_a_bonus_counts_nowhere_r32_r40(scene: Scene) -> None:
    before = await asked_for_bonus(scene)
    await scene.later(minutes=30)
    await scene.settle()
    assert (await scene.states())["ben"] == "stale"
    assert await facts_of(scene, "ben") == before
    await scene.later(hours=4)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    assert await facts_of(scene, "ben") == before
    rows = (await scene.desk.booking(scene.market, "b-1"))["proposals"]
    assert [row["response_ms"] for row in rows if row["kind"] == "bonus"] == [None]


@pytest.mark.proves("R24.a", "R32.b")
async def test_a_bonus_proposal_may_be_answered_with_other_times_r24_r32(scene: Scene) -> None:
    before = await asked_for_bonus(scene)
    assert await scene.counter("ben", (4, 4.1, 4.2, 4.3, 4.4)) == "sent"
    (shown,) = (await scene.desk.booking(scene.market, "b-1"))["counteroffers"]
    assert (shown["provider_id"], shown["state"], len(shown["windows"])) == ("ben", "shown", 5)
    assert (await scene.states())["ben"] == "countered"
    assert await facts_of(scene, "ben") == before


@pytest.mark.proves("R8.b", "R32.a")
async def test_explain_says_that_it_was_a_bonus_and_why_r8_r32(scene: Scene) -> None:
    await asked_for_bonus(scene)
    text = (await scene.desk.explain(scene.market, "b-1", "ben"))["text"]
    assert text == [
        "you were asked in wave 2 although you do not quite fit, as nobody else was left; it costs nothing to say no",
        "40 min outside your hours",
    ]


async def test_several_windows_show_those_that_nearly_fit_r30_r11(scene: Scene) -> None:
    await scene.settings(bonus_mode="auto")
    await scene.provider("ben", hours=EARLY)
    await scene.disconnect("ada")
    await scene.open(leads=(5, 5.25, 9))
    await work(scene)
    message = await message_to(scene, "ben")
    assert len(message["booking"]["windows"]) == 2
    assert message["reasons"] == ["up to 55 min outside your hours"]
    assert await scene.accept("ben", window=1) == "won"
    assert (await scene.record()).window == 1
