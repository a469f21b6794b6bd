"""Pacing: the wave policy `paced`. Providers are asked one by one, each when those asked before him have had their chance.

Whoever is asked is worth his *chance*: the probability that he accepts. A search may *spend* chances at a steady rate from its first moment
on; the next provider is asked when what may be spent reaches what is. A likely accepter thus keeps a long head start, and after an unlikely
one the search moves on. Two things give back: a refusal returns what was still to come of it, and silence is evidence that the booking is
one that nobody likes, so that the chances of all who were asked are worth less than they seemed.

The functions reckon in ms since the search began, on a clock that stands still in its quiet hours (:class:`Loud`); :class:`Pace` turns a
search into that and back.
Source: WAVES.md 2, 5.1-5.3. The rate is under that of 5.2 because silence speeds it up: what is spent where it keeps up with what may be is
the taut string of WAVES.md 2 to within a few parts in a hundred (docs/explanation/pacing.md compares).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil
from typing import Protocol

from msgspec import Struct

from dispatch.habits import Accepting, Habits, accepting, chance
from dispatch.hours import end_of_range
from dispatch.model import DailyRange, MarketSettings, Urgency

RATE = 1.75  # chances that may be spent over the whole length
AT_ONCE = 0.20  # and as many in its first moment: about those of the one who is asked first, whom no one can be too late beside
LAST = 0.8  # of the length: then everybody who is left is asked, so that slow answers have the rest
UNLIKED = 1.5  # accepts that silence must have cost before a booking is believed to be half as liked as others (5.1: kappa)
TICK_MS, TICKS = 30_000, 90  # between two releases there are at least so many ms, or that part of the length
REST = 1 / 40  # of the length: until somebody is looked for again when nobody was found
MOST, EVERYBODY = 5, 50  # asked together at most, but at the end
NEAR_MS, NEAR = 1_000, 1 / 1_000  # how exactly a moment is found: in ms, or as a part of the length


class Course(Struct, frozen=True):
    """What a market chose for a search: over how many ms everybody is asked, how fast, and how a class answers."""

    length: float
    speed: float
    accepts: Accepting

    @property
    def tick(self) -> float:
        """How long a release waits for what else is owed then."""
        return min(TICK_MS, self.length / TICKS)

    def may_spend(self, at: float) -> float:
        """The chances that may be spent by a moment."""
        return AT_ONCE + self.speed * RATE * at / self.length

    def earliest(self, spent: float) -> float:
        """When so much may be spent."""
        return (spent - AT_ONCE) * self.length / (self.speed * RATE)


class Asked(Struct, frozen=True):
    """Somebody who was asked (or ``count`` alike): when, how readily he accepts (1: as his class does), and when that ended without a win,
    if it did.

    ``worth``: whether he may still answer, as far as anybody knows: his devices confirm, or have time to.
    """

    sent: float
    keen: float
    left: float | None
    worth: bool
    accepts: Accepting
    count: int = 1


class Loud:
    """The clock of a search: ms since it began, without the spans (begin, end) of its quiet hours, in order and apart."""

    def __init__(self, began: int, quiet: Sequence[tuple[int, int]] = ()) -> None:
        self._began, self._quiet = began, quiet
        self._before = list(accumulate((end - begin for begin, end in quiet), initial=0))  # quiet ms before each span, and in all

    def since(self, at: int) -> float:
        """A moment on this clock."""
        held = sum(min(at, end) - begin for begin, end in self._quiet if begin < at) if self._quiet else 0
        return at - self._began - held

    def moment(self, ms: float) -> int:
        """The first moment at which this clock shows so much."""
        at = self._began + ms
        for (begin, _), before in zip(self._quiet, self._before, strict=False):
            if at + before <= begin:
                return round(at + before)
        return round(at + self._before[-1])


def mass(course: Course, asked: Iterable[Asked]) -> float:
    """The chances of those asked so far; of one who has left, what had come of it by then."""
    ends = ((one, course.length if one.left is None else one.left) for one in asked if one.worth)
    return sum(one.count * chance(one.accepts.earned(end - one.sent), one.keen) for one, end in ends)


class Silence:
    """What is left of a chance once nobody has accepted by a moment: the longer likely accepters are silent, the less."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        worth = [one for one in asked if one.worth]
        self._over = sum(one.count * one.keen * one.accepts.earned(one.left - one.sent) for one in worth if one.left is not None)
        self._open = [(one.count * one.keen, one.sent, one.accepts.earned) for one in worth if one.left is None]

    def liked(self, at: float) -> float:
        """1 at first; UNLIKED is where it is a half."""
        return UNLIKED / (UNLIKED + self._over + sum(weight * earned(at - sent) for weight, sent, earned in self._open))


def liked(asked: Iterable[Asked], at: float) -> float:
    """The same, for one moment."""
    return Silence(asked).liked(at)


def due(course: Course, asked: Sequence[Asked], since: float) -> float:
    """When the next is owed if nobody answers: the first moment (about) at which so much may be spent, ``since`` when it is as it is now.

    What may be spent only grows, and what is spent only shrinks with silence, so there is one such moment.
    """
    spent, silence = mass(course, asked), Silence(asked)
    low, high = since, min(LAST * course.length, course.earliest(spent * silence.liked(since)))
    missing, over = course.may_spend(low) - spent * silence.liked(low), course.may_spend(high) - spent * silence.liked(high)
    same = 0
    while missing < 0 < over and high - low > (near := max(NEAR_MS, course.length * NEAR)):  # false position (Illinois)
        middle = min(high - near / 2, max(low + near / 2, low + (high - low) * missing / (missing - over)))
        there = course.may_spend(middle) - spent * silence.liked(middle)
        if there < 0:
            low, missing, over, same = middle, there, over / 2 if same < 0 else over, -1
        else:
            high, over, missing, same = middle, there, missing / 2 if same > 0 else missing, 1
    return max(since, high)


def size(course: Course, asked: Sequence[Asked], now: float) -> int:
    """How many are owed now, at least one: all those who would be by the end of a tick."""
    if now >= LAST * course.length:
        return EVERYBODY
    worth = liked(asked, now)
    owed = course.may_spend(now + course.tick) - mass(course, asked) * worth
    return max(1, min(MOST, ceil(owed / (worth * chance(course.accepts.earned(course.length - now))))))


def nobody(asked: Iterable[Asked], now: float, until: float) -> float:
    """The chance that nobody of those asked accepts from now ``until`` a moment, if nobody else is asked."""
    alone = 1.0
    for one in asked:
        if one.left is None and one.worth:
            age = now - one.sent
            alone *= 1 - chance(one.accepts.earned(age + until - now) - one.accepts.earned(age), one.keen)
    return alone


class Held(Protocol):
    """A holder of a proposal, as waves.py has him."""

    @property
    def sent_at(self) -> int: ...
    @property
    def left_at(self) -> int: ...
    @property
    def received_at(self) -> int: ...
    @property
    def replaced(self) -> bool: ...
    @property
    def keen(self) -> float: ...


class Pace:
    """A search by pace: its clock, what the market chose for it, and who was asked since it began (again). Moments are engine ms.

    ``hurried``: from when quiet hours do not hold it any more; ``class_at``: its class at a moment.
    """

    def __init__(
        self, settings: MarketSettings, *, began: int, deadline: int, hurried: int, class_at: Callable[[int], Urgency],
        holders: Iterable[Held], habits: Habits,
    ) -> None:  # fmt: skip
        self._class_at, self._habits, self._how = class_at, habits, dict[Urgency, Accepting]()
        self.clock = Loud(began, quiet_spans(settings.quiet_hours, settings.time_zone, began, min(deadline, hurried)))
        usual: int = getattr(settings.pacing.over_s, class_at(began))
        length = max(1.0, min(usual * 1_000, self.clock.since(deadline)))
        self.course = Course(length, settings.pacing.speed, self._accepts(began))
        self.tick = max(1, round(self.course.tick))
        self.asked = [self._asked(one) for one in holders if not 0 < one.left_at <= began]

    def _accepts(self, at: int) -> Accepting:
        urgency = self._class_at(at)
        if urgency not in self._how:
            self._how[urgency] = accepting(urgency, self._habits)
        return self._how[urgency]

    def _asked(self, one: Held) -> Asked:
        left = self.clock.since(one.left_at) if one.left_at else None
        worth = not one.replaced or one.received_at > 0
        return Asked(self.clock.since(one.sent_at), one.keen, left, worth, self._accepts(one.sent_at))

    def _now(self, at: int) -> float:
        return max(0.0, self.clock.since(at))

    def due(self, paced_at: int, said_no: bool) -> int:
        """When the next is owed, or was; ``paced_at``: when one was last tried, ``said_no``: somebody has left since then.

        Where nobody was found last time, somebody is looked for again after a rest.
        """
        tried = self.clock.since(paced_at)
        if all(one.sent < tried for one in self.asked):
            return max(paced_at + self.tick, self.clock.moment(max(0.0, tried) + self.course.length * REST))
        since = max(tried, *(one.sent if one.left is None else one.left for one in self.asked))
        owed = self.clock.moment(due(self.course, self.asked, max(0.0, since)))
        return max(owed, paced_at + (0 if said_no else self.tick))

    def size(self, now: int) -> int:
        """How many are owed now."""
        return size(self.course, self.asked, self._now(now))

    def after(self, count: int, at: int) -> int:
        """When the next is owed after so many average providers are asked, if all of them keep silent."""
        sent = self._now(at)
        self.asked.append(Asked(sent, 1.0, None, True, self.course.accepts, count))
        return self.clock.moment(due(self.course, self.asked, sent + self.course.tick))

    def fill_chance(self, now: int, deadline: int) -> float:
        """The chance that somebody asked so far accepts before the deadline."""
        return 1 - nobody(self.asked, self._now(now), self._now(deadline))


@lru_cache(maxsize=4_096)
def quiet_spans(quiet: DailyRange | None, time_zone: str, at: int, until: int) -> tuple[tuple[int, int], ...]:
    """The quiet spans between two moments. Quiet hours that last all day have none: nothing would be left of the search."""
    if quiet is None or quiet.from_ == quiet.to:
        return ()
    loud, found = DailyRange(from_=quiet.to, to=quiet.from_), []
    while at < until:
        begin = end_of_range(loud, time_zone, at)
        at = end_of_range(quiet, time_zone, begin)
        if begin < until:
            found.append((begin, min(at, until)))
    return tuple(found)
