"""What a run proves, and what it finds: the histories of all bookings against the engine's own word at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dispatch.client.bookings import Booking, Event
from tests.faults.history import Op, of_the_engine, order
from tests.faults.watched import Watched

SLACK_S = 0.1  # by which the clocks of engine and histories may disagree
ENDS = ("accepted", "unfilled", "cancelled")
NAMES = (
    "double winners", "lost wins", "stuck bookings", "wrong lost", "impossible histories",
    "changed answers", "wrong overlaps", "views", "soundness", "metrics", "parts that fell",
)  # fmt: skip


@dataclass(slots=True)
class Findings:
    """What was wrong, by name; and how much was looked at."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    bookings: int = 0
    claims: int = 0
    told: dict[str, int] = field(default_factory=dict)

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


def judge(watched: Watched, ends: Mapping[str, End]) -> Findings:
    """Everything that histories and last states tell."""
    found = Findings(bookings=len(ends))
    for booking, end in ends.items():
        for name, words in _of_one(watched, booking, end):
            found.wrong[name].append(f"{booking} ({end.state}): {words}")
        for claim in watched.claims(booking):
            found.claims += 1
            word = claim.answers[0] if claim.answers else "nothing"
            found.told[word] = found.told.get(word, 0) + 1
    found.wrong["changed answers"] += watched.changed_answers()
    found.wrong["wrong overlaps"] += _free_all_the_time(watched)
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
    deadline = watched.deadlines.get(booking)
    ops = watched.ops(booking) + list(of_the_engine(deadline, SLACK_S) if deadline is not None else ())
    if order(ops) is None:
        told = "; ".join(f"{op.begun:.3f}-{op.ended:.3f} {op.act} {op.who} {op.told} {op.seen or ''}" for op in sorted(ops, key=_begun))
        yield "impossible histories", told


def _begun(op: Op) -> float:
    return op.begun


def _free_all_the_time(watched: Watched) -> Iterator[str]:
    """Who was told that he is busy had asked for another visit at that time before he was told so."""
    asked = [(booking, claim) for booking in watched.asked for claim in watched.claims(booking)]
    for booking, claim in asked:
        if "overlap" in claim.answers:
            mine = watched.windows[booking]
            busy = any(
                other.who == claim.who and other.begun < claim.ended and where != booking and _meet(mine, watched.windows[where])
                for where, other in asked
                if not other.answers or "won" in other.answers
            )
            if not busy:
                yield f"{booking}: {claim.who} was told `overlap`, and holds nothing else"


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
