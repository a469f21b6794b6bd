"""What waits for a slow reader: in which order it goes out, and what never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from dispatch.gateway.frames import Frame
from dispatch.gateway.outgoing import Outgoing, Waiting
from dispatch.messages import Booking, CounterState, Live, Outline, Ping, Pong, Proposal, Result, Snapshot, TrialState, Withdrawn
from dispatch.wire import Message, encode_msgpack


def waiting(message: Message) -> Waiting:
    data, kind = encode_msgpack(message), str(message.__struct_config__.tag)
    streamed = getattr(message, "seq", UNSET) is not UNSET and kind not in ("ping", "pong", "live", "snapshot")
    return Waiting(kind, data, Frame(data) if streamed else None)


def proposal(seq: int, number: int = 1, version: int = 1) -> Waiting:
    outline = Outline(booking_id=f"b-{number}", services=("cut",), windows=())
    return waiting(
        Proposal(seq=seq, proposal=f"{number}.1.7", version=version, expires_at=9, answer_by=9, booking=outline),
    )


def withdrawn(seq: int, number: int = 1) -> Waiting:
    return waiting(Withdrawn(seq=seq, proposal=f"{number}.1.7", reason="taken"))


def filled(*messages: Waiting) -> Outgoing:
    queue = Outgoing()
    for message in messages:
        queue.supersede(message)
        queue.put(message)
    return queue


def left(queue: Outgoing) -> list[Waiting]:
    taken = []
    while queue:
        taken.append(queue.take())
    return taken


def test_answers_go_first_the_stream_in_its_order_signs_of_life_last() -> None:
    ping, snapshot = waiting(Ping(seq=9, now=1)), waiting(Snapshot(id="s", epoch="e", seq=2))
    first, second, third = proposal(1), proposal(3, 2), withdrawn(4, 3)
    won, lost = waiting(Result(id="a", outcome="won")), waiting(Result(id="b", outcome="lost"))
    queue = filled(ping, first, won, snapshot, second, lost, third)
    assert left(queue) == [won, lost, first, snapshot, second, third, ping]


def test_a_decision_that_is_told_in_the_stream_keeps_its_place_there_r16() -> None:
    """Told sooner, it would make what came before it look like a double. Two of one proposal, for two ids, do not replace each other."""
    first, answer = proposal(1), waiting(Result(id="a", outcome="won"))
    one, two = (waiting(Result(id=id_, outcome="lost", proposal="1.1.7", seq=seq)) for id_, seq in (("x", 2), ("y", 3)))
    assert left(filled(first, one, two, answer)) == [answer, first, one, two]


def test_of_the_signs_of_life_only_the_newest_goes_out() -> None:
    queue = filled(waiting(Ping(seq=1, now=1)), waiting(Pong(seq=1, now=1)), waiting(Ping(seq=2, now=2)), waiting(Pong(seq=3, now=3)))
    assert left(queue) == [waiting(Ping(seq=2, now=2)), waiting(Pong(seq=3, now=3))]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (proposal(1), withdrawn(2)),
        (proposal(1), proposal(2, version=2)),
        (withdrawn(1), proposal(2)),
        (waiting(CounterState(seq=1, proposal="1.1.7", state="held")), waiting(CounterState(seq=2, proposal="1.1.7", state="shown"))),
        (
            waiting(Booking(seq=1, booking_id="b-1", version=1, state="accepted")),
            waiting(Booking(seq=2, booking_id="b-1", version=1, state="cancelled")),
        ),
        (
            waiting(TrialState(seq=1, proposal="0.1.7", state="open", sent_at=1)),
            waiting(TrialState(seq=2, proposal="0.1.7", state="expired", sent_at=1)),
        ),
    ],
    ids=lambda message: message.kind,
)
def test_a_message_that_a_newer_one_makes_void_is_not_sent(older: Waiting, newer: Waiting) -> None:
    queue = filled(older)
    assert queue.supersede(newer) == [older.frame]
    assert (len(queue), queue.size) == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        proposal(2, 2),
        waiting(CounterState(seq=2, proposal="1.1.7", state="held")),
        waiting(Live(seq=1)),
        waiting(Result(id="a", outcome="won")),
    ],
    ids=lambda message: message.kind,
)
def test_a_message_about_something_else_takes_nothing_with_it(other: Waiting) -> None:
    assert filled(proposal(1)).supersede(other) == []


messages = st.integers(1, 200).flatmap(
    lambda seq: st.sampled_from(
        [
            *(proposal(seq, number) for number in range(3)),
            *(withdrawn(seq, number) for number in range(3)),
            waiting(Ping(seq=seq, now=1)),
            waiting(Result(id=str(seq), outcome="won")),
            waiting(Snapshot(id=None, epoch="e", seq=seq)),
        ]
    )
)


@given(st.lists(messages, max_size=40))
def test_whatever_waits_the_stream_stays_in_order_and_the_size_is_right(came: list[Waiting]) -> None:
    queue = filled(*came)
    assert queue.size == sum(len(one.data) for one in queue)
    out = left(queue)
    ranks = [one.rank for one in out]
    assert ranks == sorted(ranks)
    places = [next(i for i, one in enumerate(came) if one is message) for message in out if message.rank == 1]
    assert places == sorted(places)
    about = [one.about for one in out if one.about]
    assert len(about) == len(set(about))
    assert queue.size == 0
