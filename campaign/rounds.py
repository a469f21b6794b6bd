"""One round of the campaign: a market of its own, many devices, few bookings, and the race for them.

Everybody holds a proposal of every booking. Some bookings nobody claims: the deadline must end them; some are cancelled in the middle of
the race. A claim in twenty is made twice, by two processes, under one id.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis

from campaign.claimant import connected
from campaign.claimants import Claimants, Line
from campaign.race import SLACK_S, Claim, Race
from campaign.state import OFF, UNKNOWN, State
from dispatch.engine.desk import Desk
from dispatch.engine.requests import CancelRequest
from dispatch.errors import Unavailable
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderLine
from dispatch.store import Record, Store
from dispatch.store.calls import answering
from dispatch.store.keys import MARKETS, key
from tests.store.soundness import faults

T = TypeVar("T")
SPEED = 240.0  # engine seconds in a second
LAST_S = 3_600  # engine seconds from the end of a search to the visit
VISIT_MS = 30_000  # short, so that all visits of a round begin soon after each other, and their searches end so
LONG_S = 40_000
GATEWAY = "campaign"
QUIET, CANCELLED, TWICE = 0.05, 0.05, 0.05  # shares
GRACE_S = 20.0  # after the deadline, for a worker to close it: a store or worker may just have died
AGAIN_S = 0.05
ENDED_S = 0.25  # between two looks whether all have ended
SLICE = 500  # keys removed at once
OPENED = 8  # bookings opened at once
SILENCE_S = 3.0  # after so long without a beat a worker may have taken the devices off
ASKED_S = 5.0  # patience with proposals that are still to come: of devices that were off a moment ago
SURE_S = 12.0  # so long before its deadline all were connected: then all must have been asked
LOOKS, LOOK_AGAIN_S = 5, 1.0  # at a market in which something seems wrong
PLACE = {"lat": 48.86, "lng": 2.34}
SETTINGS = {
    "booking_cutoff_s": 600,
    "travel_gap_s": 0,
    "open_proposals_cap": 100,
    "cadence": [{"class": "last_minute", "lead_under_s": None, "size": 50, "pause_s": 600}],
    "answer_s": dict.fromkeys(("last_minute", "same_day", "advance", "far"), LONG_S),
    "search_deadline_s": LAST_S,
    "delivery_grace_s": {"last_minute": LONG_S, "other": LONG_S},
    "quiet_hours": None,
    "horizon_days": 2,
}
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 5}]}
PROVIDER = {"trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"}


class Round:
    """One market from its making to its end."""

    def __init__(self, number: int, seed: int, store: Store, desk: Desk, *, devices: int, bookings: int, search_s: float) -> None:
        self.number, self.market = number, f"c{seed}-{number}"
        self._chance = Random(f"{seed} {number}")
        self._store, self._desk = store, desk
        self._devices, self._bookings, self._search_s = devices, bookings, search_s
        self.races: list[Race] = []
        self.claims: dict[str, Claim] = {}
        self._owed: set[str] = set()
        self._all = asyncio.Event()
        self._beat_at = self._whole_since = time.monotonic()
        self._off, self._linked = 0, False

    # -- before -------------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """The market, its people, its bookings."""
        desk, market = self._desk, self.market
        await again(lambda: desk.put_market(market, msgspec.convert(SETTINGS, MarketSettings)))
        await again(lambda: desk.put_catalogue(market, msgspec.convert(CATALOGUE, Catalogue)))
        await again(lambda: desk.import_providers(market, self._people(), allow_rank=True))
        await self.beat()
        await self._enter()
        for first in range(0, self._bookings, OPENED):
            self.races += await asyncio.gather(*map(self._open, range(first, min(first + OPENED, self._bookings))))
        self.races.sort(key=lambda race: race.bno)
        records = await self._asked()
        for race, record in zip(self.races, records, strict=True):
            race.missing = frozenset(range(1, self._devices + 1)) - record.proposals.keys()
            race.cause = OFF if self._whole_since > race.opened[0] else UNKNOWN
            if not race.quiet:
                race.claims = [self._claim(record, pno) for pno in record.proposals]

    async def _asked(self) -> list[Record]:
        """All bookings once everybody holds a proposal of each. Whoever is connected gets his with the opening; the others soon."""
        last = time.monotonic() + ASKED_S
        while True:
            records = await again(lambda: self._store.bookings.records(self.market, range(1, self._bookings + 1)))
            waiting = [one for one in records if one.state == "searching" and len(one.proposals) < self._devices]
            if not waiting or time.monotonic() > last:
                await self.beat()  # were they taken off just now, it is known from here on
                return records
            await asyncio.sleep(ENDED_S)

    async def _people(self) -> AsyncIterator[bytes]:
        for number in range(1, self._devices + 1):
            yield msgspec.json.encode(msgspec.convert({"provider_id": f"p-{number}", "name": f"P {number}", **PROVIDER}, ProviderLine))

    async def _connect(self, pno: int) -> None:
        await again(lambda: self._store.links.connect(self.market, pno, "phone", GATEWAY, pno))

    async def beat(self) -> None:
        """The devices are still there. After a silence they do what a gateway does: whoever was taken off connects again."""
        begun = time.monotonic()
        await again(lambda: self._store.links.gateway_alive(GATEWAY, [self.market]))
        silence, self._beat_at = time.monotonic() - self._beat_at, begun
        if self._linked and silence > SILENCE_S and await again(self._torn):
            self._off += 1
            await self._enter()

    async def _enter(self) -> None:
        await asyncio.gather(*(self._connect(pno) for pno in range(1, self._devices + 1)))
        self._linked, self._whole_since = True, time.monotonic()

    async def _torn(self) -> bool:
        """Whether the store lacks the link of some device."""
        names = [key("links", self.market, pno) for pno in range(1, self._devices + 1)]
        return int(await self._store.links._calls.command("EXISTS", *names)) < self._devices

    async def _open(self, number: int) -> Race:
        """A booking whose visit is at a time of its own: nobody is too busy for it."""
        now = await again(self._store.now)
        start = _moment(now + round(LAST_S + self._search_s * SPEED) * 1_000 + number * VISIT_MS)
        fields = {
            "booking_id": f"b-{number}", "client_id": f"c-{number}", "place": PLACE, "services": ["cut"],
            "windows": [{"start": start, "end": start + timedelta(milliseconds=VISIT_MS)}],
        }  # fmt: skip
        request = msgspec.convert(fields, BookingRequest)
        begun = time.monotonic()
        opened = await again(lambda: self._desk.open(self.market, request, f"open-{number}", may_override=False))
        deadline = datetime.fromisoformat(opened["deadline"]).timestamp() * 1_000
        now, at = await again(self._store.now), time.monotonic()
        bno = await again(lambda: self._store.bookings.number(self.market, f"b-{number}"))
        assert bno is not None
        quiet = Random(f"{self.market} {number}").random() < QUIET
        return Race(bno, f"b-{number}", (begun, at), at + (deadline - now) / 1_000 / SPEED, quiet=quiet)

    def _claim(self, record: Record, pno: int) -> Claim:
        claim = Claim(f"{self.number}.{record.no}.{pno}", pno, f"{record.no}.{record.round}.{pno}", record.version)
        self.claims[claim.id] = claim
        return claim

    # -- the race -----------------------------------------------------------------------------------------------------

    async def race(self, claimants: Claimants) -> None:
        """All claims of a booking at once, dealt out among the claimants; returns when each is answered."""
        dealt: list[list[Line]] = [[] for _ in range(claimants.count)]
        now = time.monotonic()
        for race in self.races:
            for claim in self._chance.sample(race.claims, len(race.claims)):
                claim.begun = now  # at the earliest
                first = self._chance.randrange(claimants.count)
                for number in {first, (first + 1) % claimants.count} if self._chance.random() < TWICE else {first}:
                    dealt[number].append((claim.id, self.market, claim.pno, claim.proposal, claim.version))
        self._owed = set(self.claims)
        cancelling = asyncio.create_task(self._cancel_some())
        for number, lines in enumerate(dealt):
            await claimants.give(number, lines)
        await self._all.wait()
        await cancelling

    def hear(self, id_: str, outcome: str, begun: float, ended: float) -> None:
        """A claim was answered."""
        self.claims[id_].hear(outcome, begun, ended)
        self._owed.discard(id_)
        if not self._owed:
            self._all.set()

    async def _cancel_some(self) -> None:
        for race in self.races:
            if not race.quiet and self._chance.random() < CANCELLED:
                await asyncio.sleep(self._chance.uniform(0, 0.05))
                begun = time.monotonic()
                request = CancelRequest(by="client", reason="no longer")
                await again(lambda race=race, request=request: self._cancel(race.booking_id, request))
                race.cancelled = (begun, time.monotonic(), "cancelled")

    async def _cancel(self, booking_id: str, request: CancelRequest) -> Any:
        return await self._desk.cancel(self.market, booking_id, request, f"cancel-{booking_id}")

    # -- the end ------------------------------------------------------------------------------------------------------

    async def judge(self, state: State, *, thoroughly: bool, url: str) -> None:
        """When all deadlines have passed: the last word on each booking, and with ``thoroughly`` on the whole market."""
        looked, records = await self._ended()
        wrong_overlaps = list(self._free_all_the_time(records))  # first: it marks who was busy
        for race, record in zip(self.races, records, strict=True):
            for fault, words in race.faults(record, looked):
                state.blame(fault, f"round {self.number}: {words}")
            await asyncio.sleep(0)  # beats go on meanwhile
        for words in self._unasked(records):
            state.blame("unasked bookings", f"round {self.number}: {words}")
        for words in wrong_overlaps:
            state.blame("wrong overlaps", f"round {self.number}: {words}")
        if thoroughly:
            for words in await self._unsound(state, url):
                state.blame("unsound markets", f"round {self.number}: {words}")
            state.sound += 1
        self._add_to(state, records)

    def _free_all_the_time(self, records: list[Record]) -> Iterator[str]:
        """Who was told that he is busy has won another visit at that time; marks those who have.

        The store remembers winners of what was cancelled too, and these count: all proposals were there before, and a win took them back.
        """
        for race, record in zip(self.races, records, strict=True):
            visit = record.windows[0]
            for claim in race.claims:
                his = [other for other in records if other.winner == claim.pno and other.no != record.no]
                claim.busy = any(visit.overlaps(other.windows[0]) for other in his)
                if "overlap" in claim.told and not claim.busy:
                    yield f"booking {record.no}: {claim.pno} was told `overlap`, and holds nothing else"

    def _unasked(self, records: list[Record]) -> Iterator[str]:
        """Who could be asked and was not: at the opening, or after he had come back, until the search ended without a winner."""
        for race, record in zip(self.races, records, strict=True):
            if race.missing and race.cause == UNKNOWN:
                yield f"booking {record.no}: {len(race.missing)} of {self._devices} devices were connected and held no proposal of it"
            elif record.state == "unfilled" and race.deadline - self._whole_since > SURE_S:
                busy = {other.winner for other in records if other.windows[0].overlaps(record.windows[0])}
                if never := race.missing - record.proposals.keys() - busy:
                    yield f"booking {record.no}: {len(never)} devices came back in time and were never asked"

    def _add_to(self, state: State, records: list[Record]) -> None:
        """The sums, all in one step: a state that is written down never holds half a round."""
        state.rounds += 1
        state.bookings += len(self.races)
        state.claims += len(self.claims)
        state.off += self._off
        for race in self.races:
            self._count(race, state)
        for record in records:
            state.ends[record.state] = state.ends.get(record.state, 0) + 1
        for race in self.races:
            for outcome, number in race.outcomes().items():
                state.outcomes[outcome] = state.outcomes.get(outcome, 0) + number

    def _count(self, race: Race, state: State) -> None:
        """How it was raced, if it was."""
        state.quiet += race.quiet
        state.late += race.late
        if race.missing and not race.quiet:
            short = state.partly if race.claims else state.unraced
            short[race.cause] = short.get(race.cause, 0) + 1

    async def _unsound(self, state: State, url: str) -> list[str]:
        """What is wrong with the market as a whole, and still is when it is looked at again.

        A look takes some time, in which a worker may take links off that were silent while the store was away. Second looks are counted.
        """
        found = await again(lambda: asyncio.to_thread(asyncio.run, _look(self.market, url)))
        for _ in range(LOOKS - 1):
            if not found:
                break
            state.looked_again += 1
            await asyncio.sleep(LOOK_AGAIN_S)
            found = await again(lambda: asyncio.to_thread(asyncio.run, _look(self.market, url)))
        return found

    async def _ended(self) -> tuple[tuple[float, float], list[Record]]:
        """All bookings once none searches any more, or when a search has gone on for too long; and when they were looked at."""
        last = max(race.deadline for race in self.races) + SLACK_S
        await asyncio.sleep(max(0.0, last - time.monotonic()))
        while True:
            begun = time.monotonic()
            records = await again(lambda: self._store.bookings.records(self.market, range(1, self._bookings + 1)))
            if all(record.state != "searching" for record in records) or begun > last + GRACE_S:
                return (begun, time.monotonic()), records
            await asyncio.sleep(ENDED_S)

    async def drop(self, redis: "Redis") -> None:
        """Takes the market out of the store, key by key."""
        await again(lambda: answered(redis.srem(MARKETS, self.market)))
        names = await again(lambda: _keys(redis, self.market))
        for first in range(0, len(names), SLICE):
            await again(lambda first=first: answered(redis.unlink(*names[first : first + SLICE])))


async def _look(market: str, url: str) -> list[str]:
    """One look at a whole market, on connections of its own, in a thread: the devices go on beating meanwhile. Raises Unavailable."""
    store = await connected(url, SPEED)
    try:
        async with answering():
            return await faults(store, market, url)
    finally:
        await store.close()


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """What a caller does who was told `unavailable`: the same once more, for as long as it takes."""
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(AGAIN_S)


async def answered(command: Any) -> Any:
    """The answer to a plain command. Raises Unavailable."""
    async with answering():
        return await command


async def _keys(redis: Any, market: str) -> list[bytes]:
    async with answering():
        return [name async for name in redis.scan_iter(f"{{{market}}}:*", count=5_000)]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
