"""Silence (R40): four proposals in a row that reached him and went stale unanswered pause a provider; whatever he does ends it."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.store.scene import Scene
from tests.store.soundness import faults

OWN = {"id", "slot", "seq", "answered", "unanswered", "version", "links"}

Deed = Callable[[Scene], Awaitable[object]]


async def ignored(scene: Scene, booking_id: str, *, arrives: bool = True) -> None:
    """He gets a proposal, and lets it go stale; nobody else is there."""
    await scene.open(booking_id)
    if arrives:
        await scene.receive("ada", booking_id)
    await scene.later(minutes=10)
    await scene.settle()
    assert (await scene.states(booking_id))["ada"] in ("stale", "replaced")
    await scene.cancel(booking_id)


async def paused(scene: Scene) -> bool:
    return bool((await scene.desk.provider(scene.market, "ada"))["paused"])


@pytest.fixture
async def alone(scene: Scene) -> Scene:
    """Ada is the only one who can be asked."""
    for name in list(scene.numbers):
        if name != "ada":
            await scene.disconnect(name)
    return scene


@pytest.mark.proves("R2.j", "R40.a", "R40.c")
async def test_four_in_a_row_pause_him_and_he_is_told_r40(alone: Scene) -> None:
    for number in range(4):
        assert not await paused(alone)
        await ignored(alone, f"b-{number}")
    assert await paused(alone)
    assert "ada" not in await alone.candidates()
    (notice,) = [m for m in await alone.told("ada") if m["type"] == "notice"]
    assert (notice["kind"], notice["text"].partition(" ")[0]) == ("paused", "4")
    assert [(event.p, event.unanswered) for event in await alone.events("Paused")] == [(alone.numbers["ada"], 4)]
    assert await faults(alone.store, alone.market, alone.redis_url) == []


@pytest.mark.proves("R1.b", "R40.c")
async def test_explain_says_so_r8_r40(alone: Scene) -> None:
    for number in range(4):
        await ignored(alone, f"b-{number}")
    await alone.open("b-9")
    answer = await alone.desk.explain(alone.market, "b-9", "ada")
    assert answer["reasons"] == ["paused"]
    assert "without an answer" in answer["text"][0]


@pytest.mark.proves("R40.a")
async def test_how_many_is_a_setting_r40(alone: Scene) -> None:
    await alone.settings(pause_after=1)
    await ignored(alone, "b-1")
    assert await paused(alone)


@pytest.mark.proves("R12b.d", "R40.d")
async def test_what_never_reached_him_does_not_count_r40(alone: Scene) -> None:
    for number in range(6):
        await ignored(alone, f"b-{number}", arrives=False)
    assert not await paused(alone)


@pytest.mark.proves("R12b.d")
async def test_what_was_taken_back_before_does_not_count_r12b_r40(alone: Scene) -> None:
    for number in range(6):
        await alone.open(f"b-{number}")
        await alone.receive("ada", f"b-{number}")
        await alone.later(minutes=9)
        await alone.settle()
        await alone.cancel(f"b-{number}")
    assert not await paused(alone)


@pytest.mark.proves("R32.b", "R40.d")
async def test_bonus_proposals_do_not_count_r32_r40(alone: Scene) -> None:
    await alone.settings(pause_after=1)
    await alone.open()
    await alone.receive("ada")
    await as_bonus(alone)
    await alone.later(minutes=10)
    await alone.settle()
    assert (await alone.states())["ada"] == "stale"
    assert not await paused(alone)


async def as_bonus(scene: Scene) -> None:
    """His proposal is one of another kind, as the store keeps it."""
    name = f"{{{scene.market}}}:pr:1"
    raw = msgspec.msgpack.decode(await scene.redis.hget(name, str(scene.numbers["ada"])))
    raw[2] = "bonus"
    await scene.redis.hset(name, str(scene.numbers["ada"]), msgspec.msgpack.encode(raw))


async def refuses(scene: Scene) -> None:
    await scene.refuse("ada", "b-live")


async def accepts(scene: Scene) -> None:
    await scene.accept("ada", "b-live")


async def reports(scene: Scene) -> None:
    await scene.report("ada", "b-live")


async def comes_back(scene: Scene) -> None:
    await scene.store.links.status(scene.market, scene.numbers["ada"], None, False, "phone")


async def tests_his_phone(scene: Scene) -> None:
    await scene.store.trials.send(scene.market, scene.numbers["ada"], scene.fresh("t"), by_device=True)


async def gives_back(scene: Scene) -> None:
    await scene.give_back("ada", "b-held")


async def warns(scene: Scene) -> None:
    await scene.will_be_late("ada", "b-held")


@pytest.mark.proves("R40.b")
@pytest.mark.parametrize("deed", [refuses, accepts, reports, comes_back, tests_his_phone, gives_back, warns])
async def test_whatever_he_does_ends_a_pause_and_the_row_r40(alone: Scene, deed: Deed) -> None:
    await alone.open("b-held", lead=40)
    await alone.accept("ada", "b-held")
    await alone.open("b-live", lead=30)
    for number in range(4):
        await ignored(alone, f"b-{number}")
    assert await paused(alone)
    await deed(alone)
    assert not await paused(alone)
    assert [event.p for event in await alone.events("Resumed")] == [alone.numbers["ada"]]
    for number in range(10, 13):
        await ignored(alone, f"b-{number}")
    assert not await paused(alone), "the row begins anew"
    assert await faults(alone.store, alone.market, alone.redis_url) == []


async def test_an_answer_between_them_breaks_the_row_r40(alone: Scene) -> None:
    for number in range(3):
        await ignored(alone, f"b-{number}")
    await alone.open("b-no")
    await alone.refuse("ada", "b-no")
    for number in range(3, 6):
        await ignored(alone, f"b-{number}")
    assert not await paused(alone)


@pytest.mark.proves("R40.c")
async def test_a_pause_that_is_over_leaves_nothing_behind_r40(alone: Scene) -> None:
    """What is kept of him, and his place, are those of one who was asked as often and was never paused."""
    await alone.connect("ben")
    for number in range(4):
        await alone.open(f"b-{number}")
        await alone.receive("ada", f"b-{number}")
        await alone.receive("ben", f"b-{number}")
        await alone.later(minutes=9)
        if number < 3:
            await alone.refuse("ben", f"b-{number}")
        await alone.later(minutes=1)
        await alone.settle()
        await alone.cancel(f"b-{number}")
    assert await paused(alone)
    await alone.store.links.status(alone.market, alone.numbers["ada"], None, None, "phone")
    ada, ben = [await kept_of(alone, name) for name in ("ada", "ben")]
    assert {name: (ada.get(name), ben.get(name)) for name in ada.keys() | ben.keys() if ada.get(name) != ben.get(name)} == {}
    assert await alone.candidates() == ["ada", "ben"]


async def kept_of(scene: Scene, name: str) -> dict[str, bytes]:
    """What the store keeps of a provider, but for who he is, where he stands in the index, and bookkeeping that no rule reads."""
    raw = await scene.redis.hgetall(f"{{{scene.market}}}:p:{scene.numbers[name]}")
    found = dict(raw) if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
    return {field.decode(): value for field, value in found.items() if field.decode() not in OWN}


@pytest.mark.proves("R20.c")
async def test_a_refusal_is_better_than_silence_r20_r40(alone: Scene) -> None:
    for number in range(8):
        await alone.open(f"b-{number}")
        await alone.refuse("ada", f"b-{number}")
        await alone.cancel(f"b-{number}")
    assert not await paused(alone)
