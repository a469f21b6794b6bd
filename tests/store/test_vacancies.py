"""R18: a provider who comes online, is freed, or widens his settings takes a free seat of a current wave, the most urgent booking first.

A seat is free when the wave found nobody for it (unfilled, or after everybody refused), or when nobody was left for the seat of one whom
nothing reached. Who finds none waits for the next wave.
"""

from collections.abc import Awaitable, Callable

import pytest

from dispatch.store.keys import key
from tests.store.scene import HOUR, NOON, Scene
from tests.store.soundness import faults

ALL = ("ada", "ben", "cleo", "dan")
ELSEWHERE = {"type": "circle", "lat": 48.5, "lng": 2.34, "radius_km": 5}
PARIS = {"type": "circle", "lat": 48.86, "lng": 2.34, "radius_km": 6}
Deed = Callable[[Scene], Awaitable[object]]


async def away(scene: Scene, *names: str) -> None:
    """Nobody of these can be reached."""
    for name in names or ALL:
        await scene.disconnect(name)


async def sound(scene: Scene) -> None:
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def kinds(scene: Scene, booking_id: str = "b-1") -> list[tuple[str, int]]:
    """Kind and size of everything sent."""
    record = await scene.record(booking_id)
    sent = [event for event in await scene.store.bookings.timeline(scene.market, record.no) if event["type"] == "WaveSent"]
    return [(event["kind"], len(event["asked"])) for event in sent]


# -- which seats are free ---------------------------------------------------------------------------------------------


@pytest.mark.proves("R14.a", "R18.a", "R18.e")
async def test_who_comes_online_takes_a_seat_that_nobody_could_be_asked_for_r18(scene: Scene) -> None:
    await away(scene, "ada", "ben", "cleo")
    await scene.open()
    assert await scene.states() == {"dan": "open"}
    await scene.connect("ada")
    assert await scene.states() == {"dan": "open"}, "he has only woken somebody"
    await scene.meet()
    assert await scene.states() == {"ada": "open", "dan": "open"}
    assert await kinds(scene) == [("wave", 1), ("seat", 1)]
    assert (await scene.record()).vacant == 1
    await sound(scene)


@pytest.mark.proves("R1.b")
async def test_explain_says_why_he_was_asked_out_of_turn_r18_r8_r1(scene: Scene) -> None:
    await away(scene, "ada", "ben", "cleo")
    await scene.open()
    await scene.connect("ada")
    await scene.meet()
    ada, dan = [await scene.desk.explain(scene.market, "b-1", name) for name in ("ada", "dan")]
    assert (ada["asked"]["appeared"], dan["asked"]["appeared"]) == (True, False)
    assert "a seat that nobody held" in ada["text"][0]


async def test_a_seat_of_a_booking_that_found_nobody_at_all_is_of_its_first_wave_r18(scene: Scene) -> None:
    await away(scene)
    await scene.open()
    await scene.connect("ben")
    await scene.meet()
    (message,) = [m for m in await scene.told("ben") if m["type"] == "proposal"]
    assert (message["wave"], message["kind"], (await scene.record()).wave) == (1, "ordinary", 1)
    assert await scene.accept("ben") == "won"
    await sound(scene)


@pytest.mark.proves("R18.g")
async def test_a_full_wave_has_no_free_seat_and_who_appears_waits_for_the_next_one_in_his_rank_r18(scene: Scene) -> None:
    await scene.provider("eve", reachable=False, initial_rank={"tier": "premier", "score": 9})
    await scene.open()
    assert set(await scene.states()) == {"ada", "ben", "cleo"}
    await scene.connect("eve")
    await scene.meet()
    assert set(await scene.states()) == {"ada", "ben", "cleo"}
    for name in ("ada", "ben", "cleo"):
        await scene.receive(name)
    await scene.later(minutes=3)
    await scene.settle()
    record = await scene.record()
    assert set(await scene.states()) == {*ALL, "eve"}
    (second,) = [e["asked"] for e in await scene.store.bookings.timeline(scene.market, record.no) if e.get("wave") == 2]
    assert second[0] == scene.numbers["eve"], "the best-ranked comes first"


@pytest.mark.proves("R18.e")
async def test_a_seat_that_was_refused_alone_is_not_free_r18_r13(scene: Scene) -> None:
    await away(scene, "dan")
    await scene.open()
    await scene.refuse("ada")
    await scene.settle()
    await scene.connect("dan")
    await scene.meet()
    assert "dan" not in await scene.states()


@pytest.mark.proves("R18.e")
async def test_after_all_have_refused_the_seats_of_the_wave_that_found_nobody_are_free_r18_r13(scene: Scene) -> None:
    await away(scene, "dan")
    await scene.open()
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    await scene.settle()
    assert (await scene.record()).vacant == 3
    await scene.connect("dan")
    await scene.meet()
    assert (await scene.states())["dan"] == "open"
    await sound(scene)


@pytest.mark.proves("R18.e")
async def test_the_seat_of_one_whom_nothing_reached_is_free_when_nobody_else_could_be_asked_r18_r14(scene: Scene) -> None:
    await away(scene, "dan")
    await scene.open()
    await scene.receive("ada")
    await scene.receive("ben")
    await scene.connect("dan")
    await scene.disconnect("dan")
    await scene.meet()
    assert "dan" not in await scene.states(), "within the grace the seat is taken"
    await scene.later(seconds=20)
    await scene.settle()
    assert ((await scene.states())["cleo"], (await scene.record()).vacant) == ("replaced", 1)
    await scene.connect("dan")
    await scene.meet()
    assert ((await scene.states())["dan"], (await scene.record()).vacant) == ("open", 0)
    await sound(scene)


async def test_the_next_wave_ends_the_claim_of_earlier_ones(scene: Scene) -> None:
    """Two seats of the first wave were vacant; the second found all it wanted."""
    await scene.settings(cadence=[{"class": "last_minute", "lead_under_s": None, "size": 2, "pause_s": 180}])
    await away(scene, "ben", "cleo", "dan")
    await scene.open()
    assert (await scene.record()).vacant == 1
    await scene.receive("ada")
    await scene.connect("ben")
    await scene.connect("cleo")
    await scene.later(minutes=3)
    await scene.settle()
    assert ((await scene.record()).vacant, set(await scene.states())) == (0, {"ada", "ben", "cleo"})
    await scene.connect("dan")
    await scene.meet()
    assert "dan" not in await scene.states()
    await sound(scene)


# -- who appears ------------------------------------------------------------------------------------------------------


async def _available(scene: Scene) -> None:
    await scene.store.links.status(scene.market, scene.numbers["dan"], True, None, "phone")


async def _unblock(scene: Scene) -> None:
    await scene.desk.delete_provider_block(scene.market, "dan", "c-1")


async def _zone(scene: Scene) -> None:
    await scene.provider("dan", reachable=False, zone=PARIS)


async def _catalogue(scene: Scene) -> None:
    await scene.provider("dan", reachable=False)


async def _cancelled_by_client(scene: Scene) -> None:
    await scene.cancel("held")


async def _cancelled_by_himself(scene: Scene) -> None:
    await scene.cancel("held", by="provider")


async def _hold(scene: Scene) -> None:
    """He holds a visit at the hour of the booking to come."""
    await scene.open("held", lead=4)
    assert await scene.accept("dan", "held") == "won"


APPEARS: dict[str, tuple[Deed, Deed]] = {
    "a socket": (lambda s: s.disconnect("dan"), lambda s: s.connect("dan")),
    "switched on": (lambda s: s.store.links.status(s.market, s.numbers["dan"], False, None, "phone"), _available),
    "approved": (lambda s: s.provider("dan", reachable=False, status="pending"), _zone),
    "wider zone": (lambda s: s.provider("dan", reachable=False, zone=ELSEWHERE), _zone),
    "polygon": (
        lambda s: s.provider("dan", reachable=False, zone=ELSEWHERE),
        lambda s: s.provider("dan", reachable=False, zone={"type": "polygon", "coordinates": [[2.2, 48.8], [2.5, 48.8], [2.35, 49.0]]}),
    ),
    "longer hours": (lambda s: s.provider("dan", reachable=False, hours="Mo-Fr 09:00-12:00"), _zone),
    "back from absence": (
        lambda s: s.provider("dan", reachable=False, absences=[{"from": "2027-03-12", "to": "2027-03-13"}]), _zone,
    ),
    "wider catalogue": (lambda s: s.provider("dan", reachable=False, catalogue=[]), _catalogue),
    "no block any more": (lambda s: s.desk.put_provider_block(s.market, "dan", "c-1"), _unblock),
    "client cancels his visit": (_hold, _cancelled_by_client),
    "he cancels his visit": (_hold, _cancelled_by_himself),
}  # fmt: skip


@pytest.mark.proves("R18.a", "R18.b", "R18.c", "R36.c")
@pytest.mark.parametrize("how", APPEARS)
async def test_whoever_appears_by_whatever_way_meets_the_vacancies_r18(scene: Scene, how: str) -> None:
    before, after = APPEARS[how]
    await away(scene, "ada", "ben", "cleo")
    await before(scene)
    await scene.open()
    await scene.meet()
    assert await scene.states() == {}
    await after(scene)
    await scene.meet()
    assert (await scene.states())["dan"] == "open"
    await sound(scene)


@pytest.mark.proves("R4.a")
@pytest.mark.parametrize(("codes", "asked"), [(["here"], True), (["there", "here"], True), (["there"], False)])
async def test_one_with_a_list_of_areas_meets_what_lies_in_them_r18_r4(scene: Scene, codes: list[str], asked: bool) -> None:
    await scene.desk.put_areas(scene.market, {"type": "FeatureCollection", "features": [_area("here", 48.86), _area("there", 48.0)]})
    await away(scene)
    await scene.provider("eve", reachable=False, zone={"type": "areas", "codes": codes})
    await scene.open()
    await scene.connect("eve")
    await scene.meet()
    assert ("eve" in await scene.states()) == asked
    await sound(scene)


def _area(code: str, lat: float) -> dict[str, object]:
    """A square around a latitude."""
    south, north, west, east = lat - 0.1, lat + 0.1, 2.2, 2.5
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Feature", "properties": {"code": code, "name": code}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.mark.proves("R18.b", "R18.f")
async def test_a_place_below_his_cap_that_is_freed_lets_him_meet_the_vacancies_r18(scene: Scene) -> None:
    await scene.settings(open_proposals_cap=1)
    await away(scene, "ada", "ben", "cleo")
    await scene.open("b-1")
    await scene.open("b-2")
    assert (await scene.states("b-1"), await scene.states("b-2")) == ({"dan": "open"}, {})
    await scene.refuse("dan", "b-1")
    await scene.meet()
    assert await scene.states("b-2") == {"dan": "open"}
    await sound(scene)


async def test_more_room_under_the_cap_of_the_market_counts_too_r18(scene: Scene) -> None:
    await scene.settings(open_proposals_cap=1)
    await away(scene, "ada", "ben", "cleo")
    await scene.open("b-1")
    await scene.open("b-2")
    await scene.settings(open_proposals_cap=2)
    await scene.meet()
    assert await scene.states("b-2") == {"dan": "open"}


# -- on which terms ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("R18.e", "R18.f")
async def test_the_most_urgent_bookings_come_first_and_never_more_than_his_cap_r18(scene: Scene) -> None:
    await scene.settings(open_proposals_cap=3)
    await away(scene)
    for lead in (9, 5, 30, 3, 7):
        await scene.open(f"b-{lead}", lead=lead)
    await scene.connect("ada")
    await scene.meet()
    asked = [m["proposal"].split(".")[0] for m in await scene.told("ada") if m["type"] == "proposal"]
    assert [int(bno) for bno in asked] == [4, 2, 5], "those in 3, 5 and 7 hours"
    await sound(scene)


@pytest.mark.proves("R18.h")
async def test_of_a_thousand_who_log_in_at_nine_only_as_many_are_asked_as_there_are_seats_r18(scene: Scene) -> None:
    await away(scene)
    names = [f"p{index}" for index in range(60)]
    for name in names:
        await scene.provider(name, reachable=False)
    await scene.open()
    for name in names:
        await scene.connect(name)
    await scene.meet()
    assert len(await scene.states()) == 3
    assert await scene.redis.zcard(key("freed", scene.market)) == 0
    await sound(scene)


async def test_without_vacancies_nobody_is_queued(scene: Scene) -> None:
    await scene.open()
    await scene.disconnect("dan")
    await scene.connect("dan")
    assert await scene.redis.zcard(key("freed", scene.market)) == 0


async def test_nobody_meets_a_booking_twice_in_a_round_p6(scene: Scene) -> None:
    await away(scene, "ada", "ben", "cleo")
    await scene.open()
    await scene.refuse("dan")
    await scene.disconnect("dan")
    await scene.connect("dan")
    await scene.meet()
    assert await scene.states() == {"dan": "refused"}


@pytest.mark.proves("R3.a", "R12.c")
@pytest.mark.parametrize(("lead", "asked"), [(4, True), (10, False)], ids=["last minute", "same day"])
async def test_quiet_hours_hold_for_those_who_appear_too_r18_r12(scene: Scene, lead: int, asked: bool) -> None:
    await scene.settings(quiet_hours=None)
    await away(scene)
    await scene.open(lead=lead)
    await scene.settings(quiet_hours={"from": "11:00", "to": "13:00"})
    await scene.connect("ada")
    await scene.meet()
    assert ("ada" in await scene.states()) == asked


@pytest.mark.proves("R3.a")
async def test_his_own_do_not_disturb_hours_hold_r18_r3(scene: Scene) -> None:
    await away(scene)
    await scene.open()
    await scene.provider("eve", do_not_disturb={"from": "11:30", "to": "12:30"})
    await scene.meet()
    assert await scene.states() == {}


async def test_he_sees_of_several_windows_those_that_fit_him_r18_r11(scene: Scene) -> None:
    await away(scene)
    await scene.provider("eve", reachable=False, hours="Mo-Su 18:00-23:00")
    await scene.open(leads=(4, 7))
    await scene.connect("eve")
    await scene.meet()
    (message,) = [m for m in await scene.told("eve") if m["type"] == "proposal"]
    assert message["booking"]["windows"] == [{"start": NOON + 7 * HOUR, "end": NOON + 8 * HOUR}]
    assert await scene.accept("eve") == "won"
    assert (await scene.record()).window == 1


async def test_a_window_that_was_dropped_is_not_met_any_more_r18_r11(scene: Scene) -> None:
    """He works only during the first window, which has fallen under its deadline."""
    await away(scene)
    await scene.provider("eve", reachable=False, hours="Mo-Su 15:00-17:00")
    await scene.open(leads=(3, 9))
    await scene.later(hours=2)
    await scene.settle()
    assert len((await scene.record()).windows) == 1
    await scene.connect("eve")
    await scene.meet()
    assert await scene.states() == {}
    await scene.connect("ada")
    await scene.meet()
    assert await scene.states() == {"ada": "open"}
    await sound(scene)


async def test_his_seat_lives_and_fades_like_any_other_r18_r12b_r14(scene: Scene) -> None:
    await away(scene)
    await scene.open()
    await scene.connect("ada")
    await scene.meet()
    assert (await scene.timers())[1] <= NOON + 20_000, "somebody looks at the end of the grace"
    await scene.receive("ada")
    await scene.later(minutes=10)
    await scene.settle()
    assert (await scene.states())["ada"] == "stale"
    await sound(scene)


async def test_who_decided_on_the_booking_before_he_took_his_seat_decided_in_vain(scene: Scene) -> None:
    await away(scene)
    await scene.open()
    before = (await scene.record()).rev
    await scene.connect("ada")
    await scene.meet()
    assert (await scene.record()).rev > before


# -- crashes ----------------------------------------------------------------------------------------------------------


async def test_what_no_worker_has_handled_is_handled_after_a_restart_r18(scene: Scene) -> None:
    """Whoever was woken waits in the store: the next worker, whenever it comes, finds him."""
    await away(scene)
    await scene.open()
    await scene.connect("ada")
    await scene.later(minutes=1)  # every process was replaced meanwhile
    await scene.meet()
    assert await scene.states() == {"ada": "open"}


async def test_of_two_workers_one_serves_him(scene: Scene) -> None:
    await away(scene)
    await scene.open()
    await scene.connect("ada")
    terms = {"latest": 2**53, "rows": [(None, "last_minute", 600_000, 20_000)]}
    first, second = [await scene.store.meetings.meet(scene.market, [scene.numbers["ada"]], 0, terms) for _ in range(2)]
    assert (getattr(first[0], "asked", None), second) == ((1,), [None])


async def test_a_booking_that_ends_leaves_nothing_of_its_vacancies(scene: Scene) -> None:
    await away(scene)
    for booking_id in ("b-1", "b-2", "b-3"):
        await scene.open(booking_id)
    await scene.cancel("b-1")
    await scene.connect("ada")
    await scene.meet()
    await scene.accept("ada", "b-2")
    await scene.later(hours=3)
    await scene.settle()
    assert (await scene.record("b-3")).state == "unfilled"
    assert await scene.redis.keys(f"{{{scene.market}}}:vac:*") == []


async def test_a_long_list_is_met_in_several_calls_and_in_order_r18(scene: Scene) -> None:
    """He fits only the last of many."""
    await away(scene)
    for index in range(270):
        await scene.open(f"n-{index}", lead=4 + index / 100, client_id="c-9")
    await scene.open("late", lead=9)
    await scene.provider("eve", reachable=False)
    await scene.desk.put_provider_block(scene.market, "eve", "c-9")
    await scene.connect("eve")
    (met,) = await scene.store.meetings.meet(scene.market, [scene.numbers["eve"]], 0, {"latest": 2**53, "rows": [(None, "far", 1, 1)]})
    assert getattr(met, "more", None) is True
    assert await scene.states("late") == {}
    await scene.meet()
    assert await scene.states("late") == {"eve": "open"}
