"""One conversation without socket or clock: every message in every phase, every bound, every moment."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from dispatch.errors import BadRequest, DispatchError, Forbidden, Unauthorized, Unavailable
from dispatch.gateway.effects import Ask, Close, Confirm, Effect, Enter, Entered, Forward, Over, Rest, Say
from dispatch.gateway.frames import Frame
from dispatch.gateway.limits import NEVER, Limits
from dispatch.gateway.session import Phase, Session
from dispatch.wire import (
    JSON,
    MSGPACK,
    OUTBOUND_LIMIT,
    Accept,
    Ack,
    AuthNeeded,
    Booking,
    Cancel,
    CloseCode,
    Codec,
    Drain,
    Error,
    Hello,
    Late,
    Live,
    Outline,
    Ping,
    Pong,
    Proposal,
    Refresh,
    Refreshed,
    Refuse,
    Report,
    Result,
    Resume,
    Snapshot,
    Status,
    Sync,
    Trial,
    Welcome,
    Withdrawn,
    encode_msgpack,
)

LIMITS = Limits()
START = 1_000_000
HELLO = Hello(token="t", device="d")
FAR = 10**9


def new(codec: Codec = MSGPACK, limits: Limits = LIMITS) -> Session:
    return Session(codec, limits, lambda now: now, chance=0.5, now=START)


def proposal(seq: int, *, expires_at: int = FAR, pno: int = 7, note: str = "", at: int | UnsetType = UNSET) -> Frame:
    booking = Outline(booking_id=f"b-{seq}", services=("cut",), windows=(), note=note)
    return Frame(
        encode_msgpack(
            Proposal(seq=seq, proposal=f"{seq}.1.{pno}", version=1, at=at, expires_at=expires_at, answer_by=5, booking=booking),
        )
    )


def withdrawn(seq: int, of: int) -> Frame:
    return Frame(encode_msgpack(Withdrawn(seq=seq, proposal=f"{of}.1.7", reason="taken")))


def entered(**changes: Any) -> Entered:
    known: dict[str, Any] = {"session": "g.1", "pno": 7, "expires_at": NEVER, "epoch": "e", "seq": 0, "items": (), "missed": ()}
    known |= {"resumed": False, "reason": "new"}
    return Entered(**(known | changes))


def live(codec: Codec = MSGPACK, limits: Limits = LIMITS, *, resume: int | None = None, **changes: Any) -> Session:
    session = new(codec, limits)
    hello = HELLO if resume is None else msgspec.structs.replace(HELLO, resume=Resume(epoch="e", seq=resume))
    session.receive(framed(codec, hello), START)
    session.entered(entered(**changes), START)
    return session


def framed(codec: Codec, message: Any) -> bytes | str:
    data = codec.encode(message)
    return data.decode() if codec.text else data


def said(effects: Sequence[Effect]) -> list[Any]:
    return [effect.message for effect in effects if isinstance(effect, Say)]


def closing(effects: Sequence[Effect]) -> CloseCode | None:
    return next((effect.code for effect in effects if isinstance(effect, Close)), None)


# -- hello ----------------------------------------------------------------------------------------------------------


def test_hello_asks_the_store_who_it_is() -> None:
    session = new()
    assert session.receive(framed(MSGPACK, HELLO), START) == [Enter(HELLO)]
    assert session.phase is Phase.ENTERING


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (MSGPACK.encode(Ack(seq=1)), CloseCode.NO_HELLO),
        (MSGPACK.encode({"type": "hello", "token": "t"}), CloseCode.MALFORMED),
        (MSGPACK.encode({"type": "hello", "token": "t", "device": "no spaces please"}), CloseCode.MALFORMED),
        (MSGPACK.encode({"type": "hallo"}), CloseCode.MALFORMED),
        (b"\xc1", CloseCode.MALFORMED),
        ("a text frame", CloseCode.MALFORMED),
    ],
)
def test_a_first_frame_that_is_no_hello_ends_the_link(frame: bytes | str, code: CloseCode) -> None:
    session = new()
    assert closing(session.receive(frame, START)) is code
    assert session.phase is Phase.CLOSED
    assert session.due == NEVER


def test_a_link_that_says_no_hello_ends_after_ten_seconds_and_not_before() -> None:
    session = new()
    assert session.due == START + 10_000
    assert session.tick(START + 9_999) == []
    assert closing(session.tick(START + 10_000)) is CloseCode.NO_HELLO


def test_a_store_that_takes_long_over_a_hello_is_not_the_devices_fault() -> None:
    session = new()
    session.receive(framed(MSGPACK, HELLO), START)
    assert session.due == NEVER
    assert session.tick(START + 60_000) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthorized("no"), CloseCode.BAD_TOKEN),
        (Forbidden("too many", "too_many_devices"), CloseCode.TOO_MANY_DEVICES),
        (Forbidden("blocked"), CloseCode.BLOCKED),
        (Unavailable("the store is away"), CloseCode.OVERLOADED),
        (DispatchError("?"), CloseCode.INTERNAL),
    ],
)
def test_a_hello_that_is_refused_ends_with_the_code_that_says_what_to_do(error: DispatchError, code: CloseCode) -> None:
    session = new()
    session.receive(framed(MSGPACK, HELLO), START)
    assert closing(session.refused(error)) is code


def test_a_device_told_that_the_store_is_away_hears_when_to_come_back() -> None:
    say, close = new().refused(Unavailable("the store is away"))
    assert isinstance(say, Say)
    assert isinstance(say.message, Error)
    assert say.message.retry is True
    assert close == Close(CloseCode.OVERLOADED, f"unavailable, after_ms={say.message.after_ms}")


# -- welcome --------------------------------------------------------------------------------------------------------


def test_a_new_device_is_told_everything_open_and_then_that_this_was_all() -> None:
    session = new()
    session.receive(framed(MSGPACK, HELLO), START)
    held = Frame(encode_msgpack(Booking(seq=2, booking_id="b", version=1, state="accepted")))
    welcome, end = said(session.entered(entered(seq=4, items=(proposal(3), held)), START))
    assert isinstance(welcome, Welcome)
    assert (welcome.resumed, welcome.reason, welcome.seq, welcome.now) == (False, "new", 4, START)
    assert [bytes(item) for item in welcome.items] == [proposal(3).msgpack, held.msgpack]
    assert end == Live(seq=4)


def test_a_device_that_resumes_is_told_what_it_missed_and_nothing_twice() -> None:
    session = new()
    session.receive(framed(MSGPACK, Hello(token="t", device="d", resume=Resume(epoch="e", seq=2))), START)
    missed = (proposal(3), withdrawn(4, of=3))
    effects = session.entered(entered(seq=4, resumed=True, reason=None, missed=missed), START)
    assert [type(effect).__name__ for effect in effects] == ["Say", "Forward", "Forward", "Say"]
    assert said(effects)[-1] == Live(seq=4)
    assert session.deliver(missed, START).effects == []


def test_an_open_proposal_that_has_expired_meanwhile_is_not_told() -> None:
    session = new()
    session.receive(framed(MSGPACK, HELLO), START)
    welcome, _ = said(session.entered(entered(seq=2, items=(proposal(1, expires_at=START), proposal(2, expires_at=START + 1))), START))
    assert [bytes(item) for item in welcome.items] == [proposal(2, expires_at=START + 1).msgpack]


@pytest.mark.parametrize("codec", [MSGPACK, JSON])
def test_what_is_open_comes_in_pages_that_fit_a_frame(codec: Codec) -> None:
    session = new(codec)
    session.receive(framed(codec, HELLO), START)
    items = [proposal(seq, note="é" * 900) for seq in range(1, 81)]
    effects = session.entered(entered(seq=80, items=items), START)
    first, *pages, end = said(effects)
    assert end == Live(seq=80)
    assert all(isinstance(page, Snapshot) and page.id is None for page in pages)
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    assert max(len(codec.encode(page)) for page in (first, *pages)) <= OUTBOUND_LIMIT
    told = [codec.item(raw) for page in (first, *pages) for raw in page.items]
    assert [item.seq for item in told] == list(range(1, 81))


# -- the stream -----------------------------------------------------------------------------------------------------


def test_messages_pass_once_in_order_and_none_beyond_a_gap() -> None:
    session = live(seq=1)
    frames = [proposal(1), proposal(2), proposal(3), proposal(5)]
    delivery = session.deliver(frames, START)
    assert delivery.effects == [Forward(frames[1]), Forward(frames[2])]
    assert delivery.gap
    assert session.told == 3
    assert session.deliver([proposal(4), frames[3]], START).gap is False
    assert session.told == 5


def test_a_proposal_that_expired_before_it_was_written_is_not_sent_but_counts_as_told() -> None:
    session = live()
    late, good = proposal(1, expires_at=START), withdrawn(2, of=9)
    assert session.deliver([late, good], START).effects == [Forward(good)]
    assert session.told == 2


@given(st.lists(st.integers(1, 12), max_size=30))
def test_whatever_is_delivered_each_message_goes_out_at_most_once_and_in_order(seqs: list[int]) -> None:
    session = live()
    sent: list[int] = []
    for seq in seqs:
        sent += [effect.frame.head.seq for effect in session.deliver([proposal(seq)], START).effects if isinstance(effect, Forward)]
    assert sent == list(range(1, len(sent) + 1))


# -- acknowledgements -----------------------------------------------------------------------------------------------


def test_an_acknowledgement_confirms_every_proposal_up_to_it_once() -> None:
    session = live()
    session.deliver([proposal(1), withdrawn(2, of=1), proposal(3), proposal(4)], START)
    assert session.receive(framed(MSGPACK, Ack(seq=3)), START) == [Confirm(("1.1.7", "3.1.7"), (), (0, 0))]
    assert session.receive(framed(MSGPACK, Ack(seq=3)), START) == []
    assert session.receive(framed(MSGPACK, Pong(seq=99)), START) == [Confirm(("4.1.7",), (), (0,))]


def test_proposals_told_in_the_welcome_are_confirmed_too() -> None:
    session = live(seq=6, items=(proposal(2), proposal(6)))
    assert session.receive(framed(MSGPACK, Ack(seq=6)), START) == [Confirm(("2.1.7", "6.1.7"), (), (0, 0))]


def seen(session: Session, *proposals: str) -> tuple[str, ...]:
    """What a device that shows these is believed."""
    return tuple(which for effect in session.receive(framed(MSGPACK, Ack(seq=0, seen=proposals)), START) for which in effect.seen)


def test_what_was_seen_is_passed_on_once_and_nothing_that_he_was_not_told() -> None:
    session = live(seq=6, items=(proposal(5), proposal(6)))
    assert seen(session, "5.1.7", "5.1.17", "5.1.8", "4.1.7", "5.1.7") == ("5.1.7",)
    assert seen(session, "5.1.7", *(f"{number}.1.7" for number in range(100, 163))) == ()
    session.deliver([proposal(7), withdrawn(8, of=7)], START)
    assert seen(session, "7.1.7", "6.1.7") == ("7.1.7", "6.1.7")


def test_what_he_took_in_on_a_link_before_can_be_seen_on_this_one_and_is_watched_as_closely() -> None:
    fresh = proposal(3, at=START - 5_000)
    session = live(seq=6, had=(fresh,), resumed=True, reason=None, resume=3)
    assert session.due <= START + LIMITS.fresh_every_ms * (1 + LIMITS.spread)
    assert seen(session, "3.1.7", "3.1.7") == ("3.1.7",)
    assert live(seq=6, resumed=True, reason=None, resume=3).due > START + 2 * LIMITS.fresh_every_ms


def test_a_proposal_that_never_left_the_queue_is_not_confirmed() -> None:
    session = live()
    session.deliver([proposal(1), proposal(2)], START)
    session.book.drop(proposal(1))
    assert session.receive(framed(MSGPACK, Ack(seq=2)), START) == [Confirm(("2.1.7",), (), (0,))]


def test_proposals_that_nobody_acknowledges_are_remembered_up_to_a_bound() -> None:
    session = live()
    session.deliver([proposal(seq) for seq in range(1, 201)], START)
    (confirm,) = session.receive(framed(MSGPACK, Ack(seq=200)), START)
    assert isinstance(confirm, Confirm)
    assert len(confirm.received) == 128
    assert confirm.received[-1] == "200.1.7"


# -- commands -------------------------------------------------------------------------------------------------------

ACCEPT = Accept(id="x", proposal="1.1.7", version=1)


@pytest.mark.parametrize(
    "question",
    [
        ACCEPT,
        Refuse(id="x", proposal="1.1.7", version=1),
        Status(id="x", available=True),
        Sync(id="x"),
        Trial(id="x"),
        Refresh(id="x", token="t"),
        Report(id="x", proposal="1.1.7", reason="spam"),
        Cancel(id="x", booking_id="b-1"),
        Late(id="x", booking_id="b-1", minutes=10),
    ],
)
def test_a_command_is_put_to_the_store(question: Any) -> None:
    assert live().receive(framed(MSGPACK, question), START) == [Ask(question)]


def test_the_stores_answer_is_a_result() -> None:
    fields = {"type": "result", "id": "x", "outcome": "lost", "proposal": "1.1.7"}
    assert said(live().answered(ACCEPT, fields)) == [Result(id="x", outcome="lost", proposal="1.1.7")]


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (BadRequest("same id"), "bad_request", False),
        (Unavailable("away"), "unavailable", True),
        (DispatchError("?"), "internal", False),
        (Unauthorized("?"), "internal", False),
    ],
)
def test_what_the_store_cannot_decide_is_an_error_with_the_commands_id(error: DispatchError, code: str, retry: bool) -> None:
    (answer,) = said(live().failed(ACCEPT, error))
    assert (answer.id, answer.code, answer.retry) == ("x", code, retry)


@pytest.mark.parametrize(
    ("message", "command_id"),
    [
        ({"type": "take_over", "id": "t"}, "t"),
        ({"type": "accept", "id": "a", "proposal": "1.1.7"}, "a"),
        ({"type": "accept", "id": "a", "proposal": "1.1.7", "version": 1, "window": 5}, "a"),
        ({"type": "ack"}, None),
        (HELLO, None),
    ],
)
def test_what_is_not_offered_or_not_understood_is_an_error_and_the_link_lives(message: Any, command_id: str | None) -> None:
    session = live()
    (answer,) = said(session.receive(framed(MSGPACK, message), START))
    assert (answer.id, answer.code, answer.retry) == (command_id, "bad_request", False)
    assert session.phase is Phase.LIVE


def test_a_malformed_frame_ends_a_living_link() -> None:
    assert closing(live().receive(b"\xc1", START)) is CloseCode.MALFORMED


def test_a_closed_session_hears_nothing() -> None:
    session = live()
    session.receive(b"\xc1", START)
    assert session.receive(framed(MSGPACK, ACCEPT), START) == []
    assert session.tick(FAR) == []


# -- snapshots ------------------------------------------------------------------------------------------------------


def test_a_snapshot_comes_after_what_led_to_it_and_before_what_follows() -> None:
    session = live()
    sync = Sync(id="s")
    session.receive(framed(MSGPACK, sync), START)
    effects = session.listed(sync, "e", 2, [proposal(1), withdrawn(2, of=1), proposal(3)], [], START)
    assert [type(effect).__name__ for effect in effects] == ["Forward", "Forward", "Say"]
    assert said(effects) == [Snapshot(id="s", epoch="e", seq=2)]
    assert [effect.frame.head.seq for effect in session.deliver([proposal(3)], START).effects if isinstance(effect, Forward)] == [3]


# -- limits ---------------------------------------------------------------------------------------------------------


def test_twenty_commands_at_once_pass_and_the_next_is_told_when_to_come_back() -> None:
    session = live()
    assert all(session.receive(framed(MSGPACK, ACCEPT), START) == [Ask(ACCEPT)] for _ in range(20))
    (error,) = said(session.receive(framed(MSGPACK, ACCEPT), START))
    assert (error.id, error.code, error.retry, error.after_ms) == ("x", "rate_limited", True, 500)
    assert session.receive(framed(MSGPACK, ACCEPT), START + 500) == [Ask(ACCEPT)]


def test_lastingly_two_commands_a_second_pass() -> None:
    session = live()
    passed = sum(session.receive(framed(MSGPACK, ACCEPT), START + at) == [Ask(ACCEPT)] for at in range(0, 60_000, 100))
    assert passed in range(138, 141)  # the burst, and 120 a minute


def test_one_who_goes_on_far_beyond_the_limit_is_sent_away() -> None:
    session = live()
    codes = [closing(session.receive(framed(MSGPACK, ACCEPT), START)) for _ in range(221)]
    assert codes == [None] * 220 + [CloseCode.TOO_MANY_COMMANDS]


def test_limits_that_are_only_watched_count_and_refuse_nothing() -> None:
    session = live(limits=Limits(enforced=False))
    effects = [session.receive(framed(MSGPACK, ACCEPT), START) for _ in range(300)]
    assert effects[:20] == [[Ask(ACCEPT)]] * 20
    assert effects[20:] == [[Over("commands"), Ask(ACCEPT)]] * 280


def test_what_goes_over_a_limit_is_counted() -> None:
    session = live()
    effects = [effect for _ in range(221) for effect in session.receive(framed(MSGPACK, ACCEPT), START)]
    assert effects.count(Over("commands")) == 201


def test_pings_pongs_and_acknowledgements_count_against_no_limit() -> None:
    session = live()
    for _ in range(100):
        for message in (Ping(), Pong(), Ack(seq=0)):
            session.receive(framed(MSGPACK, message), START)
    assert session.receive(framed(MSGPACK, ACCEPT), START) == [Ask(ACCEPT)]


def test_one_who_floods_is_read_more_slowly() -> None:
    session = live()
    effects = [effect for _ in range(500) for effect in session.receive(framed(MSGPACK, Ack(seq=0)), START)]
    assert effects
    assert set(effects) == {Rest(10)}


# -- heartbeat ------------------------------------------------------------------------------------------------------


def until_ping(session: Session, now: int) -> int:
    """When the next ping leaves; the device answers everything before."""
    while not any(isinstance(message, Ping) for message in said(session.tick(now))):
        now = session.due
    session.receive(framed(session.codec, Pong()), now)
    return now


def test_pings_leave_every_25_seconds_give_or_take_a_fifth_and_not_in_step() -> None:
    session, now, gaps = live(), START, []
    for _ in range(50):
        ping_at = until_ping(session, now)
        gaps.append(ping_at - now)
        now = ping_at
    assert min(gaps) >= 20_000
    assert max(gaps) <= 30_000
    assert len(set(gaps)) > 40


def test_while_a_proposal_is_fresh_pings_leave_every_5_seconds() -> None:
    session = live()
    session.deliver([proposal(1)], START)
    now, gaps = START, []
    while now < START + 160_000:
        ping_at = until_ping(session, now)
        gaps.append((now - START, ping_at - now))
        now = ping_at
    assert all(gap <= 6_000 for at, gap in gaps if at < 113_000)
    assert all(gap >= 20_000 for at, gap in gaps if at >= 120_000)


def test_a_ping_tells_the_last_message_written() -> None:
    session = live(seq=3)
    session.deliver([withdrawn(4, of=1), proposal(5, expires_at=START)], START)
    session.tick(session.due)
    assert said(session.receive(framed(MSGPACK, Ping(seq=1)), START)) == [Pong(seq=4, now=START)]


def test_a_device_that_says_nothing_is_cut_off_after_dead_ms() -> None:
    session = live()
    now = START
    while closing(effects := session.tick(now)) is None:
        now = session.due
    assert closing(effects) is CloseCode.NO_PONG
    assert now == START + LIMITS.dead_ms


def chatter(session: Session, *talk: Any) -> tuple[CloseCode | None, int]:
    """Says all of this every ten seconds; how the link ends and after how many ms, within ten minutes."""
    for now in range(START, START + 600_000, 10_000):
        for message in talk:
            session.receive(framed(MSGPACK, message), now)
            if message is ACCEPT:
                session.answered(ACCEPT, {"outcome": "lost"})
        while (due := session.due) < now + 10_000:
            if (code := closing(session.tick(due))) is not None:
                return code, due - START
    return None, 600_000


PING, STALE, LIE = Ping(seq=0, now=1), Ack(seq=0), Ack(seq=2**50)


@pytest.mark.parametrize("talk", [(PING,), (STALE,), (LIE,), (ACCEPT,), (PING, STALE, LIE, ACCEPT)])
def test_one_who_talks_but_gives_no_sign_that_he_reads_is_cut_off_like_a_dead_one_p11(talk: tuple[Any, ...]) -> None:
    """Whatever he says: he answers no ping, and acknowledges nothing that was written."""
    session = live()
    session.deliver([withdrawn(1, of=1)], START)
    assert chatter(session, *talk) == (CloseCode.NO_PONG, LIMITS.deaf_ms)


def test_one_who_answers_pings_reads() -> None:
    assert chatter(live(), Pong()) == (None, 600_000)


def test_one_who_acknowledges_what_is_new_reads_though_his_pongs_are_late() -> None:
    session = live()
    for seq in range(1, 30):
        now = START + seq * 20_000
        session.deliver([withdrawn(seq, of=seq)], now - 1)
        while session.due < now:
            assert closing(session.tick(session.due)) is None
        session.receive(framed(MSGPACK, Ack(seq=seq)), now)
        session.receive(framed(MSGPACK, PING), now)


def test_a_device_is_not_called_dead_while_we_do_not_listen() -> None:
    session = live()
    session.receive(framed(MSGPACK, ACCEPT), START)
    assert closing(session.tick(START + LIMITS.dead_ms)) is None
    session.answered(ACCEPT, {"outcome": "lost"})
    assert closing(session.tick(START + 2 * LIMITS.dead_ms)) is CloseCode.NO_PONG


def test_while_a_proposal_is_fresh_silence_is_believed_after_12_seconds() -> None:
    """Counted from its coming: before that nobody had asked for more than a sign of life now and then."""
    session, at = live(), START + 12_000
    session.deliver([proposal(1)], at)
    now = at
    while closing(effects := session.tick(now)) is None:
        now = session.due
    assert (closing(effects), now) == (CloseCode.NO_PONG, at + 12_000)


def test_a_proposal_of_long_ago_does_not_make_a_link_fresh() -> None:
    session = live()
    session.deliver([proposal(1, at=START - LIMITS.fresh_ms)], START)
    assert until_ping(session, START) - START >= 20_000


def test_a_proposal_is_fresh_for_what_is_left_of_its_first_two_minutes() -> None:
    session = live(items=(proposal(1, at=START - LIMITS.fresh_ms + 30_000),), seq=1)
    now, gaps = START, []
    while now < START + 100_000:
        ping_at = until_ping(session, now)
        gaps.append((now - START, ping_at - now))
        now = ping_at
    assert all(gap <= 6_000 for at, gap in gaps if at < 24_000)
    assert all(gap >= 20_000 for at, gap in gaps if at >= 30_000)


# -- moving ---------------------------------------------------------------------------------------------------------


def moved(session: Session, now: int) -> tuple[int, Drain]:
    """When a living link is asked to move, and how; the device answers everything before."""
    while True:
        for message in said(session.tick(now)):
            if isinstance(message, Drain):
                return now, message
        session.receive(framed(session.codec, Pong()), now)
        now = session.due


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.9])
def test_a_link_is_asked_to_move_between_half_its_age_and_all_of_it(chance: float) -> None:
    session = Session(MSGPACK, LIMITS, lambda now: now, chance=chance, now=START)
    session.receive(framed(MSGPACK, HELLO), START)
    session.entered(entered(), START)
    at, drain = moved(session, START)
    assert LIMITS.age_ms / 2 <= at - START <= LIMITS.age_ms
    assert drain.deadline_ms == LIMITS.move_ms
    assert 0 <= drain.after_ms <= LIMITS.move_ms * 0.75


def test_links_that_began_together_do_not_grow_old_together() -> None:
    ages = []
    for number in range(50):
        session = Session(MSGPACK, LIMITS, lambda now: now, chance=number / 50, now=START)
        session.receive(framed(MSGPACK, HELLO), START)
        session.entered(entered(), START)
        ages.append(moved(session, START)[0])
    assert max(ages) - min(ages) > LIMITS.age_ms / 3
    assert len(set(ages)) == 50


def test_a_link_that_moves_is_served_until_the_deadline_and_then_closed() -> None:
    session = live()
    (drain,) = said(session.drain(START, 8_000))
    assert isinstance(drain, Drain)
    assert [type(effect) for effect in session.deliver([proposal(1)], START + 7_000).effects] == [Forward]
    assert session.receive(framed(MSGPACK, ACCEPT), START + 7_999) == [Ask(ACCEPT)]
    assert closing(session.tick(START + 7_999)) is None
    assert closing(session.tick(START + 8_000)) is CloseCode.DRAINED


def test_a_link_is_asked_to_move_once_and_sooner_if_need_be() -> None:
    session = live()
    assert said(session.drain(START, 8_000))
    assert session.drain(START + 1_000, 8_000) == []
    assert said(session.drain(START + 1_000, 2_000))
    assert session.due <= START + 3_000
    assert new().drain(START, 8_000) == []


# -- receipts of the last link --------------------------------------------------------------------------------------


def test_where_a_device_resumes_confirms_what_it_had_before() -> None:
    session = new()
    session.receive(framed(MSGPACK, Hello(token="t", device="d", resume=Resume(epoch="e", seq=3))), START)
    held = Frame(encode_msgpack(Booking(seq=2, booking_id="b", version=1, state="accepted")))
    had = (proposal(1), held, proposal(3), proposal(4))
    effects = session.entered(entered(seq=4, resumed=True, reason=None, missed=(proposal(4),), had=had), START)
    assert effects[-1] == Confirm(("1.1.7", "3.1.7"), ())
    assert session.receive(framed(MSGPACK, Ack(seq=4)), START + 70) == [Confirm(("4.1.7",), (), (70,))]


def test_a_link_ends_with_its_token() -> None:
    session = live(expires_at=START + 5_000)
    assert said(session.tick(session.due)) == [AuthNeeded(by=START + 5_000)]
    assert session.due == START + 5_000
    assert session.tick(START + 4_999) == []
    assert closing(session.tick(START + 5_000)) is CloseCode.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("left_ms", "asked_at_ms"), [(3_600_000, 3_540_000), (180_000, 120_000), (90_000, 60_000), (3, 2), (0, 0), (-7, -7)]
)
def test_a_device_is_asked_for_its_next_token_once_and_in_time(left_ms: int, asked_at_ms: int) -> None:
    session = live(expires_at=START + left_ms)
    asked = [now - START for now in moments(session, START + left_ms) if AuthNeeded(by=START + left_ms) in said(session.tick(now))]
    assert asked == ([asked_at_ms] if asked_at_ms < left_ms else [])


def moments(session: Session, until: int) -> Iterator[int]:
    """When it wants to be called, up to then; its device answers every ping."""
    while (due := session.due) < until:
        yield due
        session.receive(framed(MSGPACK, Pong()), due)


def test_a_newer_token_moves_the_end_and_is_asked_to_be_followed_by_another() -> None:
    session = live(expires_at=START + 90_000)
    refresh = Refresh(id="f", token="t")
    assert session.receive(framed(MSGPACK, refresh), START) == [Ask(refresh)]
    assert said(session.refreshed(refresh, START + 900_000, START)) == [Refreshed(id="f", expires_at=START + 900_000)]
    heard = [message for now in moments(session, START + 900_000) for message in said(session.tick(now))]
    assert [message for message in heard if not isinstance(message, Ping)] == [AuthNeeded(by=START + 900_000)]
    assert closing(session.tick(START + 900_000)) is CloseCode.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (Unauthorized("bad"), "unauthorized", False),
        (Forbidden("another's"), "forbidden", False),
        (Unavailable("away"), "unavailable", True),
        (DispatchError("?"), "internal", False),
    ],
)
def test_a_token_that_is_not_taken_is_an_error_and_the_older_one_counts(error: DispatchError, code: str, retry: bool) -> None:
    session, refresh = live(expires_at=START + 5_000), Refresh(id="f", token="t")
    session.receive(framed(MSGPACK, refresh), START)
    (answer,) = said(session.failed(refresh, error))
    assert (answer.id, answer.code, answer.retry) == ("f", code, retry)
    session.tick(session.due)
    assert closing(session.tick(START + 5_000)) is CloseCode.TOKEN_EXPIRED


def test_a_close_reason_fits_its_frame() -> None:
    (close,) = new().close(CloseCode.MALFORMED, "é" * 200)
    assert isinstance(close, Close)
    assert len(close.reason.encode()) <= 123
