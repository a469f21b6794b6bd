"""Journeys of those who appear, of several windows and of the fair window, through HTTP and sockets alone (R11, R16, R18)."""

from pathlib import Path

import pytest

from tests.engine_process import EngineProcess, engine
from tests.journeys.outsiders import Service, hour, service


@pytest.mark.proves("R18.a", "R18.e")
async def test_who_comes_online_is_shown_the_waiting_bookings_the_most_urgent_first_r18(served: EngineProcess) -> None:
    async with service(served) as town:
        await town.provider("awa")
        for name, lead in (("late", 9), ("soon", 3), ("later", 20)):
            assert (await town.book(name, hour(lead)))["candidates"] == 0
        async with town.phone("awa") as phone:
            shown = [(await phone.hear("proposal"))["booking"]["booking_id"] for _ in range(3)]
            assert shown == ["soon", "late", "later"]
        events = (await town.get("/bookings/soon/timeline"))["events"]
        assert [(e["kind"], e["asked"]) for e in events if e["type"] == "WaveSent"] == [("seat", ["awa"])]


@pytest.mark.proves("R18.b", "R18.c", "R36.c")
async def test_who_offers_more_is_freed_or_switches_on_is_shown_what_waits_r18(served: EngineProcess) -> None:
    async with service(served) as town:
        await town.provider("awa", hours="Mo-Su 00:00-00:01")
        async with town.phone("awa") as phone:
            await town.book("b-1", hour(4))
            await town.provider("awa")
            assert (await phone.accept(await phone.hear("proposal")))["outcome"] == "won"
            await phone.hear("booking", state="accepted")
            await town.book("b-2", hour(4))
            await town.post("/bookings/b-1/cancel", {"by": "client", "reason": "ill"})
            proposal = await phone.hear("proposal")
            assert proposal["booking"]["booking_id"] == "b-2"
            await phone.say(type="refuse", id="no", proposal=proposal["proposal"], version=proposal["version"], reason=None)
            await phone.say(type="status", id="off", available=False, background=None)
            await phone.hear("result", id="off")
            await town.book("b-3", hour(5))
            await phone.say(type="status", id="on", available=True, background=None)
            assert (await phone.hear("proposal"))["booking"]["booking_id"] == "b-3"


@pytest.mark.proves("R2.n", "R11.a", "R11.c")
async def test_of_several_windows_he_sees_those_that_fit_and_claims_one_by_its_index_r11(served: EngineProcess) -> None:
    async with service(served) as town:
        await town.provider("awa")
        async with town.phone("awa") as phone:
            await town.book("held", hour(4))
            assert (await phone.accept(await phone.hear("proposal"), "held"))["outcome"] == "won"
            opened = await town.book("b-1", hour(30), hour(4.5), hour(8), hour(26))
            assert opened["urgency"] == "last_minute", "that of the earliest"
            proposal = await phone.hear("proposal")
            assert len(proposal["booking"]["windows"]) == 3, "the one beside his visit is not shown"
            won = await phone.accept(proposal, window=1)
            assert (won["outcome"], won["booking"]["windows"]) == ("won", [proposal["booking"]["windows"][1]])
        booking = await town.get("/bookings/b-1")
        assert (booking["window"], booking["provider_id"]) == (2, "awa")


@pytest.mark.proves("R11.d")
async def test_a_window_that_falls_under_its_deadline_is_dropped_and_holders_are_told_r11(served: EngineProcess) -> None:
    """The deadline of the first lies two seconds ahead; the second is in two days."""
    async with service(served, booking_cutoff_s=0, search_deadline_s=3_600) as town:
        await town.provider("awa")
        async with town.phone("awa") as phone:
            first = await town.book("b-1", hour(1 + 3 / 3_600), hour(48))
            proposal = await phone.hear("proposal")
            assert (first["urgency"], len(proposal["booking"]["windows"])) == ("last_minute", 2)
            changed = await phone.hear("proposal", proposal=proposal["proposal"])
            assert (changed["version"], changed["booking"]["windows"]) == (proposal["version"] + 1, proposal["booking"]["windows"][1:])
            assert changed["expires_at"] > proposal["expires_at"]
            assert (await phone.accept(proposal, "old"))["outcome"] == "version_conflict"
            assert (await phone.accept(changed, "new"))["outcome"] == "won"
        events = (await town.get("/bookings/b-1/timeline"))["events"]
        assert "WindowsDropped" in [e["type"] for e in events]


@pytest.mark.proves("R16.a", "R16.b")
async def test_within_the_fair_window_an_accept_is_pending_and_the_best_ranked_wins_r16(served: EngineProcess) -> None:
    async with service(served, fair_window_s=3) as town:
        await town.provider("low", initial_rank={"tier": "limited", "score": 5})
        await town.provider("top", initial_rank={"tier": "premier", "score": 9})
        async with town.phone("low") as low, town.phone("top") as top:
            await town.book("b-1", hour(4))
            early = await low.accept(await low.hear("proposal"), "x")
            late = await top.accept(await top.hear("proposal"), "y")
            assert (early["outcome"], late["outcome"], early["decides_at"]) == ("pending", "pending", late["decides_at"])
            assert (await town.get("/bookings/b-1"))["state"] == "searching"
            assert (await top.hear("result", id="y"))["outcome"] == "won"
            assert (await low.hear("result", id="x"))["outcome"] == "lost"
            assert (await low.hear("withdrawn"))["reason"] == "taken"
        assert (await town.get("/bookings/b-1"))["provider_id"] == "top"


async def test_a_device_that_is_away_when_it_is_decided_hears_it_when_it_resumes_r16(served: EngineProcess) -> None:
    async with service(served, fair_window_s=2) as town:
        await town.provider("awa")
        async with town.phone("awa") as phone:
            await town.book("b-1", hour(4))
            assert (await phone.accept(await phone.hear("proposal"), "x"))["outcome"] == "pending"
            where = {"epoch": phone.epoch, "seq": phone.seq}
        await until_accepted(town, "b-1")
        async with town.phone("awa", where) as phone:
            result = await phone.hear("result", id="x")
            assert (result["outcome"], result["booking"]["booking_id"]) == ("won", "b-1")


async def until_accepted(town: Service, booking_id: str) -> None:
    async for state in town.states(booking_id):
        if state == "accepted":
            return
    raise AssertionError(f"{booking_id} was not accepted in time")


async def test_a_decision_survives_a_kill_of_everything_r16_p1(tmp_path: Path) -> None:
    """kill -9 of store and engine while an accept is pending; after the restart it is decided, and a repeat of its id is told so."""
    with engine(tmp_path) as running:
        async with service(running, fair_window_s=5) as town:
            await town.provider("awa")
            async with town.phone("awa") as phone:
                await town.book("b-1", hour(4))
                proposal = await phone.hear("proposal")
                assert (await phone.accept(proposal, "x"))["outcome"] == "pending"
                running.kill()
    with engine(tmp_path) as again:
        async with service(again, market=town.market, fair_window_s=5) as town, town.phone("awa") as phone:
            answer = await phone.accept(proposal, "x")
            if answer["outcome"] == "pending":
                answer = await phone.hear("result", id="x")
            assert answer["outcome"] == "won"
            events = (await town.get("/bookings/b-1/timeline"))["events"]
            assert [e["cause"] for e in events if e["type"] == "Accepted"] == ["fair"]
