"""Every order in which what two sides do, and what the engine does by itself, can happen; and what everybody sees after each."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from typing import NamedTuple

from tests.races.pairs import Act, Acts, Pair
from tests.races.rules import ECHO, PEOPLE, Booking

DUTIES = {"expiry": ("close", "alarm"), "next_wave": ("wave",)}  # what the engine does when a moment has come
LOOSE = ("Withdrawn", "CounterofferClosed")  # events of one step that have no order among each other


class View(NamedTuple):
    """What everybody knows of a booking: the two sides by their answers, devices and the booking service by what they were told, and
    whoever asks over HTTP."""

    answers: tuple[tuple[str, ...], ...]
    told: tuple[tuple[str, ...], ...]  # by person
    hooks: tuple[str, ...]
    state: str
    holder: str | None
    owner: str | None
    proposals: tuple[tuple[str, str, str | None], ...]
    offers: tuple[tuple[str, str], ...]
    story: tuple[str, ...]


class End(NamedTuple):
    """One way in which it can end: ``first`` is the side whose deed came first, None: neither can be said to."""

    booking: Booking
    view: View
    first: int | None


def view_of(booking: Booking, answers: Sequence[Sequence[str]]) -> View:
    """What everybody knows of a booking of the rules."""
    return View(
        answers=tuple(tuple(each) for each in answers),
        told=tuple(tuple(word for word in booking.told[who] if word != ECHO) for who in PEOPLE),
        hooks=tuple(booking.hooks),
        state=booking.state,
        holder=booking.winner,
        owner=booking.owner,
        proposals=tuple(sorted((who, p.state, p.reason) for who, p in booking.proposals.items())),
        offers=tuple(sorted((who, state) for who, (_, state) in booking.offers.items())),
        story=settled(booking.story),
    )


@cache
def may_hear(told: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """What devices may have been written of what is in their stream: a proposal that was taken back, or expired, before it was written is
    left out, and `withdrawn` with it or not (PROTOCOL.md section 2)."""
    for place in range(len(told) - 1):
        if told[place].startswith("proposal") and told[place + 1].startswith("withdrawn"):
            begun, rest = told[: place + 2], may_hear(told[place + 2 :])
            return frozenset((*told[:place], *some, *each) for some in (begun[-2:], begun[-1:], ()) for each in rest)
    return frozenset({told})


def agrees(right: View, seen: View) -> bool:
    """Whether what was seen is what the rules say."""
    return right._replace(told=()) == seen._replace(told=()) and heard(right.told, seen.told)


def heard(right: tuple[tuple[str, ...], ...], told: tuple[tuple[str, ...], ...]) -> bool:
    """Whether everybody was told what he may be told."""
    return all(each in may_hear(words) for words, each in zip(right, told, strict=True))


def settled(story: Sequence[str]) -> tuple[str, ...]:
    """A history in which what has no order stands in the order of the alphabet."""
    out: list[str] = []
    group: list[str] = []
    for line in [*story, ""]:
        if group and (not line or line.split(" ")[0] != group[0].split(" ")[0]):
            out += sorted(group)
            group = []
        if line.split(" ")[0] in LOOSE:
            group.append(line)
        elif line:
            out.append(line)
    return tuple(out)


def at_the_start(pair: Pair) -> Booking:
    """The booking on which the pair meets."""
    booking = Booking(size=2 if "next wave" in pair.timed else 3)
    booking.opened()
    for act in pair.before:
        say(booking, act)
    return booking


def say(booking: Booking, act: Act) -> str:
    """Do it by the rules; the answer."""
    answer: str = getattr(booking, act.verb)(*act.arguments)
    return answer


class _Trail(NamedTuple):
    """How far a search has come. ``began``: at which step each side's deed was done; ``moments``: at which a moment passed."""

    booking: Booking
    left: tuple[Acts, Acts]
    answers: tuple[tuple[str, ...], tuple[str, ...]]
    began: tuple[int | None, int | None]
    moments: tuple[int | None, int | None]
    step: int


@cache
def ends(pair: Pair) -> tuple[End, ...]:
    """All ends, each with who was first in it."""
    start = _Trail(at_the_start(pair), pair.sides, ((), ()), (None, None), (None, None), 0)
    return tuple(End(trail.booking, view_of(trail.booking, trail.answers), _first(trail)) for trail in _walk(start, pair))


def _walk(trail: _Trail, pair: Pair) -> Iterator[_Trail]:
    """Depth first."""
    if not any(trail.left) and not trail.booking.owed:
        yield trail
    if trail.booking.owed:
        yield from _walk(_duty(trail, pair), pair)
    for side in (0, 1):
        if trail.left[side]:
            yield from _walk(_said(trail, side), pair)


def _duty(trail: _Trail, pair: Pair) -> _Trail:
    """The engine does what it owes."""
    booking = deepcopy(trail.booking)
    duty = booking.owed
    booking.do(duty)
    began = tuple(
        trail.step if was is None and moment is not None and duty in DUTIES[acts[0].verb] else was
        for was, moment, acts in zip(trail.began, trail.moments, pair.sides, strict=True)
    )
    return trail._replace(booking=booking, began=began, step=trail.step + 1)


def _said(trail: _Trail, side: int) -> _Trail:
    """One side does the next thing."""
    booking, (act, *rest) = deepcopy(trail.booking), trail.left[side]
    answer = say(booking, act)
    left = _with(trail.left, side, tuple(rest))
    if act.verb in DUTIES:
        return trail._replace(booking=booking, left=left, moments=_with(trail.moments, side, trail.step), step=trail.step + 1)
    answers = _with(trail.answers, side, (*trail.answers[side], answer))
    began = trail.began if trail.began[side] is not None else _with(trail.began, side, trail.step)
    return trail._replace(booking=booking, left=left, answers=answers, began=began, step=trail.step + 1)


def _with(pair: tuple, side: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (value, pair[1]) if side == 0 else (pair[0], value)


def _first(trail: _Trail) -> int | None:
    """Whose deed came first. Between a moment and what the engine does about it nobody is."""
    began, moments = trail.began, trail.moments
    for side in (0, 1):
        other = began[1 - side]
        moment = moments[side]
        if moment is not None and moments[1 - side] is None and other is not None and moment < other:
            late = began[side]
            if late is None or late > other:
                return None
    if began[0] is None and began[1] is None:
        return None
    if began[0] is None or began[1] is None:
        return 0 if began[1] is None else 1
    return 0 if began[0] < began[1] else 1
