"""One policy played through a world on a virtual clock: what the store and its workers do, in one process and without waiting.

What is decided is decided by the engine's own files: when how many are asked by waves.py (and pacing.py), in which order by matcher.py,
what a booking may become by lifecycle.py, what is learnt by habits.py. Here is only what the server functions do with it: seats, caps,
visits, timers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

from msgspec.structs import replace

from bench.pace.world import ACCEPT, SILENT, VISIT_MS, Pro, Visit, World
from dispatch import lifecycle, matcher, waves
from dispatch.habits import EDGES, NONE_YET, PARTS, Habits, Part, Yardstick, accepting, chance, faded, learnt
from dispatch.lifecycle import BookingState, Move
from dispatch.matcher import Person
from dispatch.model import AreasZone, MarketSettings, ProviderSettings, Span, Tier, Urgency
from dispatch.zones import from_model

DELIVERED_MS = 300
REREAD = 40  # proposals that end before the habits are read again
FOREVER = 2**53
MOST_KEEN = 64.0
NOBODY = ProviderSettings(name="nobody", trade="any", catalogue=(), zone=AreasZone(codes=["anywhere"]), hours="24/7")
SHAPE = from_model(NOBODY.zone)


@dataclass(slots=True, kw_only=True)
class Seat:
    """One proposal, and what its holder will do with it."""

    does: int
    sent_at: int
    answers_at: int
    answer_by: int
    received_at: int
    urgency: Urgency
    keen: float
    by: Yardstick | None
    live: bool = True
    replaced: bool = False
    left_at: int = 0
    open: bool = True


@dataclass(slots=True, kw_only=True)
class Booking:
    """A booking on its way, and what will be told of it."""

    visit: Visit
    deadline: int
    state: BookingState = BookingState.SEARCHING
    wave: int = 0
    paced_at: int = 0
    began_at: int = 0
    tried: bool = False
    said_no: bool = False
    seats: dict[int, Seat] = field(default_factory=dict)
    turn: int = 0
    filled_at: int | None = None
    winner: int = 0
    late: int = 0
    late_soon: int = 0  # of these within a minute
    head_start: int | None = None

    def search(self) -> waves.Search:
        """Its pacing state, as Record.search gives it."""
        return waves.Search(
            start=self.visit.start,
            opened_at=self.visit.opened_at,
            deadline=self.deadline,
            wave=self.wave,
            paced_at=self.paced_at,
            tried=self.tried,
            said_no=self.said_no,
            began_at=self.began_at,
            holders=tuple(_holder(no, seat) for no, seat in self.seats.items()),
        )


def _holder(no: int, seat: Seat) -> waves.Holder:
    return waves.Holder(
        no=no, live=seat.live, replaced=seat.replaced, sent_at=seat.sent_at, answer_by=seat.answer_by, received_at=seat.received_at,
        left_at=seat.left_at, keen=seat.keen,
    )  # fmt: skip


class Play:
    """A run. ``asked`` and ``won``: proposals and wins by provider number. ``knows``: pacing is told everybody's true chance."""

    def __init__(self, world: World, settings: MarketSettings, *, knows: bool = False) -> None:
        self._world, self._settings, self._knows = world, settings, knows
        self._people = {pro.no: _person(pro) for pro in world.pros}
        self._live = dict.fromkeys(self._people, 0)
        self._held: dict[int, list[Span]] = {no: [] for no in self._people}
        self._open: dict[int, set[int]] = {no: set() for no in self._people}
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._seen = {urgency: [[0.0, 0] for _ in range(PARTS)] for urgency in Urgency}
        self._ended = 0
        self.habits: Habits = NONE_YET
        self.bookings: dict[int, Booking] = {}
        self.asked = dict.fromkeys(self._people, 0)
        self.won = dict.fromkeys(self._people, 0)
        self.turns = 0

    def run(self, told: Callable[[int], None] = lambda _: None) -> "Play":
        """Plays it to the end; ``told``: the number of each booking that comes in."""
        for visit in self._world.visits:
            self._at(visit.opened_at, self._opens, visit)
        while self._heap:
            now, _, act, what = heappop(self._heap)
            if act == self._opens:
                told(what[0].no)
            act(now, *what)
        return self

    def keen(self, no: int) -> float:
        """How keen a provider has proved to be."""
        return self._people[no].keen

    def _at(self, moment: int, act: Callable[..., None], *what: Any) -> None:
        heappush(self._heap, (moment, next(self._order), act, what))

    # -- a booking's turns ----------------------------------------------------------------------------------------

    def _opens(self, now: int, visit: Visit) -> None:
        booking = Booking(visit=visit, deadline=waves.deadline_of(self._settings, visit.start, now), paced_at=now)
        self.bookings[visit.no] = booking
        self._turn(now, booking, 0)

    def _turn(self, now: int, booking: Booking, number: int) -> None:
        """What a worker does with a plan that is due, unless it has moved since."""
        if booking.state is not BookingState.SEARCHING or number != booking.turn:
            return
        self.turns += 1
        step = waves.next_step(self._settings, booking.search(), now, self.habits)
        if step.close:
            self._close(now, booking)
            return
        for no in step.fade:
            self._unseat(no, booking.seats[no])
        for no in step.replace:
            booking.seats[no].replaced = True
        if step.release is not None:
            self._send(now, booking, step.release, step.urgency)
        self._wake(booking, step.due)

    def _wake(self, booking: Booking, at: int) -> None:
        booking.turn += 1
        self._at(at, self._turn, booking, booking.turn)

    def _send(self, now: int, booking: Booking, release: waves.Release, urgency: Urgency) -> None:
        chosen = self._chosen(now, booking, release.size)
        for person in chosen:
            self._ask(now, booking, person, release, urgency)
        if release.kind == "wave":
            booking.began_at = booking.began_at if booking.tried else now
            booking.paced_at, booking.tried, booking.said_no = now, True, False
        booking.wave = release.wave if chosen else booking.wave

    def _chosen(self, now: int, booking: Booking, size: int) -> list[Person]:
        """The first who fit, in the order of the market."""
        span, gap = Span(booking.visit.start, booking.visit.start + VISIT_MS), self._settings.travel_gap_s * 1_000
        fit = [
            self._people[no]
            for no in booking.visit.fit
            if no not in booking.seats
            and self._live[no] < self._settings.open_proposals_cap
            and not any(span.overlaps(held, gap) for held in self._held[no])
        ]
        order = self._settings.wave_order
        if order == "rank":
            return matcher.order(fit)[:size]
        earned = accepting(waves.urgency_of(self._settings, booking.visit.start, now), self.habits).earned(booking.deadline - now)
        known = [replace(one, **self._known(now, one)) for one in matcher.order(fit)]
        return matcher.by_quickness(known, order, earned)[:size]

    def _known(self, now: int, person: Person) -> dict[str, float]:
        keen, slow = faded(person.keen, person.slow, now - person.asked_at) if person.asked_at else (person.keen, person.slow)
        return {"keen": keen, "slow": slow}

    def _ask(self, now: int, booking: Booking, person: Person, release: waves.Release, urgency: Urgency) -> None:
        place = booking.visit.fit.index(person.no)
        does, after, reached = booking.visit.does[place], booking.visit.after_ms[place], booking.visit.reached[place]
        person = replace(person, asked_at=now, **(self._known(now, person) if self._settings.learns else {}))
        self._people[person.no] = person
        seat = Seat(
            does=does if reached else SILENT, sent_at=now, answers_at=now + after if does != SILENT and reached else FOREVER,
            answer_by=release.answer_by, received_at=now + DELIVERED_MS if reached else 0, urgency=urgency,
            keen=self._told(now, booking, urgency, booking.visit.chances[place]) if self._knows else person.keen,
            by=None if release.ease is None else Yardstick(urgency, release.ease, release.usual_ms or 1.0),
        )  # fmt: skip
        if booking.head_start is None and booking.seats and person.tier is not Tier.PREMIER:
            booking.head_start = now - next(iter(booking.seats.values())).sent_at
        booking.seats[person.no] = seat
        self._live[person.no] += 1
        self._open[person.no].add(booking.visit.no)
        self.asked[person.no] += 1
        if seat.answers_at < booking.deadline:
            self._at(seat.answers_at, self._answers, booking, person.no)

    def _told(self, now: int, booking: Booking, urgency: Urgency, yes: float) -> float:
        """How keen he is who accepts in the time left with such a chance."""
        earned, low, high = accepting(urgency, self.habits).earned(booking.deadline - now), 0.0, MOST_KEEN
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if chance(earned, middle) < yes else (low, middle)
        return high

    # -- answers and ends -----------------------------------------------------------------------------------------

    def _answers(self, now: int, booking: Booking, no: int) -> None:
        seat = booking.seats[no]
        if booking.state is not BookingState.SEARCHING or not seat.open:
            return
        if seat.does == ACCEPT:
            self._accepted(now, booking, no, seat)
        else:
            self._leave(now, booking, no, seat)

    def _leave(self, now: int, booking: Booking, no: int, seat: Seat) -> None:
        """He says no, or it is taken back; when that owes the next wave, it is looked at."""
        self._end(now, booking, no, seat, accepted=False)
        seat.left_at, booking.said_no = now, True
        if self._settings.wave_policy == "paced" or not any(other.live and not other.replaced for other in booking.seats.values()):
            self._wake(booking, now)

    def _accepted(self, now: int, booking: Booking, no: int, seat: Seat) -> None:
        booking.state = self._moved(booking, Move.ACCEPT)
        booking.filled_at, booking.winner = now, no
        self.won[no] += 1
        self._end(now, booking, no, seat, accepted=True)
        for other, held in booking.seats.items():
            if held.open:
                booking.late += held.does == ACCEPT
                booking.late_soon += held.does == ACCEPT and held.answers_at < now + 60_000
                self._end(now, booking, other, held, accepted=False)
        span = Span(booking.visit.start, booking.visit.start + VISIT_MS)
        self._held[no].append(span)
        self._recall(now, no, span)

    def _recall(self, now: int, no: int, span: Span) -> None:
        """His other proposals that no longer fit beside the visit he won."""
        gap = self._settings.travel_gap_s * 1_000
        for bno in sorted(self._open[no]):
            other = self.bookings[bno]
            if Span(other.visit.start, other.visit.start + VISIT_MS).overlaps(span, gap):
                self._leave(now, other, no, other.seats[no])
                self._wake(other, now)

    def _close(self, now: int, booking: Booking) -> None:
        booking.state = self._moved(booking, Move.CLOSE)
        for no, seat in booking.seats.items():
            if seat.open:
                self._end(now, booking, no, seat, accepted=False)

    def _moved(self, booking: Booking, move: Move) -> BookingState:
        state = lifecycle.after(booking.state, move)
        assert state is not None, f"{move} is no move of a booking that is {booking.state}"
        return state

    def _unseat(self, no: int, seat: Seat) -> None:
        if seat.live:
            seat.live = False
            self._live[no] -= 1

    def _end(self, now: int, booking: Booking, no: int, seat: Seat, *, accepted: bool) -> None:
        self._unseat(no, seat)
        seat.open = False
        self._open[no].discard(booking.visit.no)
        age, ways = now - seat.sent_at, self._seen[seat.urgency]
        for part, (begin, stop) in enumerate(pairwise((*EDGES, FOREVER))):
            ways[part][0] += max(0, min(age, stop) - begin)
            if accepted and begin < age <= stop:
                ways[part][1] += 1
        if seat.by is not None and seat.received_at:
            person = self._people[no]
            keen, slow = learnt(person.keen, person.slow, seat.by, age, accepted)
            self._people[no] = replace(person, keen=keen, slow=slow)
        self._ended += 1
        if self._ended % REREAD == 0:
            met = {urgency: table for urgency, table in self._seen.items() if any(held for held, _ in table)}
            self.habits = {urgency: tuple(Part(held, yes) for held, yes in table) for urgency, table in met.items()}


def _person(pro: Pro) -> Person:
    return Person(no=pro.no, settings=NOBODY, shape=SHAPE, tier=pro.tier, score=pro.score)
