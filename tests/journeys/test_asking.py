"""Who is asked, in which order and when, as another team sees it: through HTTP and sockets alone (R1-R5, R12-R14, R24, R40)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from tests.engine_process import EngineProcess
from tests.journeys.outsiders import LOOK_S, PATIENCE_S, PLACE, Phone, Service, hour, service

PARIS = ZoneInfo("Europe/Paris")
KM = 1 / 111.195  # degrees of latitude
SLOWLY = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 3_600}]}
MINUTES = {"last_minute": 3, "same_day": 10, "advance": 30, "far": 60}


def clock(hours: float) -> str:
    """The market's time of day, so many hours from now."""
    return (datetime.now(PARIS) + timedelta(hours=hours)).strftime("%H:%M")


def day(hours: float) -> dict[str, str]:
    """The market's day, so many hours from now, as an absence."""
    date = (datetime.now(PARIS) + timedelta(hours=hours)).date().isoformat()
    return {"from": date, "to": date}


def answers(seconds: int) -> dict[str, int]:
    return dict.fromkeys(("last_minute", "same_day", "advance", "far"), seconds)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def matched(town: Service, *windows: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A dry run: who would be asked, and why others would not."""
    body = {"booking_id": "probe", "client_id": "c-1", "place": PLACE, "services": ["cut"], "windows": list(windows), "explain": True}
    return await town.post("/match", body | changes)


async def order(town: Service, *windows: dict[str, str]) -> list[str]:
    return [one["provider_id"] for one in (await matched(town, *windows))["candidates"]]


async def reasons(town: Service, names: list[str], *windows: dict[str, str], **changes: Any) -> dict[str, list[str]]:
    left_out = (await matched(town, *windows, explain_ids=names, **changes))["left_out"]["providers"]
    return {one["provider_id"]: one["reasons"] for one in left_out if one["provider_id"] in names}


async def told(town: Service, booking_id: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in (await town.get(f"/bookings/{booking_id}/timeline"))["events"] if event["type"] == kind]


@asynccontextmanager
async def phones(town: Service, *names: str) -> AsyncIterator[dict[str, Phone]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(town.phone(name)) for name in names}


async def refuse(phone: Phone, proposal: dict[str, Any]) -> None:
    await phone.say(type="refuse", id=f"no-{proposal['proposal']}", proposal=proposal["proposal"], version=proposal["version"], reason=None)
    assert (await phone.hear("result", id=f"no-{proposal['proposal']}"))["outcome"] == "done"


# -- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R2.a", "R2.b", "R2.c", "R2.d", "R2.f", "R2.g", "R2.h", "R2.i", "R3.a", "R3.b", "R8.a")
async def test_each_filter_leaves_somebody_out_and_is_named_r2_r3_r8(served: EngineProcess) -> None:
    visit = hour(30)
    people: dict[str, tuple[dict[str, Any], list[str]]] = {
        "pending": ({"status": "pending"}, ["status"]),
        "far": ({"zone": {"type": "circle", "lat": 48.99, "lng": 2.35, "radius_km": 2}}, ["zone"]),
        "half": ({"catalogue": ["cut"]}, ["catalogue"]),
        "early": ({"hours": f"Mo-Su {clock(29.5)}-{clock(30.5)}"}, ["hours"]),  # half of the visit
        "absent": ({"absences": [day(30), day(31)]}, ["hours"]),
        "asleep": ({"do_not_disturb": {"from": clock(-1), "to": clock(1)}}, ["do_not_disturb"]),
        "apart": ({}, ["blocked"]),
        "busy": ({}, ["overlap"]),
        "away": ({}, ["unreachable"]),
        "awa": ({"absences": [day(0)] if day(0) != day(30) else []}, []),  # absent today, and there on the day of the visit
        "late": ({"do_not_disturb": {"from": clock(29), "to": clock(32)}}, []),  # it is not that hour now
    }
    async with service(served, **SLOWLY) as town:
        services = [{"code": code, "trade": "hair", "name": {}, "minutes": 60} for code in ("cut", "colour")]
        await town.put("/catalogue", {"trades": [{"code": "hair", "name": {}}], "services": services})
        for name, (changes, _) in people.items():
            await town.provider(name, **{"catalogue": ["cut", "colour"], **changes})
        async with phones(town, *(name for name in people if name != "away")) as there:
            await town.post("/bookings", body_of("held", "c-2", hour(30.9)), 201)
            await town.put("/providers/apart/blocks/c-1", {})
            await only(town, there, "busy", "held")
            found = await reasons(town, list(people), visit, services=["cut", "colour"])
            assert found == {name: why for name, (_, why) in people.items() if why}
            fitting = (await matched(town, visit, services=["cut", "colour"]))["candidates"]
            assert sorted(one["provider_id"] for one in fitting) == ["awa", "late"]


def body_of(booking_id: str, client_id: str, *windows: dict[str, str]) -> dict[str, Any]:
    return {"booking_id": booking_id, "client_id": client_id, "place": PLACE, "services": ["cut"], "windows": list(windows)}


async def only(town: Service, there: dict[str, Phone], name: str, booking_id: str) -> None:
    """Whoever is asked says no, until it is him: he takes it."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            asked = [one["provider_id"] for one in (await town.get(f"/bookings/{booking_id}"))["proposals"] if one["state"] == "open"]
            for who in asked:
                proposal = await there[who].hear("proposal")
                if who == name:
                    assert (await there[who].accept(proposal))["outcome"] == "won"
                    return
                await refuse(there[who], proposal)
            await anyio.sleep(LOOK_S)


@pytest.mark.proves("R4.a", "R4.b")
async def test_a_zone_of_each_kind_ends_where_it_ends_r4(served: EngineProcess) -> None:
    lat, lng = PLACE["lat"], PLACE["lng"]
    square = [[lng - 0.02, lat - KM], [lng + 0.02, lat - KM], [lng + 0.02, lat + KM], [lng - 0.02, lat + KM]]
    area = {
        "type": "Feature", "properties": {"code": "here", "name": "Here", "postcodes": ["99001"]},
        "geometry": {"type": "Polygon", "coordinates": [[*square, square[0]]]},
    }  # fmt: skip
    zones = {
        "circle": {"type": "circle", **PLACE, "radius_km": 1},
        "polygon": {"type": "polygon", "coordinates": square},
        "commune": {"type": "areas", "codes": ["here"]},
        "postcode": {"type": "areas", "codes": ["99001"]},
    }
    async with service(served) as town:
        await town.put("/areas", {"type": "FeatureCollection", "features": [area]})
        for name, zone in zones.items():
            await town.provider(name, zone=zone)
        for km, expected in ((0, ["unreachable"]), (0.99, ["unreachable"]), (1.01, ["zone", "unreachable"])):
            found = await reasons(town, list(zones), hour(30), place={"lat": round(lat + km * KM, 6), "lng": lng})
            assert found == dict.fromkeys(zones, expected), km


@pytest.mark.proves("R5.a", "R5.b", "R5.c")
async def test_they_are_asked_by_tier_then_score_step_then_waiting_then_number_r5(served: EngineProcess) -> None:
    ranks = {
        "first": ("standard", 7.1),
        "second": ("standard", 7.4),
        "better": ("standard", 7.6),
        "high": ("premier", 1.0),
        "low": ("limited", 9.9),
    }
    async with service(served, **SLOWLY) as town:
        for name, (tier, score) in ranks.items():
            await town.provider(name, initial_rank={"tier": tier, "score": score, "answered": 10})
        async with phones(town, *ranks) as there:
            assert await order(town, hour(5)) == ["high", "better", "first", "second", "low"]
            await town.book("b-1", hour(5))
            for name in ("high", "better"):
                await refuse(there[name], await there[name].hear("proposal"))
            await there["first"].hear("proposal")
            assert [one["asked"] for one in await told(town, "b-1", "WaveSent")] == [["high"], ["better"], ["first"]]
            await town.post("/bookings/b-1/cancel", {"by": "client", "reason": ""})
            assert await order(town, hour(5)) == ["high", "better", "second", "first", "low"], "who was never asked comes first"


# -- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R12.a", "R19.a")
async def test_the_plan_follows_the_lead_time_r12_r19(served: EngineProcess) -> None:
    async with service(served) as town:
        for name in ("a", "b", "c", "d"):
            await town.provider(name)
        async with phones(town, "a", "b", "c", "d"):
            for lead, sizes, urgency in (
                (4, [3, 1], "last_minute"), (8, [2, 2], "same_day"), (30, [1, 1, 1, 1], "advance"), (80, [1, 1, 1, 1], "far"),
            ):  # fmt: skip
                plan = (await matched(town, hour(lead)))["plan"]
                assert [row["size"] for row in plan] == sizes
                gaps = {round((moment(later["at"]) - moment(sooner["at"])) / 60) for sooner, later in pairwise(plan)}
                assert gaps == {MINUTES[urgency]}
                opened = await town.book(f"b-{lead}", hour(lead))
                assert (opened["urgency"], opened["candidates"]) == (urgency, 4)
                await town.post(f"/bookings/b-{lead}/cancel", {"by": "client", "reason": ""})


@pytest.mark.proves("R3.a", "R12.c")
async def test_in_quiet_hours_only_what_is_last_minute_is_sent_r3_r12(served: EngineProcess) -> None:
    async with service(served, quiet_hours={"from": clock(-1), "to": clock(1)}) as town:
        await town.provider("awa")
        async with phones(town, "awa") as there:
            waits = await town.book("b-later", hour(30))
            assert (waits["candidates"], waits["plan"][0]["wave"]) == (1, 1)
            assert moment(waits["plan"][0]["at"]) - datetime.now(PARIS).timestamp() > 57 * 60
            await town.book("b-now", hour(4))
            assert (await there["awa"].hear("proposal"))["booking"]["booking_id"] == "b-now"
            assert (await town.get("/bookings/b-later"))["proposals"] == []


@pytest.mark.proves("R2.k", "R12b.a", "R12b.b", "R12b.c")
async def test_a_proposal_is_live_then_stale_and_can_still_be_taken_r12b_r2(served: EngineProcess) -> None:
    async with service(served, answer_s=answers(3), open_proposals_cap=1, **SLOWLY) as town:
        await town.provider("awa")
        async with phones(town, "awa") as there:
            opened = await town.book("b-1", hour(4))
            proposal = await there["awa"].hear("proposal")
            assert proposal["expires_at"] == round(moment(opened["deadline"]) * 1_000)
            assert 0 < proposal["answer_by"] - proposal["at"] <= 3_000
            full = await matched(town, hour(8), explain_ids=["awa"])
            assert (full["count"], full["left_out"]["providers"]) == (0, [{"provider_id": "awa", "reasons": ["cap"]}])
            await until_stale(town, "b-1")
            assert (await matched(town, hour(8)))["count"] == 1
            assert (await there["awa"].accept(proposal))["outcome"] == "won"


async def until_stale(town: Service, booking_id: str) -> None:
    with anyio.fail_after(PATIENCE_S):
        while any(one["live"] for one in (await town.get(f"/bookings/{booking_id}"))["proposals"]):  # noqa: ASYNC110 - another process acts
            await anyio.sleep(LOOK_S)


@pytest.mark.proves("R13.a")
async def test_the_next_is_asked_when_all_have_said_no_and_not_before_r13(served: EngineProcess) -> None:
    async with service(served, cadence=[{"class": "last_minute", "lead_under_s": None, "size": 2, "pause_s": 3_600}]) as town:
        for name in ("one", "two", "three"):
            await town.provider(name)
        async with phones(town, "one", "two", "three") as there:
            await town.book("b-1", hour(4))
            for name in ("one", "two"):
                await refuse(there[name], await there[name].hear("proposal"))
            assert (await there["three"].hear("proposal"))["wave"] == 2
            no, wave = await told(town, "b-1", "Refused"), (await told(town, "b-1", "WaveSent"))[1]
            assert [one["provider_id"] for one in no] == ["one", "two"]
            assert 0 <= moment(wave["at"]) - moment(no[1]["at"]) < 10, "not an hour later"


@pytest.mark.proves("R2.l", "R2.m")
async def test_nobody_is_asked_twice_unless_he_takes_his_no_back_himself_r2(served: EngineProcess) -> None:
    async with service(served, **SLOWLY) as town:
        for name in ("awa", "bea"):
            await town.provider(name)
        async with phones(town, "awa", "bea") as there:
            await town.book("b-1", hour(4))
            first = await there["awa"].hear("proposal")
            await refuse(there["awa"], first)
            await refuse(there["bea"], await there["bea"].hear("proposal"))
            assert (await there["awa"].accept(first, "too-late"))["outcome"] == "not_asked"
            assert [one["asked"] for one in await told(town, "b-1", "WaveSent")] == [["awa"], ["bea"]]
            said = await town.post("/bookings/b-1/reopen", {"provider_id": "awa", "by": "provider", "reason": "a slip of the thumb"})
            assert said == {"booking_id": "b-1", "provider_id": "awa", "state": "open"}
            again = await there["awa"].hear("proposal", proposal=first["proposal"])
            assert (await there["awa"].accept(again))["outcome"] == "won"
            assert [event["himself"] for event in await told(town, "b-1", "AskedAgain")] == [True]


@pytest.mark.proves("R14.b", "R14.c")
async def test_one_who_confirms_nothing_does_not_hold_the_wave_and_sees_it_when_he_is_back_r14(served: EngineProcess) -> None:
    async with service(served, delivery_grace_s={"last_minute": 1, "other": 1}, **SLOWLY) as town:
        await town.provider("mute", initial_rank={"tier": "premier", "score": 9, "answered": 10})
        await town.provider("awa", initial_rank={"tier": "limited", "score": 5, "answered": 10})
        async with phones(town, "awa") as there:
            async with town.phone("mute") as mute:  # nobody reads what comes, so nothing is confirmed
                await town.book("b-1", hour(4))
                assert (await there["awa"].hear("proposal"))["wave"] == 1
            async with town.phone("mute", {"epoch": mute.epoch, "seq": 0}) as back:
                assert (await back.accept(await back.hear("proposal")))["outcome"] == "won"
            assert (await there["awa"].hear("withdrawn"))["reason"] == "taken"


# -- silence, and other times -----------------------------------------------------------------------------------------


@pytest.mark.proves("R1.b", "R2.j", "R40.a", "R40.b", "R40.c")
async def test_silence_pauses_him_he_is_told_and_any_sign_of_his_ends_it_r40(served: EngineProcess) -> None:
    async with service(served, pause_after=2, answer_s=answers(2), **SLOWLY) as town:
        await town.provider("awa")
        async with phones(town, "awa") as there:
            for number in range(2):
                await town.book(f"b-{number}", hour(4 + 3 * number))
                await there["awa"].hear("proposal")
            notice = await there["awa"].hear("notice")
            assert (notice["kind"], notice["text"].partition(" ")[0]) == ("paused", "2")
            assert (await reasons(town, ["awa"], hour(12))) == {"awa": ["paused"]}
            await town.book("b-2", hour(12))
            explained = await town.get("/bookings/b-2/explain/awa")
            assert (explained["asked"], explained["reasons"]) == (None, ["paused"])
            await there["awa"].say(type="status", id="here", available=None, background=None)
            assert (await there["awa"].hear("result", id="here"))["outcome"] == "done"
            assert await order(town, hour(20)) == ["awa"]


@pytest.mark.proves("R24.a")
async def test_a_counteroffer_has_one_to_five_windows_r24(served: EngineProcess) -> None:
    async with service(served) as town:
        await town.provider("awa")
        async with phones(town, "awa") as there:
            await town.book("b-1", hour(4))
            proposal = await there["awa"].hear("proposal")
            begin = round(moment(hour(4)["start"]) * 1_000)
            for number in (0, 6, 5):
                windows = [{"start": begin + n * 7_200_000, "end": begin + n * 7_200_000 + 3_600_000} for n in range(1, number + 1)]
                named = {"proposal": proposal["proposal"], "version": proposal["version"]}
                await there["awa"].say(type="counter", id=f"c-{number}", windows=windows, note="", **named)
                if number == 5:
                    assert (await there["awa"].hear("result", id="c-5"))["outcome"] == "sent"
                else:
                    assert (await there["awa"].hear("error", id=f"c-{number}"))["code"] == "bad_request"
            assert [len(one["windows"]) for one in (await town.get("/bookings/b-1"))["counteroffers"]] == [5]
