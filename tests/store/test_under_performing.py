"""Who performs badly comes after all others, and is in no first wave (R7)."""

from typing import Any

import pytest

from dispatch.store.keys import key
from tests.store.scene import MINUTE, Scene

POOR = {"tier": "premier", "score": 2.9, "orders": 10}


@pytest.mark.proves("R7.a")
@pytest.mark.parametrize(
    ("rank", "last"),
    [
        ({"tier": "premier", "score": 2.9, "orders": 10}, True),
        ({"tier": "premier", "score": 3.0, "orders": 10}, False),  # not under 3.0
        ({"tier": "premier", "score": 2.9, "orders": 9}, False),  # not after 10 orders
        ({"tier": "limited", "score": 0.0, "orders": 400}, True),
    ],
)
async def test_a_low_score_after_enough_orders_puts_him_behind_all_others_r7(scene: Scene, rank: dict[str, Any], last: bool) -> None:
    await scene.provider("eve", initial_rank=rank)
    order = await scene.candidates()
    assert (order[-1] == "eve") == last
    assert len(order) == 5  # he is a candidate all the same


async def test_those_behind_keep_the_usual_order_among_themselves_r7(scene: Scene) -> None:
    for name, tier, score in (("low", "limited", 2.9), ("worse", "premier", 1.0), ("better", "premier", 2.9)):
        await scene.provider(name, initial_rank={"tier": tier, "score": score, "orders": 20})
    assert await scene.candidates() == ["ada", "ben", "cleo", "dan", "better", "worse", "low"]


@pytest.mark.proves("R7.b")
async def test_he_is_in_no_first_wave_though_seats_stay_empty_r7(scene: Scene) -> None:
    for name in ("ben", "cleo", "dan"):
        await scene.disconnect(name)
    await scene.provider("eve", initial_rank=POOR)
    opened = await scene.open()
    assert (opened["candidates"], [(wave["wave"], wave["size"]) for wave in opened["plan"]]) == (2, [(1, 1), (2, 1)])
    assert await scene.states() == {"ada": "open"}
    await scene.refuse("ada")
    await scene.settle()
    assert await scene.states() == {"ada": "refused", "eve": "open"}
    assert (await scene.record()).proposals[scene.numbers["eve"]].wave == 2


@pytest.mark.proves("R7.b")
async def test_a_first_wave_with_nobody_else_in_it_is_skipped_r7(scene: Scene) -> None:
    for name in ("ada", "ben", "cleo", "dan"):
        await scene.disconnect(name)
    await scene.provider("eve", initial_rank=POOR)
    opened = await scene.open()
    assert [(wave["wave"], wave["size"]) for wave in opened["plan"]] == [(2, 1)]
    assert await scene.states() == {"eve": "open"}
    record = await scene.record()
    assert (record.wave, record.proposals[scene.numbers["eve"]].wave) == (2, 2)
    matched = await scene.desk.booking(scene.market, "b-1")
    assert matched["wave"] == 2


@pytest.mark.proves("R7.b")
async def test_a_seat_of_the_first_wave_that_falls_free_is_not_his_r7(scene: Scene) -> None:
    """A fill belongs to the wave whose seat it gives away."""
    for name in ("ben", "cleo", "dan"):
        await scene.disconnect(name)
    await scene.provider("eve", initial_rank=POOR)
    await scene.open()
    await scene.later(seconds=21)  # nothing of ada's confirmed it: R14
    await scene.turn()
    assert await scene.states() == {"ada": "replaced"}
    await scene.later(minutes=3)
    await scene.settle()
    assert (await scene.states())["eve"] == "open"


async def test_a_wave_that_finds_nobody_is_no_first_wave_yet_r7(scene: Scene) -> None:
    """The first wave that asks somebody is the first one."""
    for name in ("ada", "ben", "cleo", "dan"):
        await scene.disconnect(name)
    await scene.provider("eve", initial_rank=POOR, reachable=False)
    await scene.open()
    assert await scene.states() == {}
    await scene.connect("ada")
    await scene.connect("eve")
    await scene.at(scene.now + 3 * MINUTE)
    await scene.settle()
    assert await scene.states() == {"ada": "open"}


@pytest.mark.proves("R7.a")
@pytest.mark.parametrize("changed", [{"under_performing_score": 2.5}, {"under_performing_orders": 11}])
async def test_a_change_of_the_measure_reaches_those_who_are_there_r7(scene: Scene, changed: dict[str, Any]) -> None:
    await scene.provider("eve", initial_rank=POOR)
    assert (await scene.candidates())[-1] == "eve"
    await scene.settings(**changed)
    assert (await scene.candidates())[0] == "eve"
    await scene.settings()
    assert (await scene.candidates())[-1] == "eve"


async def test_a_change_of_his_settings_does_not_change_his_class_r7(scene: Scene) -> None:
    await scene.provider("eve", initial_rank=POOR)
    await scene.provider("eve", hours="Mo-Su 00:00-23:30")
    assert (await scene.candidates())[-1] == "eve"


async def test_his_tier_and_settings_are_shown_as_before_r7(scene: Scene) -> None:
    """His place behind all others is nobody else's affair (R65)."""
    await scene.provider("eve", initial_rank=POOR)
    face = await scene.desk.provider(scene.market, "eve")
    assert face["tier"] == "premier"
    assert not {"orders", "score", "behind"} & set(face)
    bucket = await scene.redis.hget(key("provider", scene.market, scene.numbers["eve"]), "bucket")
    assert int(bucket) >= 84
