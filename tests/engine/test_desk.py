"""The desk: what the booking service is told is what happens (R8, R10, R19)."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.requests import MatchRequest
from dispatch.errors import NotFound
from tests.store.scene import HOUR, MINUTE, NOON, PLACE, Scene, play


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with play(redis_url, market, tmp_path) as scene:
        for number in range(9):
            await scene.provider(f"p-{number}")
        yield scene


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


async def matched(scene: Scene, **changes: Any) -> dict[str, Any]:
    request = scene.request("probe", **{name: value for name, value in changes.items() if name in ("lead", "leads", "client_id")})
    extra = {name: value for name, value in changes.items() if name in ("explain", "explain_ids", "limit")}
    return await scene.desk.match(scene.market, MatchRequest(**msgspec.structs.asdict(request), **extra))


# -- R19: the plan is what happens ------------------------------------------------------------------------------------


@pytest.mark.proves("R12.a", "R19.a")
@pytest.mark.parametrize(
    ("opened_h", "lead", "quiet"),
    [
        (0, 4, None),
        (0, 2, None),
        (0, 7, None),
        (0, 30, None),
        (0, 80, None),
        (9.5, 20, {"from": "22:00", "to": "07:00"}),
        (11, 30, {"from": "22:00", "to": "07:00"}),
    ],
)
async def test_the_plan_is_what_happens_if_nobody_answers_r19(
    scene: Scene, opened_h: float, lead: float, quiet: dict[str, str] | None
) -> None:
    await scene.settings(quiet_hours=quiet)
    await scene.at(NOON + round(opened_h * HOUR))
    before = (await matched(scene, lead=lead))["plan"]
    body = await scene.open(lead=lead)
    assert body["plan"] == before
    due: int | None = scene.now
    happened: list[tuple[int, int, int]] = []
    while due is not None and len(happened) < len(before):
        await scene.at(due)
        due = await scene.settle()
        for name in scene.numbers:
            if (await scene.states()).get(name) == "open":
                await scene.receive(name)
        waves = [event for event in await scene.store.bookings.timeline(scene.market, 1) if event["type"] == "WaveSent"]
        happened = [(wave["wave"], len(wave["asked"]), wave["at"]) for wave in waves]
    assert happened == [(row["wave"], row["size"], ms(row["at"])) for row in before]


@pytest.mark.proves("R19.a")
async def test_a_match_changes_nothing_and_says_who_would_be_asked_r19(scene: Scene) -> None:
    found = await matched(scene, limit=2)
    assert (found["count"], [one["provider_id"] for one in found["candidates"]]) == (9, ["p-0", "p-1"])
    assert found["candidates"][0] == {"provider_id": "p-0", "tier": "limited", "score": 5.0, "distance_m": 0, "windows": [0]}
    assert await scene.timers() == {}
    await scene.open()
    assert list(await scene.states())[:2] == ["p-0", "p-1"]


@pytest.mark.proves("R19.b")
async def test_the_minutes_to_an_answer_are_told_when_they_can_be_r19(scene: Scene) -> None:
    assert (await matched(scene))["expected_minutes"] is not None
    for name in list(scene.numbers)[1:]:
        await scene.disconnect(name)
    assert (await matched(scene))["expected_minutes"] is None


@pytest.mark.proves("R19.b")
async def test_a_market_that_answers_quickly_is_told_fewer_minutes_as_it_is_seen_to_r19(scene: Scene) -> None:
    before = (await matched(scene, lead=3))["expected_minutes"]
    for number in range(6):
        await scene.open(f"b-{number}", lead=5)
        await scene.later(seconds=10)
        holder = next(name for name, state in (await scene.states(f"b-{number}")).items() if state == "open")
        assert await scene.accept(holder, f"b-{number}") == "won"
    assert (await matched(scene, lead=3))["expected_minutes"] < before / 2


# -- R8: why, and why not ---------------------------------------------------------------------------------------------


@pytest.mark.proves("R2.a", "R2.b", "R2.c", "R2.d", "R2.h", "R2.i", "R8.a")
async def test_who_is_left_out_is_told_under_the_first_filter_r8(scene: Scene) -> None:
    await scene.provider("p-1", catalogue=[], reachable=False)
    await scene.provider("p-2", zone={"type": "circle", "lat": 48.99, "lng": 2.34, "radius_km": 2}, reachable=False)
    await scene.provider("p-3", hours="Mo-Su 08:00-09:00", reachable=False)
    await scene.provider("p-4", status="pending", reachable=False)
    await scene.disconnect("p-5")
    await scene.store.links.status(scene.market, scene.numbers["p-6"], False, None, "phone")
    await scene.desk.put_provider_block(scene.market, "p-7", "c-1")
    found = await matched(scene, explain=True, explain_ids=["p-8"])
    assert found["left_out"]["counts"] == {"catalogue": 1, "zone": 1, "hours": 1, "status": 1, "unreachable": 2, "blocked": 1}
    assert [one["provider_id"] for one in found["candidates"]] == ["p-0", "p-8"]
    assert {one["provider_id"] for one in found["left_out"]["providers"]} == {f"p-{number}" for number in range(1, 8)}


@pytest.mark.proves("R8.a", "R8.b")
@pytest.mark.parametrize(
    ("name", "asked", "reasons", "word"),
    [
        ("p-0", "open", [], "wave 1"),
        ("p-8", None, [], "others come first"),
        ("p-7", None, ["unreachable"], "connected"),
        ("p-6", None, ["zone"], "outside your zone"),
    ],
)
async def test_a_provider_is_told_why_he_was_asked_or_not_r8(
    scene: Scene, name: str, asked: str | None, reasons: list[str], word: str
) -> None:
    await scene.disconnect("p-7")
    await scene.provider("p-6", zone={"type": "circle", "lat": 48.99, "lng": 2.34, "radius_km": 2}, reachable=False)
    await scene.open()
    found = await scene.desk.explain(scene.market, "b-1", name)
    assert ((found["asked"] or {}).get("state"), found["reasons"]) == (asked, reasons)
    assert word in found["text"][0]


@pytest.mark.proves("R8.a", "R8.b")
async def test_a_provider_is_told_of_every_filter_that_leaves_him_out_r8(scene: Scene) -> None:
    await scene.open()
    await scene.provider("p-8", catalogue=[], hours="Mo-Su 08:00-09:00", reachable=False)
    await scene.disconnect("p-8")
    found = await scene.desk.explain(scene.market, "b-1", "p-8")
    assert found["reasons"] == ["catalogue", "hours", "unreachable"]
    assert [word in text for word, text in zip(("catalogue", "hours", "connected"), found["text"], strict=True)] == [True] * 3


# -- faces ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R11.b")
async def test_a_booking_is_shown_with_its_proposals_and_its_next_wave(scene: Scene) -> None:
    await scene.open(note="ring twice", price_cents=4_500)
    await scene.receive("p-0", seen=True)
    await scene.refuse("p-1", reason="too far")
    face = await scene.desk.booking(scene.market, "b-1")
    assert (face["state"], face["wave"], face["provider_id"], face["price_cents"], face["note"]) == (
        "searching",
        1,
        None,
        4_500,
        "ring twice",
    )
    assert (ms(face["deadline"]), ms(face["next_wave_at"])) == (NOON + 3 * HOUR, NOON + 3 * MINUTE)
    assert [(p["provider_id"], p["state"], p["reason"], bool(p["seen_at"]), p["live"]) for p in face["proposals"]] == [
        ("p-0", "open", None, True, True),
        ("p-1", "refused", "too far", False, False),
        ("p-2", "open", None, False, True),
    ]
    assert face["windows"] == [{"start": "2027-03-12T16:00:00.000+01:00", "end": "2027-03-12T17:00:00.000+01:00"}]
    assert (face["place"]["lat"], face["place"]["lng"]) == (PLACE["lat"], PLACE["lng"])


@pytest.mark.parametrize("ends", ["accept", "cancel", "deadline"])
async def test_what_is_over_has_no_next_wave(scene: Scene, ends: str) -> None:
    await scene.open()
    if ends == "accept":
        await scene.accept("p-0")
    elif ends == "cancel":
        await scene.cancel()
    else:
        await scene.later(hours=2, minutes=59)  # the next pause ends after the deadline
        await scene.settle()
    face = await scene.desk.booking(scene.market, "b-1")
    assert face["next_wave_at"] is None
    assert face["provider_id"] == ("p-0" if ends == "accept" else None)


async def test_the_timeline_tells_everything_in_order_with_outside_names(scene: Scene) -> None:
    await scene.open()
    await scene.receive("p-0", seen=True)
    await scene.refuse("p-1")
    await scene.accept("p-0")
    events = (await scene.desk.timeline(scene.market, "b-1"))["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events] == [
        "Opened", "WaveSent", "Received", "Seen", "Received", "Refused", "Accepted", "Withdrawn",
    ]  # fmt: skip
    assert events[1]["asked"] == ["p-0", "p-1", "p-2"]
    assert (events[6]["provider_id"], events[6]["window"], events[7]["provider_id"], events[7]["reason"]) == ("p-0", 0, "p-2", "taken")
    assert all(event["at"] == "2027-03-12T12:00:00.000+01:00" for event in events)
    assert not any("client" in event or "b" in event for event in events)


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    for call in (
        scene.desk.booking(scene.market, "b-9"),
        scene.desk.timeline(scene.market, "b-9"),
        scene.desk.explain(scene.market, "b-9", "p-0"),
        scene.desk.provider(scene.market, "nobody"),
        scene.desk.inbox(scene.market, "nobody"),
        scene.desk.put_provider_block(scene.market, "nobody", "c-1"),
        scene.desk.market("nowhere"),
        scene.desk.delete_block(scene.market, "c-9"),
    ):
        with pytest.raises(NotFound):
            await call


# -- blocks -----------------------------------------------------------------------------------------------------------


async def test_blocks_are_made_once_and_taken_away_once_r2(scene: Scene) -> None:
    desk, market = scene.desk, scene.market
    assert [await desk.put_provider_block(market, "p-0", "c-1") for _ in range(2)] == [True, False]
    await desk.delete_provider_block(market, "p-0", "c-1")
    with pytest.raises(NotFound):
        await desk.delete_provider_block(market, "p-0", "c-1")
    assert [await desk.put_block(market, "c-1", reason) for reason in ("one", "two")] == [True, False]
    await desk.delete_block(market, "c-1")
    with pytest.raises(NotFound):
        await desk.delete_block(market, "c-1")
    assert (await scene.open())["candidates"] == 9
