"""A reader who does not read: what waits for him is bounded, goes stale, and ends him before it harms anybody else. On real sockets."""

import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from dispatch.gateway import Limits, listen
from dispatch.gateway.frames import Frame
from dispatch.gateway.link import WRITE_HIGH, WRITE_LOW, Device, Link, Links
from dispatch.gateway.session import Phase, Session
from dispatch.gateway.timers import Timers
from dispatch.gateway.upgrade import UNACKNOWLEDGED_MS
from dispatch.messages import CloseCode, Outline, Ping, Proposal, Result, Withdrawn
from dispatch.wire import MSGPACK, OUTBOUND_LIMIT, encode_msgpack

PATIENCE_S = 10.0
BIG = "x" * 8_000
PING = WebsocketFrame(Opcode.PING, b"x").serialize(mask=True)


def now() -> int:
    return round(anyio.current_time() * 1_000)


def proposal(seq: int, *, expires_at: int = 2**40, note: str = BIG) -> Frame:
    booking = Outline(booking_id=f"b-{seq}", services=("cut",), windows=(), note=note)
    return Frame(encode_msgpack(Proposal(seq=seq, proposal=f"{seq}.1.1", version=1, expires_at=expires_at, answer_by=5, booking=booking)))


def withdrawn(seq: int, of: int) -> Frame:
    return Frame(encode_msgpack(Withdrawn(seq=seq, proposal=f"{of}.1.1", reason="taken")))


@dataclass
class Bench:
    """Links of a bare server, in order of their coming; ``engine_now`` is the time by which proposals expire."""

    port: int
    limits: Limits
    engine_now: int = 0
    links: list[Link] = field(default_factory=list)
    written: list[Frame] = field(default_factory=list)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[tuple[ClientConnection, Link]]:
        """A client with hardly any buffers, and its link."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        offered = [Subprotocol(MSGPACK.subprotocol)]
        async with connect(
            "ws://127.0.0.1/",
            sock=sock,
            subprotocols=offered,
            compression=None,
            max_queue=1,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
        ) as client:
            yield client, self.links[-1]


@asynccontextmanager
async def bench(limits: Limits | None = None) -> AsyncIterator[Bench]:
    listener = listen("127.0.0.1", 0)
    it = Bench(listener.getsockname()[1], limits or Limits(goodbye_ms=300))
    timers = Timers(now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(timers.run)
        shared = Links(
            limits=it.limits,
            now=now,
            engine=lambda _: it.engine_now,
            confirm=lambda *_: None,
            part=lambda link, code, reason: tasks.start_soon(link.goodbye, code, reason),
            arm=timers.arm,
            written=it.written.append,
        )

        async def handle(connection: ServerConnection) -> None:
            assert isinstance(connection, Device)
            session = Session(MSGPACK, it.limits, lambda now: now, chance=0.5, now=now())
            session.phase = Phase.LIVE
            it.links.append(Link(connection, session, len(it.links), shared))
            await connection.wait_closed()

        async with serve(
            handle,
            sock=listener,
            create_connection=Device,
            compression=None,
            ping_interval=None,
            subprotocols=[Subprotocol(MSGPACK.subprotocol)],
            write_limit=(WRITE_HIGH, WRITE_LOW),
        ) as server:
            yield it
            server.close()
        tasks.cancel_scope.cancel()


def stuff(link: Link) -> int:
    """Write big proposals until one has to wait; how many went through."""
    seq = 0
    while not link.congested:
        seq += 1
        link.forward(proposal(seq))
    return seq


async def read_all(client: ClientConnection) -> list[Proposal | Withdrawn]:
    """What the reader gets once he reads, up to the message that says it is the last."""
    heard: list[Proposal | Withdrawn] = []
    with anyio.fail_after(PATIENCE_S):
        while not heard or heard[-1].proposal != "0.1.1":
            message = MSGPACK.to_device(await client.recv(decode=False))
            assert isinstance(message, Proposal | Withdrawn)
            heard.append(message)
    return heard


async def test_one_who_stops_reading_is_cut_off_when_64_messages_wait() -> None:
    async with bench() as it, it.reader() as (_, link):
        seq = stuff(link)
        waiting = 0
        while link.closed is None:
            waiting += 1
            link.forward(proposal(seq + waiting, note=""))
        assert waiting == 65
        assert link.closed is CloseCode.SLOW_READER
        with anyio.fail_after(PATIENCE_S):
            await link.device.wait_closed()


async def test_one_who_stops_reading_is_cut_off_when_64_kib_wait() -> None:
    async with bench() as it, it.reader() as (_, link):
        seq = stuff(link)
        most = 0
        while link.closed is None:
            seq += 1
            link.forward(proposal(seq))
            most = max(most, link.unsent_bytes)
        assert 64 * 1024 - 8_200 < most <= 64 * 1024
        assert link.unsent_bytes <= WRITE_HIGH + OUTBOUND_LIMIT  # what waited is dropped, only the transport's is left


async def test_a_slow_reader_slows_nobody_else() -> None:
    async with bench() as it, it.reader() as (_, slow), it.reader() as (client, quick):
        seq = stuff(slow)
        for number in range(300):
            slow.forward(proposal(seq + number, note=""))
            quick.forward(proposal(number + 1, note=""))
            message = MSGPACK.to_device(await client.recv(decode=False))
            assert isinstance(message, Proposal)
            assert message.seq == number + 1
        assert slow.closed is CloseCode.SLOW_READER
        assert quick.closed is None


async def test_one_who_reads_again_gets_everything_in_order() -> None:
    async with bench() as it, it.reader() as (client, link):
        seq = stuff(link)
        for number in range(1, 6):
            link.forward(proposal(seq + number, note="small"))
        link.forward(proposal(0, note=""))
        assert [message.seq for message in await read_all(client)] == [*range(1, seq + 6), 0]
        with anyio.fail_after(PATIENCE_S):
            await link.drained()
        assert not link.congested


async def test_a_withdrawal_takes_an_unsent_proposal_with_it() -> None:
    async with bench() as it, it.reader() as (client, link):
        seq = stuff(link)
        link.forward(proposal(seq + 1))
        link.forward(proposal(seq + 2))
        link.forward(withdrawn(seq + 3, of=seq + 1))
        link.forward(proposal(0, note=""))
        later = [message for message in await read_all(client) if message.seq > seq]
        assert [(type(message), message.seq) for message in later] == [(Proposal, seq + 2), (Withdrawn, seq + 3)]


async def test_a_proposal_that_expires_while_it_waits_is_dropped() -> None:
    async with bench() as it, it.reader() as (client, link):
        seq = stuff(link)
        link.forward(proposal(seq + 1, expires_at=100))
        link.forward(proposal(seq + 2, expires_at=200))
        link.forward(proposal(0, note=""))
        it.engine_now = 100
        assert [message.seq for message in await read_all(client) if message.seq > seq] == [seq + 2]


async def test_expired_proposals_make_room_before_a_reader_is_called_slow() -> None:
    async with bench() as it, it.reader() as (_, link):
        seq = stuff(link)
        for number in range(1, 65):
            link.forward(proposal(seq + number, expires_at=100, note=""))
        it.engine_now = 100
        link.forward(proposal(seq + 65, note=""))
        assert link.closed is None


async def test_a_reader_who_makes_no_progress_while_he_is_told_much_is_cut_off() -> None:
    async with bench(Limits(stall_ms=100, goodbye_ms=100)) as it, it.reader() as (_, link):
        stuff(link)
        with anyio.fail_after(PATIENCE_S):
            await link.drained()
        assert link.closed is CloseCode.SLOW_READER


async def test_one_who_stops_reading_is_cut_off_though_little_waits() -> None:
    """No queue is full, and no ping would get through: the watchdog sees that nothing moves."""
    async with bench(Limits(stall_ms=200, goodbye_ms=60_000)) as it, it.reader() as (_, link):
        seq = stuff(link)
        link.forward(proposal(seq + 1, note=""))
        with anyio.fail_after(PATIENCE_S):
            await link.device.wait_closed()
        assert link.closed is CloseCode.SLOW_READER
        assert link.unsent_bytes <= WRITE_HIGH + OUTBOUND_LIMIT


async def test_one_who_talks_on_and_reads_nothing_is_cut_off_as_soon_as_a_silent_one_p11() -> None:
    """Each ping of the websocket protocol is answered on top of what waits already: that the pile grows is no sign that it moves."""
    async with bench(Limits(stall_ms=400, goodbye_ms=60_000)) as it, it.reader() as (client, link):
        client.transport.pause_reading()
        stuff(link)
        began, most = anyio.current_time(), 0
        with anyio.fail_after(PATIENCE_S):
            while link.closed is None:
                client.transport.write(PING)
                most = max(most, link.unsent_bytes)
                await anyio.sleep(0.02)
            await link.device.wait_closed()
        assert link.closed is CloseCode.SLOW_READER
        assert anyio.current_time() - began >= 0.4
        assert most < it.limits.queue_bytes, "it was the watchdog that cut him, and not the bound"


async def test_one_who_talks_on_is_cut_off_though_his_transport_is_not_full_p11() -> None:
    """Nothing queues here and the transport takes all that is said: the little in it does not move."""
    async with bench(Limits(stall_ms=400, goodbye_ms=60_000)) as it, it.reader() as (client, link):
        client.transport.pause_reading()
        seq = 0
        while not link.in_transport:
            seq += 1
            link.forward(proposal(seq, note=""))
            await anyio.lowlevel.checkpoint()
        with anyio.fail_after(PATIENCE_S):
            while link.closed is None:
                client.transport.write(PING)
                link.say(Ping(seq=seq, now=1))
                assert not link.congested
                await anyio.sleep(0.05)
            await link.device.wait_closed()
        assert link.closed is CloseCode.SLOW_READER


async def test_one_who_talks_on_and_reads_slowly_is_not_cut_off() -> None:
    """Something waits all the time, and his pings add to it; but it moves."""
    async with bench(Limits(stall_ms=1_000)) as it, it.reader() as (client, link):
        seq, began = stuff(link), anyio.current_time()
        while anyio.current_time() - began < 2.5 and link.closed is None:
            while len(link._queue) < 2:
                seq += 1
                link.forward(proposal(seq))
            client.transport.write(PING)
            await client.recv(decode=False)
        assert link.closed is None


async def test_one_who_asks_much_and_reads_nothing_does_not_fill_the_memory() -> None:
    """The websocket protocol has pings of its own; whoever gets one must answer it."""
    async with bench() as it, it.reader() as (client, link):
        most = 0
        client.transport.pause_reading()  # it stops reading, whatever comes
        ping = WebsocketFrame(Opcode.PING, b"x" * 125).serialize(mask=True)  # the largest there is
        with anyio.fail_after(PATIENCE_S):
            while link.closed is None:
                client.transport.write(ping * 64)
                await anyio.lowlevel.checkpoint()
                most = max(most, link.unsent_bytes)
            await link.device.wait_closed()
        assert link.closed is CloseCode.SLOW_READER
        assert most < 64 * 1024 + OUTBOUND_LIMIT + 256 * 1024  # and what one reading from the socket can bring


async def test_one_who_reads_slowly_but_reads_is_not_cut_off() -> None:
    """Something waits all the time, for longer than one who does not read may take; but it moves."""
    async with bench(Limits(stall_ms=1_000)) as it, it.reader() as (client, link):
        seq = stuff(link)
        began = anyio.current_time()
        while anyio.current_time() - began < 2.5 and link.closed is None:
            while len(link._queue) < 2:
                seq += 1
                link.forward(proposal(seq))
            await client.recv(decode=False)
        assert link.closed is None


async def test_the_kernel_gives_up_a_peer_who_answers_nothing() -> None:
    async with bench() as it, it.reader() as (_, link):
        connection = link.device.transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_MS


async def test_an_answer_overtakes_what_waits_and_a_newer_version_takes_the_place_of_an_older_one() -> None:
    async with bench() as it, it.reader() as (client, link):
        seq = stuff(link)
        link.say(Ping(seq=seq, now=1))
        link.forward(proposal(seq + 1))
        link.say(Result(id="mine", outcome="won"))
        newer = Frame(encode_msgpack(msgspec.structs.replace(MSGPACK.to_device(proposal(seq + 1).msgpack), seq=seq + 2, version=2)))
        link.forward(newer)
        link.say(Ping(seq=seq + 2, now=2))
        heard = []
        with anyio.fail_after(PATIENCE_S):
            while not heard or not isinstance(heard[-1], Ping):
                heard.append(MSGPACK.to_device(await client.recv(decode=False)))
        after = heard[seq:]
        assert [type(message) for message in after] == [Result, Proposal, Ping]
        assert (after[1].version, after[2].seq) == (2, seq + 2)


async def test_what_had_to_wait_is_measured_as_written_when_it_goes_out() -> None:
    async with bench() as it, it.reader() as (client, link):
        link.held = False
        seq = stuff(link)
        link.forward(proposal(0, note=""))
        assert len(it.written) == seq
        await read_all(client)
        assert [frame.head.seq for frame in it.written] == [*range(1, seq + 1), 0]


async def test_a_reader_who_reads_in_time_hears_why_he_is_cut_off() -> None:
    async with bench(Limits(goodbye_ms=5_000)) as it, it.reader() as (client, link):
        seq = stuff(link)
        for number in range(70):
            link.forward(proposal(seq + number, note=""))
        with anyio.fail_after(PATIENCE_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await client.recv()
        assert client.close_code == 4009
