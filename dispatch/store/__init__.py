"""The store: everything the engine knows, in Valkey or Redis, behind a few small rooms.

There is one implementation and it is tested on the real server. Races are decided in the server functions (lua/); what is here calls
them, reads, and turns what can go wrong into :class:`dispatch.errors.Unavailable`.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Self

from dispatch.errors import ConfigError
from dispatch.settings import Settings
from dispatch.store import functions
from dispatch.store.accounts import ApiKey, ApiKeys
from dispatch.store.acquaintances import Acquaintances
from dispatch.store.bookings import Bookings, Found, Proposal, Record, Turn, closing, deciding, sending
from dispatch.store.calls import Calls, make_redis, text, wall_ms
from dispatch.store.claims import Claims, Marks, mark
from dispatch.store.counteroffers import Counteroffer, Counteroffers
from dispatch.store.coverage import Coverage
from dispatch.store.deliveries import Deliveries, Delivery
from dispatch.store.follow_ups import FollowUps, Listed
from dispatch.store.footprint import SHELVES
from dispatch.store.functions import Clock
from dispatch.store.gauges import Gauges
from dispatch.store.habits import HabitsOf
from dispatch.store.hands import Alarm, Audited, Hand, Hands
from dispatch.store.inbox import Inbox, Items, Resumed
from dispatch.store.keys import BEATS, key
from dispatch.store.ledger import Kept, Ledger
from dispatch.store.links import Linked, Links
from dispatch.store.markets import Changed, Market, Markets
from dispatch.store.pasts import Pasts
from dispatch.store.profile import verify
from dispatch.store.providers import Providers
from dispatch.store.pushes import Push, Pushes
from dispatch.store.rematch import Meetings
from dispatch.store.renewal import Renewal
from dispatch.store.rights import Changes, Fault, Rights, refusal_of
from dispatch.store.standing import Standing
from dispatch.store.starvation import Named, Starvation
from dispatch.store.trials import Trial, Trials
from dispatch.store.visits import Visits
from dispatch.store.wakeups import Listening, Wake, Wakeups, gateway_wakeups

__all__ = [
    "Alarm", "ApiKey", "Audited", "Changed", "Changes", "Clock", "Counteroffer", "Delivery", "Fault", "Found", "Hand", "Items", "Kept",
    "Linked", "Listed", "Listening", "Market", "Marks", "Named", "Proposal", "Push", "Record", "Resumed", "Standing", "Store", "Trial",
    "Turn", "Wake", "Wakeups", "closing", "deciding", "mark", "refusal_of", "sending",
]  # fmt: skip

CLOCK_KEY = "dispatch:clock"  # hash speed, base: a demo's clock, agreed on by the first process that starts


class Store:
    """A connected store. Every call raises Unavailable when the server is down or refuses."""

    def __init__(self, calls: Calls, blocking: Calls) -> None:
        self._calls, self._blocking = calls, blocking
        self.clock = calls.clock
        self.markets = Markets(calls)
        self.providers = Providers(calls)
        self.renewal = Renewal(calls, self.providers)
        self.bookings = Bookings(calls)
        self.visits = Visits(calls)
        self.acquaintances = Acquaintances(calls)
        self.starvation = Starvation(calls)
        self.claims = Claims(calls)
        self.hands = Hands(calls)
        self.pasts = Pasts(calls)
        self.coverage = Coverage(calls)
        self.links = Links(calls)
        self.rights = Rights(calls)
        self.inbox = Inbox(calls)
        self.ledger = Ledger(calls, self.markets)
        self.api_keys = ApiKeys(calls)
        self.gauges = Gauges(calls)
        self.habits = HabitsOf(calls)
        self.outbox = Deliveries(calls, self.markets)
        self.pushes = Pushes(calls, self.markets)
        self.trials = Trials(calls)
        self.meetings = Meetings(calls)
        self.counteroffers = Counteroffers(calls)
        self.follow_ups = FollowUps(calls)

    @classmethod
    async def connect(cls, settings: Settings, *, install: bool = True) -> Self:
        """Connects to ``settings.redis_url``, checks that the server keeps what the profile promises, and loads the functions.

        Raises ConfigError (wrong profile, version or permission) or Unavailable.
        """
        if settings.redis_url is None:
            raise ConfigError("no store: set DISPATCH_REDIS_URL, or start everything with `dispatch serve`")
        redis = make_redis(settings.redis_url)
        try:
            await verify(redis, settings.profile)
            redis.response_callbacks.clear()  # replies are read raw here
            clock = await _agreed_clock(Calls(redis, Clock()), settings.clock_speed)
            if install:
                await functions.install(redis, functions.library(clock))
        except BaseException:
            await redis.aclose()
            raise
        return cls(Calls(redis, clock), Calls(make_redis(settings.redis_url, answers_within_s=None), clock))

    async def close(self) -> None:
        """Closes all connections."""
        await self._calls.redis.aclose()
        await self._blocking.redis.aclose()

    async def now(self) -> int:
        """Engine time in ms, by the server's clock."""
        return await self._calls.now()

    def wakeups(self, gateway: str) -> AbstractAsyncContextManager[Wakeups]:
        """The wake-ups of one gateway."""
        return gateway_wakeups(self._blocking, gateway)

    def timers(self) -> Listening:
        """The wake-ups of workers: a timer, a webhook or a push is due sooner than expected."""
        return Listening(self._blocking, "due_wakes")

    async def beat(self, role: str, name: str) -> None:
        """A process is alive."""
        await self._calls.command("HSET", BEATS, f"{role}:{name}", wall_ms())

    async def leave(self, role: str, name: str) -> None:
        """A process ended in an orderly way."""
        await self._calls.command("HDEL", BEATS, f"{role}:{name}")

    async def processes(self) -> dict[str, float]:
        """For each role (api, gateway, worker) the seconds since the latest beat of any process of it."""
        raw = await self._calls.command("HGETALL", BEATS)
        items = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
        ages: dict[str, float] = {}
        for name, beat in items:
            role, age = text(name).partition(":")[0], (wall_ms() - int(beat)) / 1_000
            ages[role] = min(age, ages.get(role, age))
        return ages

    async def forget_past(self, market: Market) -> int:
        """Drops index bitmaps of quarter-hours that are over; how many keys."""
        quarter = market.now // 900_000
        past = range(quarter - 4 * 96, quarter - 4)
        gone = [[key(name, market.id, shelf, q) for q in past] for name in ("x_quarter", "x_ragged") for shelf in SHELVES]
        return sum(await self._calls.pipeline(*(("UNLINK", *names) for names in gone)))


async def _agreed_clock(calls: Calls, speed: float) -> Clock:
    """The installation's clock. Plain, unless a demo asked for a fast one: then the first process fixes where it begins."""
    if speed == 1.0:
        return Clock()
    await calls.pipeline(("HSETNX", CLOCK_KEY, "base", wall_ms()), ("HSETNX", CLOCK_KEY, "speed", speed))
    base, agreed = await calls.command("HMGET", CLOCK_KEY, "base", "speed")
    return replace(Clock(), speed=float(agreed), base_ms=int(base))
