"""Counteroffers at the desk: what the client answers to other times that a provider proposed (R24)."""

from collections.abc import Awaitable, Callable
from typing import Any

from dispatch.counteroffers import rules_of
from dispatch.engine import faces
from dispatch.engine.requests import CounterofferAccept
from dispatch.errors import Conflict, NotFound, Unprocessable
from dispatch.store import Counteroffer, Market, Record, Store

WHY = {  # why the client cannot have it, by the word of the verb
    "HELD": "it waits until the others who were asked have answered; you are told when it is shown",
    "DECLINED": "it was declined already",
    "EXPIRED": "its time is over",
    "LOST": "it is no longer offered",
    "OVERLAP": "its provider holds another visit at that time by now; choose another of its windows, or decline it",
    "NOT_ASKED": "its provider may not be sent to this client any more",
}


class Counteroffers:
    """The client's answers."""

    def __init__(self, store: Store, market: Callable[[str], Awaitable[Market]]) -> None:
        self._store, self._market = store, market

    async def accept(self, name: str, booking_id: str, counteroffer_id: str, request: CounterofferAccept, rid: str) -> dict[str, Any]:
        """The client takes one of its windows; the booking is won for it. Raises Conflict, Unprocessable ``too_late``, NotFound."""
        market, record, one = await self._found(name, booking_id, counteroffer_id)
        cutoff = rules_of(market.settings).cutoff
        reply = await self._store.counteroffers.accept(name, record.no, one, rid=rid, window=request.window, cutoff=cutoff)
        word = reply["word"]
        if word == "MISMATCH":
            raise Unprocessable("this Idempotency-Key came with another answer; use a fresh key", code="idempotency_mismatch")
        if word == "BAD_WINDOW":
            raise Unprocessable(f"window {request.window} is none of its {len(one.windows)}; they count from 0", code="bad_window")
        if word == "TOO_LATE":
            raise Unprocessable(f"it can be accepted until {cutoff // 1_000} s before its start", code="too_late")
        if word != "WON":
            raise Conflict(f"counteroffer {counteroffer_id} cannot be accepted: {WHY[word]}")
        (provider_id,) = await self._store.providers.ids(name, [one.pno])
        agreed = faces.window_face(one.windows[request.window], market.settings.time_zone)
        face = {"booking_id": booking_id, "counteroffer_id": counteroffer_id, "state": "accepted"}
        return {**face, "provider_id": provider_id, "window": agreed}

    async def decline(self, name: str, booking_id: str, counteroffer_id: str, rid: str) -> dict[str, Any]:
        """The client does not want it. Raises Conflict, NotFound."""
        _, record, one = await self._found(name, booking_id, counteroffer_id)
        reply = await self._store.counteroffers.decline(name, record.no, one.number, rid=rid)
        if reply["word"] == "MISMATCH":
            raise Unprocessable("this Idempotency-Key came with another answer; use a fresh key", code="idempotency_mismatch")
        if reply["word"] == "WRONG_STATE":
            raise Conflict(f"counteroffer {counteroffer_id} is {reply['state']}; only one that is shown can be declined")
        return {"booking_id": booking_id, "counteroffer_id": counteroffer_id, "state": "declined"}

    async def _found(self, name: str, booking_id: str, counteroffer_id: str) -> tuple[Market, Record, Counteroffer]:
        market, record = await self._market(name), await self._store.bookings.get(name, booking_id)
        bno, _, number = counteroffer_id.partition(".")
        known = bno == str(record.no) and number.isascii() and number.isdigit() and len(number) < 10
        one = await self._store.counteroffers.get(name, record.no, int(number)) if known else None
        if one is None:
            raise NotFound(f"booking {booking_id} has no counteroffer {counteroffer_id}; GET it to see those it has")
        return market, record, one
