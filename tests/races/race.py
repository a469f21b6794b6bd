"""One race: a booking is brought to where a pair meets, both sides speak at the same moment, and everybody's view is read."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Any

import msgspec

from dispatch.client.bookings import Booking, BookingRequest, Event, Opened
from dispatch.errors import DispatchError, Later, Refused
from dispatch.messages import Window as Span
from dispatch.model import Window
from dispatch.store.deliveries import LENT_MS
from tests.races.counts import Tally
from tests.races.orders import End, View, agrees, at_the_start, ends, heard, say
from tests.races.pairs import OVER, ZOE, Act, Acts, Pair
from tests.races.rules import ECHO, PEOPLE
from tests.races.rules import Booking as Rules
from tests.races.town import HURRIED_S, PAUSE_S, REOPENED_S, SEARCH_S, SERVICE, Lane, Town
from tests.races.views import HOUR_S, Person, seen

LOOK_S, AGAIN_S, ANSWER_S = 0.01, 0.2, 60.0
PATIENCE_S = LENT_MS / 1_000 + 30.0  # a webhook on its way to a worker whose connection was cut is handed out again after LENT_MS
HEAD_START_S = 0.01
READY_MS = 60  # before its moment a booking must be where the pair meets
LEAD_S, LONGEST_LEAD_S = 1.2, 20.0
FAR_S = 600
VISIT = timedelta(minutes=30)
NEVER = datetime.max.replace(tzinfo=UTC)


class Missed(Exception):
    """The moment came before everything was ready: the race is to be run again."""


class Stuck(Exception):
    """What must come did not."""


@dataclass(slots=True)
class Leads:
    """How long before its deadline a booking is opened; longer when that was too short."""

    seconds: float = LEAD_S

    def missed(self) -> None:
        """It was."""
        self.seconds = min(LONGEST_LEAD_S, self.seconds * 1.4)


@dataclass(slots=True, kw_only=True)
class Race:
    """A booking in its race. ``parts``: who plays A, B and C. ``rules``: how it should stand, for what is told at the end."""

    town: Town
    lane: Lane
    pair: Pair
    booking: str
    offset_ms: float
    chance: Random
    leads: Leads
    patience_s: float = PATIENCE_S  # until what is seen is what it must be
    parts: dict[str, Person] = field(default_factory=dict)
    rules: Rules | None = None
    opened: datetime = NEVER
    moment: float = inf  # at which the engine acts by itself (ms)
    _keys: int = 0  # each request is one of its own
    _spoke: list[tuple[float, float]] = field(default_factory=list)

    # -- the way to where they meet ----------------------------------------------------------------------------------------

    async def run(self, tally: Tally) -> list[str]:
        """The whole race; what was wrong. Raises Missed."""
        try:
            return await self._run(tally)
        except Missed:
            self.leads.missed()
            await self._do(Act("cancel", "", ZOE if OVER in self.pair.before else ""))
            raise
        except Stuck as stuck:
            return [str(stuck)]

    async def _run(self, tally: Tally) -> list[str]:
        opened = await self._open()
        self.moment = self._moment(opened)
        await self._cast()
        start = at_the_start(self.pair._replace(before=()))
        for act in self.pair.before:
            right, told = say(start, act), await self._do(act)
            if told != right:
                self._in_time()
                return [f"{self}: before the race {act} was told {told}, not {right}"]
            await self._shown(act)
        answers = await self._meet()
        end, view = await self._rest(answers)
        if end is None:
            return [f"{self}: sent {self.offset_ms:+.1f} ms apart; {_difference(view, self.pair)}"]
        first = {each.first for each in ends(self.pair) if agrees(each.view, view)} - {None}
        crossed = len(self._spoke) > 1 and max(begun for begun, _ in self._spoke) < min(ended for _, ended in self._spoke)
        tally.note(first.pop() if len(first) == 1 else None, " / ".join("+".join(each) for each in answers if each), crossed=crossed)
        return await self._clear(deepcopy(end.booking))

    def __str__(self) -> str:
        return f"{self.pair.name} ({self.booking})"

    async def _open(self) -> Opened:
        self.opened = datetime.now(UTC)
        seconds = SEARCH_S + (self.leads.seconds if "expiry" in self.pair.timed else FAR_S)
        if "next wave" in self.pair.timed:
            hurried = "expiry" in self.pair.timed
            seconds = REOPENED_S + PAUSE_S + self.offset_ms / 1_000 if hurried and not self.pair.by_workers else HURRIED_S - 600
        start = self.opened + timedelta(seconds=seconds)
        request = {
            "booking_id": self.booking, "client_id": f"c-{self.booking}", "place": self.lane.place, "services": ["cut"],
            "windows": [{"start": start, "end": start + VISIT}],
        }  # fmt: skip
        wanted = msgspec.convert(request, BookingRequest)
        opened: Opened = await _patient(lambda: self.town.service.open(wanted, key=f"{self.booking}-open"))
        return opened

    async def _cast(self) -> None:
        """Those who were asked are A and B (and C), by lot."""
        size = 2 if "next wave" in self.pair.timed else 3
        people = list(self.lane.people)
        await self._until(lambda: sum(self.booking in one.proposals for one in people) >= size, "the first proposals")
        self.chance.shuffle(people)
        people.sort(key=lambda one: self.booking not in one.proposals)
        self.parts = dict(zip(PEOPLE, people, strict=True))

    async def _shown(self, act: Act) -> None:
        """What a counteroffer is called is known when it has been shown."""
        if act.verb == "counter":
            await self._until(lambda: self.booking in self.parts[act.who].offers, "the counteroffer")

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            self._in_time()
            if time.monotonic() > deadline:
                raise Stuck(f"{self}: {what} did not come")
            await asyncio.sleep(LOOK_S)

    def _in_time(self) -> None:
        """Raises Missed when it is not."""
        if self.town.stack.now_ms() > self.moment - READY_MS:
            raise Missed

    # -- the race -----------------------------------------------------------------------------------------------------------

    async def _meet(self) -> tuple[tuple[str, ...], ...]:
        """Both sides at once; their answers. Raises Missed."""
        behind = self.offset_ms / 1_000
        if self.pair.timed:
            if len(self.pair.timed) == 2:
                return ((), ())  # the engine alone: its two moments are as far apart as the offset says
            self._in_time()
            left = (self.moment - self.town.stack.now_ms()) / 1_000
            side = 0 if self.pair.second in self.pair.timed else 1
            said = await self._speak(self.pair.sides[side], time.monotonic() + max(0.0, left + (behind if side == 0 else -behind)))
            return (said, ()) if side == 0 else ((), said)
        start = time.monotonic() + HEAD_START_S
        waits = (max(0.0, behind), max(0.0, -behind))
        both = (self._speak(acts, start + wait) for acts, wait in zip(self.pair.sides, waits, strict=True))
        return tuple(await asyncio.gather(*both))

    def _moment(self, opened: Opened) -> float:
        """When the engine acts by itself (ms); never, where neither side is its own. Raises Missed."""
        if not self.pair.timed:
            return inf
        if "expiry" in self.pair.timed:
            if (opened.deadline - self.opened).total_seconds() > LONGEST_LEAD_S + PAUSE_S:
                raise Missed  # it came so late that its usual deadline had passed already
            return opened.deadline.timestamp() * 1_000
        if len(opened.plan) < 2:
            raise Missed
        return opened.plan[1].at.timestamp() * 1_000

    async def _speak(self, acts: Acts, when: float) -> tuple[str, ...]:
        """One side, from that moment (monotonic) on."""
        await asyncio.sleep(max(0.0, when - time.monotonic()))
        begun = time.monotonic()
        answers = tuple([await self._do(act) for act in acts])
        self._spoke.append((begun, time.monotonic()))
        return answers

    async def _do(self, act: Act) -> str:
        """Say it over the interface where it is said; the answer, or the error that came instead, which the rules never give."""
        try:
            return await self._said(act)
        except DispatchError as error:
            return f"error {error.code}"

    async def _said(self, act: Act) -> str:
        if act.by in (person := self.parts.get(act.who, self.lane.people[0])).devices:
            return await self._by_device(act, person)
        caller = self.town.callers[act.by if act.by in self.town.callers else SERVICE]
        self._keys += 1
        key, call = f"{self.booking}-{act.verb}-{self._keys}", getattr(self, f"_{act.verb}")
        return await _answered(lambda: call(caller, act, key))

    async def _by_device(self, act: Act, person: Person) -> str:
        device, proposal = person.devices[act.by], person.proposals[self.booking]
        id_ = f"{self.booking}-{'-'.join(act)}"
        match act.verb:
            case "give_back":
                return (await device.cancel(self.booking, id=id_, timeout=ANSWER_S)).outcome
            case "counter":
                wanted = proposal.booking.windows[0]
                later = tuple(Span(start=wanted.start + shift, end=wanted.end + shift) for shift in (600_000,))
                return (await device.counter(proposal.proposal, proposal.version, later, id=id_, timeout=ANSWER_S)).outcome
        say_it = device.accept if act.verb == "accept" else device.refuse
        return (await say_it(proposal.proposal, proposal.version, id=id_, timeout=ANSWER_S)).outcome

    async def _cancel(self, caller: Any, act: Act, key: str) -> Any:
        return await caller.cancel(self.booking, "ops" if act.by else "client", "no longer", key=key)

    async def _move(self, caller: Any, act: Act, key: str) -> Any:
        start = self.opened + timedelta(seconds=int(act.by) * HOUR_S)
        return await caller.move(self.booking, [Window(start=start, end=start + VISIT)], key=key)

    async def _take_over(self, caller: Any, act: Act, key: str) -> Any:
        return await caller.take_over(self.booking, "it takes too long", key=key)

    async def _assign(self, caller: Any, act: Act, key: str) -> Any:
        return await caller.assign(self.booking, self.parts[act.who].name, "he said yes", key=key)

    async def _take_offer(self, caller: Any, act: Act, key: str) -> Any:
        return await caller.accept_counteroffer(self.booking, self.parts[act.who].offers[self.booking], key=key)

    # -- what everybody sees ------------------------------------------------------------------------------------------------

    async def _rest(self, answers: tuple[tuple[str, ...], ...]) -> tuple[End | None, View]:
        """Look until all views together are one of the ends that the rules know; None: they never are."""
        possible = [end for end in ends(self.pair) if end.view.answers == answers]
        deadline, pause = time.monotonic() + (self.patience_s if possible else 0.0), LOOK_S
        while True:
            told = self._told()
            if any(end.view.hooks == told[1] and heard(end.view.told, told[0]) for end in possible) or time.monotonic() > deadline:
                view = seen(*await self._looked(), self.parts, answers, self.town.hooks)
                for end in possible:
                    if agrees(end.view, view):
                        return end, view
                if time.monotonic() > deadline:
                    return None, view
                pause = min(0.5, pause * 2)
            await asyncio.sleep(pause)

    def _told(self) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
        return tuple(self.parts[name].told(self.booking) for name in PEOPLE), self.town.hooks.told(self.booking)

    async def _looked(self) -> tuple[Booking, list[Event]]:
        """Over HTTP. The timeline comes first: what it lacks of the state makes the look be repeated."""
        timeline = await _patient(lambda: self.town.service.timeline(self.booking))
        return await _patient(lambda: self.town.service.booking(self.booking)), timeline

    # -- afterwards ---------------------------------------------------------------------------------------------------------

    async def _clear(self, rules: Rules) -> list[str]:
        """Nothing of it may be in the way of the next race in the lane. What was wrong."""
        self.rules = rules
        if rules.state in ("searching", "accepted", "taken_over"):
            act = Act("cancel", "", rules.owner or "")
            right, told = say(rules, act), await self._do(act)
            if told != right:
                return [f"{self}: the cancellation afterwards was told {told}, not {right}"]
        return []

    async def at_the_end(self, deadline: float) -> list[str]:
        """Nobody was told more, or less, than the rules say, when everything has come to rest. What was wrong."""
        if self.rules is None:
            return []
        told = tuple(tuple(word for word in self.rules.told[who] if word != ECHO) for who in PEOPLE)
        hooks, deadline = tuple(self.rules.hooks), max(deadline, time.monotonic() + LOOK_S)
        while time.monotonic() < deadline:
            heard_, hooked = self._told()
            if hooked == hooks and heard(told, heard_):
                return []
            await asyncio.sleep(LOOK_S)
        return [f"{self}: in the end everybody was told {self._told()}, not {(told, hooks)}"]


async def _patient(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Asked, with the same key, until it is answered: what was cut may still be under way. Raises Later when it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask()
        except Later:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(AGAIN_S)


async def _answered(ask: Callable[[], Awaitable[Any]]) -> str:
    try:
        await _patient(ask)
    except Refused as error:
        return error.code
    return "ok"


def _difference(view: View, pair: Pair) -> str:
    """What was seen, and how it differs from the end that is most like it."""
    like = min((end.view for end in ends(pair)), key=lambda one: sum(a != b for a, b in zip(one, view, strict=True)), default=None)
    if like is None:
        return str(view)
    unlike = [f"{name} is {is_}, not {right}" for name, is_, right in zip(View._fields, view, like, strict=True) if is_ != right]
    return f"answers {view.answers}: {'; '.join(unlike)}"
