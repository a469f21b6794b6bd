"""Counteroffers: who may make one, when the client sees it, what he can answer, and how it ends (R24)."""

from typing import Any

import msgspec
import pytest

from dispatch.engine.requests import CounterofferAccept
from dispatch.errors import BadRequest, Conflict, NotFound, Unprocessable
from dispatch.store.keys import key
from tests.store.scene import HOUR, Scene
from tests.store.soundness import faults

TRIO = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 3, "pause_s": 180}]}


async def row(scene: Scene, name: str, booking_id: str = "b-1") -> dict[str, Any]:
    """The last counteroffer of somebody, as the booking service sees it."""
    return [one for one in await rows(scene, booking_id) if one["provider_id"] == name][-1]


async def rows(scene: Scene, booking_id: str = "b-1") -> list[dict[str, Any]]:
    return list((await scene.desk.booking(scene.market, booking_id))["counteroffers"])


async def take(scene: Scene, name: str, booking_id: str = "b-1", *, window: int = 0, rid: str | None = None) -> dict[str, Any]:
    """The client accepts somebody's counteroffer."""
    chosen = (await row(scene, name, booking_id))["counteroffer_id"]
    request = CounterofferAccept(window=window)
    return await scene.desk.counteroffers.accept(scene.market, booking_id, chosen, request, rid or scene.fresh("take"))


async def decline(scene: Scene, name: str, booking_id: str = "b-1", *, rid: str | None = None) -> dict[str, Any]:
    chosen = (await row(scene, name, booking_id))["counteroffer_id"]
    return await scene.desk.counteroffers.decline(scene.market, booking_id, chosen, rid or scene.fresh("decline"))


async def hooks(scene: Scene, booking_id: str = "b-1") -> list[str]:
    """What the booking service is to be told of a booking, in order."""
    waiting = await scene.redis.lrange(f"{{{scene.market}}}:w:{(await scene.record(booking_id)).no}", 0, -1)
    told = [msgspec.msgpack.decode(one) for one in waiting]
    return [" ".join(filter(None, (one["type"], one["data"].get("state")))) for one in told]


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.fixture
async def asked(scene: Scene) -> Scene:
    """Ada, Ben and Cleo hold a proposal of a visit in four hours."""
    await scene.settings(**TRIO, webhook={"url": "http://127.0.0.1:9/", "secret": "whsec_" + "A" * 32})
    await scene.open()
    return scene


@pytest.mark.proves("R24.i")
async def test_the_client_takes_a_counteroffer_and_everybody_is_told(asked: Scene) -> None:
    assert await asked.counter("ada", (4.5,)) == "sent"
    answer = await take(asked, "ada")
    record = await asked.record()
    assert (answer["state"], answer["provider_id"]) == ("accepted", "ada")
    assert (record.state, record.winner, len(record.windows)) == ("accepted", asked.numbers["ada"], 1)
    assert record.windows[0].start == asked.now + 4.5 * HOUR
    assert await asked.states() == {"ada": "accepted", "ben": "withdrawn taken", "cleo": "withdrawn taken"}
    assert (await asked.heard("ada"))[-4:] == ["counter shown", "counter accepted", "withdrawn answered_elsewhere", "booking accepted"]
    assert (await asked.heard("ben"))[-1] == "withdrawn taken"
    assert await hooks(asked) == ["booking.counteroffered", "booking.counteroffer_closed accepted", "booking.accepted"]
    assert await asked.items("ada") == ["b-1"]
    await sound(asked)


# -- an answer, and no end --------------------------------------------------------------------------------------------


@pytest.mark.proves("R21.a", "R24.c")
async def test_it_is_an_answer_frees_the_seat_and_starts_no_second_clock_r21_r22(asked: Scene) -> None:
    await asked.receive("ada", seen=True)
    await asked.later(seconds=30)
    assert await asked.counter("ada", (4.5,)) == "sent"
    p = (await asked.record()).proposals[asked.numbers["ada"]]
    assert (p.state, p.live, p.answered_at - p.seen_at) == ("countered", 0, 30_000)
    await asked.later(seconds=30)
    await asked.accept("ada")
    (shown,) = [one for one in (await asked.desk.booking(asked.market, "b-1"))["proposals"] if one["provider_id"] == "ada"]
    assert (shown["state"], shown["response_ms"]) == ("accepted", 30_000)
    answered = await asked.redis.hget(f"{{{asked.market}}}:p:{asked.numbers['ada']}", "answered")
    assert int(answered) == 1
    await sound(asked)


@pytest.mark.proves("R13.a", "R24.h")
async def test_the_search_goes_on_at_once_when_all_have_answered_r13(asked: Scene) -> None:
    await asked.refuse("ben")
    await asked.refuse("cleo")
    await asked.counter("ada", (4.5,))
    await asked.settle()
    assert (await asked.states())["dan"] == "open"
    assert await asked.accept("dan") == "won"
    assert (await row(asked, "ada"))["state"] == "withdrawn"
    assert (await asked.heard("ada"))[-2:] == ["withdrawn taken", "counter withdrawn"]
    await sound(asked)


@pytest.mark.proves("R24.d")
async def test_he_may_still_accept_the_original(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    assert await asked.accept("ada") == "won"
    assert ((await row(asked, "ada"))["state"], (await asked.record()).windows[0].start) == ("withdrawn", asked.now + 4 * HOUR)
    await sound(asked)


async def test_after_his_refusal_nothing_of_it_is_left(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    assert await asked.refuse("ada") == "done"
    assert (await row(asked, "ada"))["state"] == "withdrawn"
    assert await asked.counter("ada", (4.6,)) == "not_asked"
    await sound(asked)


# -- when the client sees it ------------------------------------------------------------------------------------------


@pytest.mark.proves("R24.f")
@pytest.mark.parametrize(("lead", "state"), [(4.5, "shown"), (3.5, "shown"), (4.501, "held"), (3.499, "held"), (7, "held")])
async def test_within_thirty_minutes_of_an_asked_window_it_is_shown_at_once(asked: Scene, lead: float, state: str) -> None:
    await asked.counter("ada", (lead,))
    assert (await row(asked, "ada"))["state"] == state
    assert (await hooks(asked)) == (["booking.counteroffered"] if state == "shown" else [])
    assert (await asked.heard("ada"))[-1] == f"counter {state}"
    await sound(asked)


@pytest.mark.proves("R24.f")
async def test_one_near_window_among_others_is_enough_and_so_is_any_asked_window(scene: Scene) -> None:
    await scene.settings(**TRIO)
    await scene.open(leads=(4, 8))
    await scene.counter("ada", (6, 8.25))
    assert (await row(scene, "ada"))["state"] == "shown"


@pytest.mark.proves("R24.f")
async def test_of_a_provider_whom_the_client_knows_it_is_shown_at_once(asked: Scene) -> None:
    client = (await asked.record()).client
    await asked.redis.sadd(key("served", asked.market, asked.numbers["ada"]), client)
    await asked.counter("ada", (7,))
    await asked.counter("ben", (7,))
    assert [one["state"] for one in await rows(asked)] == ["shown", "held"]


@pytest.mark.proves("R24.g")
async def test_else_it_is_held_until_every_other_proposal_is_answered_or_stale(asked: Scene) -> None:
    await asked.counter("ada", (7,))
    await asked.refuse("ben")
    assert (await row(asked, "ada"))["state"] == "held"
    with pytest.raises(Conflict, match="it waits until the others"):
        await take(asked, "ada")
    await asked.settings(cadence=[{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 3_600}])
    await asked.later(minutes=10)  # cleo's live time is over
    await asked.settle()
    assert (await asked.states())["cleo"] == "stale"
    assert (await row(asked, "ada"))["state"] == ("held" if (await asked.states()).get("dan") == "open" else "shown")
    await asked.refuse("dan") if (await asked.states()).get("dan") == "open" else None
    assert (await row(asked, "ada"))["state"] == "shown"
    assert (await take(asked, "ada"))["state"] == "accepted"
    await sound(asked)


@pytest.mark.proves("R24.g")
async def test_the_last_who_answers_with_other_times_shows_all_of_them(asked: Scene) -> None:
    await asked.counter("ada", (7,))
    await asked.counter("ben", (7.1,))
    assert [one["state"] for one in await rows(asked)] == ["held", "held"]
    await asked.counter("cleo", (7.2,))
    assert [one["state"] for one in await rows(asked)] == ["shown", "shown", "shown"]
    assert (await asked.story())[-4:] == ["Received", "Countered", "CounterofferShown", "CounterofferShown"]
    await sound(asked)


async def test_what_was_held_is_shown_when_the_search_ends_unfilled_and_can_still_be_taken(asked: Scene) -> None:
    await asked.settings(**TRIO, answer_s={"last_minute": 20_000, "same_day": 1_800, "advance": 14_400, "far": 43_200})
    await asked.later(minutes=80)
    await asked.open("b-2", client_id="c-2", lead=2.5)
    await asked.counter("ada", (5,), "b-2")
    assert (await row(asked, "ada", "b-2"))["state"] == "held"
    await asked.later(minutes=91)
    await asked.settle()
    assert ((await asked.record("b-2")).state, (await row(asked, "ada", "b-2"))["state"]) == ("unfilled", "shown")
    await sound(asked)
    assert (await take(asked, "ada", "b-2"))["state"] == "accepted"
    assert (await asked.record("b-2")).winner == asked.numbers["ada"]
    assert (await asked.story("b-2"))[-2:] == ["CounterofferAccepted", "Accepted"]
    await sound(asked)


# -- how long it lives ------------------------------------------------------------------------------------------------


@pytest.mark.proves("R24.b", "R24.j")
@pytest.mark.parametrize(("leads", "good_for_h"), [((4.5,), 3), ((5, 3.5), 2.5), ((9, 8), 3)])
async def test_it_is_valid_for_three_hours_or_until_an_hour_before_its_first_window(
    asked: Scene, leads: tuple[float, ...], good_for_h: float
) -> None:
    await asked.counter("ada", leads)
    await asked.refuse("ben")
    await asked.refuse("cleo")
    await asked.later(hours=good_for_h, milliseconds=-1)
    await asked.settle()
    assert (await row(asked, "ada"))["state"] == "shown"  # though the search has ended meanwhile, or is about to
    assert await asked.store.counteroffers.end(asked.market) == 0
    await asked.later(milliseconds=1)
    with pytest.raises(Conflict, match="its time is over"):
        await take(asked, "ada")
    with pytest.raises(Conflict, match="is expired"):
        await decline(asked, "ada")
    assert (await row(asked, "ada"))["state"] == "expired"
    await (await asked.upkeep()).end_counteroffers()
    assert (await asked.heard("ada"))[-1] == "counter expired"
    assert (await hooks(asked))[-1] == "booking.counteroffer_closed expired"
    await sound(asked)


@pytest.mark.proves("R24.i")
async def test_the_client_needs_an_hour_before_the_window_he_takes(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    await asked.settings(**TRIO, counter_cutoff_s=5 * 3_600)
    with pytest.raises(Unprocessable, match="18000 s before") as refused:
        await take(asked, "ada")
    assert refused.value.code == "too_late"


async def test_one_whose_first_window_is_too_near_is_too_late(asked: Scene) -> None:
    assert await asked.counter("ada", (5, 1)) == "too_late"
    assert await asked.counter("ada", (5, 1.001)) == "sent"


@pytest.mark.proves("R24.k")
async def test_a_new_one_replaces_the_earlier_one_until_the_limit(asked: Scene) -> None:
    assert [await asked.counter("ada", (lead,)) for lead in (4.1, 4.2, 4.3, 4.4)] == ["sent", "sent", "sent", "limit"]
    assert [one["state"] for one in await rows(asked)] == ["withdrawn", "withdrawn", "shown"]
    assert [item for item in await asked.items("ada") if item.startswith("counter")] == [
        f"counter {(await row(asked, 'ada'))['counteroffer_id']}"
    ]
    assert await hooks(asked) == ["booking.counteroffered", "booking.counteroffer_closed withdrawn"] * 2 + ["booking.counteroffered"]
    await sound(asked)


async def test_a_repeat_of_the_id_is_answered_alike_and_makes_no_second_one_p4(asked: Scene) -> None:
    assert [await asked.counter("ada", (4.5,), id="same") for _ in range(2)] == ["sent", "sent"]
    assert len(await rows(asked)) == 1
    with pytest.raises(BadRequest, match="came before with other content"):
        await asked.counter("ada", (4.6,), id="same")


# -- what ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("R24.e", "R24.i")
async def test_a_won_overlap_withdraws_his_other_counteroffers_and_no_others(asked: Scene) -> None:
    await asked.open("b-2", client_id="c-2", lead=4.25)
    await asked.open("b-3", client_id="c-3", lead=4.25)
    for booking_id, leads in (("b-2", (8, 8.4)), ("b-3", (8, 12))):
        assert await asked.counter("ada", leads, booking_id) == "sent"
    await asked.counter("ada", (8.2,))
    await asked.refuse("ben")
    await asked.refuse("cleo")
    await take(asked, "ada")
    assert [(await row(asked, "ada", one))["state"] for one in ("b-2", "b-3")] == ["withdrawn", "held"]
    with pytest.raises(Conflict):
        await take(asked, "ada", "b-2")
    await asked.refuse("ben", "b-3")
    await asked.refuse("cleo", "b-3")
    with pytest.raises(Conflict, match="holds another visit"):
        await take(asked, "ada", "b-3", window=0)
    assert (await take(asked, "ada", "b-3", window=1))["state"] == "accepted"
    await sound(asked)


async def test_he_cannot_propose_a_time_at_which_he_holds_a_visit(asked: Scene) -> None:
    await asked.open("b-2", client_id="c-2", lead=8)
    await asked.only("ada", "b-2")
    await asked.accept("ada", "b-2")
    with pytest.raises(BadRequest, match="you hold a visit"):
        await asked.counter("ada", (5, 9.2))
    assert await asked.counter("ada", (5, 9.5)) == "sent"


@pytest.mark.proves("R24.h", "R24.j")
async def test_declined_is_told_and_the_search_goes_on(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    assert (await decline(asked, "ada", rid="d"))["state"] == (await decline(asked, "ada", rid="d"))["state"] == "declined"
    with pytest.raises(Conflict, match="is declined"):
        await decline(asked, "ada")
    with pytest.raises(Conflict, match="it was declined"):
        await take(asked, "ada")
    assert (await asked.heard("ada"))[-1] == "counter declined"
    assert await hooks(asked) == ["booking.counteroffered", "booking.counteroffer_closed declined"]
    assert await asked.accept("ada") == "won"
    await sound(asked)


async def _cancelled(scene: Scene) -> None:
    await scene.cancel()


async def _taken(scene: Scene) -> None:
    await scene.accept("ben")


async def _apart(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")


async def _inactive(scene: Scene) -> None:
    settings = msgspec.structs.replace(await scene.settings_of("ada"), status="inactive")
    await scene.desk.put_provider(scene.market, "ada", settings)


@pytest.mark.proves("R24.i")
@pytest.mark.parametrize("end", [_cancelled, _taken, _apart, _inactive], ids=lambda end: end.__name__[1:])
@pytest.mark.parametrize("lead", [4.5, 7], ids=["shown", "held"])
async def test_whatever_ends_the_search_for_him_withdraws_it(asked: Scene, end: Any, lead: float) -> None:
    await asked.counter("ada", (lead,))
    await end(asked)
    assert (await row(asked, "ada"))["state"] == "withdrawn"
    with pytest.raises(Conflict):
        await take(asked, "ada")
    assert await asked.counter("ada", (4.6,)) in ("expired", "not_asked")
    assert await asked.items("ada") == []
    await sound(asked)


@pytest.mark.proves("R15.a", "R24.i")
async def test_it_is_one_claim_the_first_wins_p1(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    await asked.counter("ben", (4.5,))
    first = await take(asked, "ada", rid="one")
    assert await take(asked, "ada", rid="one") == first
    for who in ("ada", "ben"):
        with pytest.raises(Conflict, match="no longer offered"):
            await take(asked, who, rid=f"two-{who}")
    assert (await asked.story()).count("Accepted") == 1
    events = await asked.store.bookings.timeline(asked.market, (await asked.record()).no)
    assert [event["cause"] for event in events if event["type"] == "Accepted"] == ["counteroffer"]
    assert "AcceptedTooLate" not in await asked.story()


async def test_one_that_is_not_there_and_a_window_that_it_has_not(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    with pytest.raises(Unprocessable, match="window 3 is none of its 1"):
        await take(asked, "ada", window=3)
    for wrong in ("1.9", "2.1", "x", "1.-1", "1.1.1", "1.99999999999"):
        with pytest.raises(NotFound):
            await asked.desk.counteroffers.accept(asked.market, "b-1", wrong, CounterofferAccept(), asked.fresh("take"))


async def test_after_its_winners_cancellation_the_agreed_time_is_searched_for_r35(asked: Scene) -> None:
    await asked.counter("ada", (4.5,))
    await take(asked, "ada")
    assert await asked.cancel(by="provider") == "searching"
    await asked.settle()
    record = await asked.record()
    assert ([window.start for window in record.windows], record.version) == ([asked.now + 4.5 * HOUR], 2)
    assert (await asked.states())["dan"] == "open"
    assert await asked.accept("dan") == "won"
    await sound(asked)


async def test_the_note_is_for_the_client_and_in_no_event_p14b(asked: Scene) -> None:
    await asked.counter("ada", (4.5,), note="after my lunch")
    assert (await row(asked, "ada"))["note"] == "after my lunch"
    assert "lunch" not in str(await asked.store.bookings.timeline(asked.market, (await asked.record()).no))


async def test_it_answers_the_booking_as_it_stands(asked: Scene) -> None:
    assert await asked.counter("ada", (4.5,), version=9) == "version_conflict"
    assert await rows(asked) == []
