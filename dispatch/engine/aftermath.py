"""After the accept: a booking is cancelled, moved, given to another, completed, or its provider does not come. One coroutine per request.

What is given back to a provider depends on his own hours: they are read first, and a verb that finds another holder, or other hours, is
asked again with those.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, NoReturn

import msgspec

from dispatch import waves
from dispatch.engine import checks, faces
from dispatch.engine.hands import refuse_held
from dispatch.engine.requests import CancelRequest, LateRequest, MoveRequest, NoShowRequest, SearchAgainRequest, Windows
from dispatch.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable, Unprocessable
from dispatch.messages import Cancel, Late
from dispatch.model import Span
from dispatch.store import Hand, Market, Record, Store
from dispatch.store.footprint import working_quarters
from dispatch.store.hands import plain_hand

TRIES = 8

Answer = dict[str, Any]
Verb = Callable[..., Awaitable[Mapping[str, Any]]]


class Aftermath:
    """Everything that can become of a booking that somebody holds, or held. Bodies are those of the interface."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def _market(self, name: str) -> Market:
        market = await self._store.markets.get(name)
        if market is None:
            raise NotFound(f"no market {name}; create it with PUT /v1/markets/{name}")
        return market

    # -- cancel (R35, R36) ----------------------------------------------------------------------------------------------

    async def cancel(
        self, name: str, booking_id: str, request: CancelRequest, rid: str, as_read: Market | None = None, hand: Hand | None = None
    ) -> Answer:
        """The client, ops, or the provider who holds it cancel a booking. ``as_read``: the market, when it was read just now."""
        market = as_read or await self._market(name)
        if request.declares and request.by != "provider":
            raise Unprocessable(f"declares is a provider's word; leave it out when the {request.by} cancels", code="invalid")
        say = {"rid": rid, "by": request.by, "reason": request.reason, "declared": request.declares, "hand": plain_hand(hand)}
        reply = await self._settled(self._store.bookings.cancel, market, booking_id, lambda record: say | _reopening(market, record))
        refuse_held(booking_id, reply)
        if reply["word"] == "WRONG_STATE":
            raise Conflict(f"booking {booking_id} is {reply['state']}; it cannot be cancelled by {request.by} now")
        return {"booking_id": booking_id, "state": "cancelled" if reply["word"] == "CANCELLED" else "searching"}

    async def give_back(self, name: str, pno: int, command: Cancel) -> str:
        """A provider's own device cancels a visit of his: done, or not_yours."""
        market = await self._market(name)
        no = await self._store.bookings.number(name, command.booking_id)
        if no is None:
            return "not_yours"
        say = {"rid": f"{pno}:{command.id}", "by": "provider", "reason": command.reason or "", "declared": command.declares, "device": pno}
        for _ in range(TRIES):
            (record,) = await self._store.bookings.records(name, [no])
            seen, working = await self.working(market, record)
            arguments = say | _reopening(market, record) | {"bno": no, "winner": pno, "seen": seen, "working": working}
            reply = await self._store.bookings.cancel(name, **arguments)
            if reply["word"] == "STALE" and record.winner == pno:
                continue
            _check_id(reply)
            return "done" if reply["word"] in ("CANCELLED", "REOPENED") else "not_yours"
        raise Unavailable("this booking changes all the time; retry with the same id")

    # -- other windows (R36), another provider (R37) ----------------------------------------------------------------------

    async def move(
        self, name: str, booking_id: str, request: MoveRequest, rid: str, may_override: bool, as_read: Market | None = None
    ) -> Answer:
        """The client wants other windows: a new round begins, and whoever held it has the first word."""
        market = as_read or await self._market(name)
        if request.override is not None and not may_override:
            raise Forbidden("override needs a key with an ops role; leave it out, or use such a key")
        spans = _spans(request.windows)
        say = {"rid": rid, "print": _print(request), **_windows(market, spans)}
        say |= {"override": request.override is not None or None, "reason": request.override.reason if request.override else None}
        say["ends"] = [waves.deadline_of(market.settings, span.start, market.now) for span in spans]

        def check() -> None:
            checks.check_windows(market, spans)
            checks.check_lead(market, say["start"], request.override is not None)

        return await self._anew(self._store.visits.move, market, booking_id, say, check, "moved")

    async def search_again(
        self, name: str, booking_id: str, request: SearchAgainRequest, rid: str, as_read: Market | None = None
    ) -> Answer:
        """Ops want another provider in the place of one who did not come, or is late."""
        market, spans = as_read or await self._market(name), _spans(request.windows)
        until = round(request.until.timestamp() * 1_000) if request.until else None
        say = {"rid": rid, "print": _print(request), **_windows(market, spans), "reason": request.reason}
        say["ends"] = [span.start if until is None else min(until, span.end) for span in spans]

        def check() -> None:
            checks.check_windows(market, spans)
            if until is not None and until <= market.now:
                raise Unprocessable("until has passed; say a moment to come, or leave it out", code="bad_window")

        return await self._anew(self._store.visits.search_again, market, booking_id, say, check, "searched for again")

    async def _anew(self, verb: Verb, market: Market, booking_id: str, say: Answer, check: Callable[[], None], what: str) -> Answer:
        try:
            check()
        except Unprocessable:
            reply = await self._store.bookings.answered(market.id, say["rid"])
            if reply is None:
                raise
            # else a repeat, by one who did not hear the answer: what was right then is not judged again
        else:
            reply = await self._settled(verb, market, booking_id, lambda _: say)
        refuse_held(booking_id, reply)
        match reply["word"]:
            case "WRONG_STATE":
                raise Conflict(f"booking {booking_id} is {reply['state']}; it cannot be {what} now")
            case "NOT_REPORTED":
                raise Conflict(
                    f"booking {booking_id} is held, and nobody said that its provider is late; POST .../late or .../no-show first"
                )
            case "BLOCKED":
                raise Unprocessable("this client is blocked in this market", code="blocked")
        at = faces.clock_of(market.settings.time_zone)
        return {"booking_id": booking_id, "state": "searching", "urgency": reply["urgency"], "deadline": at(reply["deadline"])}

    # -- facts (R37, R38) -------------------------------------------------------------------------------------------------

    async def complete(self, name: str, booking_id: str, rid: str) -> Answer:
        """The visit took place."""
        market = await self._market(name)
        record = await self._store.bookings.get(name, booking_id)
        reply = await self._store.visits.complete(name, bno=record.no, rid=rid)
        return self._fact(market, booking_id, reply, "completed", "it can be completed")

    async def no_show(self, name: str, booking_id: str, request: NoShowRequest, rid: str) -> Answer:
        """The provider did not come."""
        market = await self._market(name)
        record = await self._store.bookings.get(name, booking_id)
        reply = await self._store.visits.no_show(name, bno=record.no, rid=rid, **_report(market, request))
        return self._fact(market, booking_id, reply, "a no-show", "that he did not come can be said")

    async def late(self, name: str, booking_id: str, request: LateRequest, rid: str) -> Answer:
        """The provider is late, or says that he will be."""
        market = await self._market(name)
        record = await self._store.bookings.get(name, booking_id)
        reply = await self._store.visits.late(name, bno=record.no, rid=rid, **_report(market, request), minutes=request.minutes)
        return self._fact(market, booking_id, reply, "late", "that he is late can be said")

    async def will_be_late(self, name: str, pno: int, command: Late) -> str:
        """A provider's own device says that he will be late: done, or not_yours."""
        market, no = await self._market(name), await self._store.bookings.number(name, command.booking_id)
        if no is None:
            return "not_yours"
        request = LateRequest(by="provider", minutes=command.minutes)
        said = {**_report(market, request), "minutes": command.minutes, "p": pno, "print": _print(command)}
        reply = await self._store.visits.late(name, bno=no, rid=f"{pno}:{command.id}", **said)
        _check_id(reply)
        return "done" if reply["word"] == "DONE" else "not_yours"

    def _fact(self, market: Market, booking_id: str, reply: Mapping[str, Any], what: str, when: str) -> Answer:
        if reply["word"] == "MISMATCH":
            _mismatch()
        refuse_held(booking_id, reply)
        if reply["word"] == "WRONG_STATE":
            raise Conflict(f"booking {booking_id} is {reply['state']}; it cannot be {what} now")
        if reply["word"] == "TOO_EARLY":
            first = datetime.fromtimestamp(reply["from"] / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            raise Unprocessable(f"too early: {when} from {first} on", code="too_early")
        return {"booking_id": booking_id, "state": reply.get("state", "completed")}

    # -- what is given back -----------------------------------------------------------------------------------------------

    async def _settled(self, verb: Verb, market: Market, booking_id: str, say: Callable[[Record], Answer]) -> Mapping[str, Any]:
        """Asks the verb until it finds the holder, and the hours, that we know. Raises Unavailable, Unprocessable."""
        for _ in range(TRIES):
            record = await self._store.bookings.get(market.id, booking_id)
            seen, working = await self.working(market, record)
            reply = await verb(market.id, **say(record), bno=record.no, winner=record.winner or 0, seen=seen, working=working)
            if reply["word"] == "MISMATCH":
                _mismatch()
            if reply["word"] != "STALE":
                return reply
        raise Unavailable("this booking changes all the time; retry with the same key")

    async def working(self, market: Market, record: Record) -> tuple[int, list[int]]:
        """The winner's version, and the quarters of his own hours that his visit takes, gap included."""
        if record.winner is None or record.window is None:
            return 0, []
        version = await self._store.bookings.holder_version(market.id, record.winner)  # read first: what changes after it is noticed
        holders = await self._store.providers.standings(market.id, [record.winner])
        visit, gap = record.windows[record.window], market.settings.travel_gap_s * 1_000
        hours_of = [working_quarters(one.settings, market.settings.time_zone, visit.start - gap, visit.end + gap) for one in holders]
        return version, [quarter for quarters in hours_of for quarter in quarters]


def _reopening(market: Market, record: Record) -> Answer:
    """How the search goes on when its holder gives it back: until when for each window, and in the class of the time left."""
    ends = [waves.reopened_deadline(market.settings, window.start, market.now) for window in record.windows]
    return {"ends": ends, "urgency": waves.urgency_of(market.settings, record.start, market.now).value}


def _spans(windows: Windows) -> tuple[Span, ...]:
    return tuple(Span(round(one.start.timestamp() * 1_000), round(one.end.timestamp() * 1_000)) for one in windows)


def _windows(market: Market, spans: Sequence[Span]) -> Answer:
    start = min(span.start for span in spans)
    urgency = waves.urgency_of(market.settings, start, market.now).value
    return {"windows": [(span.start, span.end) for span in spans], "start": start, "urgency": urgency}


def _report(market: Market, request: NoShowRequest | LateRequest) -> Answer:
    wait = market.settings.no_show_after_s * 1_000
    return {"print": _print(request), "by": request.by, "reason": request.reason, "wait": wait}


def _print(request: msgspec.Struct) -> str:
    return sha1(msgspec.json.encode(request)).hexdigest()


def _check_id(reply: Mapping[str, Any]) -> None:
    if reply["word"] == "MISMATCH":
        raise BadRequest("this id came before with other content; make a new id for a new command")


def _mismatch() -> NoReturn:
    raise Unprocessable("this Idempotency-Key came with another request; use a fresh key", code="idempotency_mismatch")
