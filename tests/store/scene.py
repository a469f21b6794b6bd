"""A small market in Paris, played on a real server at moments that the test chooses: nobody waits, no time passes by itself.

Providers are asked in the order in which they came. Everything goes through the desk and the rooms of the store, as in an engine.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from dispatch.conduct import AnyFact, facts_of
from dispatch.counteroffers import rules_of
from dispatch.engine.desk import Desk
from dispatch.engine.rematch import Rematch
from dispatch.engine.requests import CancelRequest, LateRequest, MatchRequest, MoveRequest, NoShowRequest, SearchAgainRequest
from dispatch.engine.rounds import Rounds
from dispatch.engine.upkeep import Upkeep
from dispatch.events import decode
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.messages import Cancel, Late
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings, Service, Span, Trade
from dispatch.store import Hand, Record, Resumed, Store, Turn, Wake, Wakeups, functions, mark
from dispatch.store.calls import Calls, answering, make_redis
from dispatch.store.functions import Clock

NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
PLACE = {"lat": 48.86, "lng": 2.34}
GATEWAY = "gw-scene"
_STARTED = time.time() * 1_000


def standing_at(moment: int) -> Clock:
    """A clock that shows ``moment`` (ms) for hours on end: it runs a thousand million times too slowly."""
    away = _STARTED - moment
    behind = math.floor(away * 1e-9)
    return Clock(speed=(behind + 0.5) / away, base_ms=moment - behind)


@dataclass(slots=True, kw_only=True)
class Scene:
    """A market, somebody at its desk, and a way to move time."""

    market: str
    redis_url: str
    redis: Any
    folder: Path
    now: int = NOON
    numbers: dict[str, int] = field(default_factory=dict)
    store: Store = field(init=False)
    desk: Desk = field(init=False)
    rounds: Rounds = field(init=False)
    _ids: Any = field(default_factory=count)

    # -- time -----------------------------------------------------------------------------------------------------

    async def at(self, moment: int) -> None:
        """From now on it is that moment."""
        clock = standing_at(moment)
        await functions.install(self.redis, functions.library(clock))
        calls = Calls(self.redis, clock)
        self.now, self.store = moment, Store(calls, calls)
        self.desk = Desk(self.store, Gazetteer(), DeviceKeys.create(self.folder / "keys.json"))
        self.rounds = Rounds(self.store, 0)

    async def later(self, **delay: float) -> None:
        """That much time has passed, and nothing has happened."""
        await self.at(self.now + round(timedelta(**delay).total_seconds() * 1_000))

    async def turn(self) -> int | None:
        """One look of a worker at what is due now."""
        return await self.rounds.once(await self.store.now())

    async def settle(self) -> int | None:
        """Looks until nothing is due any more; when something will be."""
        for _ in range(50):
            again = await self.turn()
            if again is None or again > self.now:
                return again
        raise AssertionError("a worker would never come to rest")

    async def meet(self) -> None:
        """Whoever was freed meets the vacancies, until nobody waits to any more."""
        for _ in range(50):
            if await Rematch(self.store).once(await self.store.now()) is None:
                return
        raise AssertionError("the meetings would never end")

    async def take(self, turn: Turn) -> Mapping[str, Any]:
        """The store's reply to one turn of a plan."""
        (reply,) = await self.store.bookings.take(self.market, [turn])
        assert not isinstance(reply, Exception)
        return reply

    async def upkeep(self) -> Upkeep:
        return Upkeep(self.store)

    async def at_wall(self) -> None:
        """From now on it is what the wall says, and time passes."""
        calls = Calls(self.redis, Clock())
        await functions.install(self.redis, functions.library(Clock()))
        self.store = Store(calls, calls)
        self.now = await self.store.now()
        self.desk = Desk(self.store, Gazetteer(), DeviceKeys.create(self.folder / "keys.json"))
        self.rounds = Rounds(self.store, self.now)
        for name, number in self.numbers.items():  # the index reaches as far as it did at the moment before
            assert await self.store.providers.number(self.market, name) == number
            await self.desk.put_provider(self.market, name, await self.settings_of(name))

    async def settings(self, **changes: Any) -> None:
        """The market's settings, anew."""
        chosen = {"quiet_hours": None, "horizon_days": 6, **changes}
        await self.desk.put_market(self.market, msgspec.convert(chosen, MarketSettings))

    # -- people ---------------------------------------------------------------------------------------------------

    async def provider(self, name: str, *, reachable: bool = True, **changes: Any) -> int:
        """Somebody who works always and everywhere near, unless told otherwise; his number."""
        right = {"name": name, "trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"}
        await self.desk.put_provider(self.market, name, msgspec.convert(right | changes, ProviderSettings))
        number = await self.store.providers.number(self.market, name)
        assert number is not None
        self.numbers[name] = number
        if reachable:
            await self.connect(name)
        return number

    async def settings_of(self, name: str) -> ProviderSettings:
        """Somebody's settings, without the rank he began with."""
        return msgspec.structs.replace((await self.store.providers.get(self.market, name)).settings, initial_rank=msgspec.UNSET)

    async def connect(self, name: str, device: str = "phone", gateway: str = GATEWAY, conn: int = 1) -> None:
        await self.store.links.connect(self.market, self.numbers[name], device, gateway, conn)

    async def resume(self, name: str, epoch: str | None, seq: int | None) -> Resumed:
        """What his phone is told when it enters once more, having last seen (epoch, seq)."""
        _, known = await self.store.links.enter(
            self.market, self.numbers[name], "phone", GATEWAY, 1, (epoch, seq),
            provider_id=name, token_generation=0, background=False, push=b"",
        )  # fmt: skip
        return known

    async def disconnect(self, name: str, device: str = "phone", gateway: str = GATEWAY, conn: int = 1) -> None:
        await self.store.links.disconnect(self.market, self.numbers[name], device, gateway, conn)

    # -- bookings -------------------------------------------------------------------------------------------------

    def request(
        self, booking_id: str = "b-1", *, lead: float = 4, leads: tuple[float, ...] = (), now: int | None = None, **changes: Any
    ) -> BookingRequest:
        """A visit of one hour that starts in ``lead`` hours (or ``leads``: several windows), from ``now`` on if that is another time."""
        right = {
            "booking_id": booking_id,
            "client_id": "c-1",
            "place": PLACE,
            "services": ["cut"],
            "windows": [{"start": when(now or self.now, hours), "end": when(now or self.now, hours + 1)} for hours in leads or (lead,)],
        }
        return msgspec.convert(right | changes, BookingRequest)

    async def open(self, booking_id: str = "b-1", *, rid: str | None = None, ops: bool = False, **changes: Any) -> dict[str, Any]:
        """Opens a booking."""
        return await self.desk.open(self.market, self.request(booking_id, **changes), rid or self.fresh("open"), ops)

    async def accept(self, name: str, booking_id: str = "b-1", **how: Any) -> str:
        """He says yes to the proposal he has, or had; what he is told."""
        return str((await self.accepted(name, booking_id, **how))["outcome"])

    async def accepted(
        self, name: str, booking_id: str = "b-1", *, id: str | None = None, window: int = 0, version: int | None = None
    ) -> dict[str, Any]:
        """The whole answer to a yes."""
        record = await self.record(booking_id)
        return await self.store.claims.accept(
            self.market, self.numbers[name], id or self.fresh("a"), self.proposal(name, record), version or record.version, window
        )

    async def refuse(self, name: str, booking_id: str = "b-1", *, id: str | None = None, reason: str | None = None) -> str:
        record = await self.record(booking_id)
        answer = await self.store.claims.refuse(
            self.market, self.numbers[name], id or self.fresh("r"), self.proposal(name, record), record.version, reason
        )
        return str(answer["outcome"])

    async def counter(
        self,
        name: str,
        leads: tuple[float, ...],
        booking_id: str = "b-1",
        *,
        id: str | None = None,
        version: int | None = None,
        note: str = "",
    ) -> str:
        """He proposes visits of one hour that start in so many hours; what he is told."""
        record = await self.record(booking_id)
        windows = [Span(self.now + round(lead * HOUR), self.now + round((lead + 1) * HOUR)) for lead in leads]
        rules = rules_of((await self.desk.market(self.market)).settings)
        what = self.proposal(name, record), version or record.version, windows, note, rules
        answer = await self.store.counteroffers.make(self.market, self.numbers[name], id or self.fresh("c"), *what)
        return str(answer["outcome"])

    async def receive(self, name: str, booking_id: str = "b-1", *, seen: bool = False, device: str = "phone") -> None:
        """A device of his confirms the proposal."""
        which = [mark(self.proposal(name, await self.record(booking_id)), device)]
        await self.store.claims.receipts(self.market, [(self.numbers[name], which, which if seen else [])])

    async def only(self, name: str, booking_id: str) -> None:
        """Everybody else whom the booking asks says no, until it asks him."""
        for _ in range(20):
            holders = [who for who, state in (await self.states(booking_id)).items() if state == "open"]
            if name in holders:
                return
            for who in holders:
                await self.refuse(who, booking_id)
            await self.settle()
        raise AssertionError(f"{booking_id} never asks {name}")

    async def cancel(
        self,
        booking_id: str = "b-1",
        by: str = "client",
        rid: str | None = None,
        reason: str = "",
        declares: str | None = None,
        hand: Hand | None = None,
    ) -> str:
        """The booking's state afterwards."""
        request = msgspec.convert({"by": by, "reason": reason, "declares": declares}, CancelRequest)
        return str((await self.desk.cancel(self.market, booking_id, request, rid or self.fresh("cancel"), hand=hand))["state"])

    async def move(
        self, booking_id: str = "b-1", *, rid: str | None = None, ops: bool = False, now: int | None = None, **windows: Any
    ) -> str:
        """The booking's state afterwards."""
        said = {"windows": self.request(now=now, **windows).windows} | ({"override": {"reason": "ops said so"}} if ops else {})
        request = msgspec.convert(msgspec.to_builtins(said), MoveRequest)
        return str((await self.desk.aftermath.move(self.market, booking_id, request, rid or self.fresh("move"), ops))["state"])

    async def complete(self, booking_id: str = "b-1", rid: str | None = None) -> str:
        return str((await self.desk.aftermath.complete(self.market, booking_id, rid or self.fresh("complete")))["state"])

    async def no_show(self, booking_id: str = "b-1", rid: str | None = None, **how: Any) -> str:
        request = NoShowRequest(**how)
        return str((await self.desk.aftermath.no_show(self.market, booking_id, request, rid or self.fresh("no-show")))["state"])

    async def late(self, booking_id: str = "b-1", rid: str | None = None, **how: Any) -> str:
        return str((await self.desk.aftermath.late(self.market, booking_id, LateRequest(**how), rid or self.fresh("late")))["state"])

    async def search_again(
        self, booking_id: str = "b-1", rid: str | None = None, until: float | None = None, now: int | None = None, **windows: Any
    ) -> str:
        """Ops want another; ``until``: in so many hours."""
        said = {"windows": self.request(now=now, **windows).windows, "until": until and when(self.now, until), "reason": "he did not come"}
        request = msgspec.convert(msgspec.to_builtins(said), SearchAgainRequest)
        return str((await self.desk.aftermath.search_again(self.market, booking_id, request, rid or self.fresh("again")))["state"])

    async def give_back(self, name: str, booking_id: str = "b-1", *, id: str | None = None, **how: Any) -> str:
        """His own device cancels; what it is told."""
        command = Cancel(id=id or self.fresh("g"), booking_id=booking_id, **how)
        return await self.desk.aftermath.give_back(self.market, self.numbers[name], command)

    async def will_be_late(self, name: str, booking_id: str = "b-1", *, minutes: int = 10, id: str | None = None) -> str:
        command = Late(id=id or self.fresh("l"), booking_id=booking_id, minutes=minutes)
        return await self.desk.aftermath.will_be_late(self.market, self.numbers[name], command)

    async def report(self, name: str, booking_id: str = "b-1", *, id: str | None = None, reason: str = "no such street") -> str:
        proposal = self.proposal(name, await self.record(booking_id))
        answer = await self.store.claims.report(self.market, self.numbers[name], id or self.fresh("p"), proposal, reason)
        return str(answer["outcome"])

    async def facts(self) -> list[AnyFact]:
        """What the market's log says of how its providers kept their word."""
        return list(facts_of(await self.events()))

    async def events(self, kind: str = "") -> list[Any]:
        """What the market's log says, oldest first: all of it, or one kind."""
        entries = await self.redis.xrange(f"{{{self.market}}}:events")
        found = [decode(pairs[b"e"] if isinstance(pairs, dict) else pairs[1]) for _, pairs in entries]
        return [event for event in found if kind in ("", type(event).__name__)]

    def proposal(self, name: str, record: Record) -> str:
        return f"{record.no}.{record.round}.{self.numbers[name]}"

    def fresh(self, kind: str) -> str:
        """An id that nobody used."""
        return f"{kind}-{next(self._ids)}"

    async def beat(self, gateway: str, moment: int) -> None:
        """A gateway was last heard of at that moment of wall time."""
        await self.redis.zadd(f"{{{self.market}}}:gateways", {gateway: moment})

    @asynccontextmanager
    async def listening(self, wakeups: Wakeups) -> AsyncIterator[Callable[[], Awaitable[Wake]]]:
        """While it is open, a gateway hears of this market: ``await heard()`` is the next wake-up."""
        heard: asyncio.Queue[Wake] = asyncio.Queue()

        async def listen() -> None:
            async for wake in wakeups:
                heard.put_nowait(wake)

        listener = asyncio.create_task(listen())
        await wakeups.follow(self.market)

        async def following() -> Wake:
            async with asyncio.timeout(10):
                return await heard.get()

        try:
            yield following
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    # -- looking --------------------------------------------------------------------------------------------------

    async def record(self, booking_id: str = "b-1") -> Record:
        return await self.store.bookings.get(self.market, booking_id)

    async def states(self, booking_id: str = "b-1") -> dict[str, str]:
        """Whom was asked, and how his proposal stands: ``open``, ``stale``, ``replaced``, or its state with the reason."""
        found = (await self.record(booking_id)).proposals
        return {name: word(found[pno]) for name, pno in self.numbers.items() if pno in found}

    async def told(self, name: str) -> list[Any]:
        """Every message in his inbox, oldest first."""
        (found,) = await self.store.inbox.missed([(self.market, self.numbers[name], 0)])
        return [msgspec.msgpack.decode(frame) for _, frame in found]

    async def heard(self, name: str) -> list[str]:
        """The same in short: type, and reason or state."""
        return [" ".join(filter(None, (m["type"], m.get("reason"), m.get("state")))) for m in await self.told(name)]

    async def items(self, name: str) -> list[str]:
        """What is open for him: a proposal id, the id of a booking he holds, or a counteroffer."""
        found = await self.store.inbox.open_items(self.market, self.numbers[name])
        messages = [msgspec.msgpack.decode(item) for item in found.items]
        names = {"proposal": "proposal", "booking": "booking_id", "counter": "counteroffer"}
        return sorted(f"counter {m[names['counter']]}" if m["type"] == "counter" else m[names[m["type"]]] for m in messages)

    async def story(self, booking_id: str = "b-1") -> list[str]:
        """The types of its events."""
        return [event["type"] for event in await self.store.bookings.timeline(self.market, (await self.record(booking_id)).no)]

    async def candidates(self, **changes: Any) -> list[str]:
        """Who would be asked for a booking, in order."""
        wanted = MatchRequest(**msgspec.structs.asdict(self.request("probe", **changes)))
        return [one["provider_id"] for one in (await self.desk.match(self.market, wanted))["candidates"]]

    async def gauge(self, name: str) -> int:
        return (await self.store.gauges.read(self.market)).get(name, 0)

    async def gateways(self) -> set[str]:
        """Gateways that the market knows."""
        return {name.decode() for name in await self.redis.zrange(f"{{{self.market}}}:gateways", 0, -1)}

    async def timers(self) -> dict[int, int]:
        """When each booking is looked at next."""
        async with answering():
            found = await self.redis.zrange(f"{{{self.market}}}:due", 0, -1, withscores=True)
        return {int(bno): int(score) for bno, score in found}


def when(now: int, hours: float) -> str:
    """That many hours from now, as callers write it."""
    return (datetime.fromtimestamp(now / 1_000, UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds")


def word(proposal: Any) -> str:
    """How a proposal stands, in a word or two."""
    if proposal.state == "open":
        return "replaced" if proposal.replaced and proposal.live else "open" if proposal.live else "stale"
    return f"{proposal.state} {proposal.reason}" if proposal.reason else str(proposal.state)


@asynccontextmanager
async def play(redis_url: str, market: str, folder: Path, *, moment: int = NOON, **settings: Any) -> AsyncIterator[Scene]:
    """A scene with its market and catalogue made; quiet hours are off unless asked for."""
    redis = make_redis(redis_url)
    redis.response_callbacks.clear()
    scene = Scene(market=market, redis_url=redis_url, redis=redis, folder=folder)
    try:
        await scene.at(moment)
        await scene.settings(**settings)
        await scene.desk.put_catalogue(market, Catalogue(trades=(Trade(code="hair"),), services=(Service(code="cut", trade="hair"),)))
        yield scene
    finally:
        await redis.aclose()


def everything(redis_url: str, market: str) -> dict[str, Any]:
    """All that the store holds of a market, key by key: for comparing whole states."""
    with Redis.from_url(redis_url) as client:
        names = sorted(client.scan_iter(f"{{{market}}}:*", count=1_000))
        return {name.decode().partition(":")[2]: client.dump(name) for name in names}
