"""What devices and the booking service asked of one booking and were told, and whether any engine could have told it.

A booking is a register with one interesting write: the first accept wins, cancelling and the deadline compete with it. Its history is
**linearizable** when every operation can be given one moment between its question and its answer so that, taken in that order, each
answer is one of :data:`ANSWERS`, and right there. What was never answered may have been done at any later moment, or never.

Times are seconds of the one clock of whoever watched. Source: Wing and Gong, "Testing and verifying concurrent objects", 1993.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

MOST_LOOKS = 2_000_000  # before a history is called too tangled to judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation: what was asked, by whom, when, and what was answered (None: nothing). ``must``: it did happen.

    ``busy``, of an accept: he has held another visit at that time since this one was offered. A booking's own history cannot tell that.
    """

    act: str  # open, accept, refuse, cancel, read; and of the engine itself: pass (the deadline), close
    who: str = ""
    begun: float
    ended: float = inf
    told: str | None = None
    seen: str | None = None  # of a read: the winner it named
    must: bool = True
    busy: bool = False


class State(NamedTuple):
    """A booking between two operations. ``sold``: who won it, whatever became of it; ``over``: its deadline has passed."""

    name: str = "absent"
    sold: str | None = None
    over: bool = False
    refused: frozenset[str] = frozenset()


Rule = Callable[[State, Op], State | None]  # the state after it, None: it cannot be told this now


# -- what may be told, and what it means ------------------------------------------------------------------------------


def _opened(state: State, op: Op) -> State | None:
    return state._replace(name="searching") if state.name == "absent" else None


def _when(right: Callable[[State, Op], bool]) -> Rule:
    """An answer that changes nothing, and is true only when this is."""
    return lambda state, op: state if right(state, op) else None


def _won(state: State, op: Op) -> State | None:
    free = state.name == "searching" and not state.over and op.who not in state.refused
    return state._replace(name="accepted", sold=op.who) if free else None


def _declined(state: State, op: Op) -> State | None:
    if state.sold == op.who or state.name == "absent":
        return None
    return state._replace(refused=state.refused | {op.who}) if state.name == "searching" else state


def _cancelled(state: State, op: Op) -> State | None:
    return state._replace(name="cancelled") if state.name in ("searching", "accepted", "unfilled") else None


def _passed(state: State, op: Op) -> State | None:
    return state._replace(over=True)


def _closed(state: State, op: Op) -> State | None:
    return state._replace(name="unfilled") if state.name == "searching" and state.over else None


def _stands(state: State, op: Op) -> bool:
    """A cancelled booking still names whom it was taken from, and no other state names anybody but the winner."""
    return op.told == state.name and op.seen == state.sold


# Every answer that there is to each question. A booking is opened under one key alone, so it is never a duplicate; its version never
# changes here; and no fault may make the engine say that it has failed inside.
ANSWERS: dict[str, dict[str, Rule]] = {
    "open": {
        "opened": _opened,
        "too_late": _when(lambda state, _: state.name == "absent"),
    },
    "accept": {
        "won": _won,
        "lost": _when(lambda state, op: state.sold not in (None, op.who)),
        "already_yours": _when(lambda state, op: state.name == "accepted" and state.sold == op.who),
        "cancelled": _when(lambda state, op: state.name == "cancelled" and state.sold in (None, op.who)),
        "expired": _when(lambda state, _: state.over and state.sold is None and state.name != "absent"),
        "not_asked": _when(lambda state, op: op.who in state.refused),
        "overlap": _when(lambda state, op: state.name != "absent" and op.busy),
    },
    "refuse": {
        "done": _declined,
        "not_asked": _when(lambda state, op: state.sold == op.who),
    },
    "cancel": {
        "cancelled": _cancelled,
        "conflict": _when(lambda state, _: state.name == "cancelled"),
        "not_found": _when(lambda state, _: state.name == "absent"),
    },
    "read": dict.fromkeys(("absent", "searching", "accepted", "cancelled", "unfilled"), _when(_stands)),
    "pass": {"": _passed},
    "close": {"": _closed},
}  # fmt: skip
DID = {"open": "opened", "accept": "won", "refuse": "done", "cancel": "cancelled"}  # what an operation has done that changed anything


def known(op: Op) -> bool:
    """Whether the answer is one that may be given to this question, now or ever; no answer is none of the engine's making."""
    return op.told is None or op.told in ANSWERS[op.act]


def after(state: State, op: Op) -> State | None:
    """The state after an operation that was answered so, None: it cannot have been. Without an answer it has done what it was to do."""
    word = DID.get(op.act, "") if op.told is None else op.told
    rule = ANSWERS[op.act].get(word)
    return rule(state, op) if rule else None


def of_the_engine(deadline: float, slack: float) -> tuple[Op, Op]:
    """What time does to a booking: its deadline passes, and some time after that a worker may close it."""
    return (
        Op(act="pass", begun=deadline - slack, ended=deadline + slack),
        Op(act="close", begun=deadline - slack, must=False),
    )


def settled(ops: Iterable[Op]) -> list[Op]:
    """The history with what was never answered as something that need not have happened; a read without an answer says nothing."""
    known = (op if op.told is not None or op.act in ("pass", "close") else replace(op, ended=inf, must=False) for op in ops)
    return [op for op in known if op.must or op.act != "read"]


def order(ops: Sequence[Op]) -> list[Op] | None:
    """A legal order of a booking's history, or None when there is none: then somebody was told what cannot be true.

    Raises ValueError when the history is too tangled to be judged.
    """
    return _Search(settled(ops)).run()


class _Search:
    """Depth first through the orders that time allows; where a set of operations led to a state before, nothing new lies behind."""

    def __init__(self, ops: list[Op]) -> None:
        self.ops = sorted(ops, key=lambda op: (op.begun, op.ended))
        self.needed = sum(1 << index for index, op in enumerate(self.ops) if op.must)
        self.known: set[tuple[int, State]] = set()

    def run(self) -> list[Op] | None:
        """The first legal order found."""
        trail: list[int] = []
        ways = [self._next(0, State())]
        while ways:
            found = next(ways[-1], None)
            if found is None:
                ways.pop()
                trail = trail[: max(0, len(ways) - 1)]
                continue
            index, done, state = found
            trail.append(index)
            if done & self.needed == self.needed:
                return [self.ops[each] for each in trail]
            ways.append(self._next(done, state))
        return None if self.needed else []

    def _next(self, done: int, state: State) -> Iterator[tuple[int, int, State]]:
        """Operations that may come now: nothing that had ended before they began is still to come.

        One that fits and changes nothing is taken at once and alone: here it is in nobody's way, and every order in which it comes later is
        still one without it there.
        """
        waiting = [index for index in range(len(self.ops)) if not done >> index & 1]
        bound = min((self.ops[index].ended for index in waiting if self.ops[index].must), default=inf)
        fitting: list[tuple[int, int, State]] = []
        for index in waiting:
            op = self.ops[index]
            if op.begun > bound:
                break
            then = after(state, op)
            if then is not None:
                fitting.append((index, done | 1 << index, then))
                if then == state:
                    fitting = fitting[-1:]
                    break
        for index, marks, then in fitting:
            if (marks, then) not in self.known:
                self._know((marks, then))
                yield index, marks, then

    def _know(self, mark: tuple[int, State]) -> None:
        self.known.add(mark)
        if len(self.known) > MOST_LOOKS:
            raise ValueError(f"{len(self.ops)} operations are too tangled to be judged; let fewer of them overlap")
