"""Races by the hundred: rounds, each in a market of its own, in which every pair meets so many times; then the verdict."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.counts import Fired
from tests.faults.proxy import Fault
from tests.faults.run import ROOT
from tests.races.counts import Tally, tallies
from tests.races.pairs import PAIRS, Pair
from tests.races.race import PATIENCE_S, Leads, Missed, Race
from tests.races.town import Lane, Stack, Town, stack, town
from tests.store.soundness import faults

LANES = 16
ROUND = 20  # races of each pair in a market
LOOKS_S = 10.0  # at a market, at least, until it is sound
AGAIN_S = 0.2
TRIES = 6  # of a race that missed its moment
HARMS = ("request delayed", "reply delayed")
DELAY_S = (0.001, 0.03)
STRIKES_S = (0.02, 0.2)  # between two faults
CUT = 0.03  # share of the faults that cut a connection instead
MORE = 2  # how often a pair that lacks an order is raced as often once more
OUTCOMES = {"expiry": "CLOSED", "next wave": "SENT"}  # what a worker says that was first, by verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is raced: each pair ``each`` times. ``code``: the copy of the engine that is tried."""

    seed: int
    each: int = ROUND
    lanes: int = LANES
    code: Path = ROOT
    pairs: tuple[Pair, ...] = PAIRS
    patience_s: float = PATIENCE_S  # for a view that is as it must be


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    plan: Plan
    tallies: dict[str, Tally]
    fired: Fired
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def races(self) -> int:
        """How many have been run."""
        return sum(tally.races for tally in self.tallies.values())

    def complaints(self) -> list[str]:
        """Everything that makes it fail: what was found, and orders that never occurred."""
        silent = [f"never occurred in {tally.races} races: {order}" for tally in self.tallies.values() for order in tally.lacking()]
        few = [f"raced only {tally.races} times: {name}" for name, tally in self.tallies.items() if tally.races < self.plan.each]
        return self.wrong + silent + few


Step = Callable[[str, int], None]  # what is done, and how many races have been run


async def run(plan: Plan, step: Step = lambda *_: None) -> Outcome:
    """All rounds."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="d-races-") as name:
        step("start", 0)
        async with stack(plan.code, Path(name), plan.seed) as running:
            outcome = Outcome(plan=plan, tallies=tallies(plan.pairs), fired=running.fired)
            done = 0
            while done < plan.each:
                each = min(ROUND, plan.each - done)
                await _Round(running, outcome, f"r{done}", step).run(dict.fromkeys(plan.pairs, each))
                done += each
            for again in range(MORE):
                lacking = {tally.pair: plan.each for tally in outcome.tallies.values() if tally.lacking()}
                if lacking and not outcome.wrong:
                    for pair in lacking:
                        outcome.tallies[pair.name].widen()
                    await _Round(running, outcome, f"more{again}", step).run(lacking)
            outcome.wrong += running.fleet.fallen
    outcome.seconds = time.monotonic() - begun
    return outcome


class _Round:
    """Some races of each pair in a market of their own."""

    def __init__(self, stack: Stack, outcome: Outcome, name: str, step: Step) -> None:
        self._stack, self._outcome, self._name, self._step = stack, outcome, name, step
        self._seed = f"{outcome.plan.seed} {name}"
        self._leads = Leads()
        self._races: list[Race] = []

    async def run(self, wanted: dict[Pair, int]) -> None:
        async with town(self._stack, self._name, self._outcome.plan.lanes) as there:
            for pair in wanted:
                if pair.by_workers:
                    await self._by_workers(there, pair, wanted[pair])
            rest = [(pair, number) for pair, count in wanted.items() if not pair.by_workers for number in range(count)]
            Random(self._seed).shuffle(rest)
            await self._all(there, rest, Random(f"{self._seed} faults"))
            await self._end(there)

    async def _all(self, there: Town, wanted: list[tuple[Pair, int]], faults: Random | None) -> None:
        """Every lane takes the next race, until none is left."""
        queue = list(reversed(wanted))
        async with asyncio.TaskGroup() as tasks:
            trouble = tasks.create_task(self._trouble(faults)) if faults else None
            async with asyncio.TaskGroup() as lanes:
                for lane in there.lanes:
                    lanes.create_task(self._lane(there, lane, queue))
            if trouble:
                trouble.cancel()
        for proxy in self._stack.proxies:
            proxy.calm()

    async def _lane(self, there: Town, lane: Lane, queue: list[tuple[Pair, int]]) -> None:
        while queue:
            pair, number = queue.pop()
            tally = self._outcome.tallies[pair.name]
            for attempt in range(TRIES):
                booking = f"{self._name}-{PAIRS.index(pair)}-{number}-{attempt}"
                chance = Random(f"{self._seed} {booking}")
                race = Race(
                    patience_s=self._outcome.plan.patience_s,
                    town=there,
                    lane=lane,
                    pair=pair,
                    booking=booking,
                    offset_ms=tally.offset_ms(chance),
                    chance=chance,
                    leads=self._leads,
                )
                self._races.append(race)
                try:
                    self._outcome.wrong += await race.run(tally)
                except Missed:
                    tally.missed += 1
                    continue
                break
            self._step("races", self._outcome.races)

    async def _by_workers(self, there: Town, pair: Pair, count: int) -> None:
        """Both workers at once on each booking: who was first, they say themselves; the other found it done, or did not come at all."""
        tally, before = self._outcome.tallies[pair.name], await self._stack.turns()
        await self._all(there, [(pair, number) for number in range(count)], None)
        after = await self._stack.turns()
        word = OUTCOMES[pair.first]
        for side, name in enumerate(sorted(after)):
            tally.first[side] += round(after[name].get(word, 0) - before[name].get(word, 0))
            tally.crossed += round(after[name].get("STALE", 0) - before[name].get("STALE", 0))
        tally.neither = 0

    async def _trouble(self, chance: Random) -> None:
        """The network holds up, now and then, what goes over it, and sometimes cuts it: seeded, and counted where it happens."""
        while True:
            await asyncio.sleep(chance.uniform(*STRIKES_S))
            proxy, way = chance.choice(self._stack.proxies), chance.choice(HARMS)
            harm = way.replace("delayed", "cut") if chance.random() < CUT else way
            await proxy.strike(Fault(harm, chance.uniform(*DELAY_S)), STRIKES_S[1])

    async def _end(self, there: Town) -> None:
        """When everything has come to rest."""
        wrong, deadline = self._outcome.wrong, time.monotonic() + self._outcome.plan.patience_s
        for race in self._races:
            wrong += await race.at_the_end(deadline)
        wrong += [strange for lane in there.lanes for person in lane.people for strange in person.strange]
        self._step("verdict", self._outcome.races)
        wrong += [f"{there.market}: {one}" for one in await self._sound(there, deadline)]

    async def _sound(self, there: Town, deadline: float) -> list[str]:
        """Whatever else must be true of the market, gauges (P12) and history (P9) among it; asked again while something is on its way."""
        deadline = max(deadline, time.monotonic() + LOOKS_S)
        while True:
            found = await faults(self._stack.store, there.market, self._stack.fleet.store.url)
            if not found or time.monotonic() > deadline:
                return found
            await asyncio.sleep(AGAIN_S)
