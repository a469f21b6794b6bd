"""The checker of histories: it lets pass what an engine may tell, and finds each kind of lie."""

from math import inf
from random import Random
from typing import Any

import pytest

from tests.faults import history
from tests.faults.history import Op, of_the_engine, order

History = list[Op]


def opened(told: str | None = "opened", begun: float = 0, ended: float = 1) -> Op:
    return Op(act="open", begun=begun, ended=ended, told=told)


def accept(who: str, begun: float, ended: float, told: str | None, *, busy: bool = False) -> Op:
    return Op(act="accept", who=who, begun=begun, ended=ended, told=told, busy=busy)


def refuse(who: str, begun: float, ended: float, told: str | None = "done") -> Op:
    return Op(act="refuse", who=who, begun=begun, ended=ended, told=told)


def cancel(begun: float, ended: float, told: str | None = "cancelled") -> Op:
    return Op(act="cancel", begun=begun, ended=ended, told=told)


def read(begun: float, ended: float, told: str, seen: str | None = None) -> Op:
    return Op(act="read", begun=begun, ended=ended, told=told, seen=seen)


GOOD: dict[str, History] = {
    "nothing at all": [],
    "one wins, one loses": [opened(), accept("a", 2, 3, "won"), accept("b", 2, 3, "lost")],
    "who loses may have asked first": [opened(), accept("b", 2, 9, "lost"), accept("a", 3, 4, "won")],
    "who loses may hear it first": [opened(), accept("a", 2, 9, "won"), accept("b", 3, 4, "lost")],
    "an accept without an answer has won": [opened(), accept("a", 2, inf, None), accept("b", 5, 6, "lost"), read(7, 8, "accepted", "a")],
    "an accept without an answer never came": [opened(), accept("a", 2, inf, None), accept("b", 5, 6, "won"), read(7, 8, "accepted", "b")],
    "an accept without an answer wins much later": [
        opened(), accept("a", 2, inf, None), read(5, 6, "searching"), read(8, 9, "accepted", "a"),
    ],
    "an opening without an answer": [opened(None, ended=inf), accept("a", 2, 3, "won")],
    "an opening that was refused": [opened("too_late"), read(2, 3, "absent")],
    "cancelled before anybody": [opened(), cancel(2, 3), accept("a", 2, 4, "cancelled"), read(5, 6, "cancelled")],
    "won, then cancelled": [opened(), accept("a", 2, 3, "won"), cancel(2, 4), read(5, 6, "cancelled", "a")],
    "cancelled twice by two callers": [opened(), cancel(2, 3), cancel(4, 5, "conflict")],
    "who lost is told so after it was cancelled": [opened(), accept("a", 2, 3, "won"), cancel(4, 5), accept("b", 6, 7, "lost")],
    "a cancellation without an answer": [opened(), cancel(2, inf, None), accept("a", 4, 5, "cancelled"), read(6, 7, "cancelled")],
    "nobody came": [opened(), *of_the_engine(10, 0.1), read(11, 12, "unfilled"), accept("a", 13, 14, "expired"), cancel(15, 16)],
    "expired, and not closed yet": [opened(), *of_the_engine(10, 0.1), accept("a", 9, 11, "expired"), read(12, 13, "searching")],
    "won in the last moment": [opened(), *of_the_engine(10, 0.1), accept("a", 9, 11, "won"), read(12, 13, "accepted", "a")],
    "a second tap": [opened(), accept("a", 2, 3, "won"), accept("a", 4, 5, "already_yours")],
    "after his own no": [opened(), refuse("a", 2, 3), accept("a", 4, 5, "not_asked"), accept("b", 4, 5, "won")],
    "a no of the winner": [opened(), accept("a", 2, 3, "won"), refuse("a", 4, 5, "not_asked")],
    "a no of the winner after it was cancelled": [opened(), accept("a", 2, 3, "won"), cancel(4, 5), refuse("a", 6, 7, "not_asked")],
    "a no that came too late": [opened(), accept("a", 2, 3, "won"), refuse("b", 4, 5), accept("b", 6, 7, "lost")],
    "busy elsewhere": [opened(), accept("a", 2, 3, "overlap", busy=True), accept("b", 4, 5, "won")],
}  # fmt: skip

BAD: dict[str, History] = {
    "two winners": [opened(), accept("a", 2, 3, "won"), accept("b", 2, 3, "won")],
    "two winners, one after the other": [opened(), accept("a", 2, 3, "won"), accept("b", 8, 9, "won")],
    "the same one wins twice": [opened(), accept("a", 2, 3, "won"), accept("a", 2, 3, "won")],
    "a win that was told is given to another": [opened(), accept("a", 2, 3, "won"), read(4, 5, "accepted", "b")],
    "a win that was told is given to another who asked": [
        opened(), accept("a", 2, 3, "won"), accept("b", 2, inf, None), read(4, 5, "accepted", "b"),
    ],
    "a win that was told is forgotten": [opened(), accept("a", 2, 3, "won"), read(4, 5, "searching")],
    "a win that was told ends unfilled": [opened(), accept("a", 2, 3, "won"), *of_the_engine(10, 0.1), read(11, 12, "unfilled")],
    "lost, though nobody has asked": [opened(), accept("a", 2, 3, "lost")],
    "lost, though nobody else could have won yet": [opened(), accept("a", 2, 3, "lost"), accept("b", 4, 5, "won")],
    "lost, though he is the winner": [opened(), accept("a", 2, 3, "won"), accept("a", 4, 5, "lost")],
    "lost to one who had refused": [opened(), refuse("b", 2, 3), accept("b", 4, inf, None), accept("a", 5, 6, "lost")],
    "lost, though it was cancelled": [opened(), cancel(2, 3), accept("b", 4, inf, None), accept("a", 5, 6, "lost")],
    "a stale read": [opened(), accept("a", 2, 3, "won"), read(4, 5, "accepted", "a"), read(6, 7, "searching")],
    "a read of nothing": [opened(), read(4, 5, "absent")],
    "a read of what was not opened yet": [read(-2, -1, "searching"), opened()],
    "two reads disagree about an accept without an answer": [
        opened(), accept("a", 2, inf, None), read(4, 5, "accepted", "a"), read(6, 7, "searching"),
    ],
    "cancelled, though nobody cancelled": [opened(), accept("a", 2, 3, "cancelled")],
    "a cancellation that was told did not hold": [opened(), cancel(2, 3), read(4, 5, "searching")],
    "won after it was cancelled": [opened(), cancel(2, 3), accept("a", 4, 5, "won")],
    "expired before its time": [opened(), *of_the_engine(10, 0.1), accept("a", 2, 3, "expired")],
    "closed before its time": [opened(), *of_the_engine(10, 0.1), read(2, 3, "unfilled")],
    "won after its time": [opened(), *of_the_engine(10, 0.1), accept("a", 12, 13, "won")],
    "already his, though he did not win": [opened(), accept("b", 2, 3, "won"), accept("a", 4, 5, "already_yours")],
    "not asked, though he was and said nothing": [opened(), accept("a", 2, 3, "not_asked")],
    "his no did not hold": [opened(), refuse("a", 2, 3), accept("a", 4, 5, "won")],
    "a word that nobody knows": [opened(), accept("a", 2, 3, "version_conflict")],
    "a conflict without one who cancelled": [opened(), cancel(2, 3, "conflict")],
    "a refused opening that is there": [opened("too_late"), read(2, 3, "searching")],
    "its own opening is a duplicate": [opened("error duplicate"), read(2, 3, "searching")],
    "its own opening is a duplicate, and nothing is there": [opened("duplicate")],
    "an opening with another error, and it is there": [opened("error internal"), accept("a", 2, 3, "won")],
    "an opening with another error, and it is not there": [opened("error internal"), read(2, 3, "absent")],
    "a cancellation with another error, and it held": [opened(), cancel(2, 3, "error internal"), read(4, 5, "cancelled")],
    "a cancellation with another error, and it did not": [opened(), cancel(2, 3, "error internal"), read(4, 5, "searching")],
    "a cancellation of nothing, though it is there": [opened(), cancel(2, 3, "not_found")],
    "a no with another error, and it held": [opened(), refuse("a", 2, 3, "error internal"), accept("a", 4, 5, "not_asked")],
    "a no to another version, though it never changed": [opened(), refuse("a", 2, 3, "version_conflict"), read(4, 5, "searching")],
    "a no that came too late, says a word for accepts": [opened(), refuse("a", 2, 3, "expired")],
    "an accept with another error": [opened(), accept("a", 2, 3, "error internal"), read(4, 5, "accepted", "a")],
    "a search with a winner": [opened(), read(2, 3, "searching", "b")],
    "unfilled with a winner": [opened(), *of_the_engine(10, 0.1), read(12, 13, "unfilled", "b")],
    "cancelled with a winner, though nobody had won": [opened(), cancel(2, 3), read(4, 5, "cancelled", "b")],
    "cancelled with another winner": [opened(), accept("a", 2, 3, "won"), cancel(4, 5), read(6, 7, "cancelled", "b")],
    "cancelled without the one who had won": [opened(), accept("a", 2, 3, "won"), cancel(4, 5), read(6, 7, "cancelled")],
    "nothing there, with a winner": [read(2, 3, "absent", "b")],
    "a state that nobody knows": [opened(), read(2, 3, "lost", None)],
    "busy elsewhere, though he holds nothing": [opened(), accept("a", 2, 3, "overlap")],
    "the winner's no counts": [opened(), accept("a", 2, 3, "won"), refuse("a", 4, 5)],
    "the winner's no counts once it is cancelled": [opened(), accept("a", 2, 3, "won"), cancel(4, 5), refuse("a", 6, 7)],
    "opened twice": [opened(), opened(begun=2, ended=3)],
    "cancelled twice": [opened(), cancel(2, 3), cancel(4, 5)],
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_what_an_engine_may_tell_passes(what: str) -> None:
    found = order(GOOD[what])
    assert found is not None
    assert {op for op in history.settled(GOOD[what]) if op.must} <= set(found)


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_true_is_found(what: str) -> None:
    assert order(BAD[what]) is None


def test_an_order_is_one_that_time_allows() -> None:
    found = order(GOOD["who loses may hear it first"])
    assert found is not None
    assert [(op.act, op.who) for op in found] == [("open", ""), ("accept", "a"), ("accept", "b")]


def played(rng: Random, devices: int) -> History:
    """What a right engine tells in a race: every operation happens at one moment, of which each party sees more or less."""
    state, ops = history.State(), []
    moments = sorted(rng.uniform(1, 9) for _ in range(devices * 2))
    acts = [("open", "")] + [(rng.choice(["accept", "accept", "refuse", "read", "cancel"]), f"p-{rng.randrange(devices)}") for _ in moments]
    for (act, who), moment in zip(acts, [0.0, *moments], strict=True):
        told, seen, state = answer(state, act, who)
        begun, ended = moment - rng.uniform(0, 2), moment + rng.uniform(0, 2)
        heard = act in ("open", "read") or rng.random() < 0.8
        ops.append(Op(act=act, who=who, begun=begun, ended=ended if heard else inf, told=told if heard else None, seen=seen))
    return ops


def answer(state: history.State, act: str, who: str) -> tuple[str, str | None, history.State]:
    """The one answer that fits, and the state after it."""
    words: dict[str, list[str]] = {
        "open": ["opened"],
        "accept": ["won", "lost", "already_yours", "cancelled", "not_asked"],
        "refuse": ["not_asked", "done"],
        "cancel": ["cancelled", "conflict"],
        "read": [state.name],
    }
    for told in words[act]:
        seen = state.sold if act == "read" else None
        after = history.after(state, Op(act=act, who=who, begun=0, told=told, seen=seen))
        if after is not None:
            return told, seen, after
    raise AssertionError(f"no answer fits {act} of {who} in {state}")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_right_engine_tells_passes_and_one_changed_answer_is_found_mostly(seed: int) -> None:
    rng = Random(seed)
    ops = played(rng, 6)
    assert order(ops) is not None
    told = [index for index, op in enumerate(ops) if op.told in ("won", "lost")]
    lies = [[*ops[:index], changed(ops[index]), *ops[index + 1 :]] for index in told]
    winners = [index for index in told if ops[index].told == "won"]
    if winners and len(told) > len(winners):  # another was told that he lost: now he has won too
        assert any(order(lie) is None for lie in lies)


def changed(op: Op) -> Op:
    return history.replace(op, told={"won": "lost", "lost": "won"}[op.told or ""])


@pytest.mark.parametrize("second", ["lost", "won"])
def test_a_race_of_many_is_judged_at_once_right_or_wrong(second: str) -> None:
    """Fifty who all ask at the same time could be put in more orders than there are atoms."""
    race = [accept(f"p-{number}", 2, 3, "lost") for number in range(48)]
    ops = [opened(), *race, accept("a", 2, 3, "won"), accept("b", 2, 3, second), read(4, 5, "accepted", "a")]
    assert (order(ops) is None) == (second == "won")
    assert order([*ops, read(6, 7, "searching")]) is None


def test_a_history_too_tangled_to_judge_says_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(history, "MOST_LOOKS", 100)
    ops = [opened(), *(accept(f"p-{n}", 2, inf, None) for n in range(12)), *(refuse(f"p-{n}", 2, 9) for n in range(12)), read(8, 9, "gone")]
    with pytest.raises(ValueError, match="too tangled"):
        order(ops)
