"""The swarm: frames by hand against the real library, phones against a real engine, and what is read out of their notes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from bench.swarm import truth
from bench.swarm.frames import BINARY, Frames, Refused, frame, opened
from bench.swarm.phone import Phone
from bench.swarm.picture import Bar, bars
from bench.swarm.raw import PER_SOURCE, Raw, connect, source
from bench.swarm.truth import Sent
from bench.swarm.verdict import Asked, told
from dispatch.client.protocol import Conversation
from dispatch.wire import MSGPACK


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """The real library, which says everything back and ends when told "end"."""

    async def listen(connection: ServerConnection) -> None:
        async for message in connection:
            if message == b"end":
                await connection.close(4013, "drained")
                return
            await connection.send(message)

    async with serve(listen, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


# -- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_messages_of_every_length_come_back_as_they_went(size: int) -> None:
    async with echo() as url:
        raw = await connect(url, 0)
        await raw.send(bytes(range(256)) * (size // 256) + b"." * (size % 256))
        assert await raw.recv() == bytes(range(256)) * (size // 256) + b"." * (size % 256)
        await raw.send("text")
        assert await raw.recv() == "text"
        raw.cut()


@pytest.mark.parametrize("piece", [1, 2, 3, 1_000])
def test_frames_are_found_however_the_bytes_arrive(piece: int) -> None:
    data = b"\x82\x03abc" + b"\x82\x7e\x00\x80" + b"x" * 128 + b"\x88\x02\x03\xe8"
    frames, found = Frames(), []
    for at in range(0, len(data), piece):
        found += list(frames.feed(data[at : at + piece]))
    assert found == [(2, b"abc"), (2, b"x" * 128), (8, b"\x03\xe8")]


@pytest.mark.parametrize("data", [b"\x02\x03abc", frame(BINARY, b"abc")], ids=["not whole", "masked"])
def test_what_no_server_sends_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="fragment or a masked"):
        list(Frames().feed(data))


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nstopping", 503),
        (b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: wrong\r\n\r\n", 101),
        (b"x" * 9_000, 0),
        (b"nonsense\r\n\r\n", 0),
    ],
)
def test_an_answer_that_is_no_websocket_is_refused_with_its_status(answer: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        opened(answer, b"key")
    assert refused.value.status == status


# -- sockets ----------------------------------------------------------------------------------------------------------


def test_sources_are_loopback_and_change_before_ports_run_out() -> None:
    found = [source(number * PER_SOURCE) for number in range(600)]
    assert found[0] == "127.0.0.1"
    assert all(address.startswith("127.") for address in found)
    assert len(set(found)) == 600
    assert source(PER_SOURCE - 1) == source(0)


async def test_the_end_of_a_socket_is_told_with_its_code() -> None:
    async with echo() as url:
        raw, ended = await connect(url, PER_SOURCE), asyncio.get_running_loop().create_future()
        raw.attend(lambda payload: None, lambda code, reason: ended.set_result((code, reason)))
        raw.say(b"end")
        assert await asyncio.wait_for(ended, 10) == (4013, "drained")


async def test_who_stalls_reads_nothing_until_he_goes_on() -> None:
    async with echo() as url:
        raw, heard = await connect(url, 0, narrow=True), asyncio.Event()
        raw.attend(lambda payload: heard.set(), lambda code, reason: None)
        raw.stall()
        raw.say(b"x" * 4_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heard.wait(), 0.3)
        raw.stall(False)
        await asyncio.wait_for(heard.wait(), 10)
        raw.cut()


async def test_a_socket_that_is_refused_says_why() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionError, match="503"):
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 0)


async def test_frames_that_waited_are_handed_over_in_order() -> None:
    async with echo() as url:
        raw = await connect(url, 0)
        heard: list[bytes] = []
        for word in (b"1", b"2"):
            raw.say(word)
        assert await raw.recv() == b"1"
        raw.attend(heard.append, lambda code, reason: None)
        assert isinstance(raw, Raw)
        raw.say(b"3")
        async with asyncio.timeout(10):
            while len(heard) < 2:  # noqa: ASYNC110 - bounded, on a real socket
                await asyncio.sleep(0.01)
        assert heard == [b"2", b"3"]
        raw.cut()


# -- notes ------------------------------------------------------------------------------------------------------------


NOTES = [
    ["try", 1, 0.0], ["live", 1, 1.0, []], ["try", 2, 0.0], ["live", 2, 1.0, []],
    ["proposal", 1, 2.0, "7.1.1", "take-7"], ["proposal", 2, 2.5, "7.1.2", "take-7"],
    ["accept", 2, 2.6, "7.1.2", "take-7"], ["lost", 1, 5.0, 0], ["withdrawn", 1, 2.65, "7.1.1", "taken"],
    ["try", 1, 5.5], ["try", 1, 6.0], ["live", 1, 6.5, ["9.1.1"]], ["lost", 2, 9.0, 1006],
]  # fmt: skip


def sent(number: int, proposal: str, at: float, ending: float | None = None, ended: float | None = None) -> Sent:
    return Sent(number=number, proposal=proposal, at=at, open=ending is None, ending=ending, ended=ended)


def test_gaps_run_from_the_loss_to_the_next_link_or_to_the_end() -> None:
    assert truth.gaps(NOTES, 0.0, 12.0) == {1: 1.5, 2: 3.0}
    assert truth.gaps(NOTES, 6.0, 12.0) == {2: 3.0}


def test_a_return_counts_from_the_first_knock_and_shows_what_was_there() -> None:
    [back] = truth.returns(NOTES)
    assert back == truth.Return(number=1, first=5.5, last=6.0, live=6.5, shown=frozenset({"9.1.1"}))
    assert back.took == 1.0


def test_knocks_that_were_answered_belong_to_one_return_and_not_to_the_next() -> None:
    again = [
        *NOTES,
        ["try", 2, 9.5],
        ["lost", 2, 9.6, 0],
        ["try", 2, 10.0],
        ["live", 2, 10.5, []],
        ["lost", 2, 11.0, 0],
        ["try", 2, 11.5],
        ["live", 2, 12.0, []],
    ]
    assert [(back.number, back.took) for back in truth.returns(again)] == [(1, 1.0), (2, 1.0), (2, 0.5)]
    assert truth.back(NOTES, 5.0, 6.25) == {1: 0.25}


@pytest.mark.parametrize(
    ("one", "missing", "ghosts"),
    [
        (sent(1, "9.1.1", 3.0), 0, 0),  # open, and there
        (sent(1, "8.1.1", 3.0), 1, 0),  # open, and not there
        (sent(1, "8.1.1", 6.1), 0, 0),  # sent when he was knocking already
        (sent(1, "8.1.1", 3.0, 6.2, 6.3), 0, 0),  # over before he was live
        (sent(1, "8.1.1", 3.0, 7.0, 7.1), 1, 0),  # over only later
        (sent(1, "9.1.1", 3.0, 5.6, 5.9), 0, 1),  # over before he knocked, and still there
        (sent(1, "9.1.1", 3.0, 5.6, 6.2), 0, 0),  # over meanwhile: nobody can say
        (sent(2, "8.1.1", 3.0), 0, 0),  # not his
    ],
)
def test_each_screen_is_compared_with_what_was_open_when_its_owner_came_back(one: Sent, missing: int, ghosts: int) -> None:
    found = truth.wrong_on_return(truth.returns(NOTES), [one])
    assert (len(found[0]), len(found[1])) == (missing, ghosts)


def test_at_rest_each_screen_shows_what_is_open_and_nothing_else() -> None:
    all_sent = [sent(1, "1.1.1", 0), sent(1, "2.1.1", 0), sent(2, "3.1.2", 0, 1, 2)]
    assert truth.wrong_at_rest({1: ["1.1.1", "2.1.1", "b-held"]}, all_sent) == ([], [])
    assert truth.wrong_at_rest({1: ["1.1.1"], 2: ["3.1.2"]}, all_sent) == (["2.1.1 of p1"], ["3.1.2 of p2"])


def test_a_proposal_is_heard_of_by_message_or_in_a_list() -> None:
    all_sent = [sent(1, "7.1.1", 0), sent(1, "9.1.1", 0), sent(2, "9.1.2", 0)]
    assert truth.never_heard(NOTES, all_sent) == ["9.1.2 of p2"]


def test_a_recall_counts_when_all_the_others_were_told() -> None:
    assert truth.recalls(NOTES, 2) == [pytest.approx(50)]
    assert truth.recalls(NOTES, 3) == []


# -- verdicts and pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "seen", "kept"),
    [({"at_most": 16}, 16.0, True), ({"at_most": 16}, 16.1, False), ({"at_least": 99}, 99.0, True), ({"at_least": 99}, 98.9, False)],
)
def test_a_figure_is_held_against_its_bound(bounds: dict[str, float], seen: float, kept: bool) -> None:
    one = Asked(words="this", seen=seen, unit=" KB", **bounds)
    assert bool(one) is kept
    assert one.line().startswith("holds: this" if kept else "DOES NOT HOLD: this")
    assert told([one]) == (0 if kept else 1)


def test_nothing_asked_is_no_success() -> None:
    assert told([]) == 1


def test_a_picture_has_a_bar_for_each_and_the_bound() -> None:
    text = bars("a < b", [Bar("ours", 8.0, True), Bar("other", 16.0)], 12.0)
    assert text.count("<rect") == 3
    assert "a &lt; b" in text
    assert "at most 12" in text


# -- phones -----------------------------------------------------------------------------------------------------------


async def test_a_phone_that_is_greeted_by_nobody_gives_up_and_knocks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes the websocket and says nothing."""
    notes: list[tuple[object, ...]] = []
    monkeypatch.setattr("bench.swarm.phone.GREETING_MS", 50)

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0, subprotocols=[Subprotocol(MSGPACK.subprotocol)], compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        phone = Phone(3, Conversation(MSGPACK, token="t", device="d"), [url], lambda *note: notes.append(note))
        phone.come()
        async with asyncio.timeout(20):
            while [note[0] for note in notes].count("try") < 2:  # noqa: ASYNC110 - bounded, on a real socket
                await asyncio.sleep(0.01)
        phone.leave()
    assert ("lost", 3, 0) in notes
    assert not [note for note in notes if note[0] == "live"]


class Wire(Raw):
    """A socket that goes nowhere: what is said on it is kept."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def say(self, data: bytes, text: bool = False) -> None:
        self.said.append(data)

    def leave(self) -> None:
        pass


def welcome(**changes: object) -> bytes:
    facts = {"type": "welcome", "session": "s", "epoch": "e", "seq": 0, "resumed": False, "reason": "new", "now": 0, "items": []}
    return MSGPACK.encode(facts | {"heartbeat": {"every_ms": 1, "dead_ms": 1}} | changes)


def test_while_a_phone_changes_over_its_former_socket_is_only_overheard() -> None:
    """Its stream counts; that it drains, is live or lists anything says nothing of the new one."""
    notes: list[tuple[object, ...]] = []
    phone = Phone(3, Conversation(MSGPACK, token="t", device="d"), ["ws://127.0.0.1:9/"], lambda *note: notes.append(note))
    old, new = Wire(), Wire()
    phone._raw = old
    phone.talk.hello()
    phone._heard(old, welcome())
    phone._heard(old, MSGPACK.encode({"type": "live", "seq": 0}))
    phone._new = new
    phone.talk.hello()
    phone._heard(new, welcome(seq=1, resumed=True))
    told = {"type": "withdrawn", "seq": 1, "proposal": "1.1.3", "version": 1, "reason": "taken"}
    for message in (told, {"type": "drain", "after_ms": 0, "deadline_ms": 1}, {"type": "live", "seq": 9}):
        phone._heard(old, MSGPACK.encode(message))
    assert phone._new is new, "the new one is not live yet"
    assert phone._coming is None, "it has changed over already"
    assert (phone.talk.seq, [note[0] for note in notes]) == (1, ["live", "withdrawn"])
    phone._heard(new, MSGPACK.encode({"type": "live", "seq": 1}))
    assert (phone._raw, phone._new) == (new, None)


async def test_a_phone_goes_to_the_next_address_when_the_first_is_gone() -> None:
    notes: list[tuple[object, ...]] = []
    came = asyncio.Event()

    async def listen(connection: ServerConnection) -> None:
        came.set()
        await connection.wait_closed()

    async with serve(listen, "127.0.0.1", 0, subprotocols=[Subprotocol(MSGPACK.subprotocol)], compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        phone = Phone(3, Conversation(MSGPACK, token="t", device="d"), ["ws://127.0.0.1:9/", url], lambda *note: notes.append(note))
        phone.come()
        await asyncio.wait_for(came.wait(), 20)
        phone.leave()
    assert [note[0] for note in notes].count("try") == 2
