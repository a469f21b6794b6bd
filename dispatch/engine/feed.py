"""The ops stream's source: one picture of a market every 250 ms while somebody watches, however many do, and none when nobody does.

There is no task of its own: whoever of the watchers wakes first takes the picture for all, the others get the same one. A slow watcher
misses pictures, not changes: what he is sent next is the difference from the picture he saw last. So there are no queues either.

A picture costs the same whatever the number of providers: gauges, the tail of the events, at most WAITING bookings of which those that
changed are read again, and a slice of the map's cells while providers change.
"""

from collections.abc import AsyncIterator
from typing import Self

import anyio
import structlog

from dispatch.engine.cockpit import Cockpit, Picture, difference
from dispatch.engine.loop import Bell
from dispatch.engine.reach import Reach
from dispatch.errors import NotFound, Unavailable
from dispatch.store import Market, Record, Store
from dispatch.store.gauges import Event, Pulse

log = structlog.get_logger("dispatch.feed")

PERIOD_S = 0.25
COLD_S = 5.0  # a picture that nobody renewed for so long is begun anew
MAP_REST_S = 30.0  # between two passes over the map
SPREAD = 3  # slices of it for one picture, while they are found in one piece
WAITING = 300  # searching bookings shown
TAIL, EVENTS = 2_000, 500  # events read at first, and then at most for one picture
READ, AT_ONCE, AGAIN = 40, 20, 2  # bookings read for one picture; in one round trip; of those, ones that seem unchanged


class Feed:
    """What the ops stream shows of each market."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._boards: dict[str, Board] = {}

    async def state(self, market: str) -> Picture:
        """Everything, as it is now. Raises NotFound."""
        return (await self._board(market).current()).picture

    async def deltas(self, market: str) -> AsyncIterator[Picture]:
        """What changes from now on: JSON merge patches of the state, 250 ms apart or more. One may be applied twice. Raises NotFound."""
        board = self._board(market)
        return Watcher(board, await board.current())

    def _board(self, market: str) -> "Board":
        self._boards = {name: board for name, board in self._boards.items() if not board.cold}
        return self._boards.setdefault(market, Board(self._store, market))


class Shown:
    """One picture, its number, and the differences that were asked of it."""

    def __init__(self, picture: Picture, number: int) -> None:
        self.picture, self.number = picture, number
        self._since: dict[int, Picture] = {}

    def since(self, seen: "Shown") -> Picture:
        """What changed; empty when only time went by."""
        known = self._since.get(seen.number)
        if known is None:
            patch = difference(seen.picture, self.picture)
            known = self._since[seen.number] = patch if patch.keys() - {"now"} else {}
        return known


class Watcher:
    """One who watches: an iterator of what changed since he last looked."""

    def __init__(self, board: "Board", seen: Shown) -> None:
        self._board, self._seen = board, seen

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Picture:
        while True:
            shown = await self._board.after(self._seen)
            patch, self._seen = shown.since(self._seen), shown
            if patch:
                return patch


class Board:
    """The shared picture of one market."""

    def __init__(self, store: Store, market: str) -> None:
        self._turns = Turns(store, market)
        self._lock = anyio.Lock()
        self._shown: Shown | None = None
        self._taken = anyio.current_time()

    @property
    def cold(self) -> bool:
        """Whether nobody has watched for a while."""
        return anyio.current_time() - self._taken > COLD_S

    async def current(self) -> Shown:
        """The last picture, or the first one."""
        if self._shown is not None and not self.cold:
            return self._shown
        return await self.after(self._shown)

    async def after(self, seen: Shown | None) -> Shown:
        """A picture that is not the one seen. Who comes first takes it; when he leaves meanwhile, the next one does."""
        async with self._lock:
            if self._shown is None or self._shown is seen:
                await Bell().sleep(self._taken + PERIOD_S - anyio.current_time() if self._shown else 0)
                self._taken = anyio.current_time()
                self._shown = Shown(await self._take(), self._shown.number + 1 if self._shown else 0)
            return self._shown

    async def _take(self) -> Picture:
        try:
            return await self._turns.once()
        except Unavailable as error:
            if self._shown is None:
                raise
            log.warning("store_unavailable", detail=error.detail)
            return {**self._shown.picture, "answering": False}


class Turns:
    """Reads what a picture needs, once for each."""

    def __init__(self, store: Store, market: str) -> None:
        self._store, self._name = store, market
        self._cockpit = Cockpit(store.clock.speed)
        self._reach = Reach(store, market)
        self._place = ""
        self._due: dict[int, int] = {}
        self._again = 0
        self._providers_changed, self._mapped = True, -MAP_REST_S

    async def once(self) -> Picture:
        """The next picture. Raises NotFound, Unavailable."""
        market = await self._store.markets.get(self._name)
        if market is None:
            raise NotFound(f"no market {self._name}; create it with PUT /v1/markets/{self._name}")
        first = not self._place
        events = await self._store.gauges.tail(self._name, TAIL) if first else []
        after = (events[-1][0] if events else "0-0") if first else self._place
        pulse = await self._store.gauges.pulse(self._name, after, events=EVENTS, waiting=WAITING)
        if first:
            self._cockpit.remember_flow(events)
        events += await self._rest(pulse)
        self._place = events[-1][0] if events else after
        self._hear(events)
        self._cockpit.count(pulse.gauges, market.now)
        await self._read_bookings(market, pulse, () if first else events)
        await self._read_taken(pulse, events)
        await self._read_alarms(pulse)
        await self._look_at_map()
        return self._cockpit.picture(market, self._reach.shown())

    async def _rest(self, pulse: Pulse) -> list[Event]:
        """The events of a pulse; when there were more than it holds, the last ones instead. Counts come from gauges and miss nothing."""
        return pulse.events if len(pulse.events) < EVENTS else await self._store.gauges.tail(self._name, EVENTS)

    def _hear(self, events: list[Event]) -> None:
        self._cockpit.hear(events)
        self._providers_changed |= len(events) >= EVENTS or any(event["type"] == "ProviderPut" for _, event in events)

    async def _read_bookings(self, market: Market, pulse: Pulse, events: list[Event] | tuple[()]) -> None:
        first = self._cockpit.faces == {}
        self._cockpit.keep(pulse.waiting, market.now)
        moved = {event["b"] for _, event in events if "b" in event} | {
            bno for bno, due in pulse.waiting.items() if self._due.get(bno) != due
        }
        self._due = pulse.waiting
        wanted = self._wanted(list(pulse.waiting), moved)
        limit = WAITING if first else READ
        records: list[Record] = []
        for at in range(0, min(len(wanted), limit), AT_ONCE):
            records += await self._store.bookings.records(self._name, wanted[at : min(at + AT_ONCE, limit)])
        self._cockpit.learn(records, market, await self._store.habits.read(self._name, market.now))

    async def _read_taken(self, pulse: Pulse, events: list[Event]) -> None:
        """Bookings in the hands of ops are read when they come, and when something happens to them."""
        moved = {event["b"] for _, event in events if "b" in event}
        wanted = [bno for bno in pulse.taken if bno in moved or bno not in self._cockpit.taken][:READ]
        records = await self._store.bookings.records(self._name, wanted) if wanted else []
        self._cockpit.hold(pulse.taken, records)

    async def _read_alarms(self, pulse: Pulse) -> None:
        """Bookings to which ops have been called since the last picture."""
        known = self._cockpit.alarms
        new = {int(name.partition(":")[2]) for name, at in pulse.alarms.items() if name not in known or known[name]["at"] != at}
        records = await self._store.bookings.records(self._name, sorted(new)) if new else []
        self._cockpit.alarmed(records, pulse.alarms)

    def _wanted(self, waiting: list[int], moved: set[int]) -> list[int]:
        """Whom to read, in order: those that ended, those new to us, those that moved, and in turn some of the others."""
        faces, ended = self._cockpit.faces, self._cockpit.ended
        gone = [bno for bno in ended if bno not in faces or faces[bno]["state"] == "searching"]
        new = [bno for bno in waiting if bno not in faces or faces[bno]["state"] != "searching"]
        self._again = self._again + AGAIN if self._again + AGAIN < len(waiting) else 0
        return list(dict.fromkeys([*gone, *new, *(moved & set(waiting)), *waiting[self._again : self._again + AGAIN]]))

    async def _look_at_map(self) -> None:
        """A pass over the map when providers have changed, not too often, and a slice of it at a time."""
        if self._reach.resting and self._providers_changed and anyio.current_time() - self._mapped >= MAP_REST_S:
            self._providers_changed, self._mapped = False, anyio.current_time()
            await self._reach.begin(face["h3"] for face in self._cockpit.faces.values() if "h3" in face)
        for _ in range(SPREAD if self._reach.spreading else 1):
            await self._reach.step()
