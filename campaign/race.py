"""One booking in the campaign: who claimed it, what each was told, and what is wrong about that."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from dispatch.store import Record
from tests.faults.history import Op, of_the_engine, order

SLACK_S = 0.1  # by which the clocks of engine and histories may disagree


@dataclass(slots=True)
class Claim:
    """One claim: a device that wants the booking. Asked again, it keeps its id. Times are seconds of the machine's steady clock."""

    id: str
    pno: int
    proposal: str
    version: int
    begun: float = inf
    ended: float = inf
    told: list[str] = field(default_factory=list)
    busy: bool = False  # he has won another visit at that time

    def hear(self, outcome: str, begun: float, ended: float) -> None:
        """It was answered, perhaps once more."""
        self.begun, self.ended = min(self.begun, begun), min(self.ended, ended)
        self.told.append(outcome)

    def op(self) -> Op:
        """What the checker of histories sees of it."""
        told = self.told[0] if self.told else None
        return Op(act="accept", who=str(self.pno), begun=self.begun, ended=self.ended, told=told, busy=self.busy)


@dataclass(slots=True)
class Race:
    """A booking and everybody who claims it. ``quiet``: nobody does, and its deadline must end it.

    ``missing``: who held no proposal of it when the race began; ``cause``: why.
    """

    bno: int
    booking_id: str
    opened: tuple[float, float]
    deadline: float
    quiet: bool = False
    claims: list[Claim] = field(default_factory=list)
    cancelled: tuple[float, float, str | None] | None = None
    missing: frozenset[int] = frozenset()
    cause: str = ""

    @property
    def late(self) -> bool:
        """Whether its search had ended before anybody claimed it."""
        return bool(self.claims) and all(claim.told[:1] == ["expired"] for claim in self.claims)

    def outcomes(self) -> Counter[str]:
        """How often each answer was given first."""
        return Counter(claim.told[0] if claim.told else "nothing" for claim in self.claims)

    def faults(self, record: Record, looked: tuple[float, float]) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, by name, now that the booking stands so (read within these moments)."""
        name = f"booking {record.no} ({record.state}, winner {record.winner})"
        won = sorted({claim.pno for claim in self.claims if "won" in claim.told})
        if len(won) > 1:
            yield "double winners", f"{name}: {won} were told that they won"
        for pno in won:
            if record.winner != pno or record.state not in ("accepted", "cancelled"):
                yield "lost wins", f"{name}: {pno} was told that he won"
        if record.state == "searching":
            yield "stuck bookings", f"{name}: its deadline has passed"
        for claim in self.claims:
            if "lost" in claim.told and record.winner in (None, claim.pno):
                yield "wrong lost", f"{name}: {claim.pno} was told that he lost, and nobody else won"
            if len(set(claim.told)) > 1:
                yield "changed answers", f"{name}: {claim.pno} was told {claim.told} under {claim.id}"
        if order(ops := self._history(record, looked)) is None:
            yield "impossible histories", f"{name}: {sorted((op.begun, op.ended, op.act, op.who, str(op.told)) for op in ops)}"

    def _history(self, record: Record, looked: tuple[float, float]) -> list[Op]:
        winner = None if record.winner is None else str(record.winner)
        ops = [
            Op(act="open", begun=self.opened[0], ended=self.opened[1], told="opened"),
            *(claim.op() for claim in self.claims),
            *of_the_engine(self.deadline, SLACK_S),
            Op(act="read", begun=looked[0], ended=looked[1], told=record.state, seen=winner),
        ]
        if self.cancelled is not None:
            begun, ended, told = self.cancelled
            ops.append(Op(act="cancel", begun=begun, ended=ended, told=told))
        return ops
