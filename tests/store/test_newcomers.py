"""Newcomers get their share of the seats: counted over waves of one, by lot where rank gives too few, by a seed on the booking (R6)."""

from typing import Any

import pytest

from dispatch.matcher import drawn
from tests.store.scene import Scene

VETERAN = {"tier": "premier", "score": 9.0, "answered": 10}
NEW = [f"new-{number}" for number in range(5)]


async def crew(scene: Scene, *, veterans: int = 6, **settings: Any) -> None:
    """Veterans who come first by rank, and five newcomers who never would; every booking is far away, so its waves are of one."""
    await scene.settings(open_proposals_cap=100, **settings)
    for name in ("ada", "ben", "cleo", "dan"):  # those of every scene
        await scene.provider(name, initial_rank=VETERAN)
    for number in range(veterans):
        await scene.provider(f"old-{number}", initial_rank=VETERAN)
    for name in NEW:
        await scene.provider(name)


async def asked(scene: Scene, bookings: int) -> list[tuple[str, bool]]:
    """Who was asked first for each of so many new bookings, and whether he was drawn."""
    found = []
    names = {number: name for name, number in scene.numbers.items()}
    for _ in range(bookings):
        booking_id = scene.fresh("b")
        await scene.open(booking_id, lead=80)
        (wave,) = [one for one in await events(scene, booking_id) if one["type"] == "WaveSent"]
        (pno,) = wave["asked"]
        found.append((names[pno], wave.get("drawn") == [pno]))
    return found


async def in_rank_order(scene: Scene) -> list[str]:
    """The newcomers as they stand in the index."""
    standings = await scene.store.providers.standings(scene.market, [scene.numbers[name] for name in NEW])
    return [one.id for one in sorted(standings, key=lambda one: one.slot)]


async def events(scene: Scene, booking_id: str) -> list[dict[str, Any]]:
    return await scene.store.bookings.timeline(scene.market, (await scene.record(booking_id)).no)


@pytest.mark.proves("R6.a", "R6.b")
@pytest.mark.parametrize(("share", "seats"), [(0.1, 3), (0.25, 7), (0.0, 0), (1.0, 30)])
async def test_waves_of_one_honour_the_share_r6(scene: Scene, share: float, seats: int) -> None:
    await crew(scene, newcomer_share=share)
    found = await asked(scene, 30)
    assert sum(was_drawn for _, was_drawn in found) == seats
    assert all((name in NEW) == was_drawn for name, was_drawn in found)


@pytest.mark.proves("R6.b")
async def test_a_wave_of_several_gives_the_owed_seat_to_one_of_them_r6(scene: Scene) -> None:
    await crew(scene)
    drawn_in = []
    for number in range(4):
        await scene.open(f"b-{number}")  # last minute: three seats each
        (wave,) = [one for one in await events(scene, f"b-{number}") if one["type"] == "WaveSent"]
        assert len(set(wave["asked"])) == 3
        drawn_in.append(len(wave.get("drawn") or []))
    assert drawn_in == [0, 0, 0, 1]  # the tenth of twelve seats


@pytest.mark.proves("R5.d", "R6.c")
async def test_whom_a_draw_takes_follows_from_the_seed_on_the_booking_r6(scene: Scene) -> None:
    """Among the newcomers who fit, in rank order; those of one step in the order of their places in the index."""
    await crew(scene, newcomer_share=1.0)
    seeds, ordered = set(), await in_rank_order(scene)
    for number in range(25):
        await scene.open(f"b-{number}", lead=80)
        record = await scene.record(f"b-{number}")
        (name,) = await scene.states(f"b-{number}")
        assert name == ordered[drawn(record.seed, 1, len(NEW))]
        assert (await scene.desk.booking(scene.market, f"b-{number}"))["seed"] == record.seed
        assert (await events(scene, f"b-{number}"))[0]["seed"] == record.seed
        seeds.add(record.seed)
    assert len(seeds) == 25


async def test_later_draws_of_a_booking_go_on_where_the_first_ended_r6(scene: Scene) -> None:
    await crew(scene, newcomer_share=1.0)
    await scene.open(lead=80)
    left = await in_rank_order(scene)
    for number in range(1, 6):
        (name,) = [who for who, state in (await scene.states()).items() if state == "open"]
        assert name == left.pop(drawn((await scene.record()).seed, number, len(left)))
        await scene.refuse(name)
        await scene.settle()
    assert {who for who, state in (await scene.states()).items() if state == "open"} <= set(scene.numbers) - set(NEW)  # by rank again


@pytest.mark.proves("R6.c")
@pytest.mark.parametrize("among", [2, 5, 7])
def test_every_newcomer_is_drawn_as_often_as_any_other_r6(among: int) -> None:
    counts = [0] * among
    for seed in range(4_000):
        counts[drawn(seed, 1, among)] += 1
    assert max(abs(count - 4_000 / among) for count in counts) < 4 * (4_000 / among) ** 0.5


@pytest.mark.proves("R6.a", "R21.b")
async def test_who_has_answered_enough_is_no_newcomer_any_more_r6(scene: Scene) -> None:
    await crew(scene, newcomer_share=1.0, newcomer_answers=2)
    for number in range(2 * len(NEW)):  # each answers twice, one way or the other
        await scene.open(f"b-{number}", lead=80 + 3 * (number % 8))
        (name,) = await scene.states(f"b-{number}")
        assert name in NEW
        assert await scene.refuse(name, f"b-{number}") == "done"
    assert [name for name, was_drawn in await asked(scene, 5) if was_drawn or name in NEW] == []


async def test_what_nobody_was_there_for_is_owed_on_but_only_one_seat_r6(scene: Scene) -> None:
    await crew(scene, newcomer_share=0.5)
    for name in NEW:
        await scene.disconnect(name)
    assert [was_drawn for _, was_drawn in await asked(scene, 9)] == [False] * 9
    await scene.connect(NEW[0])
    assert [was_drawn for _, was_drawn in await asked(scene, 6)] == [True, True, False, True, False, True]


async def test_where_rank_gives_newcomers_their_share_nobody_is_drawn_r6(scene: Scene) -> None:
    """So a market of newcomers alone keeps the order of R5."""
    await crew(scene, veterans=0, newcomer_share=1.0)
    for name in ("ada", "ben", "cleo", "dan"):
        await scene.disconnect(name)
    expected = await scene.candidates()
    assert await asked(scene, 5) == [(name, False) for name in expected]


async def test_a_seat_by_rank_counts_for_the_share_r6(scene: Scene) -> None:
    """One newcomer comes before all veterans: he gets every seat he can take, and the share of the others is his."""
    await crew(scene, newcomer_share=0.5)
    await scene.provider("star", initial_rank={"tier": "premier", "score": 10.0})
    assert await asked(scene, 10) == [("star", False)] * 10
    await scene.disconnect("star")
    assert [was_drawn for _, was_drawn in await asked(scene, 6)] == [False, False, False, True, False, True]  # a seat ahead, no more


async def test_an_under_performer_takes_no_part_in_the_draw_r6_r7(scene: Scene) -> None:
    await crew(scene, newcomer_share=1.0)
    await scene.provider("poor", initial_rank={"tier": "limited", "score": 1.0, "orders": 10, "answered": 0})
    assert "poor" not in {name for name, _ in await asked(scene, 25)}


async def test_a_change_of_the_limit_reaches_those_who_are_there_r6(scene: Scene) -> None:
    await crew(scene, newcomer_share=1.0)
    await scene.settings(open_proposals_cap=100, newcomer_share=1.0, newcomer_answers=0)
    assert [was_drawn for _, was_drawn in await asked(scene, 5)] == [False] * 5
    await scene.settings(open_proposals_cap=100, newcomer_share=1.0, newcomer_answers=10)
    assert [was_drawn for _, was_drawn in await asked(scene, 5)] == [True] * 5
    await scene.settings(open_proposals_cap=100, newcomer_share=1.0, newcomer_answers=11)
    assert [was_drawn for _, was_drawn in await asked(scene, 5)] == [False] * 5  # the veterans are newcomers now
