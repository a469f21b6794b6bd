"""Providers: their settings, and their place in the match index, which changes in the same step."""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
from msgspec import UNSET, Struct

from dispatch.errors import NotFound, Unavailable
from dispatch.model import Id, InitialRank, ProviderSettings, Span, Tier
from dispatch.store.calls import Calls, text
from dispatch.store.footprint import NEWCOMER, facts_of, first_quarter, last_quarter, place_of, rank_of, work_of
from dispatch.store.keys import key
from dispatch.store.markets import Market
from dispatch.store.paint import paint

TRIES = 8
ENROLLED = 64  # providers in one call
EXTENDED = 40
FIELDS = ("slot", "tier", "score", "status", "push", "off", "paused", "live", "version", "bucket", "until", "answered")


class Profile(Struct, frozen=True, kw_only=True):
    """What can be erased of a provider: his id and settings."""

    id: Id
    settings: ProviderSettings


class Standing(Struct, frozen=True, kw_only=True):
    """A provider as the store knows him."""

    no: int
    id: str
    settings: ProviderSettings
    tier: Tier
    score: float
    slot: int
    asked_at: int
    reachable: bool
    available: bool
    paused: bool
    live: int
    visits: tuple[Span, ...]
    devices: int

    def settings_without_rank(self) -> ProviderSettings:
        """His settings, such that writing them again leaves his rank alone."""
        return msgspec.structs.replace(self.settings, initial_rank=UNSET)


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
        return [_decoded(raw).id if raw else f"gone-{pno}" for raw, pno in zip(found, numbers, strict=True)]

    async def put(self, market: Market, provider_id: str, settings: ProviderSettings) -> bool:
        """Creates or replaces; whether he is new. Raises Unprocessable for a bad zone or hours."""
        first, until = first_quarter(market.now), last_quarter(market.now, market.settings.horizon_days)
        facts = facts_of(settings, market.settings.time_zone, first, until)
        for _ in range(TRIES):
            reply = await self._put(market.id, provider_id, settings, facts, until)
            if reply["word"] != "STALE":
                return bool(reply["word"] == "CREATED")
        raise Unavailable("this provider is being changed by others all the time; retry")

    async def _put(self, market: str, provider_id: str, settings: ProviderSettings, facts: dict[str, Any], until: int) -> Any:
        seen, before = await self._seen(market, provider_id)
        rank = settings.initial_rank if settings.initial_rank is not UNSET else None if before else NEWCOMER
        return await self._calls.verb(
            "put_provider",
            market,
            id=provider_id,
            seen=seen,
            settings=_encoded(provider_id, settings),
            status=settings.status,
            trade=settings.trade,
            rank=rank_of(rank) if isinstance(rank, InitialRank) else None,
            facts=facts,
            old=place_of(before) if before else None,
            until=until,
        )

    async def _seen(self, market: str, provider_id: str) -> tuple[int, ProviderSettings | None]:
        """His version and settings as they are now (0, None: nobody)."""
        pno = await self.number(market, provider_id)
        if pno is None:
            return 0, None
        version, raw = await self._calls.pipeline(
            ("HGET", key("provider", market, pno), "version"), ("GET", key("profile", market, pno)), transaction=True
        )
        return int(version), _decoded(raw).settings if raw else None

    async def enroll(self, market: Market, batch: Sequence[tuple[str, ProviderSettings]]) -> int:
        """Imports many. New ones are painted in bulk; those already there are replaced one by one. How many were accepted."""
        first, until = first_quarter(market.now), last_quarter(market.now, market.settings.horizon_days)
        entries = []
        for provider_id, settings in batch:
            entries.append(_entry(market, provider_id, settings, first, until))
            await anyio.sleep(0)
        entries.sort(key=lambda entry: entry["rank"]["bucket"])
        by_id = dict(batch)
        known = await self._enroll(market.id, entries, {provider_id: settings.status for provider_id, settings in batch})
        for provider_id in known:
            await self.put(market, provider_id, by_id[provider_id])
        return len(entries)

    async def _enroll(self, market: str, entries: list[dict[str, Any]], statuses: dict[str, str]) -> list[str]:
        """Slots first, then their bitmaps, then everybody takes part. The ids of those who were there already."""
        placed: list[tuple[int, dict[str, Any]]] = []
        done: list[tuple[int, str]] = []
        spare: list[Any] = []
        known: list[str] = []
        hints = _to_come([entry["rank"]["bucket"] for entry in entries])
        for at in range(0, len(entries), ENROLLED):
            part = entries[at : at + ENROLLED]
            slim = [{**entry, "facts": _record(entry["facts"])} for entry in part]
            reply = await self._calls.verb("enroll", market, list=slim, hints=hints[at : at + ENROLLED])
            for entry, slot, pno in zip(part, reply["slots"], reply["pnos"], strict=True):
                if slot is False:
                    known.append(entry["id"])
                else:
                    placed.append((int(slot), entry["facts"]))
                    done.append((pno, statuses[entry["id"]]))
            spare += reply["spare"] or []
        await paint(self._calls, market, placed)
        for at in range(0, len(done), ENROLLED):
            await self._calls.verb("admit", market, list=done[at : at + ENROLLED], spare=[])
        await self._calls.verb("admit", market, list=[], spare=spare)
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
        flat = await self._calls.pipeline(*(command for pno in numbers for command in _reads(market, pno)))
        found = [(pno, flat[i * 4 : i * 4 + 4]) for i, pno in enumerate(numbers) if flat[i * 4][0] is not None and flat[i * 4 + 1]]
        slots = await self._calls.pipeline(*(_asked(market, int(facts[0][0])) for _, facts in found))
        return [_standing(pno, facts, raw) for (pno, facts), raw in zip(found, slots, strict=True)]

    async def extend(self, market: Market, numbers: Sequence[int]) -> int:
        """Lets the index of some providers reach the horizon again; how many had to be extended."""
        until = last_quarter(market.now, market.settings.horizon_days)
        flat = await self._calls.pipeline(*(command for pno in numbers for command in _reads(market.id, pno)[:2]))
        due = [(pno, flat[i * 2], flat[i * 2 + 1]) for i, pno in enumerate(numbers) if flat[i * 2 + 1] and int(flat[i * 2][10] or until) < until]
        entries = [_extension(market, pno, facts, _decoded(raw).settings, until) for pno, facts, raw in due]
        for at in range(0, len(entries), EXTENDED):
            await self._calls.verb("extend", market.id, list=entries[at : at + EXTENDED])
        return len(entries)

    async def count(self, market: str) -> int:
        """The highest number given to a provider so far."""
        return int(await self._calls.command("HGET", key("numbers", market), "provider") or 0)


def _reads(market: str, pno: int) -> tuple[tuple[Any, ...], ...]:
    return (
        ("HMGET", key("provider", market, pno), *FIELDS),
        ("GET", key("profile", market, pno)),
        ("HLEN", key("links", market, pno)),
        ("ZRANGE", key("visits", market, pno), 0, -1),
    )


def _asked(market: str, slot: int) -> tuple[Any, ...]:
    return ("GETRANGE", key("x_records", market), slot * 32 + 4, slot * 32 + 11)


def _standing(pno: int, facts: list[Any], asked: bytes) -> Standing:
    fields, raw, devices, visits = facts
    profile = _decoded(raw)
    slot, tier, score, _, push, off, paused, live, *_ = fields
    return Standing(
        no=pno,
        id=profile.id,
        settings=profile.settings,
        tier=Tier(text(tier or Tier.LIMITED)),
        score=float(score or 0),
        slot=int(slot),
        asked_at=int(struct.unpack("<d", asked)[0]) if len(asked) == 8 else 0,
        reachable=push == b"1" or devices > 0,
        available=off != b"1",
        paused=paused == b"1",
        live=int(live or 0),
        visits=tuple(_visit(text(visit)) for visit in visits),
        devices=devices,
    )


def _visit(member: str) -> Span:
    _, start, end = member.split(":")
    return Span(int(start), int(end))


def _entry(market: Market, provider_id: str, settings: ProviderSettings, first: int, until: int) -> dict[str, Any]:
    rank = settings.initial_rank if isinstance(settings.initial_rank, InitialRank) else NEWCOMER
    return {
        "id": provider_id,
        "settings": _encoded(provider_id, settings),
        "trade": settings.trade,
        "rank": rank_of(rank),
        "facts": facts_of(settings, market.settings.time_zone, first, until),
        "until": until,
    }


def _to_come(buckets: list[int]) -> list[int]:
    """For each of the sorted buckets, how many of its kind begin there."""
    return [bisect_right(buckets, bucket) - index for index, bucket in enumerate(buckets)]


def _record(facts: dict[str, Any]) -> dict[str, Any]:
    """The part of the facts that is no bitmap."""
    return {name: facts[name] for name in ("zone", "ring", "spans", "flags", "dnd_from", "dnd_to", "regions")}


def _extension(market: Market, pno: int, facts: list[Any], settings: ProviderSettings, until: int) -> dict[str, Any]:
    reach = int(facts[10])
    first = max(reach, first_quarter(market.now))
    work = work_of(settings, market.settings.time_zone, first, until)
    whole = work_of(settings, market.settings.time_zone, first_quarter(market.now), until)
    return {"p": pno, "version": int(facts[8]), "reach": reach, **work, "spans": whole["spans"], "until": until}


def _encoded(provider_id: str, settings: ProviderSettings) -> bytes:
    return msgspec.msgpack.encode(Profile(id=provider_id, settings=settings))


_profiles = msgspec.msgpack.Decoder(Profile)


def _decoded(raw: bytes) -> Profile:
    return _profiles.decode(raw)
