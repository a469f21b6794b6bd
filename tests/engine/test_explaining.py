"""Why, as things were when a wave was decided, and not as they are now (R8)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.requests import ExplainQuestion
from dispatch.errors import NotFound, Unprocessable
from dispatch.store.keys import key
from tests.store.scene import MINUTE, Scene, play

POOR = {"tier": "premier", "score": 2.9, "orders": 10}
FAR_AWAY = {"type": "circle", "lat": 48.99, "lng": 2.34, "radius_km": 2}


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Waves of one; Ada comes before Ben by tier, and Ben before Cleo; Dan cannot do the service."""
    async with play(redis_url, market, tmp_path, cadence=[{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 600}]) as scene:
        for name, tier, score in (("ada", "premier", 9.1), ("ben", "preferred", 8.0), ("cleo", "preferred", 7.3)):
            await scene.provider(name, initial_rank={"tier": tier, "score": score})
        await scene.provider("dan", catalogue=[])
        yield scene


async def why(scene: Scene, name: str, booking_id: str = "b-1") -> dict[str, Any]:
    return await scene.desk.explain(scene.market, booking_id, name)


async def verdicts(scene: Scene, name: str, booking_id: str = "b-1") -> list[str]:
    """What each decision was for him: the verdict, or the filters."""
    return ["+".join(one["reasons"]) or one["verdict"] for one in (await why(scene, name, booking_id))["decisions"]]


async def account(scene: Scene, **question: Any) -> dict[str, Any]:
    market = await scene.desk.market(scene.market)
    return await scene.desk.explaining.booking(market, "b-1", msgspec.convert(question, ExplainQuestion))


async def next_wave(scene: Scene) -> None:
    await scene.later(minutes=11)
    await scene.settle()


# -- what was true then ------------------------------------------------------------------------------------------------


async def change_zone(scene: Scene) -> None:
    await scene.provider("ben", zone=FAR_AWAY)


async def change_hours(scene: Scene) -> None:
    await scene.provider("ben", hours="Mo-Su 01:00-02:00")


async def change_catalogue(scene: Scene) -> None:
    await scene.provider("ben", catalogue=[])


async def change_status(scene: Scene) -> None:
    await scene.provider("ben", status="pending", reachable=False)


async def disconnect(scene: Scene) -> None:
    await scene.disconnect("ben")


async def switch_off(scene: Scene) -> None:
    await scene.store.links.status(scene.market, scene.numbers["ben"], False, None, "phone")


async def block(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ben", "c-1", "client")


async def fill_up(scene: Scene) -> None:
    """Five live proposals: the cap."""
    for number in range(5):
        await scene.open(f"other-{number}", client_id="c-2", lead=40 + 3 * number)
        await scene.only("ben", f"other-{number}")


async def take_a_visit(scene: Scene) -> None:
    await scene.open("other", client_id="c-2")
    await scene.only("ben", "other")
    assert await scene.accept("ben", "other") == "won"


async def do_not_disturb(scene: Scene) -> None:
    await scene.provider("ben", do_not_disturb={"from": "12:00", "to": "13:00"})


CHANGES = [
    (change_zone, "zone"), (change_hours, "hours"), (change_catalogue, "catalogue"), (change_status, "status"), (disconnect, "unreachable"),
    (switch_off, "unreachable"), (block, "blocked"), (fill_up, "cap"), (take_a_visit, "overlap"), (do_not_disturb, "do_not_disturb"),
]  # fmt: skip


@pytest.mark.proves("R8.a")
@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=lambda value: getattr(value, "__name__", value))
async def test_what_changes_after_a_decision_does_not_change_what_is_told_of_it_r8(scene: Scene, change: Any, reason: str) -> None:
    await scene.open()
    before = await why(scene, "ben")
    assert [one["verdict"] for one in before["decisions"]] == ["outranked"]
    await scene.later(seconds=60)
    await change(scene)
    after = await why(scene, "ben")
    assert after["decisions"][0] == before["decisions"][0]
    assert after["text"] == before["text"]
    await scene.later(seconds=30)
    for name in ("ada", "cleo"):  # nobody else is there when the next wave is decided
        await scene.disconnect(name)
    await next_wave(scene)
    assert reason in (await verdicts(scene, "ben"))[-1]


@pytest.mark.proves("R1.b", "R2.k", "R8.a")
@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=lambda value: getattr(value, "__name__", value))
async def test_what_left_him_out_is_told_though_it_is_over_r8(scene: Scene, change: Any, reason: str) -> None:
    await change(scene)
    await scene.later(seconds=5)
    await scene.open()
    assert await verdicts(scene, "ben") == [reason]
    await scene.later(seconds=60)
    await scene.provider("ben", do_not_disturb=None)
    await scene.store.links.status(scene.market, scene.numbers["ben"], True, None, "phone")
    if reason == "blocked":
        await scene.desk.delete_provider_block(scene.market, "ben", "c-1", "client")
    if reason == "overlap":
        await scene.cancel("other", by="client")
    if reason == "cap":
        for number in range(5):
            await scene.cancel(f"other-{number}")
    found = await why(scene, "ben")
    assert (found["reasons"], [one["reasons"] for one in found["decisions"]]) == ([reason], [[reason]])
    assert "ben" in await scene.candidates()  # as things are now he would fit


async def test_one_who_came_later_is_told_so_r8(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=1)
    await scene.provider("eve", catalogue=[])
    found = await why(scene, "eve")
    assert [one["verdict"] for one in found["decisions"]] == ["not_there"]
    assert found["reasons"] == ["catalogue"]  # as things are now: nothing was decided about him


@pytest.mark.proves("R8.a")
async def test_each_wave_is_told_of_by_itself_r8(scene: Scene) -> None:
    await scene.open()
    await next_wave(scene)
    await scene.later(seconds=1)
    await scene.disconnect("cleo")
    await next_wave(scene)
    assert [one["verdict"] for one in (await why(scene, "ada"))["decisions"]] == ["asked", "left_out", "left_out"]
    assert await verdicts(scene, "ada") == ["asked", "asked", "asked"]  # and then by the filter `asked`
    assert await verdicts(scene, "ben") == ["outranked", "asked", "asked"]
    assert await verdicts(scene, "cleo") == ["outranked", "outranked", "unreachable"]
    assert [one["wave"] for one in (await why(scene, "cleo"))["decisions"]] == [1, 2, 3]


@pytest.mark.parametrize("end", ["cancelled", "accepted", "unfilled"])
async def test_it_is_told_after_the_end_too_r8(scene: Scene, end: str) -> None:
    await scene.disconnect("ben")
    await scene.open()
    await scene.later(seconds=1)
    await scene.connect("ben")
    if end == "accepted":
        assert await scene.accept("ada") == "won"
    elif end == "cancelled":
        await scene.cancel()
    else:
        for name in ("ada", "ben", "cleo"):
            await scene.disconnect(name)
        await scene.at((await scene.record()).deadline)
        await scene.settle()
    assert (await scene.record()).state == end
    await scene.later(days=20)
    assert (await why(scene, "ada"))["asked"]["wave"] == 1
    assert (await verdicts(scene, "ben"))[0] == "unreachable"
    assert (await account(scene, decision=1))["left_out"]["counts"] == {"asked": 1, "unreachable": 1, "outranked": 1, "catalogue": 1}


async def test_windows_that_were_dropped_count_for_the_decisions_before_r8(scene: Scene) -> None:
    await scene.provider("ben", hours="Fr 16:00-17:00")
    await scene.open(leads=(4, 8))  # 16:00 and 20:00
    await scene.at((await scene.record()).deadline)
    await scene.settle()
    assert len((await scene.record()).windows) == 1
    await scene.refuse("ada")
    await scene.settle()
    assert (await verdicts(scene, "ben"))[0] == "outranked"
    assert (await verdicts(scene, "ben"))[-1] == "hours"


# -- whose turn it was -------------------------------------------------------------------------------------------------


@pytest.mark.proves("R1.b", "R8.b", "R8.c")
async def test_others_come_first_by_tier_or_within_the_tier_and_no_score_is_told_r8_r65(scene: Scene) -> None:
    await scene.open()
    await next_wave(scene)
    texts = {name: [text for one in (await why(scene, name))["decisions"] for text in one["text"]] for name in ("ben", "cleo")}
    assert "providers of a higher tier" in texts["ben"][0]
    assert ["higher tier" in texts["cleo"][0], "of your tier" in texts["cleo"][1]] == [True, True]
    said = msgspec.json.encode([await why(scene, name) for name in ("ada", "ben", "cleo", "dan")] + [await account(scene)]).decode()
    assert [number for number in ("9.1", "8.0", "7.3", "910", "800", "730") if re.search(rf"\b{re.escape(number)}\b", said)] == []
    assert [name for name in ('"score"', "bucket") if name in said] == []


@pytest.mark.proves("R1.b")
async def test_an_under_performer_is_told_why_he_was_held_back_r7_r8(scene: Scene) -> None:
    await scene.provider("eve", initial_rank=POOR)
    for name in ("ada", "cleo"):
        await scene.disconnect(name)
    await scene.open()
    await next_wave(scene)
    rows = (await why(scene, "eve"))["decisions"]
    assert [one["verdict"] for one in rows] == ["held_back", "asked"]
    assert "below the market's minimum" in rows[0]["text"][0]


async def test_one_who_is_alone_behind_all_others_is_told_so_r7_r8(scene: Scene) -> None:
    await scene.provider("eve", initial_rank=POOR)
    for name in ("ada", "ben", "cleo"):
        await scene.disconnect(name)
    await scene.open()
    found = await why(scene, "eve")
    assert (found["asked"]["wave"], [one["wave"] for one in found["decisions"]]) == (2, [2])
    assert (await account(scene))["decisions"][0]["first_wave_skipped"] is True


@pytest.mark.proves("R1.b")
async def test_a_draw_is_told_with_its_seed_r6_r8(scene: Scene) -> None:
    await scene.settings(newcomer_share=1.0, cadence=[{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 600}])
    for name in ("ada", "ben"):
        await scene.provider(name, initial_rank={"tier": "premier", "score": 9.1, "answered": 10})
    await scene.open()
    assert await scene.states() == {"cleo": "open"}
    assert "newcomers" in (await why(scene, "cleo"))["text"][0]
    assert "newcomers" in (await why(scene, "ada"))["text"][0]
    told = await account(scene)
    assert (told["seed"], told["decisions"][0]["drawn"]) == ((await scene.record()).seed, ["cleo"])


# -- of everybody ------------------------------------------------------------------------------------------------------


async def test_a_decision_is_told_with_counts_and_with_the_best_ranked_left_out_r8(scene: Scene) -> None:
    for number in range(60):
        await scene.provider(f"p-{number}", zone=FAR_AWAY, reachable=False, initial_rank={"tier": "standard", "score": 6.0})
    await scene.open()
    await scene.later(seconds=1)
    await scene.provider("ben", zone=FAR_AWAY)
    left_out = (await account(scene, provider_ids=["dan"]))["left_out"]
    assert left_out["counts"] == {"asked": 1, "outranked": 2, "catalogue": 1, "zone": 60}
    named = [one["provider_id"] for one in left_out["providers"]]
    assert named[:2] == ["ben", "cleo"]  # by rank
    assert (len(named), named[-1], left_out["complete"]) == (51, "dan", True)  # the 50 best-ranked, and who was asked for
    assert {"provider_id": "dan", "verdict": "left_out", "reasons": ["catalogue"]}.items() <= left_out["providers"][-1].items()


async def test_each_decision_can_be_asked_for_by_its_number_r8(scene: Scene) -> None:
    await scene.open()
    await next_wave(scene)
    first, second = [(await account(scene, decision=number))["left_out"] for number in (1, 2)]
    assert (first["wave"], second["wave"]) == (1, 2)
    assert (first["counts"]["outranked"], second["counts"]["outranked"], second["counts"]["asked"]) == (2, 1, 2)
    with pytest.raises(Unprocessable, match="has 2"):
        await account(scene, decision=3)


async def test_before_anything_is_decided_it_is_told_how_things_are_now_r8(scene: Scene) -> None:
    await scene.settings(
        quiet_hours={"from": "11:00", "to": "13:00"}, cadence=[{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 600}]
    )
    await scene.open(lead=30)
    assert await account(scene) == {"booking_id": "b-1", "seed": (await scene.record()).seed, "decisions": [], "left_out": None}
    assert (await why(scene, "dan"))["reasons"] == ["catalogue"]
    assert "others come first" in (await why(scene, "ben"))["text"][0]


async def test_what_was_erased_is_not_guessed_at_r8(scene: Scene) -> None:
    await scene.open()
    await scene.redis.hdel(key("who", scene.market, (await scene.record()).no), "query")
    with pytest.raises(NotFound, match="erased"):
        await why(scene, "dan")


# -- what it costs to keep ---------------------------------------------------------------------------------------------


async def test_the_record_of_a_booking_stays_under_a_kilobyte_r8(scene: Scene) -> None:
    """However often something is decided: the first decisions and the newest ones are kept."""
    await scene.settings(cadence=[{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 60}], longest_search_s={"far": 2_000_000})
    for name in ("ada", "ben", "cleo"):
        await scene.disconnect(name)
    await scene.open(lead=100)
    opened = scene.now
    for number in range(1, 70):
        await scene.at(opened + number * MINUTE)
        await scene.settle()
    name = key("decisions", scene.market, (await scene.record()).no)
    assert await scene.redis.execute_command("MEMORY", "USAGE", name, "SAMPLES", 0) < 1_024
    kept = await scene.store.pasts.decisions(scene.market, (await scene.record()).no, opened)
    assert [(one.at - opened) // MINUTE for one in kept] == [*range(8), *range(33, 70)]


async def test_what_is_kept_of_a_provider_is_bounded_r8(scene: Scene) -> None:
    for number in range(80):
        await scene.disconnect("ben")
        await scene.connect("ben")
        if number < 12:
            await scene.provider("ben", hours=f"Mo-Su 00:00-23:{10 + number}")
    assert await scene.redis.llen(key("past", scene.market, scene.numbers["ben"])) == 128
    assert await scene.redis.llen(key("profiles_past", scene.market, scene.numbers["ben"])) == 8
