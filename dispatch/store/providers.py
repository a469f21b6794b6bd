"""Providers: their settings, and their place in the match index, which changes in the same step."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import msgspec
from msgspec import UNSET, Struct

from dispatch.errors import NotFound, Unavailable, Unprocessable
from dispatch.model import InitialRank, MarketSettings, ProviderSettings, Tier
from dispatch.store.calls import Calls, text
from dispatch.store.footprint import (
    NEWCOMER,
    STEP,
    Footprint,
    Write,
    basis_of,
    changes,
    clearing,
    first_quarter,
    footprint_of,
    last_quarter,
    rank_of,
    shelf_of,
    work_of,
    worked,
)
from dispatch.store.hands import Hand, plain_hand
from dispatch.store.keys import key
from dispatch.store.markets import Market
from dispatch.store.paint import paint
from dispatch.store.standing import Standing, asked_at, decoded, encoded, reads, standing

TRIES = 8
ENROLLED = 32  # providers in one call
EXTENDED = 64  # steps handed over in one call, which does as many as it has time for


class Seen(Struct, frozen=True, kw_only=True):
    """A provider as someone who wants to replace him saw him. ``rest``: his last change is not written yet."""

    no: int
    version: int
    settings: ProviderSettings | None
    bucket: int
    until: int
    basis: int
    rank: InitialRank
    loading: bool
    rest: bool


class Providers:
    """The providers of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def number(self, market: str, provider_id: str) -> int | None:
        """His number, or None."""
        found = await self._calls.command("HGET", key("provider_ids", market), provider_id)
        return int(found) if found else None

    async def ids(self, market: str, numbers: Sequence[int]) -> list[str]:
        """Their outside ids; an erased one is ``gone-<number>``."""
        if not numbers:
            return []
        found = await self._calls.command("MGET", *(key("profile", market, pno) for pno in numbers))
        return [decoded(raw).id if raw else f"gone-{pno}" for raw, pno in zip(found, numbers, strict=True)]

    async def put(self, market: Market, provider_id: str, settings: ProviderSettings, hand: Hand | None = None) -> bool:
        """Creates or replaces; whether he is new. Raises Unprocessable for a bad zone or hours."""
        footprint = _footprint(market, settings)
        for _ in range(TRIES):
            seen = await self._seen(market.id, provider_id)
            if seen is not None and seen.rest:
                await self._write_rest(market.id, seen.no)
                continue
            reply = await self._put(market, provider_id, settings, footprint, seen, hand)
            if reply["word"] != "STALE":
                return bool(reply["word"] == "CREATED")
        raise Unavailable("this provider is being changed by others all the time; retry")

    async def change(self, market: Market, provider_id: str, act: Callable[[ProviderSettings], ProviderSettings]) -> bool:
        """Replaces his settings by what ``act`` makes of them, whatever others put meanwhile; whether that is a change. Raises NotFound."""
        for _ in range(TRIES):
            seen = await self._seen(market.id, provider_id)
            if seen is None or seen.settings is None:
                raise NotFound("no such provider")
            if seen.rest:
                await self._write_rest(market.id, seen.no)
                continue
            kept = msgspec.structs.replace(seen.settings, initial_rank=UNSET)
            wanted = act(kept)
            if wanted == kept or (await self._put(market, provider_id, wanted, _footprint(market, wanted), seen))["word"] != "STALE":
                return wanted != kept
        raise Unavailable("this provider is being changed by others all the time; retry")

    async def _put(
        self, market: Market, provider_id: str, settings: ProviderSettings, new: Footprint, seen: Seen | None, hand: Hand | None = None
    ) -> Mapping[str, Any]:
        first, until, basis = new.work.first, new.work.first + 8 * len(new.work.touched), basis_of(market.settings)
        written = _rank(settings, seen, market.settings)
        old, unsure = None, None
        if seen is not None and seen.settings is not None:
            old = footprint_of(seen.settings, market.settings.time_zone, first, max(first, seen.until))
            unsure = range(first, max(until, seen.until)) if seen.loading or seen.basis != basis else None
        moves = seen is not None and written is not None and written["bucket"] != seen.bucket
        reply = await self._calls.verb(
            "put_provider",
            market.id,
            id=provider_id,
            seen=seen.version if seen else 0,
            settings=encoded(provider_id, settings),
            status=settings.status,
            trade=settings.trade,
            rank=written,
            facts=new.facts,
            writes=changes(None if moves else old, new, None if moves else unsure),
            until=until,
            basis=basis,
            hand=plain_hand(hand),
        )
        if reply.get("more"):
            await self._write_rest(market.id, reply["p"])
        if reply.get("left") and seen is not None and old is not None:
            bucket, slot = reply["left"]
            await self._sweep(market.id, bucket, int(slot), clearing(old, range(first, max(until, seen.until))))
        return reply

    async def renew(self, market: Market, provider_id: str) -> bool:
        """Writes his place in the index anew, unless it is whole and written under these settings of the market; whether it was not.

        His settings stay as they are: whoever replaces him meanwhile wins.
        """
        for _ in range(TRIES):
            seen = await self._seen(market.id, provider_id)
            if seen is None or seen.settings is None:
                return False
            if seen.rest:
                await self._write_rest(market.id, seen.no)
            elif not seen.loading and seen.basis == basis_of(market.settings):
                return False
            else:
                kept = msgspec.structs.replace(seen.settings, initial_rank=UNSET)
                reply = await self._put(market, provider_id, kept, _footprint(market, kept), seen)
                if reply["word"] != "STALE":
                    return True
        return True  # others who write him all the time do the same

    async def _write_rest(self, market: str, pno: int) -> None:
        """Finishes what one call could not write."""
        while (await self._calls.verb("put_rest", market, p=pno))["more"]:
            pass

    async def _sweep(self, market: str, bucket: int, slot: int, writes: list[Write]) -> None:
        """Clears a slot that somebody has left. (Should this process die here, the slot stays empty.)"""
        at: Any = (1, 1)
        while at:
            at = (await self._calls.verb("sweep", market, bucket=bucket, slot=slot, writes=writes, at=at)).get("at")

    async def _seen(self, market: str, provider_id: str) -> Seen | None:
        """His settings and state as they are now; None: nobody."""
        pno = await self.number(market, provider_id)
        if pno is None:
            return None
        found, rest, raw = await self._calls.pipeline(
            ("HMGET", key("provider", market, pno), "version", "bucket", "until", "basis", "status", "tier", "score", "orders", "answered"),
            ("HEXISTS", key("provider", market, pno), "rest"),
            ("GET", key("profile", market, pno)),
            transaction=True,
        )
        version, bucket, until, basis = (int(value or 0) for value in found[:4])
        return Seen(
            no=pno,
            version=version,
            settings=decoded(raw).settings if raw else None,
            bucket=bucket,
            until=until,
            basis=basis,
            rank=_ranked(*found[5:]),
            loading=found[4] == b"loading",
            rest=bool(rest),
        )

    async def enroll(self, market: Market, batch: Sequence[tuple[str, ProviderSettings]]) -> dict[str, Unprocessable]:
        """Imports many. New ones are painted in bulk; those already there are replaced one by one. Returns who was refused, and why: his
        zone or his hours cannot be indexed.
        """
        entries: list[tuple[dict[str, Any], Footprint]] = []
        refused: dict[str, Unprocessable] = {}
        for index, (provider_id, settings) in enumerate(batch):
            try:
                entries.append((_entry(provider_id, settings, market.settings), _footprint(market, settings)))
            except Unprocessable as error:
                refused[provider_id] = error
            if index % 8 == 0:
                await anyio.sleep(0)
        entries.sort(key=_bucket)
        by_id = dict(batch)
        for provider_id in await self._enroll(market, entries):
            await self.put(market, provider_id, by_id[provider_id])
        return refused

    async def _enroll(self, market: Market, entries: list[tuple[dict[str, Any], Footprint]]) -> list[str]:
        """Slots first, then their bitmaps, then everybody takes part. The ids of those who were there already."""
        placed: dict[int, list[tuple[int, Footprint]]] = {}
        done: list[tuple[int, str]] = []
        spare: list[Any] = []
        known: list[str] = []
        hints, until = _to_come([_bucket(entry) for entry in entries]), last_quarter(market.now, market.settings.horizon_days)
        for at in range(0, len(entries), ENROLLED):
            part = entries[at : at + ENROLLED]
            slim = [{**entry, "facts": footprint.facts} for entry, footprint in part]
            reply = await self._calls.verb(
                "enroll", market.id, list=slim, hints=hints[at : at + ENROLLED], until=until, basis=basis_of(market.settings)
            )
            for (entry, footprint), slot, pno in zip(part, reply["slots"], reply["pnos"], strict=True):
                if slot is False:
                    known.append(entry["id"])
                else:
                    placed.setdefault(shelf_of(entry["rank"]["bucket"]), []).append((int(slot), footprint))
                    done.append((pno, entry["status"]))
            spare += reply["spare"] or []
        for shelf, some in placed.items():
            await paint(self._calls, market.id, shelf, some)
        for at in range(0, len(done), ENROLLED):
            await self._calls.verb("admit", market.id, list=done[at : at + ENROLLED], spare=[])
        await self._calls.verb("admit", market.id, list=[], spare=spare)
        return known

    async def get(self, market: str, provider_id: str) -> Standing:
        """Everything about one provider. Raises NotFound."""
        pno = await self.number(market, provider_id)
        found = await self.standings(market, [pno]) if pno is not None else []
        if not found:
            raise NotFound(f"no provider {provider_id} in this market")
        return found[0]

    async def standings(self, market: str, numbers: Sequence[int]) -> list[Standing]:
        """Everything about some providers; unknown or erased ones are left out. Two round trips."""
        if not numbers:
            return []
        flat = await self._calls.pipeline(*(command for pno in numbers for command in reads(market, pno)))
        found = [(pno, flat[i * 4 : i * 4 + 4]) for i, pno in enumerate(numbers) if flat[i * 4][0] is not None and flat[i * 4 + 1]]
        slots = await self._calls.pipeline(*(asked_at(market, shelf_of(int(facts[0][9])), int(facts[0][0])) for _, facts in found))
        return [standing(pno, facts, raw) for (pno, facts), raw in zip(found, slots, strict=True)]

    async def prolong(self, market: Market, numbers: Sequence[int]) -> int:
        """Lets the index of some providers reach the horizon again; how many."""
        until = last_quarter(market.now, market.settings.horizon_days)
        flat = await self._calls.pipeline(*(command for pno in numbers for command in reads(market.id, pno)[:2]))
        found = [(pno, facts, decoded(raw)) for pno, facts, raw in zip(numbers, flat[::2], flat[1::2], strict=True) if raw]
        due = [one for one in found if int(one[1][10] or until) < until]
        steps = [step for pno, facts, profile in due for step in _extension(market, pno, facts, profile.settings, until)]
        at = 0
        while at < len(steps):
            at += (await self._calls.verb("prolong", market.id, list=steps[at : at + EXTENDED]))["done"]
        return len(due)

    async def count(self, market: str) -> int:
        """The highest number given to a provider so far."""
        return int(await self._calls.command("HGET", key("numbers", market), "provider") or 0)


def _footprint(market: Market, settings: ProviderSettings) -> Footprint:
    """What the index says of him, up to the horizon. Raises Unprocessable for a bad zone or hours."""
    first, until = first_quarter(market.now), last_quarter(market.now, market.settings.horizon_days)
    return footprint_of(settings, market.settings.time_zone, first, until)


def _rank(settings: ProviderSettings, seen: Seen | None, market: MarketSettings) -> dict[str, Any] | None:
    """The rank to be written: the one he is given, or the one he has by another measure of R7; None: it stays as it is."""
    if isinstance(settings.initial_rank, InitialRank):
        return rank_of(_known(settings.initial_rank, seen), market)
    if seen is None:
        return rank_of(NEWCOMER, market)
    return rank_of(seen.rank, market) if seen.basis != basis_of(market) else None


def _known(rank: InitialRank, seen: Seen | None) -> InitialRank:
    """A rank that is given, with what he has done since."""
    if seen is None:
        return rank
    orders, answered = max(rank.orders, seen.rank.orders), max(rank.answered, seen.rank.answered)
    return msgspec.structs.replace(rank, orders=orders, answered=answered)


def _ranked(tier: Any, score: Any, orders: Any, answered: Any) -> InitialRank:
    """A rank as it is kept."""
    return InitialRank(tier=Tier(text(tier or Tier.LIMITED)), score=float(score or 0), orders=int(orders or 0), answered=int(answered or 0))


def _entry(provider_id: str, settings: ProviderSettings, market: MarketSettings) -> dict[str, Any]:
    rank = settings.initial_rank if isinstance(settings.initial_rank, InitialRank) else NEWCOMER
    return {
        "id": provider_id,
        "settings": encoded(provider_id, settings),
        "status": settings.status,
        "trade": settings.trade,
        "rank": rank_of(rank, market),
    }


def _bucket(entry: tuple[dict[str, Any], Footprint]) -> int:
    return int(entry[0]["rank"]["bucket"])


def _to_come(buckets: list[int]) -> list[int]:
    """For each of the sorted buckets, how many of its kind begin there."""
    return [bisect_right(buckets, bucket) - index for index, bucket in enumerate(buckets)]


def _extension(market: Market, pno: int, facts: list[Any], settings: ProviderSettings, until: int) -> Iterator[dict[str, Any]]:
    """The steps by which the index of one provider reaches on."""
    reach, zone = int(facts[10]), market.settings.time_zone
    spans = work_of(settings, zone, first_quarter(market.now), until).spans
    while reach < until:
        first, stop = max(reach, first_quarter(market.now)), min(until, max(reach, first_quarter(market.now)) + STEP)
        work = work_of(settings, zone, first, stop)
        writes = [("x_quarter", 1, worked(work)), ("x_ragged", 1, work.ragged)]
        yield {"p": pno, "version": int(facts[8]), "reach": reach, "writes": writes, "spans": spans, "until": stop}
        reach = stop
