"""What a run proves, and what it finds: the histories of all bookings against the engine's own word at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from dispatch.client.bookings import Booking, Event
from tests.faults.history import Op, known, of_the_engine, order
from tests.faults.reach import Reach
from tests.faults.watched import Asked, Watched

SLACK_S = 0.1  # by which the clocks of engine and histories may disagree
ENDS = ("accepted", "unfilled", "cancelled")
NAMES = (
    "double winners", "lost wins", "stuck bookings", "wrong lost", "wrong answers", "impossible histories",
    "changed answers", "wrong overlaps", "never asked", "views", "soundness", "metrics", "parts that fell",
)  # fmt: skip


@dataclass(slots=True)
class Findings:
    """What was wrong, by name; and how much was looked at."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    bookings: int = 0
    claims: int = 0
    told: dict[str, int] = field(default_factory=dict)
    unfilled: int = 0
    witnessed: int = 0  # of these, with somebody who fitted at any time, not always the same

    @property
    def fine(self) -> bool:
        """Nothing was wrong."""
        return not any(self.wrong.values())

    def lines(self) -> list[str]:
        """All that was wrong."""
        return [f"{name}: {each}" for name, found in self.wrong.items() for each in found]


@dataclass(frozen=True, slots=True)
class End:
    """A booking when everything has come to rest; None: there is no such booking."""

    booking: Booking | None
    timeline: Sequence[Event] = ()

    @property
    def state(self) -> str:
        """Its state."""
        return self.booking.state if self.booking else "absent"

    @property
    def winners(self) -> list[str]:
        """Everybody who ever won it, by its timeline."""
        return [event.fields["provider_id"] for event in self.timeline if event.type == "Accepted"]

    @property
    def asked(self) -> set[str]:
        """Everybody who was ever asked, by its timeline."""
        return {who for event in self.timeline if event.type == "WaveSent" for who in event.fields["asked"]}


def judge(watched: Watched, ends: Mapping[str, End], reach: Reach) -> Findings:
    """Everything that histories and last states tell, and who could be asked."""
    found = Findings(bookings=len(ends))
    found.wrong["wrong overlaps"] += _free_all_the_time(watched)  # first: it marks who was busy
    for booking, end in ends.items():
        for name, words in _of_one(watched, booking, end):
            found.wrong[name].append(f"{booking} ({end.state}): {words}")
        for claim in watched.claims(booking):
            found.claims += 1
            word = claim.answers[0] if claim.answers else "nothing"
            found.told[word] = found.told.get(word, 0) + 1
        if end.state == "unfilled":
            found.unfilled += 1
            there = _fitting(watched, booking, reach)
            found.witnessed += bool(there) and all(there)
            found.wrong["never asked"] += [f"{booking}: {words}" for words in _passed_over(there, end.asked)]
    found.wrong["changed answers"] += watched.changed_answers()
    return found


def _of_one(watched: Watched, booking: str, end: End) -> Iterator[tuple[str, str]]:
    claims = list(watched.claims(booking))
    won = sorted({claim.who for claim in claims if "won" in claim.answers})
    if len(won) > 1 or len(end.winners) > 1:
        yield "double winners", f"{won} were told that they won, the timeline says {end.winners}"
    for who in won:
        held = end.state == "cancelled" or (end.booking is not None and end.booking.provider_id == who)
        if not held or who not in end.winners:
            yield "lost wins", f"{who} was told that he won; it is {end.state}, the timeline says {end.winners}"
    if end.state not in (*ENDS, "absent"):
        yield "stuck bookings", f"{end.state} after its deadline"
    for claim in claims:
        others = [winner for winner in end.winners if winner != claim.who]
        if "lost" in claim.answers and not others:
            yield "wrong lost", f"{claim.who} was told that he lost, and nobody else won"
    for op in watched.ops(booking):
        if not known(op):
            yield "wrong answers", f"{op.act} {op.who} was told {op.told}"
    deadline = watched.deadlines.get(booking)
    ops = [_heard(op) for op in watched.ops(booking)] + list(of_the_engine(deadline, SLACK_S) if deadline is not None else ())
    if order(ops) is None:
        told = "; ".join(f"{op.begun:.3f}-{op.ended:.3f} {op.act} {op.who} {op.told} {op.seen or ''}" for op in sorted(ops, key=_begun))
        yield "impossible histories", told


def _heard(op: Op) -> Op:
    """A word that may not be said says nothing of what was done: it is a finding of its own, and the rest is judged without it."""
    return op if known(op) else replace(op, told=None)


def _begun(op: Op) -> float:
    return op.begun


def _free_all_the_time(watched: Watched) -> Iterator[str]:
    """Who was told that he is busy has held another visit at that time since this one was offered to him; marks those who have.

    A win takes his other proposals at that time back for good, so one that has been cancelled meanwhile counts; one that was cancelled
    before this booking was opened does not.
    """
    for booking in list(watched.asked):
        for claim in watched.claims(booking):
            claim.busy = any(
                _holds_from(watched, booking, other, where) < claim.ended for where, other in _elsewhere(watched, booking, claim)
            )
            if "overlap" in claim.answers and not claim.busy:
                yield f"{booking}: {claim.who} was told `overlap`, and holds nothing else"


def _elsewhere(watched: Watched, booking: str, claim: Asked) -> Iterator[tuple[str, Asked]]:
    """His claims of other visits at that time that he won, or may have won."""
    for where in list(watched.asked):
        if where != booking and _meet(watched.windows[booking], watched.windows[where]):
            mine = (other for other in watched.claims(where) if other.who == claim.who)
            yield from ((where, other) for other in mine if not other.answers or "won" in other.answers)


def _holds_from(watched: Watched, booking: str, other: Asked, where: str) -> float:
    """From when on that win is in the way of a booking; never, when it was cancelled before that was opened."""
    opened = min((asked.begun for asked in watched.of(booking, "open")), default=0.0)
    freed = min((asked.ended for asked in watched.of(where, "cancel") if "cancelled" in asked.answers), default=inf)
    return inf if freed < opened else other.begun


def _fitting(watched: Watched, booking: str, reach: Reach) -> list[frozenset[str]]:
    """Who could be asked and had no other visit then, at each look from when the booking was known to be open to its deadline."""
    known_from = min((asked.ended for asked in watched.of(booking, "open")), default=inf)
    everybody = {claim.who for where in watched.asked for claim in watched.claims(where)}
    busy = frozenset(who for who in everybody if any(_elsewhere(watched, booking, Asked("accept", who, inf))))
    return reach.between(known_from, watched.deadlines.get(booking, -inf) - SLACK_S, busy)


def _passed_over(there: Sequence[frozenset[str]], asked: set[str]) -> Iterator[str]:
    """Who fitted all the time and was not asked; or that there was always somebody, and nobody was asked."""
    throughout = frozenset.intersection(*there) if there else frozenset()
    for who in sorted(throughout - asked):
        yield f"{who} fitted all the time; asked were {sorted(asked)}"
    if there and all(there) and not asked and not throughout:
        yield "somebody fitted all the time, though not always the same; nobody was asked"


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
