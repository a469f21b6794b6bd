"""What ops do by hand at the desk: take a booking over and give it back or away, have somebody asked again, extend a search; alarms, audit.

R83: while ops have a booking, only its owner moves it. Filters are those of matching; what may be overridden with a reason is decided here
(decision 28), what may not is judged once more by the verb.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from dispatch import waves
from dispatch.engine import faces
from dispatch.engine.people import person
from dispatch.engine.requests import AssignRequest, AuditPage, ExtendRequest, HandBackRequest, ReopenRequest, TakeOverRequest
from dispatch.errors import Conflict, Unavailable, Unprocessable
from dispatch.matcher import Query, fits
from dispatch.model import CircleZone, Reason
from dispatch.store import Audited, Changed, Hand, Market, Record, Standing, Store
from dispatch.zones import distance_m

TRIES = 8
SHOWN = 200  # alarms told at once
BINDING = frozenset((Reason.STATUS, Reason.OVERLAP, Reason.BLOCKED))  # no word of ops goes against these
Working = Callable[[Market, Record], Awaitable[tuple[int, list[int]]]]


class OpsDesk:
    """The desk's part for ops."""

    def __init__(self, store: Store, market: Callable[[str], Awaitable[Market]], working: Working) -> None:
        self._store, self._market, self._working = store, market, working

    async def take_over(self, name: str, booking_id: str, request: TakeOverRequest, hand: Hand, rid: str) -> dict[str, Any]:
        """From now on the booking is his. Raises Conflict: it is another's, or it has ended."""
        await self._market(name)
        record = await self._store.bookings.get(name, booking_id)
        reply = await self._store.hands.take_over(name, hand, bno=record.no, rid=rid, reason=request.reason)
        _refuse(booking_id, reply, "it is over, and cannot be taken over")
        return {"booking_id": booking_id, "state": "taken_over", "by": hand.name}

    async def hand_back(self, name: str, booking_id: str, request: HandBackRequest, hand: Hand, rid: str, *, any_: bool) -> dict[str, Any]:
        """The engine goes on with it. ``any_``: he may give back what another has taken over (a manager)."""
        await self._market(name)
        record = await self._store.bookings.get(name, booking_id)
        arguments = {"bno": record.no, "rid": rid, "reason": request.reason, "any": any_}
        reply = await self._store.hands.hand_back(name, hand, **arguments)
        _refuse(booking_id, reply, "nobody has taken it over")
        return {"booking_id": booking_id, "state": reply["state"]}

    async def assign(self, name: str, booking_id: str, request: AssignRequest, hand: Hand, rid: str) -> dict[str, Any]:
        """The provider has won it. Raises Conflict, Unprocessable ``unfit`` with the filters that leave him out."""
        market = await self._market(name)
        for _ in range(TRIES):
            record = await self._store.bookings.get(name, booking_id)
            one = await self._store.providers.get(name, request.provider_id)
            mine = record.state == "taken_over" and record.owner == hand.key  # else the verb says why not
            window = await self._window(market, record, one, request) if mine else 0
            held, working = await self._working(market, record)
            reply = await self._store.hands.assign(
                name,
                hand,
                bno=record.no,
                rid=rid,
                reason=request.override.reason if request.override else request.reason,
                override=request.override is not None,
                p=one.no,
                seen=one.version,
                wanted=-1 if request.window is None else request.window,
                window=window,
                far=_far(record, one),
                holder=record.winner or 0,
                held=held,
                working=working,
            )
            _refuse(booking_id, reply, "take it over first")
            if reply["word"] != "STALE":
                return _given(booking_id, request.provider_id, reply["word"])
        raise Unavailable("this booking or provider changes all the time; retry with the same key")

    async def _window(self, market: Market, record: Record, one: Standing, request: AssignRequest) -> int:
        """The index of the window in which he is to come. Raises Unprocessable."""
        indexes = range(len(record.windows)) if request.window is None else (request.window,)
        if indexes[-1] >= len(record.windows):
            raise Unprocessable(f"window: this booking has {len(record.windows)}; send the index of one of them, from 0", code="bad_window")
        if record.winner == one.no:
            return indexes[0]  # the verb will say that he holds it
        p = record.proposals.get(one.no)
        refused = p is not None and p.round == record.round and p.state == "refused"
        found = [(index, await self._reasons(market, record, one, index, asked=refused)) for index in indexes]
        allowed = [index for index, reasons in found if not reasons or (request.override and not BINDING.intersection(reasons))]
        fitting = [index for index, reasons in found if not reasons]
        if not allowed:
            raise _unfit(request.provider_id, found[0][1])
        return (fitting or allowed)[0]

    async def _reasons(self, market: Market, record: Record, one: Standing, index: int, *, asked: bool) -> tuple[Reason, ...]:
        """Why he should not come in that window."""
        blocked = one.no in await self._store.bookings.blocked(market.id, record.client)
        query = msgspec.structs.replace(query_of(record), windows=(record.windows[index],))
        return fits(query, person(one, blocked=blocked, asked=asked), market.settings, market.now).reasons

    async def reopen(self, name: str, booking_id: str, request: ReopenRequest, hand: Hand | None, rid: str) -> dict[str, Any]:
        """Somebody who was asked in this round is asked again, now. Raises Conflict, Unprocessable ``unfit``, ``quiet_hours``."""
        market, himself = await self._market(name), request.by == "provider"
        for _ in range(TRIES):
            record = await self._store.bookings.get(name, booking_id)
            one = await self._store.providers.get(name, request.provider_id)
            asking = await self._asking(market, record, one, himself=himself) if record.state == "searching" else {}
            arguments = {"bno": record.no, "rev": record.rev, "rid": rid, "reason": request.reason, "p": one.no, **asking}
            reply = await self._store.hands.reopen(name, hand, himself=himself, **arguments)
            _refuse(booking_id, reply, "only a search can ask again; hand it back or extend it first")
            if reply["word"] == "ASKED":
                return {"booking_id": booking_id, "provider_id": request.provider_id, "state": "open"}
            if reply["word"] != "STALE":
                raise _not_asked(request.provider_id, reply["word"])
        raise Unavailable("this booking or provider changes all the time; retry with the same key")

    async def _asking(self, market: Market, record: Record, one: Standing, *, himself: bool) -> dict[str, Any]:
        """With what he is asked. Who asks for it himself is not disturbed by it, at whatever hour. Raises Unprocessable."""
        settings, now = market.settings, market.now
        if not himself and waves.allowed_from(settings, record.search(), now) > now:
            raise Unprocessable("it is quiet hours, and this booking is not last-minute; ask him when they end", code="quiet_hours")
        blocked = one.no in await self._store.bookings.blocked(market.id, record.client)
        p = record.proposals.get(one.no)
        fit = fits(query_of(record), person(one, blocked=blocked), settings, now)
        against = tuple(reason for reason in fit.reasons if not (himself and reason is Reason.DO_NOT_DISTURB))
        if against and p is not None and p.state != "open":
            raise _unfit(one.id, against)
        urgency = waves.urgency_of(settings, record.start, now)
        until = waves.answer_by(settings, urgency, now, record.deadline)
        asking = {"seen": one.version, "windows": fit.windows, "far": _far(record, one)}
        return {**asking, "answer_by": until, "urgency": urgency.value}

    async def extend(self, name: str, booking_id: str, request: ExtendRequest, hand: Hand | None, rid: str) -> dict[str, Any]:
        """The search of a booking that nobody took goes on. Raises Conflict, Unprocessable ``too_late``, ``bad_window``."""
        market = await self._market(name)
        at = faces.clock_of(market.settings.time_zone)
        for _ in range(TRIES):
            record = await self._store.bookings.get(name, booking_id)
            ends = _ends(market, record, request) if record.state == "unfilled" else []
            arguments = {"bno": record.no, "rev": record.rev, "rid": rid, "ends": ends, "reason": request.reason}
            reply = await self._store.hands.extend(name, hand, **arguments)
            _refuse(booking_id, reply, "only one that is unfilled can be extended")
            if reply["word"] == "EXTENDED":
                left = min((end for end in ends if end > market.now), default=reply["deadline"])
                return {"booking_id": booking_id, "state": "searching", "deadline": at(left)}
        raise Unavailable("this booking changes all the time; retry with the same key")

    # -- looking --------------------------------------------------------------------------------------------------

    async def alarms(self, name: str) -> dict[str, Any]:
        """What ops must see to, longest first; at most 200."""
        market = await self._market(name)
        at = faces.clock_of(market.settings.time_zone)
        found = await self._store.hands.alarms(name, market.now, SHOWN)
        numbers = list(dict.fromkeys(alarm.bno for alarm in found))
        records = {record.no: record for record in await self._store.bookings.records(name, numbers)}
        return {"alarms": [_alarm_face(alarm.kind, records[alarm.bno], at(alarm.since)) for alarm in found if alarm.bno in records]}

    async def audit(self, name: str, page: AuditPage) -> dict[str, Any]:
        """A page of the audit log, newest first; ``next`` is the ``before`` of the following one."""
        market = await self._market(name)
        at = faces.clock_of(market.settings.time_zone)
        lines = await self._store.hands.audit(name, page.before, page.limit)
        bookings = await self._store.bookings.outside_ids(name, sorted({line.facts["b"] for line in lines if "b" in line.facts}))
        people = sorted({line.facts["p"] for line in lines if line.facts.get("p") is not None})
        providers = dict(zip(people, await self._store.providers.ids(name, people), strict=True))
        entries = [{"at": at(line.at), **_line_face(line, bookings, providers)} for line in lines]
        return {"entries": entries, "next": _following(lines, page)}

    async def settings_history(self, name: str, page: AuditPage) -> dict[str, Any]:
        """A page of what changes of the market's settings changed, newest first; ``next`` is the ``before`` of the following one."""
        market = await self._market(name)
        at = faces.clock_of(market.settings.time_zone)
        found = await self._store.markets.history(name, page.before, page.limit)
        entries = [
            {
                "number": one.number,
                "at": at(one.at),
                "who": one.name or one.by,
                "key": one.by,
                "audit": one.audit,
                "created": one.created,
                "changes": [change._asdict() for change in one.changes],
            }
            for one in found
        ]
        return {"entries": entries, "next": _following(found, page)}


def _following(found: Sequence[Audited | Changed], page: AuditPage) -> int | None:
    """The ``before`` of the page after the one that has these lines; None: there is none."""
    return found[-1].number if len(found) == page.limit and found[-1].number > 1 else None


def query_of(record: Record) -> Query:
    """What a booking asks of the index."""
    return msgspec.convert({name: value for name, value in record.query.items() if name != "client"}, Query)


def refuse_held(booking_id: str, reply: Mapping[str, Any]) -> None:
    """What is said to whoever would move a booking that another has taken over (P10). Raises Conflict."""
    if reply["word"] == "HELD":
        owner = reply["owner"]
        raise Conflict(f"{owner} has taken booking {booking_id} over; {owner} or a manager can hand it back", code="taken_over")


def _refuse(booking_id: str, reply: Mapping[str, Any], otherwise: str) -> None:
    """What every verb of ops may answer. Raises Conflict, Unprocessable."""
    refuse_held(booking_id, reply)
    if reply["word"] == "MISMATCH":
        raise Unprocessable("this Idempotency-Key came with something else; use a fresh key", code="idempotency_mismatch")
    if reply["word"] == "WRONG_STATE":
        raise Conflict(f"booking {booking_id} is {reply['state']}; {otherwise}")


def _given(booking_id: str, provider_id: str, word: str) -> dict[str, Any]:
    """What an assignment came to. Raises Conflict, Unprocessable."""
    if word == "ALREADY_YOURS":
        raise Conflict(f"{provider_id} holds booking {booking_id} already; hand it back, and he keeps it")
    if word == "EXPIRED":
        raise Unprocessable("that visit is over; choose a window that is not", code="too_late")
    if word in ("OVERLAP", "NOT_ASKED"):
        raise _unfit(provider_id, (Reason.OVERLAP if word == "OVERLAP" else Reason.BLOCKED,))
    return {"booking_id": booking_id, "state": "accepted", "provider_id": provider_id}


def _unfit(provider_id: str, reasons: tuple[Reason, ...]) -> Unprocessable:
    said = ", ".join(reason.value for reason in reasons)
    binding = ", ".join(reason.value for reason in reasons if reason in BINDING)
    right = f"{binding} cannot be overridden" if binding else 'send "override": {"reason": ...} to assign him all the same'
    return Unprocessable(f"{provider_id} does not fit: {said}; {right}", code="unfit")


def _not_asked(provider_id: str, word: str) -> Conflict | Unprocessable:
    if word == "NOT_ASKED":
        return Conflict(f"{provider_id} has not been asked; the waves will when it is his turn, or take the booking over and assign it")
    if word == "NOT_HIS":
        return Conflict(f"{provider_id} has not refused it, so he has nothing to take back; ops may have him asked again")
    if word == "ALREADY":
        return Conflict(f"{provider_id} has the proposal before him")
    return _unfit(provider_id, (Reason.OVERLAP,) if word == "OVERLAP" else (Reason.UNREACHABLE,))


def _far(record: Record, one: Standing) -> int:
    """How far it is from the centre of his zone (m), -1 where it has none."""
    zone, query = one.settings.zone, record.query
    if not isinstance(zone, CircleZone) or "lat" not in query:
        return -1
    return round(distance_m(round(zone.lat * 1e6), round(zone.lng * 1e6), query["lat"], query["lng"]))


def _ends(market: Market, record: Record, request: ExtendRequest) -> list[int]:
    """When the extended search for each window ends. Raises Unprocessable."""
    until = None if request.until is None else round(request.until.timestamp() * 1_000)
    if until is not None and until <= market.now:
        raise Unprocessable("until lies in the past; leave it out, or send a moment to come", code="bad_window")
    ends = [waves.extended_deadline(market.settings, window.start, market.now, until) for window in record.windows]
    if max(ends) <= market.now:
        margin = market.settings.reopened_deadline_s
        raise Unprocessable(f"a search ends {margin} s before the start at the latest, and that has passed; move it", code="too_late")
    return ends


def _line_face(line: Audited, bookings: Mapping[int, str], providers: Mapping[int, str]) -> dict[str, Any]:
    facts = line.facts
    return {
        "number": line.number,
        "who": line.name or line.by,
        "key": line.by,
        "what": line.what,
        "why": line.why,
        "booking_id": bookings.get(facts.get("b", 0)),
        "provider_id": providers.get(facts.get("p") or 0),
        "override": bool(facts.get("override")),
    }


def _alarm_face(kind: str, record: Record, since: str | None) -> dict[str, Any]:
    owner = record.who.get("owner")
    return {"kind": kind, "booking_id": record.who.get("booking_id"), "state": record.state, "since": since, "owner": owner}
