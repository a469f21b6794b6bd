"""A device's conversation without a socket: what it knows, what it says, and that it always ends up with what the server says is open."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dispatch.client.protocol import PENDING_LIMIT, Conversation, State, Step, pause_s, refusal, rejected, verdict
from dispatch.errors import BadRequest, DispatchError, RateLimited, Unavailable
from dispatch.wire import (
    JSON,
    MSGPACK,
    Accept,
    Ack,
    Booking,
    Codec,
    CounterState,
    Error,
    Heartbeat,
    Hello,
    Live,
    Notice,
    Outline,
    Ping,
    Pong,
    Proposal,
    Result,
    Resume,
    Snapshot,
    Status,
    Sync,
    Welcome,
    Withdrawn,
)

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
HEARTBEAT = Heartbeat(every_ms=25_000, dead_ms=45_000)
ACCEPT = Accept(id="a", proposal="1.1.7", version=1)


def proposal(number: int, seq: int, version: int = 1) -> Proposal:
    outline = Outline(booking_id=f"b-{number}", services=("cut",), windows=())
    return Proposal(seq=seq, proposal=f"{number}.1.7", version=version, expires_at=9, answer_by=8, booking=outline)


def held(number: int, seq: int, state: str = "accepted") -> Booking:
    return Booking(seq=seq, booking_id=f"b-{number}", version=1, state=state)


def welcome(codec: Codec, seq: int, *items: Any, resumed: bool = False, epoch: str = "e") -> Welcome:
    raws = tuple(Raw(codec.encode(item)) for item in items)
    return Welcome(session="s", epoch=epoch, seq=seq, resumed=resumed, now=1_500, heartbeat=HEARTBEAT, items=raws)


class Talk:
    """A conversation that is fed messages, and what it says as messages."""

    def __init__(self, codec: Codec = MSGPACK) -> None:
        self.codec = codec
        self.it = Conversation(codec, token="t", device="d")

    def hello(self) -> Hello:
        message = self.codec.decode(self.it.hello())
        assert isinstance(message, Hello)
        return message

    def hear(self, *messages: Any) -> list[Any]:
        """Take in messages; what is said in return."""
        return [said for message in messages for said in self.said(self.step(message))]

    def step(self, message: Any) -> Step:
        return self.it.receive(self.codec.encode(message), now=1_000)

    def said(self, step: Step) -> list[Any]:
        return [self.codec.decode(frame) for frame in step.frames]


def live(codec: Codec = MSGPACK, seq: int = 0, *items: Any) -> Talk:
    talk = Talk(codec)
    talk.hello()
    talk.hear(welcome(codec, seq, *items), Live(seq=seq))
    return talk


@CODECS
def test_a_first_hello_asks_for_everything_and_a_later_one_for_what_was_missed(codec: Codec) -> None:
    talk = Talk(codec)
    assert talk.hello().resume is None
    talk.hear(welcome(codec, 4), Live(seq=4), proposal(1, 5))
    talk.it.lost()
    assert talk.hello().resume == Resume(epoch="e", seq=5)


def test_a_device_cut_before_live_asks_for_everything_again() -> None:
    talk = live(MSGPACK, 4, proposal(1, 3))
    talk.it.lost()
    talk.hello()
    talk.hear(welcome(MSGPACK, 9, proposal(2, 8), epoch="new"))
    assert list(talk.it.open) == ["1.1.7"]
    talk.it.lost()
    assert talk.hello().resume is None


def test_a_device_cut_while_it_is_replayed_goes_on_from_there() -> None:
    talk = live(MSGPACK, 1)
    talk.it.lost()
    talk.hello()
    assert talk.hear(welcome(MSGPACK, 3, resumed=True), proposal(1, 2)) == []
    talk.it.lost()
    assert talk.hello().resume == Resume(epoch="e", seq=2)


@CODECS
def test_what_the_server_says_is_open_replaces_what_was_known(codec: Codec) -> None:
    talk = live(codec, 2, proposal(1, 1), held(2, 2))
    assert set(talk.it.open) == {"1.1.7", "b-2"}
    talk.it.lost()
    talk.hello()
    talk.hear(welcome(codec, 9, proposal(3, 9)))
    step = talk.step(Live(seq=9))
    assert set(talk.it.open) == {"3.1.7"}
    assert step.messages == (proposal(3, 9), Live(seq=9))
    assert talk.said(step) == [Ack(seq=9)]


def test_what_was_known_already_is_not_shown_to_the_app_again() -> None:
    talk = live(MSGPACK, 1, proposal(1, 1))
    talk.it.lost()
    talk.hello()
    talk.hear(welcome(MSGPACK, 3, proposal(1, 1), proposal(2, 3)))
    assert talk.step(Live(seq=3)).messages == (proposal(2, 3), Live(seq=3))


def test_a_welcome_may_go_on_in_snapshots_until_live() -> None:
    talk = Talk()
    talk.hello()
    pages = [Snapshot(id=None, epoch="e", seq=5, items=(Raw(MSGPACK.encode(proposal(n, n))),), more=n < 3) for n in (2, 3)]
    assert talk.hear(welcome(MSGPACK, 5, proposal(1, 1)), *pages, Live(seq=5)) == [Ack(seq=5)]
    assert set(talk.it.open) == {"1.1.7", "2.1.7", "3.1.7"}


@pytest.mark.parametrize(
    ("messages", "left"),
    [
        ((proposal(1, 1),), {"1.1.7"}),
        ((proposal(1, 1), Withdrawn(seq=2, proposal="1.1.7", reason="taken")), set()),
        ((Withdrawn(seq=1, proposal="8.1.7", reason="taken"),), set()),
        ((proposal(1, 1), held(1, 2)), {"1.1.7", "b-1"}),
        ((held(1, 1), held(1, 2, "cancelled")), set()),
        ((proposal(1, 1), CounterState(seq=2, proposal="1.1.7", state="held")), {"1.1.7", "counter:1.1.7"}),
        ((CounterState(seq=1, proposal="1.1.7", state="held"), CounterState(seq=2, proposal="1.1.7", state="declined")), set()),
        ((proposal(1, 1), Result(id="x", outcome="lost", proposal="1.1.7")), set()),
        ((proposal(1, 1), Result(id="x", outcome="pending", proposal="1.1.7")), {"1.1.7"}),
        ((proposal(1, 1), Result(id="x", outcome="version_conflict", proposal="1.1.7")), {"1.1.7"}),
        ((Notice(seq=1, kind="paused"),), set()),
    ],
)
def test_messages_change_what_is_open(messages: tuple[Any, ...], left: set[str]) -> None:
    talk = live()
    talk.hear(*messages)
    assert set(talk.it.open) == left


def test_proposals_are_acknowledged_at_once_and_doubles_are_not_even_shown() -> None:
    talk = live()
    assert talk.hear(proposal(1, 1)) == [Ack(seq=1)]
    assert talk.hear(Notice(seq=2, kind="paused")) == []
    assert talk.step(proposal(1, 1)) == Step()
    assert talk.hear(proposal(2, 3)) == [Ack(seq=3)]


def test_what_is_seen_is_said_now_or_on_the_next_connection() -> None:
    talk = live(MSGPACK, 1, proposal(1, 1))
    frame = talk.it.seen("1.1.7")
    assert frame is not None
    assert MSGPACK.decode(frame) == Ack(seq=1, seen=("1.1.7",))
    talk.it.lost()
    assert talk.it.seen("1.1.7") is None
    talk.hello()
    assert talk.hear(welcome(MSGPACK, 1, resumed=True), Live(seq=1)) == [Ack(seq=1, seen=("1.1.7",))]


def test_a_ping_is_answered_and_one_that_knows_more_than_we_do_makes_us_ask() -> None:
    talk = live(MSGPACK, 4)
    assert talk.hear(Ping(seq=4, now=5_000)) == [Pong(seq=4, now=1_000)]
    assert talk.it.server_ms(1_000) == 5_000
    pong, sync = talk.hear(Ping(seq=6, now=5_000))
    assert isinstance(sync, Sync)
    assert talk.hear(Ping(seq=7, now=5_000)) == [pong], "one question at a time"
    pages = [
        Snapshot(id=sync.id, epoch="e", seq=7, items=(Raw(MSGPACK.encode(proposal(1, 6))),), more=True),
        Snapshot(id=sync.id, epoch="e", seq=7, items=(Raw(MSGPACK.encode(proposal(2, 7))),)),
    ]
    assert talk.hear(*pages) == [Ack(seq=7)]
    assert (set(talk.it.open), talk.it.seq) == ({"1.1.7", "2.1.7"}, 7)


# -- commands -------------------------------------------------------------------------------------------------------


def test_a_command_without_an_answer_is_repeated_with_its_id_until_it_has_one() -> None:
    talk = live()
    assert talk.it.command(ACCEPT) == MSGPACK.encode(ACCEPT)
    talk.it.lost()
    talk.hello()
    assert talk.hear(welcome(MSGPACK, 0, resumed=True), Live(seq=0)) == [ACCEPT]
    talk.hear(Result(id="a", outcome="won", proposal="1.1.7"))
    talk.it.lost()
    talk.hello()
    assert talk.hear(welcome(MSGPACK, 0, resumed=True), Live(seq=0)) == []


def test_a_command_made_while_there_is_no_connection_waits_for_one() -> None:
    talk = Talk()
    assert talk.it.command(ACCEPT) is None
    talk.hello()
    assert talk.it.command(Status(id="s")) is None
    assert talk.hear(welcome(MSGPACK, 0), Live(seq=0)) == [ACCEPT, Status(id="s")]


def test_commands_without_answers_are_bounded() -> None:
    talk = live()
    for number in range(PENDING_LIMIT):
        talk.it.command(Status(id=f"s-{number}"))
    talk.it.command(Status(id="s-0"))
    with pytest.raises(RateLimited):
        talk.it.command(Status(id="one more"))
    talk.it.forget("s-0")
    talk.it.command(Status(id="one more"))


def test_what_a_newer_server_says_is_passed_over() -> None:
    talk = live()
    assert talk.it.receive(MSGPACK.encode({"type": "horoscope", "seq": 1}), 0) == Step()
    assert talk.it.receive(b"\xc1", 0) == Step()
    stranger = Raw(MSGPACK.encode({"type": "horoscope"}))
    talk.hear(Snapshot(id="x", epoch="e", seq=1, items=(stranger, Raw(MSGPACK.encode(proposal(1, 1))))))
    assert set(talk.it.open) == {"1.1.7"}


def test_silence_is_death_after_what_the_server_said() -> None:
    talk = Talk()
    assert talk.it.dead_ms == 15_000
    assert live().it.dead_ms == 45_000


# -- endings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012, 1013, 4000, 4006, 4008, 4009, 4010, 4011, 4012, 4013, None])
def test_after_these_codes_a_device_connects_again(code: int | None) -> None:
    assert verdict(code) is None


@pytest.mark.parametrize("code", [4500, 4501, 4502, 4503, 4504, 4505, 4599])
def test_after_these_codes_it_stops_and_says_why(code: int) -> None:
    stopped = verdict(code, "the reason")
    assert stopped is not None
    assert stopped.close_code == code
    assert "the reason" in stopped.detail


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (401, True), (403, True), (404, True), (408, False), (429, False), (503, False)]
)
def test_an_upgrade_refused_is_final_unless_it_speaks_of_the_moment(status: int, final: bool) -> None:
    assert (rejected(status, b"why") is not None) is final


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_the_pause_is_full_jitter_up_to_half_a_minute(attempt: int, chance: float) -> None:
    assert 0 <= pause_s(attempt, chance) <= min(30.0, 0.5 * 2 ** min(attempt, 20))
    assert pause_s(attempt, chance, "unavailable, after_ms=2500") == pause_s(attempt, chance) + 2.5


@pytest.mark.parametrize(
    ("code", "kind"),
    [("bad_request", BadRequest), ("rate_limited", RateLimited), ("unavailable", Unavailable), ("internal", DispatchError)],
)
def test_an_error_is_an_exception_of_its_kind(code: str, kind: type[DispatchError]) -> None:
    error = refusal(Error(id="x", code=code, message="why"))
    assert type(error) is kind
    assert (error.code, error.detail) == (code, "why")


# -- the promise (P8) -----------------------------------------------------------------------------------------------

Story = st.lists(st.sampled_from(["open", "withdraw", "cut", "cut in the welcome", "forget", "sync", "expired"]), max_size=40)


@given(Story, st.randoms(use_true_random=False))
def test_whatever_happens_a_device_knows_exactly_what_is_open(story: list[str], chance: Any) -> None:
    """A server as simple as can be plays every story; after each chapter that leaves the link alive both must agree."""
    talk, stream, items, number = live(), [], {}, 0
    for chapter in story:
        if chapter == "open":
            number += 1
            items[f"{number}.1.7"] = message = proposal(number, len(stream) + 1)
            stream.append(message)
            talk.hear(message)
        elif chapter == "withdraw" and items:
            gone = chance.choice(sorted(items))
            del items[gone]
            stream.append(Withdrawn(seq=len(stream) + 1, proposal=gone, reason="taken"))
            talk.hear(stream[-1])
        elif chapter == "expired":  # a message that is never written: the next one leaves a hole
            stream.append(proposal(0, len(stream) + 1))
        elif chapter == "sync":
            raws = tuple(Raw(MSGPACK.encode(item)) for item in items.values())
            talk.hear(Snapshot(id="s", epoch="e", seq=len(stream), items=raws))
        elif chapter in ("cut", "cut in the welcome", "forget"):
            talk.it.lost()
            resume = talk.hello().resume if chapter != "forget" else talk.hello() and None
            said: list[Any] = [welcome(MSGPACK, len(stream), *([] if resume else items.values()), resumed=resume is not None)]
            said += [message for message in stream[resume.seq :] if message.proposal != "0.1.7"] if resume else []
            said.append(Live(seq=len(stream)))
            talk.hear(*(said[: chance.randrange(len(said))] if chapter == "cut in the welcome" else said))
            if chapter == "cut in the welcome":
                talk.it.lost()
                resume = talk.hello().resume
                missed = [message for message in stream[resume.seq :] if message.proposal != "0.1.7"] if resume else []
                again = welcome(MSGPACK, len(stream), *([] if resume else items.values()), resumed=resume is not None)
                talk.hear(again, *missed, Live(seq=len(stream)))
        assert talk.it.open == items
        assert talk.it.state is State.LIVE
