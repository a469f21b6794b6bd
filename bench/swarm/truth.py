"""What a crowd noted, beside what the engine says: who was without a link and how long, who misses something, who shows a ghost.

Notes are lists of kind, number, moment and further words; moments are seconds on one clock. Nothing here waits or reads a clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Note = Sequence[Any]
KIND, NUMBER, AT, PROPOSAL, BOOKING = 0, 1, 2, 3, 4
SHOWN = 3  # of a note "live": what was on the screen then


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A proposal as the engine knows it. ``at``: when it was sent; ``open``: still; ``ending``: from when on it may have been over,
    ``ended``: from when on it surely was. None: nobody knows, or never."""

    number: int
    proposal: str
    at: float
    open: bool
    ending: float | None = None
    ended: float | None = None


def of(notes: Iterable[Note], *kinds: str) -> list[Note]:
    """Notes of some kinds."""
    return [note for note in notes if note[KIND] in kinds]


def gaps(notes: Iterable[Note], since: float, until: float) -> dict[int, float]:
    """For everybody who was without a link, the longest time that he was."""
    lost: dict[int, float] = {}
    longest: dict[int, float] = {}
    for note in of(notes, "live", "lost"):
        number, at = note[NUMBER], note[AT]
        if note[KIND] == "lost" and at >= since:
            lost.setdefault(number, at)
        elif note[KIND] == "live" and number in lost:
            longest[number] = max(longest.get(number, 0.0), at - lost.pop(number))
    for number, at in lost.items():
        longest[number] = max(longest.get(number, 0.0), until - at)
    return longest


def back(notes: Iterable[Note], lost: float, since: float) -> dict[int, float]:
    """When each was live for the first time after all were lost, in s since another moment; 0 when he was there before it."""
    found: dict[int, float] = {}
    for note in of(notes, "live"):
        if note[AT] >= lost:
            found.setdefault(note[NUMBER], max(0.0, note[AT] - since))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Somebody came back. ``first`` and ``last``: when he began to knock, and for the last time; ``live``: when he was; ``shown``: what he
    then had."""

    number: int
    first: float
    last: float
    live: float
    shown: frozenset[str]

    @property
    def took(self) -> float:
        """From his first knock on, however many were in vain."""
        return self.live - self.first


def returns(notes: Iterable[Note]) -> list[Return]:
    """Every time that somebody came back."""
    knocks: dict[int, list[float]] = defaultdict(list)
    lost: set[int] = set()
    found = []
    for note in of(notes, "try", "live", "lost"):
        number = note[NUMBER]
        if note[KIND] == "try":
            knocks[number].append(note[AT])
        elif note[KIND] == "lost":
            lost.add(number)
        else:
            tries = knocks.pop(number, [])
            if number in lost:
                lost.discard(number)
                found.append(Return(number=number, first=tries[0], last=tries[-1], live=note[AT], shown=frozenset(note[SHOWN])))
    return found


def wrong_on_return(back_again: Iterable[Return], sent: Iterable[Sent]) -> tuple[list[str], list[str]]:
    """What was missing on screens when their owners were back, and what was a ghost there: of what was known before the last knock."""
    mine: dict[int, list[Sent]] = defaultdict(list)
    for one in sent:
        mine[one.number].append(one)
    missing, ghosts = [], []
    for back_one in back_again:
        for one in mine[back_one.number]:
            if one.at < back_one.last and (one.open or (one.ending or 0.0) > back_one.live) and one.proposal not in back_one.shown:
                missing.append(f"{one.proposal} of p{back_one.number}")
            if one.ended is not None and one.ended < back_one.last and one.proposal in back_one.shown:
                ghosts.append(f"{one.proposal} of p{back_one.number}")
    return missing, ghosts


def wrong_at_rest(shown: Mapping[int, Sequence[str]], sent: Iterable[Sent]) -> tuple[list[str], list[str]]:
    """When all is quiet: what misses on screens, and what is a ghost. Held bookings are no proposals."""
    wanted = {(one.number, one.proposal) for one in sent if one.open}
    there = {(number, proposal) for number, proposals in shown.items() for proposal in proposals if proposal.count(".") == 2}
    return [f"{p} of p{n}" for n, p in sorted(wanted - there)], [f"{p} of p{n}" for n, p in sorted(there - wanted)]


def never_heard(notes: Iterable[Note], sent: Iterable[Sent]) -> list[str]:
    """Proposals that no device of their provider was ever given: as a message, or in a list of what is open."""
    heard = {(note[NUMBER], note[PROPOSAL]) for note in of(notes, "proposal", "twice")}
    heard |= {(note[NUMBER], proposal) for note in of(notes, "live") for proposal in note[SHOWN]}
    return [f"{one.proposal} of p{one.number}" for one in sent if (one.number, one.proposal) not in heard]


def recalls(notes: Sequence[Note], size: int) -> list[float]:
    """For every booking that somebody took, ms from his accept until the last of the others was told."""
    booking_of = {note[PROPOSAL]: note[BOOKING] for note in of(notes, "proposal")}
    accepted = {note[BOOKING]: note[AT] for note in of(notes, "accept")}
    told: dict[str, list[float]] = defaultdict(list)
    for note in of(notes, "withdrawn"):
        if note[4] == "taken" and note[PROPOSAL] in booking_of:
            told[booking_of[note[PROPOSAL]]].append(note[AT])
    return [(max(told[booking]) - at) * 1e3 for booking, at in accepted.items() if len(told[booking]) == size - 1]
