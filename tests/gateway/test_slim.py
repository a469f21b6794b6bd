"""A slim connection: what it let go of, and that it works as before. How small an idle link is: tests/bench/test_link.py."""

import gc
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from bench.swarm.frames import BINARY, Frames, frame, handshake, opened
from dispatch.gateway import Limits
from dispatch.gateway.metrics import RESUMES
from dispatch.gateway.session import Phase
from dispatch.gateway.slim import READ, Few
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Hello, Ping, Sync
from tests.gateway.gate import PATIENCE_S, Gate, gate


def only_link(running: Gate) -> Any:
    [link] = running.gateway.registry
    return link


async def test_a_link_keeps_nothing_of_its_handshake(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as _:
            device = only_link(running).device
            assert (device.request, device.response, device.request_rcvd) == (READ, None, None)
            assert device.protocol.select_subprotocol is None
            assert isinstance(device.recv_messages.frames.queue, Few)
            assert device.protocol.parser.gi_frame.f_locals["self"] is device.protocol
            assert "request" not in device.protocol.parser.gi_frame.f_locals
            kept = [
                thing for thing in gc.get_referents(device, device.protocol) if type(thing).__name__ in ("Request", "Response", "Headers")
            ]
            assert kept == [READ]


async def test_a_slim_link_still_talks_in_both_encodings_and_says_goodbye(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        for codec in (MSGPACK, JSON):
            async with running.device(codec=codec) as (bare, _):
                for number in range(6):  # more at once than are read ahead
                    await bare.say(Sync(id=f"s-{number}"))
                await bare.say(Ping())
                heard = [await bare.hear() for _ in range(7)]
                assert [message.id for message in heard[:6]] == [f"s-{number}" for number in range(6)]
                await bare.socket.close(1000, "left")
                assert bare.socket.close_code == 1000


@pytest.mark.parametrize("early", [0, 1, 2, 5, 40])
async def test_bytes_of_a_frame_that_come_with_the_handshake_are_not_lost(store: Store, market: str, early: int) -> None:
    """So many bytes of `hello` are there before the handshake is answered: the parser must not be replaced in the middle of a frame."""
    async with gate(store, market) as running:
        await running.provider()
        request, key = handshake("127.0.0.1", "/v1/device", MSGPACK.subprotocol)
        hello = frame(BINARY, MSGPACK.encode(Hello(token=running.token(), device="d-1")))
        with anyio.fail_after(PATIENCE_S):
            async with await anyio.connect_tcp("127.0.0.1", running.port) as stream:
                await stream.send(request + hello[:early])
                head = b""
                while (rest := opened(head, key)) is None:
                    head += await stream.receive()
                await stream.send(hello[early:])
                frames, kinds = Frames(), []
                while "live" not in kinds:
                    kinds += [message_type(payload) for _, payload in frames.feed(rest)]
                    rest = b"" if "live" in kinds else await stream.receive()
        assert kinds == ["welcome", "live"]


def message_type(payload: bytes) -> str:
    return str(MSGPACK.to_device(payload).__struct_config__.tag)


def test_a_few_do_what_a_deque_does() -> None:
    few = Few([1, 2])
    few.append(3)
    few.extendleft(reversed([8, 9]))
    assert [few.popleft() for _ in range(5)] == [8, 9, 1, 2, 3]


async def test_who_has_left_while_he_waited_at_the_door_costs_the_store_nothing(store: Store, market: str) -> None:
    async with gate(store, market, Limits(entering=1)) as running:
        await running.provider()
        entered = RESUMES.labels("new")._value.get()
        foyer, everyone = running.gateway._foyer, running.gateway._everyone
        async with running.socket() as bare:
            async with foyer.greeting():
                await bare.say(Hello(token=running.token(), device="d-1"))
                await until(lambda: any(link.session.phase is Phase.ENTERING for link in everyone))
                bare.socket.transport.abort()
                await until(lambda: any(link.session.phase is Phase.CLOSED for link in everyone))
            await until(lambda: not everyone)
        assert RESUMES.labels("new")._value.get() == entered


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - bounded, on a real gateway
            await anyio.sleep(0.01)
