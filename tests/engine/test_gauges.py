"""Metrics equal a recount (P12): after any history each gauge and counter is what bookings, providers and events themselves tell."""

from collections import Counter
from random import Random

import pytest

from dispatch.engine.rounds import Rounds
from dispatch.store import Record, gauges
from dispatch.store.footprint import SHELVES
from dispatch.store.keys import key
from tests.engine.watched import Town

STEPS = 120
EVENTS = {
    "Opened": "count.opened",
    "Accepted": "count.accepted",
    "AcceptedTooLate": "count.accepts_late",
    "Refused": "count.refused",
    "Cancelled": "count.cancelled",
    "Reopened": "count.reopened",
    "Unfilled": "count.unfilled",
    "Received": "count.received",
    "Seen": "count.seen",
}


class History:
    """Things that happen to a market, drawn by chance."""

    def __init__(self, town: Town, chance: Random) -> None:
        self.town, self.chance = town, chance
        self.bookings: list[int] = []
        self.online: dict[int, int] = {}
        self._rounds = Rounds(town.store, 0)
        self._done: Counter[str] = Counter()

    async def step(self) -> None:
        """The next thing."""
        name = self.chance.choice(["open", "open", "answer", "answer", "answer", "receive", "cancel", "come_or_go", "turn", "pause"])
        self._done[name] += 1
        await getattr(self, f"_{name}")()

    async def _open(self) -> None:
        self.bookings.append(await self.town.open(hours=self.chance.choice([2.5, 9, 30, 80])))

    async def _answer(self) -> None:
        """Anybody who was asked says yes or no: in time, too late, or once more."""
        record = await self._any()
        if record and record.proposals:
            pno = self.chance.choice(sorted(record.proposals))
            proposal, rid = f"{record.no}.{record.round}.{pno}", f"r{self.chance.random()}"
            if self.chance.random() < 0.5:
                await self.town.store.claims.accept(self.town.name, pno, rid, proposal, record.version)
            else:
                await self.town.store.claims.refuse(self.town.name, pno, rid, proposal, record.version, None)

    async def _receive(self) -> None:
        record = await self._any()
        for pno in record.proposals if record else ():
            proposal = f"{record.no}.{record.round}.{pno}" if record else ""
            await self.town.store.claims.receipts(self.town.name, [(pno, [proposal], self.chance.choice([[], [proposal]]))])

    async def _cancel(self) -> None:
        record = await self._any()
        if record and record.state in ("searching", "accepted"):
            await self.town.cancel(record.no, by="provider" if record.state == "accepted" and self.chance.random() < 0.7 else "client")

    async def _come_or_go(self) -> None:
        pno = self.chance.randint(1, 6)
        links, name = self.town.store.links, self.town.name
        if self.online.get(pno, 1):
            await links.disconnect(name, pno, "phone", "gw-test", pno)
            self.online[pno] = 0
        else:
            await links.connect(name, pno, "phone", "gw-test", pno, background=False, push=None)
            self.online[pno] = 1

    async def _pause(self) -> None:
        await self.town.store.links.status(self.town.name, self.chance.randint(1, 6), self.chance.random() < 0.6, None, "phone")

    async def _turn(self) -> None:
        await self._rounds.once(await self.town.store.now())

    async def _any(self) -> Record | None:
        return (await self.town.store.bookings.records(self.town.name, [self.chance.choice(self.bookings)]))[0] if self.bookings else None

    async def until_closed(self) -> None:
        """One search comes to its deadline."""
        self.bookings.append(await self.town.open(hours=3 + 0.1 / 3_600))
        while (await self.town.store.bookings.records(self.town.name, [self.bookings[-1]]))[0].state == "searching":
            await self._turn()


async def recount(town: Town, bookings: list[int]) -> dict[str, int]:
    """What the gauges should say."""
    found: Counter[str] = Counter()
    records = await town.store.bookings.records(town.name, bookings)
    for record in records:
        found[f"bookings.{record.state}"] += 1
        if record.state == "searching":
            found[f"searching.{record.urgency.value}"] += 1
        for p in record.proposals.values():
            found[f"proposals.{p.state}"] += 1
            found["proposals.live"] += p.live
    opened = {record.no: record.opened_at for record in records}
    for bno in bookings:
        for event in await town.store.bookings.timeline(town.name, bno):
            if event["type"] in EVENTS:
                found[EVENTS[event["type"]]] += 1
            if event["type"] == "WaveSent":
                found["count.waves" if event["kind"] == "wave" else "count.fills"] += 1
                found["count.proposals"] += len(event["asked"])
            if event["type"] == "Accepted":
                found["sum.accept_ms"] += event["at"] - opened[bno]
    people = await town.store.providers.standings(town.name, range(1, 1 + await town.store.providers.count(town.name)))
    found["providers.known"] = len(people)
    found["providers.online"] = sum(one.devices > 0 for one in people)
    found["providers.askable"] = sum(one.reachable and one.available and not one.paused for one in people)
    return {name: number for name, number in found.items() if number}


@pytest.mark.parametrize("seed", range(4))
async def test_gauges_equal_a_recount_after_any_history(town: Town, seed: int) -> None:
    history = History(town, Random(seed))
    for _ in range(STEPS):
        await history.step()
    counted = {name: number for name, number in (await town.store.gauges.read(town.name)).items() if number}
    assert counted == await recount(town, history.bookings)
    assert counted["count.accepted"] > 0
    bits = await town.store._calls.pipeline(*(("BITCOUNT", key("x_askable", town.name, shelf)) for shelf in SHELVES))
    assert counted["providers.askable"] == sum(bits)


async def test_a_search_that_ends_unfilled_is_counted(town: Town) -> None:
    await town.put_settings(search_deadline_s=10_800)
    history = History(town, Random(0))
    await history.until_closed()
    counted = {name: number for name, number in (await town.store.gauges.read(town.name)).items() if number}
    assert counted == await recount(town, history.bookings)
    assert (counted["bookings.unfilled"], counted["proposals.expired"]) == (1, 3)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 100])
async def test_the_tail_of_the_events_is_read_in_pages_and_told_in_order(town: Town, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PAGE", 3)
    for _ in range(4):
        await town.open()
    everything = (await town.store.gauges.pulse(town.name, "0-0", events=1_000, waiting=10)).events
    assert len(everything) > 7
    assert await town.store.gauges.tail(town.name, limit) == everything[-limit:]
