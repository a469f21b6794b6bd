"""Both SDKs with a server that does what a gateway does once in a while: it drains, asks for tokens, falls silent, says stop."""

import asyncio
import time

import pytest

from dispatch.messages import (
    Accept,
    Ack,
    AuthNeeded,
    Cancel,
    Counter,
    Drain,
    Error,
    Late,
    Live,
    Ping,
    Pong,
    PushAddress,
    Refresh,
    Refreshed,
    Refuse,
    Report,
    Result,
    Resume,
    Window,
    Withdrawn,
)
from tests.sdk.phones import Sdk, phone, told
from tests.sdk.stage import SOON_S, held, proposal, stage

SDKS = pytest.mark.parametrize("sdk", ["python", "javascript"])
ENCODINGS = pytest.mark.parametrize("encoding", ["msgpack", "json"])
pytestmark = SDKS


@ENCODINGS
async def test_a_device_greets_acknowledges_and_says_what_is_seen(sdk: Sdk, encoding: str) -> None:
    async with stage() as server, phone(sdk, server.url, "t", encoding=encoding) as device:
        line = await server.line()
        hello = await line.greet(1, proposal(1, 1))
        assert (hello.token, hello.device, hello.resume, hello.background) == ("t", "phone-1", None, False)
        assert await line.hear() == Ack(seq=1)
        await line.say(proposal(2, 2))
        assert await line.hear() == Ack(seq=2)
        await device.do("seen", proposals=["2.1.7"])
        assert await line.hear() == Ack(seq=2, seen=("2.1.7",))
        assert (await device.do("look"))["open"] == ["1.1.7", "2.1.7"]


@pytest.mark.parametrize("code", [1000, 1001, 1012, 1013, 4000, 4006, 4008, 4009, 4011, 4012, 4013, 4099])
async def test_after_these_codes_a_device_comes_back_and_resumes(sdk: Sdk, code: int) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet(5)
        await device.do("live")
        await line.close(code, "after_ms=1")
        assert (await (await server.line()).greet(5, resumed=True)).resume == Resume(epoch="e", seq=5)
        await device.do("live")


async def test_a_device_whose_state_is_lost_takes_a_snapshot(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet(5, proposal(1, 5))
        await device.do("live")
        await line.close(4010, "state lost")
        assert (await (await server.line()).greet(2, proposal(2, 2), epoch="f")).resume is None
        await device.until(lambda look: look["live"] and look["open"] == ["2.1.7"])


@pytest.mark.parametrize("code", [4500, 4501, 4502, 4503, 4504, 4505, 4599])
async def test_after_these_codes_it_stops_and_every_use_of_it_says_why(sdk: Sdk, code: int) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet()
        waiting = await device.begin("accept", proposal="1.1.7", version=1, id="w")
        assert (await line.hear(Accept)).id == "w"
        await line.close(code, "why")
        await device.until(lambda look: look["stopped"] == code)
        assert (await waiting)["failed"]["code"] == "stopped"
        later = await (await device.begin("refuse", proposal="1.1.7", version=1))
        assert (later["failed"]["code"], str(code) in later["failed"]["message"]) == ("stopped", True)


async def test_a_silent_server_is_given_up_and_one_that_says_something_is_not(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet(3, dead_ms=2_000)
        await device.do("live")
        for _ in range(5):  # longer than it would be patient with silence
            await asyncio.sleep(0.5)
            await line.say(Ping(seq=3, now=0))
            assert isinstance(await line.hear(), Pong)
        async with asyncio.timeout(SOON_S):
            assert (await (await server.line()).greet(3, resumed=True)).resume == Resume(epoch="e", seq=3)
        await device.do("live")


# -- commands -------------------------------------------------------------------------------------------------------


@ENCODINGS
async def test_every_command_says_what_the_protocol_says(sdk: Sdk, encoding: str) -> None:
    async with stage() as server, phone(sdk, server.url, "t", encoding=encoding) as device:
        line = await server.line()
        await line.greet(1, proposal(1, 1))
        windows = [{"start": 1_795_600_800_000, "end": 1_795_604_400_000}]
        one = {"proposal": "1.1.7", "version": 1}
        commands = {
            "counter": ({**one, "windows": windows, "note": "plutôt 11 h"}, Counter, "sent"),
            "report": ({"proposal": "1.1.7", "reason": "no such street"}, Report, "done"),
            "cancel": ({"booking_id": "b-1", "reason": "fièvre", "declares": "illness"}, Cancel, "done"),
            "late": ({"booking_id": "b-1", "minutes": 10}, Late, "done"),
            "refuse": ({**one, "reason": "trop loin"}, Refuse, "done"),
            "accept": ({**one, "window": 2}, Accept, "lost"),
        }
        for name, (what, kind, outcome) in commands.items():
            answer = await device.begin(name, id=f"id-{name}", **what)
            heard = await line.hear(kind)
            said = {**what, "windows": (Window(**windows[0]),)} if name == "counter" else what
            assert heard == kind(id=f"id-{name}", **said)
            await line.say(Result(id=heard.id, outcome=outcome, proposal="1.1.7"))
            assert told(await answer)["outcome"] == outcome
            still_open = name in ("counter", "report", "cancel", "late")
            assert bool((await device.do("look"))["open"]) is still_open


async def test_answers_given_while_offline_are_said_once_there_is_a_connection(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t", pause_ms=50) as device:
        line = await server.line()
        await line.greet(2, proposal(1, 1), proposal(2, 2))
        await device.do("live")
        line.socket.transport.abort()
        await device.until(lambda look: not look["live"])
        yes = await device.begin("accept", proposal="1.1.7", version=1, id="yes")
        no = await device.begin("refuse", proposal="2.1.7", version=1, id="no")
        await device.do("seen", proposals=["1.1.7"])
        assert (await device.do("look"))["pending"] == ["yes", "no"]
        line = await server.line()
        await line.greet(2, resumed=True)
        assert await line.hear() == Ack(seq=2, seen=("1.1.7",))
        assert [(await line.hear()).id, (await line.hear()).id] == ["yes", "no"]
        line.socket.transport.abort()  # said, and perhaps heard: the same again with the same ids
        line = await server.line()
        await line.greet(2, resumed=True)
        assert [(await line.hear()).id, (await line.hear()).id] == ["yes", "no"]
        await line.say(Result(id="yes", outcome="won", proposal="1.1.7"), Result(id="no", outcome="done", proposal="2.1.7"))
        assert (told(await yes)["outcome"], told(await no)["outcome"]) == ("won", "done")
        assert await device.do("look") | {"offset_ms": 0} == {"live": True, "open": [], "pending": [], "offset_ms": 0, "stopped": None}


async def test_a_pending_answer_is_asked_for_until_it_is_decided_r16(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet(1, proposal(1, 1))
        answer = await device.begin("accept", proposal="1.1.7", version=1, id="yes")
        await line.hear(Accept)
        await line.say(Result(id="yes", outcome="pending", proposal="1.1.7", decides_at=5))
        assert (await device.hear("result"))["outcome"] == "pending"
        await line.close(1012, "restart")
        line = await server.line()
        await line.greet(1, resumed=True)
        assert (await line.hear(Accept)).id == "yes"
        await line.say(Result(id="yes", outcome="won", proposal="1.1.7"))
        assert told(await answer)["outcome"] == "won"


async def test_an_error_that_may_pass_is_waited_out_and_one_that_will_not_is_told(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet()
        answer = await device.begin("accept", proposal="1.1.7", version=1, id="a")
        for code in ("rate_limited", "unavailable"):
            assert (await line.hear(Accept)).id == "a"
            await line.say(Error(id="a", code=code, message="not now", retry=True, after_ms=10))
        assert (await line.hear(Accept)).id == "a"
        await line.say(Error(id="a", code="bad_request", message="never"))
        assert (await answer)["failed"]["code"] == "bad_request"


async def test_an_answer_that_takes_too_long_is_given_up_and_not_said_again(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet()
        late = await (await device.begin("accept", proposal="1.1.7", version=1, id="late", timeout_ms=50))
        assert (late["failed"]["code"], "late" in late["failed"]["message"]) == ("unavailable", True)
        await line.hear(Accept)
        await line.close(1012)
        line = await server.line()
        await line.greet(1, proposal(1, 1), resumed=False)
        assert await line.hear() == Ack(seq=1)
        await device.begin("refuse", proposal="1.1.7", version=1, id="next")
        assert (await line.hear()).id == "next"


async def test_a_command_longer_than_the_server_reads_is_refused_here(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        await (await server.line()).greet()
        long = await (await device.begin("report", proposal="1.1.7", reason="é" * 2_100))
        assert long["failed"]["code"] == "bad_request"


async def test_what_was_answered_here_is_not_told_as_answered_elsewhere(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        await line.greet(2, proposal(1, 1), proposal(2, 2))
        answer = await device.begin("refuse", proposal="1.1.7", version=1)
        refusal = await line.hear(Refuse)
        elsewhere = [Withdrawn(seq=3 + n, proposal=f"{1 + n}.1.7", reason="answered_elsewhere") for n in range(2)]
        await line.say(*elsewhere, Result(id=refusal.id, outcome="done", proposal="1.1.7"))
        assert told(await answer)["outcome"] == "done"
        assert (await device.hear("withdrawn"))["proposal"] == "2.1.7"
        assert (await device.do("look"))["open"] == []


# -- the server goes away --------------------------------------------------------------------------------------------


async def test_on_drain_the_new_connection_stands_before_the_old_one_goes(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        old = await server.line()
        await old.greet(1, proposal(1, 1))
        await device.do("live")
        await old.say(Drain(after_ms=20, deadline_ms=5_000))
        new = await server.line()
        assert (await new.greet(1, resumed=True, live=False)).resume == Resume(epoch="e", seq=1)
        await old.say(proposal(2, 2))  # the old one still serves
        assert (await device.hear("proposal"))["proposal"] == "1.1.7"
        assert (await device.hear("proposal"))["proposal"] == "2.1.7"
        await new.say(proposal(2, 2), Withdrawn(seq=3, proposal="1.1.7", reason="taken"), Live(seq=3))
        assert await old.end() == 1000
        await device.until(lambda look: look["live"] and look["open"] == ["2.1.7"])
        assert [message["proposal"] for message in device.heard if message["type"] == "proposal"] == ["1.1.7", "2.1.7"], "none twice"
        answer = await device.begin("accept", proposal="2.1.7", version=1)
        accept = await new.hear(Accept)
        await new.say(Result(id=accept.id, outcome="won", proposal="2.1.7"), held(2, 4))
        assert told(await answer)["outcome"] == "won"
        assert (await device.do("look"))["open"] == ["b-2"]


async def test_that_the_old_connection_is_called_replaced_stops_nobody(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        old = await server.line()
        await old.greet()
        await device.do("live")
        await old.say(Drain(after_ms=0, deadline_ms=5_000))
        new = await server.line()
        await old.close(4503, "replaced")
        await new.greet(resumed=True)
        look = await device.until(lambda look: look["live"])
        assert look["stopped"] is None


async def test_a_command_on_its_way_when_the_server_drains_is_repeated_to_the_next(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        old = await server.line()
        await old.greet(1, proposal(1, 1))
        answer = await device.begin("accept", proposal="1.1.7", version=1, id="yes")
        assert (await old.hear(Accept)).id == "yes"
        await old.say(Drain(after_ms=0, deadline_ms=5_000))
        new = await server.line()
        await new.greet(1, resumed=True)
        assert (await new.hear(Accept)).id == "yes"
        await new.say(Result(id="yes", outcome="won", proposal="1.1.7"))
        assert told(await answer)["outcome"] == "won"


async def test_if_the_new_connection_fails_while_it_greets_the_device_begins_anew(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        old = await server.line()
        await old.greet(1, proposal(1, 1))
        await device.do("live")
        await old.say(Drain(after_ms=0, deadline_ms=5_000))
        new = await server.line()
        await new.greet(9, proposal(3, 9), live=False)  # a snapshot that is never completed
        new.socket.transport.abort()
        third = await server.line()
        assert (await third.greet(9, proposal(4, 9))).resume is None
        assert (await old.end()) in (1000, 1005, 1006)
        await device.until(lambda look: look["live"] and look["open"] == ["4.1.7"])


async def test_a_new_push_address_is_said_without_a_gap(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        old = await server.line()
        assert (await old.greet(1)).push is None
        await device.do("live")
        await device.do("set_push", push={"kind": "webpush", "token": "x"})
        assert (await (await server.line()).greet(1, resumed=True)).push == PushAddress(kind="webpush", token="x")
        assert await old.end() == 1000


# -- tokens and clocks --------------------------------------------------------------------------------------------------


async def test_a_server_that_wants_a_newer_token_gets_one(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "first", "second", "third") as device:
        line = await server.line()
        assert (await line.greet(now=wall_ms())).token == "first"
        await device.do("live")
        await line.say(AuthNeeded(by=wall_ms() + 20_000))
        refresh = await line.hear(Refresh)
        assert refresh.token == "second"
        await line.say(Error(id=refresh.id, code="unavailable", message="not now", retry=True, after_ms=10))
        refresh = await line.hear(Refresh)
        assert refresh.token == "third"
        await line.say(Refreshed(id=refresh.id, expires_at=wall_ms() + 600_000))
        await device.do("look")


async def test_each_connection_has_a_fresh_token(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "first", "second") as device:
        line = await server.line()
        assert (await line.greet()).token == "first"
        await device.do("live")
        await line.close(4012, "the token has run out")
        assert (await (await server.line()).greet(resumed=True)).token == "second"


async def test_the_servers_clock_is_known_and_a_late_message_does_not_set_it_back(sdk: Sdk) -> None:
    async with stage() as server, phone(sdk, server.url, "t") as device:
        line = await server.line()
        ahead = 3_600_000
        await line.greet(now=wall_ms() + ahead)
        await device.do("live")
        assert abs((await device.do("look"))["offset_ms"] - ahead) < 10_000
        known = (await device.do("look"))["offset_ms"]
        await line.say(Ping(seq=0, now=wall_ms() + ahead - 60_000))
        assert isinstance(await line.hear(), Pong)
        assert (await device.do("look"))["offset_ms"] == known
        await line.say(Ping(seq=0, now=wall_ms() + ahead + 60_000))
        assert isinstance(await line.hear(), Pong)
        assert (await device.do("look"))["offset_ms"] > known


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_a_device_that_leaves_says_so(sdk: Sdk) -> None:
    async with stage() as server:
        async with phone(sdk, server.url, "t") as device:
            line = await server.line()
            await line.greet()
            await device.do("live")
            ending = asyncio.create_task(line.end())
        assert await ending == 1000
