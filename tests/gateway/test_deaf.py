"""One who talks on but does not read is cut off like one who is dead, on real sockets; one who reads slowly is not (P11)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from websockets.frames import Opcode

from dispatch.gateway import Limits
from dispatch.gateway.link import Link
from dispatch.messages import CloseCode
from dispatch.store import Store
from dispatch.wire import MSGPACK, Ack, Hello, Ping, Pong
from tests.gateway.gate import PATIENCE_S, Gate, gate
from tests.gateway.raw import framed, upgrade
from tests.gateway.test_link import proposal, stuff

NARROW = 4_096  # bytes that the kernel keeps for him
TALK = framed(MSGPACK.encode(Ack(seq=0))) + framed(b"x", Opcode.PING)


@asynccontextmanager
async def talker(running: Gate) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Link]]:
    """A device with hardly a buffer that has said hello and was told that it is live; and its link at the gateway."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", running.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=NARROW)
    before = set(running.gateway._everyone)
    writer.write(upgrade() + framed(MSGPACK.encode(Hello(token=running.token(), device="talker"))))
    with anyio.fail_after(PATIENCE_S):
        await reader.readuntil(b"\xa4live")
    (link,) = running.gateway._everyone - before
    try:
        yield reader, writer, link
    finally:
        writer.transport.abort()


async def talk(running: Gate, writer: asyncio.StreamWriter, link: Link, what: bytes, pause_s: float) -> None:
    """Says that until the gateway has had enough of him."""
    while link in running.gateway._everyone:
        writer.write(what)
        try:
            await writer.drain()
        except ConnectionError:
            return
        await anyio.sleep(pause_s)


async def test_a_device_that_sends_and_never_reads_is_cut_off_and_the_others_are_served_p11(store: Store, market: str) -> None:
    """Acknowledgements, and pings of the websocket protocol, whose answers pile up on what is not read."""
    async with gate(store, market, Limits(stall_ms=1_000)) as running:
        await running.provider()
        await running.book()  # the first takes long
        async with running.device() as (other, _), talker(running) as (_, writer, link):
            stuff(link)
            began = anyio.current_time()
            with anyio.fail_after(PATIENCE_S):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(talk, running, writer, link, TALK, 0.25)
                    await running.book(hours=8)
                    assert (await other.hear()).kind == "ordinary"
                    assert link.closed is None
            assert link.closed is CloseCode.SLOW_READER
            assert anyio.current_time() - began >= 1.0


async def test_a_device_that_talks_and_reads_slowly_lives(store: Store, market: str) -> None:
    """The control: it says the same, and something waits for it all the time; but it moves."""
    async with gate(store, market, Limits(stall_ms=1_000)) as running:
        await running.provider()
        async with talker(running) as (reader, writer, link):
            seq, began = stuff(link), anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talk, running, writer, link, TALK, 0.25)
                while anyio.current_time() - began < 3 and link.closed is None:
                    while link.closed is None and not link.congested:
                        seq += 1
                        link.forward(proposal(seq))
                    await reader.read(2_048)
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
            assert link.closed is None


@pytest.mark.parametrize(("answers", "code"), [(False, CloseCode.NO_PONG), (True, None)])
async def test_where_the_kernel_takes_all_that_is_written_unanswered_pings_tell_p11(
    store: Store, market: str, answers: bool, code: CloseCode | None
) -> None:
    """Little is written to most devices: the buffers of the network would hide for hours that nobody reads."""
    limits = Limits(every_ms=200, dead_ms=60_000, deaf_ms=1_000, goodbye_ms=200)
    frames = framed(MSGPACK.encode(Ping(seq=0, now=1))) + framed(MSGPACK.encode(Ack(seq=0)))
    async with gate(store, market, limits) as running:
        await running.provider()
        async with talker(running) as (_, writer, link):
            with anyio.move_on_after(3) as scope:
                await talk(running, writer, link, frames + framed(MSGPACK.encode(Pong())) if answers else frames, 0.05)
            assert (link.closed, scope.cancelled_caught) == (code, answers)
