"""The client for threads with a server that does what a gateway does once in a while."""

import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dispatch.client import BlockingDeviceClient, Live, Proposal
from dispatch.messages import Accept, AuthNeeded, Counter, Drain, Refresh, Report, Result, Resume, Window, Withdrawn
from tests.sdk.stage import PATIENCE_S, Stage, proposal, stage

Play = Callable[[Stage], Any]


async def played(act: Play, work: Callable[[BlockingDeviceClient], Any], *tokens: str) -> Any:
    """A server that plays ``act`` while a thread does its ``work`` with a client; what the thread answers."""
    answers: list[Any] = []
    left = list(tokens)

    def in_a_thread(url: str) -> None:
        token: Any = (lambda: left.pop(0)) if tokens else "t"
        with BlockingDeviceClient(url, token, device="d-1", pause=lambda *_: 0.0) as client:
            answers.append(work(client))

    async with stage() as server, anyio.create_task_group() as tasks:
        tasks.start_soon(act, server)
        with anyio.fail_after(PATIENCE_S):
            await anyio.to_thread.run_sync(in_a_thread, server.url)
    return answers[0]


async def test_on_drain_the_new_connection_stands_before_the_old_one_goes() -> None:
    async def act(server: Stage) -> None:
        old = await server.line()
        await old.greet(1, proposal(1, 1))
        await old.say(Drain(after_ms=20, deadline_ms=5_000))
        new = await server.line()
        assert (await new.greet(1, resumed=True, live=False)).resume == Resume(epoch="e", seq=1)
        await old.say(proposal(2, 2))
        await new.say(proposal(2, 2), Withdrawn(seq=3, proposal="1.1.7", reason="taken"), Live(seq=3))
        assert await old.end() == 1000
        accept = await new.hear(Accept)
        await new.say(Result(id=accept.id, outcome="won", proposal="2.1.7"))

    def work(client: BlockingDeviceClient) -> tuple[list[str], str]:
        heard: list[str] = []
        for message in client.messages(PATIENCE_S):
            heard += [message.proposal] if isinstance(message, Proposal) else []
            if isinstance(message, Live) and message.seq == 3:
                break
        return heard, client.accept("2.1.7", 1).outcome

    assert await played(act, work) == (["1.1.7", "2.1.7"], "won")


async def test_counteroffers_reports_and_decisions_that_take_a_while() -> None:
    window = Window(start=1_795_600_800_000, end=1_795_604_400_000)

    async def act(server: Stage) -> None:
        line = await server.line()
        await line.greet()
        heard = await line.hear(Counter)
        assert (heard.windows, heard.note) == ((window,), "later")
        await line.say(Result(id=heard.id, outcome="sent", proposal="1.1.7"))
        await line.say(Result(id=(await line.hear(Report)).id, outcome="done", proposal="1.1.7"))
        accept = await line.hear(Accept)
        await line.say(*(Result(id=accept.id, outcome=outcome, proposal="1.1.7") for outcome in ("pending", "lost")))

    def work(client: BlockingDeviceClient) -> list[str]:
        counter = client.counter("1.1.7", 1, [window], "later")
        return [counter.outcome, client.report("1.1.7", "no such street").outcome, client.accept("1.1.7", 1).outcome]

    assert await played(act, work) == ["sent", "done", "lost"]


@pytest.mark.parametrize("wanted", [["first", "second"]])
async def test_a_server_that_wants_a_newer_token_gets_one(wanted: list[str]) -> None:
    told: list[str] = []

    async def act(server: Stage) -> None:
        line = await server.line()
        told.append((await line.greet()).token)
        await line.say(AuthNeeded(by=time.time_ns() // 1_000_000 + 20_000))
        told.append((await line.hear(Refresh)).token)
        await line.close(4503, "enough")

    def work(client: BlockingDeviceClient) -> str:
        with pytest.raises(Exception, match="4503"):
            for _ in client.messages(PATIENCE_S):
                pass
        return "stopped"

    assert await played(act, work, *wanted) == "stopped"
    assert told == wanted
