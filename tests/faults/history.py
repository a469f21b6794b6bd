"""What devices and the booking service asked of one booking and were told, and whether any engine could have told it.

A booking is a register with one interesting write: the first accept wins, cancelling and the deadline compete with it. Its history is
**linearizable** when every operation can be given one moment between its question and its answer so that, taken in that order, each
answer is the one that the rules below give. What was never answered may have been done at any later moment, or never.

Times are seconds of the one clock of whoever watched. Source: Wing and Gong, "Testing and verifying concurrent objects", 1993.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

MOST_LOOKS = 2_000_000  # before a history is called too tangled to judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation: what was asked, by whom, when, and what was answered (None: nothing). ``must``: it did happen."""

    act: str  # open, accept, refuse, cancel, read; and of the engine itself: pass (the deadline), close
    who: str = ""
    begun: float
    ended: float = inf
    told: str | None = None
    seen: str | None = None  # of a read: the winner it named
    must: bool = True


class State(NamedTuple):
    """A booking between two operations. ``sold``: who won it, whatever became of it; ``over``: its deadline has passed."""

    name: str = "absent"
    sold: str | None = None
    over: bool = False
    refused: frozenset[str] = frozenset()


Rule = Callable[[State, Op], State | None]  # the state after it, None: it cannot be told this now


def _open(state: State, op: Op) -> State | None:
    fresh = state.name == "absent"
    if op.told == "refused":
        return state if fresh else None
    return state._replace(name="searching") if fresh else None


def _accept(state: State, op: Op) -> State | None:
    free = state.name == "searching" and not state.over and op.who not in state.refused
    if op.told in ("won", None):
        return state._replace(name="accepted", sold=op.who) if free else None
    right = {
        "lost": state.sold not in (None, op.who),
        "already_yours": state.name == "accepted" and state.sold == op.who,
        "cancelled": state.name == "cancelled" and state.sold in (None, op.who),
        "expired": state.over and state.sold is None and state.name != "absent",
        "not_asked": op.who in state.refused,
        "overlap": state.name != "absent",  # whether he was busy is a matter of his other bookings: see `verdict.py`
    }
    return state if right.get(op.told, False) else None


def _refuse(state: State, op: Op) -> State | None:
    his = state.name == "accepted" and state.sold == op.who
    if op.told == "not_asked":
        return state if his else None
    if his or state.name == "absent":
        return None
    return state._replace(refused=state.refused | {op.who}) if state.name == "searching" else state


def _cancel(state: State, op: Op) -> State | None:
    if op.told in ("conflict", "not_found"):
        return state if state.name == {"conflict": "cancelled", "not_found": "absent"}[op.told] else None
    return state._replace(name="cancelled") if state.name in ("searching", "accepted", "unfilled") else None


def _read(state: State, op: Op) -> State | None:
    agrees = op.told == state.name and (state.name != "accepted" or op.seen == state.sold)
    return state if agrees else None


def _pass(state: State, op: Op) -> State | None:
    return state._replace(over=True)


def _close(state: State, op: Op) -> State | None:
    return state._replace(name="unfilled") if state.name == "searching" and state.over else None


RULES: dict[str, Rule] = {
    "open": _open, "accept": _accept, "refuse": _refuse, "cancel": _cancel, "read": _read, "pass": _pass, "close": _close,
}  # fmt: skip


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
            after = RULES[op.act](state, op)
            if after is not None:
                fitting.append((index, done | 1 << index, after))
                if after == state:
                    fitting = fitting[-1:]
                    break
        for index, marks, after in fitting:
            if (marks, after) not in self.known:
                self._know((marks, after))
                yield index, marks, after

    def _know(self, mark: tuple[int, State]) -> None:
        self.known.add(mark)
        if len(self.known) > MOST_LOOKS:
            raise ValueError(f"{len(self.ops)} operations are too tangled to be judged; let fewer of them overlap")
