"""R16: within the fair window accepts wait, and the best-ranked of them wins; decided by the store, once, whoever is late (P1, P3, P4)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.errors import BadRequest
from dispatch.store import closing, deciding, sending
from dispatch.store.keys import key
from dispatch.waves import next_step
from tests.store.scene import NOON, Scene, play
from tests.store.soundness import faults

RANKS = {"low": ("limited", 5.0), "mid": ("standard", 6.0), "top": ("premier", 9.0)}


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Three of different ranks, asked together; the fair window is three seconds."""
    async with play(redis_url, market, tmp_path, fair_window_s=3) as scene:
        for name, (tier, score) in RANKS.items():
            await scene.provider(name, initial_rank={"tier": tier, "score": score})
        yield scene


async def results(scene: Scene, name: str) -> list[tuple[str, str]]:
    """Ids and outcomes of the results that came in his stream."""
    return [(m["id"], m["outcome"]) for m in await scene.told(name) if m["type"] == "result"]


async def over(scene: Scene) -> None:
    """The window is over, and a worker has looked."""
    await scene.later(seconds=3)
    await scene.settle()


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R16.b")
async def test_an_accept_waits_and_is_told_until_when_r16(scene: Scene) -> None:
    await scene.open()
    answer = await scene.accepted("low", id="x")
    assert (answer["outcome"], answer["decides_at"]) == ("pending", NOON + 3_000)
    record = await scene.record()
    assert (record.state, record.winner, record.decides_at) == ("searching", None, NOON + 3_000)
    assert (await scene.timers())[1] == NOON + 3_000
    await sound(scene)


@pytest.mark.proves("R16.a")
@pytest.mark.parametrize("order", [("low", "mid", "top"), ("top", "low", "mid"), ("mid", "top", "low")])
async def test_the_best_ranked_of_those_who_accept_within_it_wins_whoever_was_first_r16(scene: Scene, order: tuple[str, ...]) -> None:
    await scene.open()
    for name in order:
        assert (await scene.accepted(name, id=f"x-{name}"))["decides_at"] == NOON + 3_000, "the first accept says when"
        await scene.later(seconds=1) if name != order[-1] else None
    await over(scene)
    assert (await scene.record()).winner == scene.numbers["top"]
    assert {name: await results(scene, name) for name in order} == {
        "top": [("x-top", "won")], "mid": [("x-mid", "lost")], "low": [("x-low", "lost")],
    }  # fmt: skip
    await sound(scene)


@pytest.mark.proves("R16.a")
async def test_who_does_not_accept_within_it_has_no_part_in_it_r16(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await over(scene)
    assert (await scene.record()).winner == scene.numbers["low"]
    assert await scene.accept("top") == "lost"


async def test_every_win_has_its_cause_and_goes_through_the_one_claim_r16_p1(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low")
    await scene.accept("top")
    await over(scene)
    assert (await scene.story()).count("Claimed") == 2
    record = await scene.record()
    (won,) = [e for e in await scene.store.bookings.timeline(scene.market, record.no) if e["type"] == "Accepted"]
    assert (won["cause"], won["p"]) == ("fair", scene.numbers["top"])


async def test_the_winner_gets_the_whole_booking_with_the_one_more_result_r16(scene: Scene) -> None:
    await scene.open(note="third floor", place={"lat": 48.861, "lng": 2.341, "address": "1 rue de Rivoli"})
    await scene.accept("top", id="x")
    await over(scene)
    (result,) = [m for m in await scene.told("top") if m["type"] == "result"]
    assert result["proposal"] == scene.proposal("top", await scene.record())
    assert (result["booking"]["note"], result["booking"]["place"]["address"]) == ("third floor", "1 rue de Rivoli")


async def test_of_two_with_the_same_rank_the_one_who_was_asked_first_wins_r16_r5(scene: Scene) -> None:
    for name in ("twin", "other"):
        await scene.provider(name, initial_rank={"tier": "premier", "score": 9.0})
    await scene.settings(fair_window_s=3, cadence=[{"class": "last_minute", "lead_under_s": None, "size": 5, "pause_s": 180}])
    await scene.open()
    for name in ("other", "twin", "top"):
        await scene.accept(name)
    await over(scene)
    assert (await scene.record()).winner == scene.numbers["top"]


@pytest.mark.proves("R15.a", "R16.a")
async def test_without_a_fair_window_the_first_accept_wins_at_once_r15(scene: Scene) -> None:
    await scene.settings(fair_window_s=0)
    await scene.open()
    assert await scene.accept("low") == "won"


async def test_half_a_second_is_a_fair_window_too_r16(scene: Scene) -> None:
    await scene.settings(fair_window_s=0.5)
    await scene.open()
    assert (await scene.accepted("low"))["decides_at"] == NOON + 500


# -- P4: repeats ------------------------------------------------------------------------------------------------------


async def test_a_repeat_gets_the_latest_result_r16_p4(scene: Scene) -> None:
    await scene.open()
    first = await scene.accepted("low", id="x")
    await scene.later(seconds=1)
    again = await scene.accepted("low", id="x")
    assert (again["outcome"], again["decides_at"]) == ("pending", first["decides_at"])
    await scene.accept("top", id="y")
    await scene.later(seconds=2)
    await scene.settle()
    assert (await scene.accept("low", id="x"), await scene.accept("top", id="y")) == ("lost", "won")
    assert await results(scene, "low") == [("x", "lost")], "once"
    assert (await scene.story()).count("Claimed") == 2


async def test_a_pending_id_with_other_content_is_refused_p4(scene: Scene) -> None:
    await scene.open(leads=(4, 6))
    await scene.accept("low", id="x")
    with pytest.raises(BadRequest, match="other content"):
        await scene.accept("low", id="x", window=1)


async def test_a_double_tap_wins_once_and_both_taps_are_told_r16_p4(scene: Scene) -> None:
    await scene.open()
    await scene.accept("top", id="x")
    await scene.later(seconds=1)
    await scene.accept("top", id="y")
    await over(scene)
    assert await results(scene, "top") == [("x", "won"), ("y", "already_yours")]


# -- late workers, crashes --------------------------------------------------------------------------------------------


async def test_an_accept_after_its_end_is_too_late_though_no_worker_has_come_r16(scene: Scene) -> None:
    """The store decides with the next accept that finds the window over: it cannot be prolonged by a worker that is late."""
    await scene.open()
    await scene.accept("low", id="x")
    await scene.later(seconds=3)
    assert await scene.accept("top") == "lost"
    assert (await scene.record()).winner == scene.numbers["low"]
    assert await results(scene, "low") == [("x", "won")]
    await scene.settle()
    await sound(scene)


async def test_a_repeat_after_its_end_is_told_the_decision_though_no_worker_has_come_r16_p4(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await scene.later(seconds=3)
    assert await scene.accept("low", id="x") == "won"
    await sound(scene)


async def test_a_worker_that_comes_hours_later_decides_as_it_would_have_in_time_r16_p3(scene: Scene) -> None:
    """Even after the deadline of the search: they accepted in time."""
    await scene.open(lead=2)
    await scene.accept("low", id="x")
    await scene.accept("mid", id="y")
    await scene.later(hours=3)
    await scene.settle()
    assert (await scene.record()).winner == scene.numbers["mid"]
    await sound(scene)


async def test_a_worker_that_looks_too_early_decides_nothing_and_comes_again_r16(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low")
    assert (await scene.take(deciding(1)))["word"] == "EARLY"
    assert (await scene.timers())[1] == NOON + 3_000
    assert (await scene.record()).winner is None


async def test_of_two_workers_one_decides_r16_p1(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await scene.later(seconds=3)
    assert [(await scene.take(deciding(1)))["word"] for _ in range(2)] == ["DECIDED", "STALE"]
    assert await results(scene, "low") == [("x", "won")]


async def test_who_decided_on_its_plan_before_the_claim_acts_in_vain_r16(scene: Scene) -> None:
    """No wave goes out, and no deadline ends it, while somebody waits for the decision."""
    await scene.open()
    await scene.later(minutes=3)
    record = await scene.record()
    settings = (await scene.desk.market(scene.market)).settings
    step = next_step(settings, record.search(), scene.now)
    assert step.release is not None
    await scene.accept("low")
    assert (await scene.take(sending(record, step, minute=0, ready=0)))["word"] == "STALE"
    assert (await scene.take(closing(record.no, record.rev)))["word"] == "STALE"


async def test_the_plan_rests_while_somebody_waits_and_goes_on_when_nobody_could_win_r16(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await scene.refuse("low")
    await over(scene)
    record = await scene.record()
    assert (record.state, record.decides_at, await results(scene, "low")) == ("searching", None, [("x", "not_asked")])
    assert await scene.accept("mid") == "pending"
    await sound(scene)


# -- what else may happen meanwhile -----------------------------------------------------------------------------------


async def test_a_cancellation_meanwhile_is_told_to_those_who_wait_at_once_r16(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await scene.cancel()
    assert await results(scene, "low") == [("x", "cancelled")]
    assert await scene.accept("low", id="x") == "cancelled"
    await over(scene)
    assert (await scene.record()).state == "cancelled"
    assert await scene.redis.exists(key("claims", scene.market, 1)) == 0
    await sound(scene)


async def test_the_best_ranked_who_has_won_something_else_meanwhile_makes_room_for_the_next_r16_p7(scene: Scene) -> None:
    await scene.open("b-1")
    await scene.accept("top", "b-1", id="x")
    await scene.accept("low", "b-1", id="y")
    await scene.settings(fair_window_s=0)
    await scene.open("b-2")
    await scene.only("top", "b-2")
    assert await scene.accept("top", "b-2") == "won"
    await over(scene)
    assert (await scene.record("b-1")).winner == scene.numbers["low"]
    assert await results(scene, "top") == [("x", "overlap")]
    await sound(scene)


async def test_one_who_is_blocked_meanwhile_cannot_win_r16_p5(scene: Scene) -> None:
    await scene.open()
    await scene.accept("top", id="x")
    await scene.accept("low", id="y")
    await scene.desk.put_provider_block(scene.market, "top", "c-1")
    await over(scene)
    assert (await scene.record()).winner == scene.numbers["low"]


async def test_his_answer_counts_from_the_claim_not_from_the_decision_r16_r22(scene: Scene) -> None:
    await scene.open()
    await scene.receive("low", seen=True)
    await scene.later(seconds=7)
    await scene.accept("low")
    await over(scene)
    assert (await scene.record()).proposals[scene.numbers["low"]].answered_at == NOON + 7_000
    said = {event["type"]: event.get("took") for event in await scene.store.bookings.timeline(scene.market, 1)}
    assert (said["Claimed"], said["Accepted"]) == (7_000, None), "an answer is timed once"


async def test_a_claim_that_loses_is_no_late_accept_r16(scene: Scene) -> None:
    await scene.open()
    await scene.accept("low")
    await scene.accept("top")
    await over(scene)
    assert await scene.gauge("count.accepts_late") == 0


async def test_the_window_ends_with_the_search_at_the_latest_r16_p3(scene: Scene) -> None:
    await scene.settings(fair_window_s=5)
    await scene.open(lead=2)
    deadline = (await scene.record()).deadline
    await scene.at(deadline - 2_000)
    assert (await scene.accepted("low"))["decides_at"] == deadline
    await scene.at(deadline)
    await scene.settle()
    assert (await scene.record()).winner == scene.numbers["low"]


# -- races ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(20))
async def test_in_every_order_of_accepts_decisions_and_a_cancellation_there_is_one_outcome_r16_p1(scene: Scene, number: int) -> None:
    await scene.open()
    await scene.accept("low", id="x")
    await scene.later(seconds=3)
    deeds: list[Any] = [
        scene.take(deciding(1)), scene.take(deciding(1)), scene.accept("mid", id="y"), scene.accept("top", id="z"),
        scene.accept("low", id="x"), scene.cancel(),
    ]  # fmt: skip
    await asyncio.gather(*deeds[number % 6 :], *deeds[: number % 6])
    told = Counter([outcome for name in RANKS for _, outcome in await results(scene, name)])
    assert told["won"] <= 1
    assert told["won"] + told["cancelled"] == 1, "the one who waited was told, once"
    assert (await scene.record()).state == "cancelled"
    assert (await scene.record()).decides_at is None
    await sound(scene)


async def test_of_many_who_accept_within_it_over_several_moments_one_wins_and_each_is_told_once_r16_p1(scene: Scene) -> None:
    names = [f"p{index}" for index in range(12)]
    for index, name in enumerate(names):
        await scene.provider(name, initial_rank={"tier": "standard", "score": index % 8})
    await scene.settings(fair_window_s=3, cadence=[{"class": "last_minute", "lead_under_s": None, "size": 50, "pause_s": 180}])
    await scene.open()
    everyone = [*RANKS, *names]
    await asyncio.gather(*(scene.accept(name, id=f"x-{name}") for name in reversed(everyone)))
    await over(scene)
    told = {name: [outcome for _, outcome in await results(scene, name)] for name in everyone}
    assert told == {name: ["won" if name == "top" else "lost"] for name in everyone}
    await scene.later(minutes=1)
    await scene.settle()
    await sound(scene)
