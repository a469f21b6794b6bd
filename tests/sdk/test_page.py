"""What a page needs of the JavaScript SDK beyond the protocol: answers that outlive it, countdowns, a phone that slept."""

import asyncio
import json
import time
from typing import Any

import msgspec

from dispatch.messages import Accept, Ping, Result, Window
from tests.sdk.phones import phone
from tests.sdk.stage import held, proposal, stage

FOR_EVER_MS = 3_600_000


async def test_answers_without_an_answer_outlive_the_page_and_a_status_does_not() -> None:
    async with stage() as server:
        async with phone("javascript", server.url, "t", kept={}) as page:
            await server.line()  # nobody welcomes it
            for deed, what in (("accept", {"proposal": "1.1.7", "version": 1, "id": "yes"}), ("status", {"available": True})):
                await page.begin(deed, **what)
            kept = await page.do("kept")
        (stored,) = json.loads(kept["dispatch:answers:phone-1"])
        assert (stored["command"]["id"], stored["command"]["type"], stored["sent"]) == ("yes", "accept", False)
        async with phone("javascript", server.url, "t", kept=kept) as page:
            assert (await page.do("look"))["pending"] == ["yes"]
            line = await server.line()
            await line.greet()
            assert await line.hear() == Accept(id="yes", proposal="1.1.7", version=1)
            await line.say(Result(id="yes", outcome="won", proposal="1.1.7"))
            assert (await page.hear("result"))["outcome"] == "won"
            assert await page.do("kept") == {}


async def test_what_was_wanted_more_than_an_hour_ago_is_not_said_any_more() -> None:
    command = {"type": "accept", "id": "old", "proposal": "1.1.7", "version": 1, "window": 0}
    now = time.time_ns() // 1_000_000
    for age_ms, pending in ((3_590_000, ["old"]), (3_610_000, [])):
        kept = {"dispatch:answers:phone-1": json.dumps([{"command": command, "sent": True, "at": now - age_ms}])}
        async with stage() as server, phone("javascript", server.url, "t", kept=kept) as page:
            assert (await page.do("look"))["pending"] == pending


async def test_a_storage_with_something_else_in_it_is_no_obstacle() -> None:
    async with stage() as server, phone("javascript", server.url, "t", kept={"dispatch:answers:phone-1": "{]"}) as page:
        await (await server.line()).greet()
        await page.do("live")


async def test_a_command_can_be_taken_back_until_it_is_said() -> None:
    async with stage() as server, phone("javascript", server.url, "t") as page:
        line = await server.line()
        early = await page.begin("accept", proposal="1.1.7", version=1, id="early")
        assert await page.do("take_back", id="early") is True
        assert (await early)["failed"]["code"] == "taken_back"
        await line.greet()
        await page.do("live")
        await page.begin("accept", proposal="1.1.7", version=1, id="said")
        assert (await line.hear()).id == "said"
        assert await page.do("take_back", id="said") is False


async def test_lists_are_in_the_order_in_which_they_matter_and_without_what_has_expired() -> None:
    async with stage() as server, phone("javascript", server.url, "t") as page:
        now = time.time_ns() // 1_000_000
        urgent = msgspec.structs.replace(proposal(1, 1), answer_by=now + 60_000)
        over = proposal(3, 3, expires_at=now - 1)
        visits = [msgspec.structs.replace(held(n, n), windows=(Window(start=now + day, end=now + day + 1),)) for n, day in ((4, 9), (5, 2))]
        await (await server.line()).greet(5, proposal(2, 2), urgent, over, *visits, now=now)
        await page.do("live")
        assert await page.do("lists") == {"proposals": ["1.1.7", "2.1.7"], "bookings": ["b-5", "b-4"]}
        assert 0 < await page.do("ms_left", moment=now + 60_000) <= 61_000
        assert await page.do("ms_left", moment=now - 60_000) == 0


async def woken(deed: str) -> Any:
    """A page that would wait for an hour before it tries again, and what makes it try now."""
    async with stage() as server, phone("javascript", server.url, "t", pause_ms=FOR_EVER_MS, page=True) as page:
        line = await server.line()
        await line.greet()
        await page.do("live")
        await line.close(1012)
        await page.until(lambda look: not look["live"])
        await page.do(deed)
        await (await server.line()).greet(resumed=True)
        await page.do("live")


async def test_a_page_that_waits_tries_at_once_when_it_is_told_shown_or_online() -> None:
    await asyncio.gather(*(woken(deed) for deed in ("wake", "shown", "online")))


async def test_a_connection_that_died_while_the_phone_slept_is_found_out() -> None:
    async with stage() as server, phone("javascript", server.url, "t") as page:
        line = await server.line()
        await line.greet()
        await page.do("live")
        await page.do("wake")
        assert isinstance(await line.hear(), Ping)
        await (await server.line()).greet(resumed=True)  # no pong: given up after 5 s, not after 45
        await page.do("live")


async def test_a_broken_listener_of_the_app_is_reported_and_breaks_nothing() -> None:
    async with stage() as server, phone("javascript", server.url, "t") as page:
        await (await server.line()).greet()
        await page.do("live")
        assert (await page.hear("uncaught"))["message"] == "a listener of the app is broken"
