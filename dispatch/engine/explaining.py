"""Explanations at the desk: of one provider, and of everybody, as of each wave of a booking (R8)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import msgspec
from msgspec.structs import replace

from dispatch import explain
from dispatch.engine import faces
from dispatch.engine.people import person
from dispatch.engine.requests import ExplainQuestion
from dispatch.errors import NotFound, Unprocessable
from dispatch.explain import Decision, Past, Verdict
from dispatch.matcher import Query, fits
from dispatch.store import Market, Record, Standing, Store

PART, MOST, SHOWN = 200, 20_000, 50  # providers judged together, judged at all, and named
GONE = "the place of this booking has been erased, so it cannot be told any more what left a provider out"


class Booked:
    """A booking with everything that explains it."""

    def __init__(self, market: Market, record: Record, decisions: Sequence[Decision], timeline: Sequence[Mapping[str, Any]]) -> None:
        self.market, self.record, self.decisions, self.timeline = market, record, decisions, timeline
        self._query = msgspec.convert({k: v for k, v in record.query.items() if k != "client"}, Query) if record.query else None

    def query(self, at: int | None = None) -> Query:
        """What it asks, or asked at a moment. Raises NotFound when that has been erased."""
        if self._query is None:
            raise NotFound(GONE)
        windows = explain.windows_at(self.timeline, at) if at is not None else ()
        return replace(self._query, windows=windows or self._query.windows)

    def verdict(self, decision: Decision, standing: Standing, past: Past, blocked: bool) -> Verdict:
        """What a decision was for a provider."""
        market = self.market.settings
        now, cap = person(standing, blocked=blocked), market.open_proposals_cap
        then = explain.as_of(now, standing.bucket, past, decision.at, client=self.record.client, cap=cap)
        asked = explain.asked_of(self.timeline, self.decisions, standing.no)
        return explain.judge(decision, self.query(decision.at), then, asked, market)


class Explaining:
    """Answers why, over the life of a booking and after it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def _booked(self, market: Market, booking_id: str) -> Booked:
        record = await self._store.bookings.get(market.id, booking_id)
        decisions = await self._store.pasts.decisions(market.id, record.no, record.opened_at)
        return Booked(market, record, decisions, await self._store.bookings.timeline(market.id, record.no))

    async def provider(self, market: Market, booking_id: str, provider_id: str) -> dict[str, Any]:
        """Why a provider was asked, or what left him out, decision by decision; and how he stands to the booking now."""
        booked = await self._booked(market, booking_id)
        standing = await self._store.providers.get(market.id, provider_id)
        (past,) = await self._store.pasts.of(market.id, [standing.no])
        blocked = standing.no in await self._store.bookings.blocked(market.id, booked.record.client)
        rows = [(decision, booked.verdict(decision, standing, past, blocked)) for decision in booked.decisions]
        now = fits(booked.query(), person(standing, blocked=blocked), market.settings, market.now)
        proposal = booked.record.proposals.get(standing.no)
        asked = {"wave": proposal.wave, "kind": proposal.kind, "state": proposal.state, "reason": proposal.reason} if proposal else None
        if asked:
            asked["appeared"] = explain.took_seat(booked.timeline, standing.no)
        short = explain.in_short(asked, rows, now, booked.record.state, booked.record.reasons.get(standing.no, ()))
        told = [_row(market, decision) | _said(verdict) for decision, verdict in rows]
        return {"booking_id": booking_id, "provider_id": provider_id, **short, "decisions": told}

    async def booking(self, market: Market, booking_id: str, question: ExplainQuestion) -> dict[str, Any]:
        """What was decided, and of one decision who was left out: how many by each filter, the best-ranked of them and those asked for."""
        booked = await self._booked(market, booking_id)
        chosen = _chosen(booked.decisions, question.decision)
        waves = [event for event in booked.timeline if event["type"] == "WaveSent"]
        numbers = faces.numbers_in(waves)
        ids = dict(zip(numbers, await self._store.providers.ids(market.id, numbers), strict=True))
        told = [_row(market, decision) | _whom(decision, waves, ids) for decision in booked.decisions]
        left_out = await self._left_out(booked, chosen, question.provider_ids) if chosen else None
        return {"booking_id": booking_id, "seed": booked.record.seed, "decisions": told, "left_out": left_out}

    async def _left_out(self, booked: Booked, chosen: Decision, provider_ids: Sequence[str]) -> dict[str, Any]:
        """Everybody, judged a part at a time, beside the event loop."""
        market, known = booked.market, await self._store.providers.count(booked.market.id)
        booked.query()  # raises before everybody is read
        wanted = {await self._store.providers.number(market.id, one) for one in provider_ids}
        blocked = await self._store.bookings.blocked(market.id, booked.record.client)
        counts: Counter[str] = Counter()
        best: list[tuple[int, int, Standing, Verdict]] = []
        numbers = [*range(1, min(known, MOST) + 1), *sorted(no for no in wanted if no is not None and no > MOST)]
        for begin in range(0, len(numbers), PART):
            part = await self._store.providers.standings(market.id, numbers[begin : begin + PART])
            pasts = await self._store.pasts.of(market.id, [one.no for one in part])
            judged = await anyio.to_thread.run_sync(_judged, booked, chosen, list(zip(part, pasts, strict=True)), blocked)
            counts.update(verdict.reasons[0].value if verdict.reasons else verdict.what for _, verdict in judged)
            best += [(verdict.bucket, one.slot, one, verdict) for one, verdict in judged if verdict.what != "asked"]
            best = _kept(best, wanted)
        named = [{"provider_id": one.id, **_said(verdict)} for _, _, one, verdict in best]
        return {**_row(market, chosen), "counts": dict(counts), "providers": named, "complete": known <= MOST}


def _judged(booked: Booked, chosen: Decision, people: Sequence[tuple[Standing, Past]], blocked: set[int]) -> list[tuple[Standing, Verdict]]:
    return [(one, booked.verdict(chosen, one, past, one.no in blocked)) for one, past in people]


def _kept(found: list[tuple[int, int, Standing, Verdict]], wanted: set[int | None]) -> list[tuple[int, int, Standing, Verdict]]:
    """The best-ranked, and those asked for."""
    ordered = sorted(found, key=lambda one: one[:2])
    return ordered[:SHOWN] + [one for one in ordered[SHOWN:] if one[2].no in wanted]


def _chosen(decisions: Sequence[Decision], number: int | None) -> Decision | None:
    """The decision of that number (from 1), else the last one; None: nothing has been decided yet."""
    if number is not None and number > len(decisions):
        raise Unprocessable(f"decision: this booking has {len(decisions)}; they are counted from 1")
    return decisions[(number or len(decisions)) - 1] if decisions else None


def _row(market: Market, decision: Decision) -> dict[str, Any]:
    at = faces.clock_of(market.settings.time_zone)
    return {"wave": decision.wave, "kind": "fill" if decision.fill else "wave", "round": decision.round, "at": at(decision.at)}


def _said(verdict: Verdict) -> dict[str, Any]:
    return {"verdict": verdict.what, "reasons": [reason.value for reason in verdict.reasons], "text": list(verdict.text)}


def _whom(decision: Decision, waves: Sequence[Mapping[str, Any]], ids: Mapping[int, str]) -> dict[str, Any]:
    """Who got the seats of a decision."""
    asked, drawn = (
        [ids[pno] for event in waves if event["at"] == decision.at for pno in event.get(name) or ()] for name in ("asked", "drawn")
    )
    return {"seats": decision.size, "asked": asked, "drawn": drawn, "first_wave_skipped": decision.skipped}
