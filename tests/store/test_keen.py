"""What the verbs that end his proposals learn of a provider (R20), and the order that a market may choose; twins of habits and matcher."""

from random import Random
from typing import Any

import pytest

from dispatch.habits import FADE_MS, accepting, faded, learnt, yardstick
from dispatch.matcher import Person, by_quickness, order
from dispatch.model import Urgency
from dispatch.waves import Search
from dispatch.zones import from_model
from tests.store.scene import MINUTE, Scene

PACED = {"wave_policy": "paced"}
LEARNS = {"wave_order": "tier"}  # by cadence, so that three are asked at once
FIRST = yardstick(Urgency.LAST_MINUTE, {})  # how a market accepts of which nothing has been seen


async def known(scene: Scene, name: str) -> tuple[float, float] | None:
    """How keen and slow the store holds somebody to be; None: it has not asked itself."""
    keen, slow = await scene.redis.hmget(f"{{{scene.market}}}:p:{scene.numbers[name]}", "keen", "slow")
    return (float(keen), float(slow)) if keen else None


async def make_known(scene: Scene, name: str, keen: float, slow: float) -> None:
    await scene.redis.hset(f"{{{scene.market}}}:p:{scene.numbers[name]}", mapping={"keen": keen, "slow": slow})


async def asked(scene: Scene, booking_id: str = "b-1") -> list[str]:
    """Who was asked, in order."""
    names = {number: name for name, number in scene.numbers.items()}
    record = await scene.record(booking_id)
    events = await scene.store.bookings.timeline(scene.market, record.no)
    return [names[pno] for event in events if event["type"] == "WaveSent" for pno in event["asked"]]


async def received(scene: Scene, *names: str) -> None:
    for name in names:
        await scene.receive(name)


# -- what an end teaches ----------------------------------------------------------------------------------------------


async def test_a_market_that_goes_by_cadence_and_rank_learns_nothing_of_anybody(scene: Scene) -> None:
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.later(minutes=3)
    await scene.accept("ada")
    assert [await known(scene, name) for name in ("ada", "ben", "cleo")] == [None] * 3


@pytest.mark.parametrize("how", [{}, PACED, LEARNS])
async def test_an_accept_and_those_it_cuts_off_are_learnt_as_habits_says(scene: Scene, how: dict[str, Any]) -> None:
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.settings(**how)
    await scene.later(minutes=3)
    await scene.accept("ada")
    assert await known(scene, "ada") == pytest.approx(learnt(1, 1, FIRST, 3 * MINUTE, True))
    assert await known(scene, "ben") == pytest.approx(learnt(1, 1, FIRST, 3 * MINUTE, False))


async def test_what_is_learnt_goes_by_how_the_market_has_answered_so_far(scene: Scene) -> None:
    await scene.settings(**LEARNS)
    for number in range(3):
        await scene.open(f"b-{number}", leads=(4 + 2 * number,))
        await received_all(scene, f"b-{number}")
        await scene.later(minutes=2)
        await scene.accept("ada", f"b-{number}")
    await scene.open("b-9", lead=11)
    await received_all(scene, "b-9")
    names = {number: name for name, number in scene.numbers.items()}
    winner = names[min((await scene.record("b-9")).proposals)]
    before = await known(scene, winner) or (1.0, 1.0)
    habits = await scene.store.habits.read(scene.market, scene.now)
    await scene.later(minutes=5)
    await scene.accept(winner, "b-9")
    expected = learnt(*before, yardstick(Urgency.SAME_DAY, habits), 5 * MINUTE, True)
    assert await known(scene, winner) == pytest.approx(expected)
    assert expected != pytest.approx(learnt(*before, yardstick(Urgency.SAME_DAY, {}), 5 * MINUTE, True), rel=0.01), "the control"


async def received_all(scene: Scene, booking_id: str) -> None:
    record = await scene.record(booking_id)
    names = {number: name for name, number in scene.numbers.items()}
    for pno in record.proposals:
        await scene.receive(names[pno], booking_id)


async def test_what_never_reached_him_says_nothing_of_him(scene: Scene) -> None:
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben")
    await scene.later(minutes=3)
    await scene.accept("ada")
    assert await known(scene, "ben") is not None
    assert await known(scene, "cleo") is None


async def test_an_end_teaches_once(scene: Scene) -> None:
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.later(minutes=3)
    await scene.accept("ada")
    before = [await known(scene, name) for name in ("ada", "ben", "cleo")]
    await scene.refuse("ben")
    await scene.accept("cleo")
    await scene.cancel(by="provider")
    assert [await known(scene, name) for name in ("ada", "ben", "cleo")] == before


# -- R20 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [0, 1, 7])
async def test_a_refusal_leaves_more_of_him_than_silence_and_no_slower_r20(scene: Scene, minutes: int) -> None:
    """Ben refuses, Cleo keeps silent; then Ada takes it."""
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.later(minutes=minutes)
    await scene.refuse("ben")
    await scene.later(minutes=2)
    await scene.accept("ada")
    refused, silent = await known(scene, "ben"), await known(scene, "cleo")
    assert refused is not None
    assert silent is not None
    assert refused[0] > silent[0]
    assert refused[1] == silent[1] == 1


async def test_an_accept_that_lost_and_a_refusal_at_that_instant_teach_the_same_r20(scene: Scene) -> None:
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.later(seconds=90)
    await scene.accept("ada")
    assert await scene.accept("ben") == "lost"
    await scene.refuse("cleo")
    assert await known(scene, "ben") == await known(scene, "cleo")


async def test_who_refuses_everything_at_once_stays_an_average_provider_r20(scene: Scene) -> None:
    await scene.settings(**LEARNS, open_proposals_cap=50)
    for number in range(6):
        await scene.open(f"b-{number}", lead=4)
        await received_all(scene, f"b-{number}")
        await scene.refuse("ada", f"b-{number}")
    assert await known(scene, "ada") == (1, 1)


async def test_what_is_known_of_him_fades_while_he_is_not_asked(scene: Scene) -> None:
    await scene.settings(**LEARNS)
    await scene.open()
    await received(scene, "ada", "ben", "cleo")
    await scene.later(minutes=6)
    await scene.accept("ada")
    before = await known(scene, "ben")
    assert before is not None
    await scene.at(scene.now + 2 * FADE_MS)
    for name in ("ada", "ben", "cleo", "dan"):
        await scene.provider(name)  # the index reaches on
    await scene.open("b-2")
    record = await scene.record("b-2")
    expected = faded(*before, 2 * FADE_MS + 6 * MINUTE)[0]
    assert record.proposals[scene.numbers["ben"]].keen == pytest.approx(expected)
    assert 1 - expected == pytest.approx((1 - before[0]) / 4, rel=0.01)


# -- the order --------------------------------------------------------------------------------------------------------


async def test_a_market_may_ask_the_likely_and_quick_of_a_tier_first(scene: Scene) -> None:
    await scene.settings(wave_order="tier")
    await make_known(scene, "cleo", 2.0, 1.0)
    await make_known(scene, "ada", 1.0, 4.0)
    assert await scene.candidates() == ["cleo", "ben", "dan", "ada"]
    await scene.open()
    assert await asked(scene) == ["cleo", "ben", "dan"]


@pytest.mark.proves("R1.b")
async def test_without_it_nobody_is_asked_sooner_for_being_quick_r5(scene: Scene) -> None:
    await scene.settings(**PACED)
    await make_known(scene, "cleo", 2.0, 0.2)
    assert await scene.candidates() == ["ada", "ben", "cleo", "dan"]


@pytest.mark.parametrize("within", ["step", "tier"])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_store_and_the_matcher_agree_on_that_order(scene: Scene, within: str, seed: int) -> None:
    chance, people = Random(seed), []
    await scene.settings(wave_order=within)
    for number in range(14):
        name = f"x{number:02}"
        rank = {"tier": chance.choice(["premier", "preferred"]), "score": chance.choice([6.0, 6.2, 7.5])}
        await scene.provider(name, initial_rank=rank)
        keen, slow = chance.choice([0.3, 1.0, 2.5]), chance.choice([0.25, 1.0, 3.0])
        await make_known(scene, name, keen, slow)
    for name, number in scene.numbers.items():
        standing = await scene.store.providers.get(scene.market, name)
        keen, slow = await known(scene, name) or (1.0, 1.0)
        person = Person(
            no=number, settings=standing.settings, shape=from_model(standing.settings.zone), tier=standing.tier, score=standing.score,
            keen=keen, slow=slow,
        )  # fmt: skip
        people.append(person)
    names = {number: name for name, number in scene.numbers.items()}
    search = Search(start=scene.now + 240 * MINUTE, opened_at=scene.now, deadline=scene.now + 180 * MINUTE, wave=0, paced_at=scene.now)
    earned = accepting(Urgency.LAST_MINUTE, {}).earned(search.deadline - scene.now)
    expected = [names[one.no] for one in by_quickness(order(people), within, earned)]  # type: ignore[arg-type]
    assert await scene.candidates() == expected
    assert expected != [names[one.no] for one in order(people)], "the control: it is another order than that of R5"


async def test_tiers_are_never_mixed(scene: Scene) -> None:
    await scene.settings(wave_order="tier")
    await scene.provider("eve", initial_rank={"tier": "premier", "score": 1})
    await make_known(scene, "eve", 0.1, 16)
    await make_known(scene, "cleo", 5, 0.1)
    assert (await scene.candidates())[:2] == ["eve", "cleo"]
