"""Everything that devices and the booking service asked and were told in one run, by booking."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from tests.faults.history import Op


def now() -> float:
    """Seconds of this process's steady clock: the clock of all histories."""
    return time.monotonic()


@dataclass(slots=True)
class Asked:
    """A question and every answer to it. Repeats under the same id are the same question. ``busy``: see :class:`Op`."""

    act: str
    who: str
    begun: float
    ended: float = inf
    answers: list[str] = field(default_factory=list)
    busy: bool = False

    def op(self) -> Op:
        """The question with its first answer."""
        told = self.answers[0] if self.answers else None
        return Op(act=self.act, who=self.who, begun=self.begun, ended=self.ended, told=told, busy=self.busy)


class Watched:
    """The run as it was seen from outside."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Asked]] = defaultdict(dict)  # booking -> id of the question -> it
        self.reads: dict[str, list[Op]] = defaultdict(list)
        self.deadlines: dict[str, float] = {}
        self.windows: dict[str, tuple[int, int]] = {}
        self._where: dict[str, str] = {}  # id of the question -> booking

    def ask(self, booking: str, act: str, who: str, id_: str) -> None:
        """A question is about to be asked. Asked again, it is the same."""
        self._where[id_] = booking
        self.asked[booking].setdefault(id_, Asked(act, who, now()))

    def tell(self, id_: str, answer: str) -> None:
        """It was answered, perhaps once more."""
        asked = self.asked[self._where[id_]][id_]
        asked.ended = min(asked.ended, now())
        asked.answers.append(answer)

    def knows(self, id_: str) -> bool:
        """Whether it is a question of ours."""
        return id_ in self._where

    def read(self, booking: str, begun: float, state: str, winner: str | None) -> None:
        """The booking was looked at."""
        self.reads[booking].append(Op(act="read", begun=begun, ended=now(), told=state, seen=winner))

    def ops(self, booking: str) -> list[Op]:
        """The history of a booking, without what time does to it."""
        return [asked.op() for asked in self.asked[booking].values()] + self.reads[booking]

    def claims(self, booking: str) -> Iterable[Asked]:
        """All accepts of a booking."""
        return self.of(booking, "accept")

    def of(self, booking: str, act: str) -> Iterable[Asked]:
        """All questions of one kind about a booking."""
        return [asked for asked in self.asked[booking].values() if asked.act == act]

    def changed_answers(self) -> list[str]:
        """Questions that were answered in two ways."""
        every = ((booking, id_, asked) for booking, ids in self.asked.items() for id_, asked in ids.items())
        return [
            f"{booking}: {asked.who} was told {asked.answers} under {id_}" for booking, id_, asked in every if len(set(asked.answers)) > 1
        ]
