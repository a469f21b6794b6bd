"""Suggestions at work: what a refusal brings, what a device may confirm, and what it may not (R20)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.advice import Advice
from dispatch.messages import QuietHours, Settings, Suggestion
from tests.store.scene import PLACE, Scene, play

AWAY = {"lat": PLACE["lat"] + 0.03, "lng": PLACE["lng"]}


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with play(redis_url, market, tmp_path) as scene:
        await scene.provider("ada", initial_rank={"tier": "preferred", "score": 8})
        await scene.open(place=AWAY)
        yield scene


async def refused(scene: Scene, reason: str) -> Suggestion | None:
    """She refuses; what follows."""
    record = await scene.record()
    await scene.refuse("ada", reason=reason)
    return await Advice(scene.store).on_refusal(scene.market, scene.numbers["ada"], scene.proposal("ada", record), reason)


async def take(scene: Scene, **what: Any) -> str:
    return await Advice(scene.store).take(scene.market, scene.numbers["ada"], Settings(id="s", **what))


@pytest.mark.proves("R20.e")
async def test_what_follows_is_suggested_and_confirmed_and_changes_nothing_else_r20(scene: Scene) -> None:
    before = await scene.store.providers.get(scene.market, "ada")
    suggestion = await refused(scene, "too_far")
    assert suggestion is not None
    assert (await scene.store.providers.get(scene.market, "ada")).settings == before.settings
    assert [await take(scene, suggestion=suggestion) for _ in range(2)] == ["done", "done"]
    after = await scene.store.providers.get(scene.market, "ada")
    assert after.settings.zone.radius_km == suggestion.radius_m / 1_000 == 3.0  # type: ignore[operator, union-attr]
    assert (after.tier, after.score) == (before.tier, before.score)
    await scene.open("b-2", client_id="c-2", place=AWAY)
    assert await scene.states("b-2") == {}  # it is too far for her now
    await scene.open("b-3", client_id="c-3", lead=6)
    assert await scene.states("b-3") == {"ada": "open"}


@pytest.mark.proves("R20.e")
async def test_only_what_was_suggested_can_be_confirmed_r20(scene: Scene) -> None:
    suggestion = await refused(scene, "too_far")
    assert suggestion is not None
    before = await scene.settings_of("ada")
    for wrong in (
        {"radius_m": 100_000}, {"radius_m": 500}, {"kind": "hours", "hours": "24/7"}, {"proposal": "1.1.9"}, {"proposal": "7.1.1"},
        {"proposal": "x"}, {"services": ("cut",)},
    ):  # fmt: skip
        assert await take(scene, suggestion=msgspec.structs.replace(suggestion, **wrong)) == "expired", wrong
    assert await scene.settings_of("ada") == before


async def test_a_proposal_that_was_not_refused_suggests_nothing(scene: Scene) -> None:
    record = await scene.record()
    found = await Advice(scene.store).on_refusal(scene.market, scene.numbers["ada"], scene.proposal("ada", record), "too_far")
    assert found is None


async def test_one_that_does_not_follow_any_more_is_told_so(scene: Scene) -> None:
    suggestion = await refused(scene, "too_far")
    await scene.provider("ada", zone={"type": "circle", **AWAY, "radius_km": 6})
    assert await take(scene, suggestion=suggestion) == "expired"


@pytest.mark.proves("R3.a")
async def test_quiet_hours_are_set_and_taken_away_r3(scene: Scene) -> None:
    assert await take(scene, do_not_disturb=QuietHours(from_="11:00", to="13:00")) == "done"
    await scene.open("b-2", client_id="c-2")
    assert await scene.states("b-2") == {}  # it is noon
    assert await take(scene, do_not_disturb=None) == "done"
    await scene.open("b-3", client_id="c-3")
    assert await scene.states("b-3") == {"ada": "open"}
    assert await take(scene) == "done"
    assert (await scene.settings_of("ada")).do_not_disturb is None
