"""The crews of the units: they answer after real delays, go out to the visits they won, and say that they are away while they are out.

*What* a crew answers follows the shares of real requests to real providers (``dispatch.demo.behaviour``): the file of calls knows no
refusal. *When* it answers is, by choice, the file's own minutes from a call to the unit's arrival, by priority; or those of the requests.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from anyio import sleep
from anyio.abc import TaskGroup

from bench.calls import Call
from bench.overlay import urgency_in, urgency_of
from dispatch.client import DeviceClient, Proposal, Result
from dispatch.client.bookings import DispatchError
from dispatch.demo.behaviour import SEEN_S, SHARES, Answer, Plan, plan
from dispatch.demo.clock import CityClock
from dispatch.demo.devices import Fleet, Phone
from dispatch.demo.record import Record

Answering = Callable[[Random, str], Plan]  # a source of chance and the class of a booking
HOUR_MS = 3_600_000


def by_delays(history: Iterable[Call]) -> Answering:
    """Answers as often as real providers did, after the delays of these calls by priority."""
    delays: dict[str, list[float]] = defaultdict(list)
    for call in history:
        delays[urgency_of(call.row.priority)].append(call.row.delay_min * 60)
    return lambda chance, urgency: _drawn(chance, delays, urgency)


def _drawn(chance: Random, delays: Mapping[str, Sequence[float]], urgency: str) -> Plan:
    [(answer, _, _)] = chance.choices(SHARES, weights=[share for _, share, _ in SHARES])
    after_s = chance.choice(delays[urgency])
    return Plan(answer, after_s, min(after_s, chance.expovariate(1 / SEEN_S)), "busy" if answer is Answer.REFUSE else None)


def by_offers(_: Iterable[Call]) -> Answering:
    """Answers as the demo's professionals do: shares and delays of the real requests, made faster."""
    return lambda chance, urgency: plan(chance, urgency, 1.0)


ANSWERS: Mapping[str, Callable[[Iterable[Call]], Answering]] = {"calls": by_delays, "offers": by_offers}


class Crews(Fleet):
    """All units together. ``out`` are those away now, who have told the engine so"""

    def __init__(self, record: Record, clock: CityClock, answering: Answering) -> None:
        super().__init__(record, clock, Radio)
        self.out: set[str] = set()
        self.went: set[str] = set()
        self.draw = answering


@dataclass(frozen=True, slots=True)
class Radio(Phone):
    """One unit's device."""

    fleet: Crews

    def intent(self, proposal: Proposal) -> Plan:
        """What the crew will do with a proposal."""
        return self.fleet.draw(self.chance, urgency_in(proposal.booking.booking_id))

    def heard(self, client: DeviceClient, tasks: TaskGroup, result: Result) -> None:
        """A visit that was won is made."""
        held = result.booking
        if result.outcome == "won" and held is not None and held.booking_id not in self.fleet.went:
            self.fleet.went.add(held.booking_id)
            window = held.windows[0]
            tasks.start_soon(self._make, client, window.start, window.end)

    async def _make(self, client: DeviceClient, start: int, end: int) -> None:
        await self._until(start)
        await self._say(client, available=False)
        await self._until(end)
        await self._say(client, available=True)

    async def _say(self, client: DeviceClient, *, available: bool) -> None:
        try:
            await client.status(available=available)
        except DispatchError as failed:
            self.fleet.record.failures[f"status: {failed.code}"] += 1
            return
        (self.fleet.out.discard if available else self.fleet.out.add)(self.provider.id)

    async def _until(self, moment: int) -> None:
        await sleep(max(0.0, self.fleet.clock.wall((moment - self.fleet.clock.now_ms()) / 1_000)))


@dataclass(slots=True)
class Busy:
    """How many units were out, looked at every engine minute: (engine ms, how many)."""

    units: int
    seen: list[tuple[int, int]] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The highest share seen."""
        return max((count for _, count in self.seen), default=0) / self.units

    @property
    def busiest_hour(self) -> float:
        """The mean share of the busiest hour; of the whole run when that was shorter."""
        means = [mean for i in range(len(self.seen)) if (mean := self._hour_from(i)) is not None]
        return max(means, default=self.mean)

    @property
    def mean(self) -> float:
        """The mean share of the whole run, the hours before the first visit included."""
        return sum(count for _, count in self.seen) / (len(self.seen) * self.units) if self.seen else 0.0

    def _hour_from(self, first: int) -> float | None:
        begin = self.seen[first][0]
        if self.seen[-1][0] - begin < HOUR_MS:
            return None
        counts = [count for at, count in self.seen[first:] if at <= begin + HOUR_MS]
        return sum(counts) / len(counts) / self.units
