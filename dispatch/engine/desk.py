"""The desk: one coroutine per request of the booking service. It checks, asks the pure parts, and calls one verb."""

import secrets
from collections.abc import AsyncIterable, Sequence
from hashlib import sha1
from typing import Any

import anyio
import msgspec

from dispatch import forecast, hours, waves
from dispatch.engine import checks, direct, faces
from dispatch.engine.aftermath import Aftermath
from dispatch.engine.counteroffers import Counteroffers
from dispatch.engine.coverage import Coverage
from dispatch.engine.devices import Devices
from dispatch.engine.enrolment import Enrolment, number_of, provider_face
from dispatch.engine.explaining import Explaining
from dispatch.engine.follow_ups import FollowUps
from dispatch.engine.hands import OpsDesk
from dispatch.engine.people import person
from dispatch.engine.places import Places, Spot, packed
from dispatch.engine.requests import CancelRequest, MatchRequest
from dispatch.errors import Conflict, Forbidden, NotFound, Unprocessable
from dispatch.gazetteer import Gazetteer
from dispatch.habits import NONE_YET, Habits
from dispatch.identity import DeviceKeys
from dispatch.matcher import Fit, Query, fits, to_query
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings, Tier
from dispatch.store import Hand, Market, Store
from dispatch.store.bookings import plain
from dispatch.store.calls import wall_ms
from dispatch.store.hands import plain_hand

AT_ONCE_MS = 10_000  # for a change of settings to reach every provider; workers go on with a larger market


class Desk:
    """Everything a booking service or ops can ask for. Bodies are those of PROTOCOL.md section 1."""

    def __init__(self, store: Store, gazetteer: Gazetteer, keys: DeviceKeys) -> None:
        self._store = store
        self._places = Places(gazetteer)
        self._enrolment = Enrolment(store, self._places)
        self.devices = Devices(store, keys, self.market)
        self.aftermath = Aftermath(store)
        self.ops = OpsDesk(store, self.market, self.aftermath.working)
        self.counteroffers = Counteroffers(store, self.market)
        self.follow_ups = FollowUps(store, self.market)
        self.explaining = Explaining(store)
        self.coverage = Coverage(store, self._places)

    async def warm(self) -> None:
        """Reads what is slow to read, before the first request."""
        await self._places.warm()

    # -- markets --------------------------------------------------------------------------------------------------

    async def market(self, name: str) -> Market:
        """The market, with the engine time of now. Raises NotFound."""
        market = await self._store.markets.get(name)
        if market is None:
            raise NotFound(f"no market {name}; create it with PUT /v1/markets/{name}")
        return market

    async def put_market(self, name: str, settings: MarketSettings, hand: Hand | None = None, by: Hand | None = None) -> bool:
        """Creates or replaces a market's settings; whether it is new. What the match index says of providers follows them. ``by``: whose
        key it is, for the history."""
        checks.check_settings(settings)
        created = await self._store.markets.put_settings(name, settings, hand, by)
        market = await self.market(name)
        if await self._store.renewal.owed(market):
            await self._store.renewal.run(market, wall_ms() + AT_ONCE_MS)
        return created

    async def put_catalogue(self, name: str, catalogue: Catalogue, hand: Hand | None = None) -> bool:
        """Creates or replaces a market's catalogue; whether it had none."""
        checks.check_catalogue(catalogue)
        await self.market(name)
        return await self._store.markets.put_catalogue(name, catalogue, hand)

    async def put_areas(self, name: str, features: dict[str, Any], hand: Hand | None = None) -> bool:
        """Creates or replaces a market's own areas; whether it had none."""
        await self.market(name)
        return await self._store.markets.put_areas(name, await anyio.to_thread.run_sync(packed, features), hand)

    # -- providers ------------------------------------------------------------------------------------------------

    async def put_provider(self, name: str, provider_id: str, settings: ProviderSettings, hand: Hand | None = None) -> bool:
        """Creates or replaces a provider; whether he is new."""
        return await self._enrolment.put(await self.market(name), provider_id, settings, hand)

    async def import_providers(self, name: str, lines: AsyncIterable[bytes], allow_rank: bool, hand: Hand | None = None) -> dict[str, Any]:
        """Creates or replaces providers from NDJSON. One line of the audit log, when it begins."""
        market = await self.market(name)
        if hand is not None:
            await self._store.hands.note(name, hand, "import")
        return await self._enrolment.run(market, lines, allow_rank)

    async def provider(self, name: str, provider_id: str) -> dict[str, Any]:
        """A provider and how he stands."""
        return provider_face(await self._store.providers.get(name, provider_id))

    async def inbox(self, name: str, provider_id: str) -> dict[str, Any]:
        """What is open for a provider: the messages his devices would get in a snapshot."""
        standing = await self._store.providers.get(name, provider_id)
        items = await self._store.inbox.open_items(name, standing.no)
        return {"epoch": items.epoch, "seq": items.seq, "items": [msgspec.msgpack.decode(item) for item in items.items], "more": False}

    # -- bookings -------------------------------------------------------------------------------------------------

    async def match(self, name: str, request: MatchRequest) -> dict[str, Any]:
        """A dry run: candidates in order, the plan, and why others are left out."""
        market = await self.market(name)
        query, _ = await self._query(market, request)
        await self._check(market, request, query)
        minute = hours.local_minute(market.settings.time_zone, market.now)
        search, seen = new_search(market, query), await self._store.habits.read(name, market.now)
        by = waves.by_quickness(market.settings, search, market.now, seen)
        found = await self._store.bookings.match(name, query, minute=minute, k=request.limit, client_id=request.client_id, by=by)
        ids = await self._store.providers.ids(name, [no for no, *_ in found.first])
        held = direct.held(market, search, await direct.choose(self._store, market, request, query))
        planned = waves.plan(market.settings, held, found.count, market.now, seen, behind=found.behind)
        body: dict[str, Any] = {
            "count": found.count,
            "candidates": [_candidate(provider, entry) for provider, entry in zip(ids, found.first, strict=True)],
            "urgency": waves.urgency_of(market.settings, search.start, market.now).value,
            "plan": faces.plan_face(planned, market.settings.time_zone),
            "expected_minutes": await self._expected(market, search, planned),
        }
        return {**body, "left_out": await self._left_out(market, query, request, minute)} if request.explain else body

    async def _left_out(self, market: Market, query: Query, request: MatchRequest, minute: int) -> dict[str, Any]:
        counts, left = await self._store.bookings.census(market.id, query, minute=minute, client_id=request.client_id)
        asked_for = [await self._store.providers.number(market.id, one) for one in request.explain_ids]
        numbers = list(dict.fromkeys([*left, *(no for no in asked_for if no is not None)]))
        client = await self._store.bookings.client_number(market.id, request.client_id)
        blocked = await self._store.bookings.blocked(market.id, client) if client is not None else set()
        people = await self._store.providers.standings(market.id, numbers)
        judged = [(one.id, fits(query, person(one, blocked=one.no in blocked), market.settings, market.now)) for one in people]
        return {"counts": counts, "providers": [{"provider_id": one, "reasons": list(fit.reasons)} for one, fit in judged if not fit]}

    async def open(
        self, name: str, request: BookingRequest, rid: str, may_override: bool, as_read: Market | None = None, hand: Hand | None = None
    ) -> dict[str, Any]:
        """Opens a booking; its first wave leaves in the same step. The 201 body. ``as_read``: the market, when it was read just now."""
        market = as_read or await self.market(name)
        if request.override is not None and not may_override:
            raise Forbidden("override needs a key with an ops role; leave it out, or use such a key")
        query, spot = await self._query(market, request)
        search, choice = new_search(market, query), None
        try:
            await self._check(market, request, query)
            choice = await direct.choose(self._store, market, request, query)
            search = direct.held(market, search, choice)
        except Unprocessable:
            reply = await self._store.bookings.answered(name, rid)
            if reply is None:
                raise
            # else a repeat, by one who did not hear the answer: what was right then is not judged again
        else:
            seen = await self._store.habits.read(name, market.now) if market.settings.learns else NONE_YET
            opening = _opening(market, request, query, spot, search, choice, seen)
            reply = await self._store.bookings.open(name, **opening, rid=rid, hand=plain_hand(hand))
        if reply["word"] == "MISMATCH":
            raise Unprocessable("this Idempotency-Key came with another booking; use a fresh key", code="idempotency_mismatch")
        if reply["word"] == "DUPLICATE":
            raise Conflict(f"booking {request.booking_id} exists already; GET it, or choose another booking_id", code="duplicate")
        if reply["word"] == "BLOCKED":
            raise Unprocessable("this client is blocked in this market", code="blocked")
        return await self._opened(market, request, query, search, reply, fits_chosen=choice is not None and choice.fits)

    async def _opened(
        self, market: Market, request: BookingRequest, query: Query, search: waves.Search, reply: Any, *, fits_chosen: bool
    ) -> dict[str, Any]:
        minute = hours.local_minute(market.settings.time_zone, market.now)
        arguments = {"query": plain(query), "minute": minute, "client_id": request.client_id}
        count, behind = await self._store.bookings.tally(market.id, arguments, reply)
        at, deadline = reply["at"], reply["deadline"]
        opened = msgspec.structs.replace(search, opened_at=at, paced_at=at, deadline=deadline)
        left = count - (fits_chosen and opened.hold != 0)
        planned = waves.plan(market.settings, opened, left, at, await self._store.habits.read(market.id, market.now), behind=behind)
        return {
            "booking_id": request.booking_id,
            "state": "searching",
            "urgency": reply["urgency"],
            "candidates": count,
            "plan": faces.plan_face(planned, market.settings.time_zone),
            "expected_minutes": await self._expected(market, opened, planned),
            "deadline": faces.clock_of(market.settings.time_zone)(deadline),
            "direct": await direct.face(self._store, market.id, reply),
        }

    async def _expected(self, market: Market, search: waves.Search, planned: Sequence[waves.PlannedWave]) -> float | None:
        """Minutes from the first wave to an accept, as this market's providers have answered so far (R19)."""
        habits = await self._store.habits.read(market.id, market.now)
        return forecast.expected_minutes(market.settings, search.start, search.deadline, planned, habits)

    async def _query(self, market: Market, request: BookingRequest) -> tuple[Query, Spot]:
        """What the booking asks."""
        spot = await self._places.spot(market, round(request.place.lat * 1e6), round(request.place.lng * 1e6))
        return to_query(request, spot.codes, market.settings), spot

    async def _check(self, market: Market, request: BookingRequest, query: Query) -> None:
        """Whether it may be asked now. Raises Unprocessable."""
        checks.check_services(market, request.services)
        checks.check_windows(market, query.windows)
        checks.check_lead(market, min(window.start for window in query.windows), request.override is not None)
        checks.check_place(market.settings, query.lat, query.lng)
        if market.settings.bounds is None:
            regions = checks.regions_around(request.place.lat, request.place.lng)
            checks.refuse_outside(await self._store.bookings.in_reach(market.id, regions))

    async def cancel(
        self, name: str, booking_id: str, request: CancelRequest, rid: str, as_read: Market | None = None, hand: Hand | None = None
    ) -> dict[str, Any]:
        """The client, ops, or the provider who holds it cancel a booking."""
        return await self.aftermath.cancel(name, booking_id, request, rid, as_read, hand)

    async def booking(self, name: str, booking_id: str) -> dict[str, Any]:
        """A booking as it stands."""
        market = await self.market(name)
        record = await self._store.bookings.get(name, booking_id)
        offered = await self._store.counteroffers.of(name, record.no)
        numbers = sorted(record.proposals)
        ids = dict(zip(numbers, await self._store.providers.ids(name, numbers), strict=True))
        following, chance = None, None
        if record.state == "searching":
            seen = await self._store.habits.read(name, market.now)
            following = waves.next_wave_at(market.settings, record.search(), market.now, seen)
            chance = waves.fill_chance(market.settings, record.search(), market.now, seen)
        if following is not None and following >= record.deadline:
            following = None
        face = faces.booking_face(record, ids, market, following, offered)
        return {**face, "fill_chance": None if chance is None else round(chance, 3)}

    async def timeline(self, name: str, booking_id: str) -> dict[str, Any]:
        """Every event of a booking, in order."""
        market = await self.market(name)
        record = await self._store.bookings.get(name, booking_id)
        events = await self._store.bookings.timeline(name, record.no)
        numbers = faces.numbers_in(events)
        ids = dict(zip(numbers, await self._store.providers.ids(name, numbers), strict=True))
        return {"events": [faces.event_face(event, ids, market.settings.time_zone) for event in events]}

    async def explain(self, name: str, booking_id: str, provider_id: str) -> dict[str, Any]:
        """Why a provider was asked for a booking, or what left him out when it was decided (R8)."""
        return await self.explaining.provider(await self.market(name), booking_id, provider_id)

    # -- blocks ---------------------------------------------------------------------------------------------------

    async def put_block(self, name: str, client_id: str, reason: str, hand: Hand | None = None) -> bool:
        """Blacklists a client; whether he was not. His open bookings are called off, and those who hold visits of his told (R29)."""
        await self.market(name)
        word = await self._store.bookings.block(name, client_id, pno=None, on=True, reason=reason, hand=hand)
        await self._store.bookings.clear(name, client_id)
        return word == "CREATED"

    async def delete_block(self, name: str, client_id: str, hand: Hand | None = None) -> None:
        """Takes a client off the blacklist. Raises NotFound."""
        await self.market(name)
        if await self._store.bookings.block(name, client_id, pno=None, on=False, hand=hand) == "ABSENT":
            raise NotFound(f"client {client_id} is not blocked")

    async def put_provider_block(self, name: str, provider_id: str, client_id: str, by: str = "provider", hand: Hand | None = None) -> bool:
        """Keeps a provider and a client apart, as one of them wants it; whether he did not before."""
        number = await number_of(self._store, name, provider_id)
        return await self._store.bookings.block(name, client_id, pno=number, on=True, by=by, hand=hand) == "CREATED"

    async def delete_provider_block(
        self, name: str, provider_id: str, client_id: str, by: str = "provider", hand: Hand | None = None
    ) -> None:
        """Of a provider and a client, one does not block the other any more. Raises NotFound when he did not."""
        number = await number_of(self._store, name, provider_id)
        if await self._store.bookings.block(name, client_id, pno=number, on=False, by=by, hand=hand) == "ABSENT":
            raise NotFound(f"{provider_id} and {client_id} are not blocked by the {by}")


def ends_of(market: Market, query: Query) -> list[int]:
    """When the search for each window ends, if it begins now (R11, R17)."""
    return [waves.deadline_of(market.settings, window.start, market.now) for window in query.windows]


def new_search(market: Market, query: Query) -> waves.Search:
    """The search of a booking that is opened now."""
    start = min(window.start for window in query.windows)
    deadline = min(ends_of(market, query))
    return waves.Search(start=start, opened_at=market.now, deadline=deadline, wave=0, paced_at=market.now, tried=False)


def _candidate(provider_id: str, entry: tuple[int, Tier, float, int | None, list[int]]) -> dict[str, Any]:
    _, tier, score, distance, windows = entry
    rounded = None if distance is None else round(distance, -2)
    return {"provider_id": provider_id, "tier": tier.value, "score": score, "distance_m": rounded, "windows": windows}


def _opening(
    market: Market, request: BookingRequest, query: Query, spot: Spot, search: waves.Search, choice: direct.Choice | None, habits: Habits
) -> dict[str, Any]:
    """The arguments of the verb `open`."""
    step = waves.next_step(market.settings, search, market.now, habits)
    area = {"name": spot.name, "h3": spot.h3}
    seen = {
        "booking_id": request.booking_id,
        "services": query.services,
        "area": area,
        "price_cents": request.price_cents,
        "currency": request.currency,
        "note": request.note,
    }
    minute = hours.local_minute(market.settings.time_zone, market.now)
    who = {"lat": query.lat, "lng": query.lng, "note": request.note, "address": request.place.address or ""}
    if request.override:
        who["override"] = request.override.reason
    who |= {name: value for name, value in (("preferred", request.preferred_provider_id), ("link", request.link)) if value is not None}
    plan = None
    if step.release is not None:
        plan = {**msgspec.structs.asdict(step.release), "minute": minute, "ready": 0, "urgency": step.urgency.value}
    if plan is not None and choice is not None and search.hold == waves.OWED:
        plan |= choice.plan()
    return {
        **direct.opening(search, choice),
        "print": sha1(msgspec.json.encode(request)).hexdigest(),
        "booking_id": request.booking_id,
        "client_id": request.client_id,
        "who": who,
        "query": plain(query),
        "windows": [(window.start, window.end) for window in query.windows],
        "ends": ends_of(market, query),
        "services": query.services,
        "area": area,
        "face": b"".join(msgspec.msgpack.encode(part) for pair in seen.items() for part in pair),
        "face_pairs": len(seen),
        "price": request.price_cents,
        "currency": request.currency,
        "urgency": step.urgency.value,
        "start": search.start,
        "deadline": search.deadline,
        "override": request.override is not None or None,
        "reason": request.override.reason if request.override else None,
        "seed": secrets.randbits(32),
        "plan": plan,
        "due": step.due,
        "minute": minute,
    }


__all__ = ["Desk", "Fit", "new_search", "person"]
