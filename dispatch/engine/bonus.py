"""Bonus proposals: for bookings that have nobody left, who would fit if one setting were wider, told to ops or sent (R30-R32).

A duty of its own, beside the waves: it looks at many providers exactly, and no wave waits for that.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from typing import Any

import anyio
import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Counter

from dispatch import bonus, hours, waves
from dispatch.engine import faces
from dispatch.engine.hands import refuse_held
from dispatch.engine.people import distance_of, person, query_of
from dispatch.engine.requests import BonusRequest
from dispatch.errors import Conflict, Unavailable, Unprocessable
from dispatch.matcher import Query
from dispatch.store import Hand, Market, Named, Record, Standing, Store
from dispatch.store.hands import plain_hand

log = structlog.get_logger("dispatch.bonus")

BATCH = 20  # bookings of a market in one go
LOOKED = 200  # providers who are looked at exactly, for each step
LISTED = 50  # near misses that are told of
TOGETHER = 16  # providers judged before others get their turn
SOUGHT = Counter("dispatch_bonus_searches", "Searches for bonus proposals by what came of them.", ["outcome"])


class Found(Struct, frozen=True, kw_only=True):
    """One who nearly fits, and how he would be asked."""

    nearly: bonus.Nearly
    standing: Standing
    far: int

    def named(self) -> Named:
        """As he is asked."""
        one = self.nearly
        return Named(no=one.no, seen=self.standing.version, windows=one.windows, far=self.far, reasons=one.reasons)


async def look(store: Store, market: Market, record: Record) -> list[Found]:
    """Who nearly fits a booking and was not asked yet, graded; at most LISTED. A bounded number is looked at, best-ranked first."""
    query, minute = query_of(record.query), hours.local_minute(market.settings.time_zone, market.now)
    blocked = await store.bookings.blocked(market.id, record.client)
    found: list[Found] = []
    judged: set[int] = set()
    for step in market.settings.bonus_steps:
        if len(found) < LISTED:
            numbers = await store.starvation.near(market.id, record.no, minute, bonus.wider(query, step), LOOKED)
            fresh = [number for number in numbers if number not in judged]
            judged.update(fresh)
            found += await _judged(market, query, await store.providers.standings(market.id, fresh), blocked)
    return sorted(found, key=lambda one: one.nearly.grade)[:LISTED]


async def _judged(market: Market, query: Query, people: Iterable[Standing], blocked: set[int]) -> list[Found]:
    found = []
    for index, standing in enumerate(people, 1):
        one = person(standing, blocked=standing.no in blocked)
        nearly = bonus.nearly(query, one, market.settings, market.now)
        if nearly is not None:
            found.append(Found(nearly=nearly, standing=standing, far=distance_of(one.shape, query)))
        if index % TOGETHER == 0:
            await anyio.sleep(0)
    return found


class Bonuses:
    """The bookings of all markets that have nobody left."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def once(self) -> int:
        """Looks after those that are due; how many. One that cannot be looked after does not hold up the others. Raises Unavailable."""
        done = 0
        for name in await self._store.markets.names():
            due = await self._store.starvation.due(name, await self._store.now(), BATCH)
            for bno in due:
                done += await self._safely(name, bno)
        return done

    async def _safely(self, name: str, bno: int) -> int:
        try:
            await self._see_to(name, bno)
        except Unavailable:
            raise
        except Exception as error:  # of this booking alone; the next empty wave tries again
            log.warning("bonus_failed", market=name, bno=bno, error=type(error).__name__)
            await self._store.starvation.forget(name, bno)
        return 1

    async def _see_to(self, name: str, bno: int) -> None:
        market, records = await self._store.markets.get(name), await self._store.bookings.records(name, [bno])
        if market is None or not records or records[0].state != "searching":
            await self._store.starvation.settle(name, bno, 0)  # a case of nothing: it is forgotten
            return
        (record,) = records
        if market.now >= record.deadline:
            await self._store.starvation.settle(name, bno, record.rev)
            return
        allowed = waves.allowed_from(market.settings, record.search(), market.now)
        if allowed > market.now:
            await self._store.starvation.settle(name, bno, record.rev, again=allowed)
            return
        await self._act(market, record, await look(self._store, market, record))

    async def _act(self, market: Market, record: Record, found: list[Found]) -> None:
        """Asks those who may be asked, or tells ops of them."""
        allowed = found if market.settings.bonus_mode == "auto" else [one for one in found if one.nearly.no in record.approved]
        count = len(found) if market.settings.bonus_mode == "approve" else 0
        people = [one.named() for one in allowed]
        plan = _plan(market, record) if people else None
        asked = await self._store.starvation.settle(market.id, record.no, record.rev, count=count, people=people, plan=plan)
        SOUGHT.labels("moved" if asked is None else "asked" if asked else "found" if found else "nobody").inc()


def _plan(market: Market, record: Record) -> dict[str, Any]:
    """A wave of bonus proposals, as large as one of its class is now."""
    row = waves.row_of(market.settings, record.start - market.now)
    until = waves.answer_by(market.settings, row.class_, market.now, record.deadline)
    return {
        "wave": record.wave + 1,
        "size": row.size,
        "kind": "bonus",
        "answer_by": until,
        "due": market.now,
        "ready": 0,
        "urgency": row.class_.value,
    }


# -- what ops see and say ---------------------------------------------------------------------------------------------


async def listing(store: Store, market: Market, booking_id: str) -> dict[str, Any]:
    """Who would get a bonus proposal now, in the order in which they would be asked."""
    record = await store.bookings.get(market.id, booking_id)
    found = await look(store, market, record) if record.state == "searching" else []
    rows = [_row(one, record) for one in found]
    return {"booking_id": booking_id, "mode": market.settings.bonus_mode, "nobody_left": record.starving, "providers": rows}


def _row(one: Found, record: Record) -> dict[str, Any]:
    return {
        "provider_id": one.standing.id,
        "tier": one.standing.tier.value,
        "step": one.nearly.step,
        "windows": list(one.nearly.windows),
        "distance_m": round(one.far, -2) if one.far >= 0 else None,
        "reasons": list(one.nearly.reasons),
        "approved": one.nearly.no in record.approved,
    }


async def approve(
    store: Store, market: Market, booking_id: str, request: BonusRequest, rid: str, by: str, hand: Hand | None = None
) -> dict[str, Any]:
    """Ops confirm the list, or some of it; the worker sends it by waves as soon as nobody else is left. Raises Conflict, Unprocessable."""
    record = await store.bookings.get(market.id, booking_id)
    reply = await store.bookings.answered(market.id, rid)
    if reply is None:
        found = await look(store, market, record) if record.state == "searching" else []
        chosen = _chosen(found, request)
        print_ = sha1(msgspec.json.encode(request)).hexdigest()
        said = {"list": [one.nearly.no for one in chosen], "by": by, "reason": request.reason, "hand": plain_hand(hand)}
        reply = await store.starvation.approve(market.id, rid=rid, print=print_, bno=record.no, **said)
    if reply["word"] == "MISMATCH":
        raise Unprocessable("this Idempotency-Key came with another approval; use a fresh key", code="idempotency_mismatch")
    refuse_held(booking_id, reply)
    if reply["word"] == "WRONG_STATE":
        raise Conflict(f"booking {booking_id} is {reply['state']}; bonus proposals are for one that is searching")
    approved = await store.providers.ids(market.id, list(reply["list"] or ()))
    sends = waves.allowed_from(market.settings, record.search(), market.now)
    return {"booking_id": booking_id, "approved": approved, "from": faces.clock_of(market.settings.time_zone)(sends)}


def _chosen(found: Sequence[Found], request: BonusRequest) -> list[Found]:
    if request.provider_ids is None:
        return list(found)
    by_id = {one.standing.id: one for one in found}
    strangers = [provider_id for provider_id in request.provider_ids if provider_id not in by_id]
    if strangers:
        words = f"not among those who nearly fit: {', '.join(strangers[:10])}; GET .../bonus names them"
        raise Unprocessable(words, code="not_nearly")
    return [by_id[provider_id] for provider_id in dict.fromkeys(request.provider_ids)]
