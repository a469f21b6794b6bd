"""The clients on a real gateway: asyncio, threads and greenlets, through cut connections, errors and goodbyes."""

import sys
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import pytest

import dispatch.client as sdk
from dispatch.client import BlockingDeviceClient, DeviceClient, Live, Proposal, Result, Stopped
from dispatch.client.protocol import pause_s
from dispatch.errors import BadRequest, Unavailable
from dispatch.gateway import Limits
from dispatch.store import Store
from tests.gateway.gate import PATIENCE_S, gate

ROOT = Path(__file__).parents[2]
ENCODINGS = pytest.mark.parametrize("encoding", ["msgpack", "json"])


def at_once(attempt: int, chance: float, reason: str) -> float:
    return 0.0


@ENCODINGS
async def test_a_device_sees_a_proposal_accepts_it_and_holds_the_booking(store: Store, market: str, encoding: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client(encoding=encoding) as client:
            await client.live()
            booking = await running.book()
            with anyio.fail_after(PATIENCE_S):
                async for message in client:
                    if isinstance(message, Proposal):
                        await client.seen(message.proposal)
                        result = await client.accept(message.proposal, message.version)
                        assert result.outcome == "won"
                    if booking in client.open:
                        break
            assert set(client.open) == {booking}


async def test_a_refusal_is_done_and_the_proposal_gone(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client() as client:
            await client.live()
            await running.book()
            offer = await first_proposal(client)
            assert (await client.refuse(offer.proposal, offer.version, "too far")).outcome == "done"
            assert client.open == {}


async def first_proposal(client: DeviceClient) -> Proposal:
    with anyio.fail_after(PATIENCE_S):
        async for message in client:
            if isinstance(message, Proposal):
                return message
    raise AssertionError("the client was closed")


async def test_a_command_on_its_way_when_the_connection_breaks_is_answered_on_the_next(store: Store, market: str) -> None:
    reconnected = []
    async with gate(store, market) as running:
        await running.provider()
        async with running.client(on_reconnect=lambda: reconnected.append(True)) as client:
            await client.live()
            await running.book()
            offer = await first_proposal(client)
            async with anyio.create_task_group() as tasks:
                for number in range(5):
                    tasks.start_soon(client.drop)
                    result = await client.accept(offer.proposal, offer.version, id=f"same-{number // 5}")
                    assert result.outcome == "won"
        assert reconnected


async def test_the_same_id_for_something_else_is_an_error_at_once(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client() as client:
            await client.accept("1.1.1", 1, id="x")
            with pytest.raises(BadRequest):
                await client.accept("1.1.1", 2, id="x")


async def test_a_command_over_the_limit_is_said_again_when_it_may_be(store: Store, market: str) -> None:
    async with gate(store, market, Limits(burst=2, per_minute=1_200)) as running:
        await running.provider()
        async with running.client() as client, anyio.create_task_group() as tasks:
            outcomes: list[str] = []

            async def say() -> None:
                outcomes.append((await client.status(available=True)).outcome)

            for _ in range(6):
                tasks.start_soon(say)
        assert outcomes == ["done"] * 6


async def test_a_device_without_a_server_keeps_trying_and_its_commands_say_so(store: Store, market: str) -> None:
    attempts: list[int] = []

    def pause(attempt: int, chance: float, reason: str) -> float:
        attempts.append(attempt)
        return 0.0

    async with gate(store, market) as running:
        await running.provider()
        url = running.url
    async with DeviceClient(url, "t", device="d-1", pause=pause) as client:
        with pytest.raises(Unavailable, match="same id"):
            await client.accept("1.1.1", 1, timeout=0.2)
    assert attempts == list(range(len(attempts)))
    assert len(attempts) > 2
    assert [round(pause_s(attempt, 1.0), 1) for attempt in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


async def test_a_client_that_is_replaced_stops_and_every_use_of_it_says_why(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client() as older:
            await older.live()
            async with running.client() as newer:
                await newer.live()
                with anyio.fail_after(PATIENCE_S), pytest.raises(Stopped) as stopped:
                    async for _ in older:
                        pass
                assert stopped.value.close_code == 4503
                with pytest.raises(Stopped):
                    await older.accept("1.1.1", 1)
                assert (await newer.status(available=True)).outcome == "done"


async def test_each_connection_may_ask_for_a_fresh_token(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        asked = []

        async def token() -> str:
            asked.append(True)
            return running.token()

        async with DeviceClient(running.url, token, device="d-1", pause=at_once) as client:
            await client.live()
            await client.drop()
            assert (await client.status(available=True)).outcome == "done"
        assert len(asked) == 2


# -- threads --------------------------------------------------------------------------------------------------------


@ENCODINGS
async def test_the_blocking_client_does_the_same(store: Store, market: str, encoding: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        ready = anyio.Event()

        def work() -> list[Any]:
            with BlockingDeviceClient(running.url, running.token(), device="d-1", encoding=encoding, pause=at_once) as client:
                client.live(PATIENCE_S)
                anyio.from_thread.run_sync(ready.set)
                heard: list[Any] = []
                for message in client.messages(PATIENCE_S):
                    heard.append(message)
                    if isinstance(message, Proposal):
                        client.seen(message.proposal)
                        client.drop()
                        heard.append(client.accept(message.proposal, message.version))
                        break
                return heard

        async with anyio.create_task_group() as tasks:

            async def book() -> None:
                await ready.wait()
                await running.book()

            tasks.start_soon(book)
            heard = await anyio.to_thread.run_sync(work)
        assert [type(message) for message in heard] == [Live, Proposal, Result]
        assert heard[-1].outcome == "won"


async def test_a_blocking_client_waits_for_messages_no_longer_than_it_is_told(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()

        def work() -> None:
            with BlockingDeviceClient(running.url, running.token(), device="d-1") as client:
                client.live(PATIENCE_S)
                assert [type(message) for message in client.messages(0.05)] == [Live]
            with pytest.raises(Unavailable):
                client.accept("1.1.1", 1)

        await anyio.to_thread.run_sync(work)


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys
import gevent
from dispatch.client import BlockingDeviceClient, Proposal

url, *tokens = sys.argv[1:]

def robot(number, token):
    with BlockingDeviceClient(url, token, device=f"robot-{number}", pause=lambda *_: 0.0) as client:
        client.live(10)
        print("live", flush=True)
        for message in client.messages(10):
            if isinstance(message, Proposal):
                client.drop()
                return client.accept(message.proposal, message.version).outcome

robots = [gevent.spawn(robot, number, token) for number, token in enumerate(tokens)]
gevent.joinall(robots, raise_error=True)
print(*sorted(robot.value for robot in robots), flush=True)
"""


async def test_many_greenlets_each_have_a_device(store: Store, market: str) -> None:
    pytest.importorskip("gevent")
    async with gate(store, market) as running:
        for number in range(3):
            await running.provider(f"p-{number}")
        tokens = [running.token(f"p-{number}") for number in range(3)]
        command = [sys.executable, "-W", "ignore", "-c", GREENLETS, running.url, *tokens]
        async with await anyio.open_process(command, cwd=ROOT, stdin=DEVNULL, stderr=None) as process:
            assert process.stdout is not None
            told = b""
            with anyio.fail_after(30):
                while told.count(b"live") < 3:
                    told += await process.stdout.receive()
                await running.book()
                while b"won" not in told:
                    told += await process.stdout.receive()
        assert told.split()[3:] == [b"lost", b"lost", b"won"]


def test_what_the_sdk_offers_is_imported_on_first_use() -> None:
    assert all(getattr(sdk, name) is not None for name in sdk.__all__)
    with pytest.raises(AttributeError):
        sdk.nothing_of_the_kind  # noqa: B018
