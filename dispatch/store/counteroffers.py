"""Counteroffers as the store keeps them: made by devices, answered by clients, ended by time. Each step is one verb (R24)."""

from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.counteroffers import Rules
from dispatch.errors import BadRequest
from dispatch.model import Span
from dispatch.store.calls import Calls, text
from dispatch.store.claims import parsed, result_of
from dispatch.store.keys import key

AT_ONCE = 50  # counteroffers that end in one call
OUTCOMES = {"too_many": "limit"}  # words of the verb that devices know by another name


class Counteroffer(Struct, frozen=True, array_like=True):
    """Other times of one provider for one booking. Moments are engine ms, 0: not yet; ``number`` counts those of the booking."""

    pno: int
    state: str
    round: int
    made_at: int
    expires_at: int
    windows: list[Span]
    closed_at: int
    number: int


class Counteroffers:
    """The counteroffers of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def make(
        self, market: str, pno: int, command: str, proposal: str, version: int, windows: Sequence[Span], note: str, rules: Rules
    ) -> dict[str, Any]:
        """The verb `counter`, for a device; the body of its `result`. Outcomes: sent, limit, too_late, expired, not_asked,
        version_conflict.

        Raises BadRequest when he holds a visit at one of those times.
        """
        bno, round_ = parsed(proposal, pno)
        told = [(window.start, window.end) for window in windows]
        reply = await self._calls.verb(
            "counter", market, p=pno, id=command, proposal=proposal, bno=bno, round=round_, version=version, windows=told, note=note,
            print=sha1(msgspec.json.encode((told, note))).hexdigest(), **msgspec.structs.asdict(rules),
        )  # fmt: skip
        if reply["word"] == "OVERLAP":
            raise BadRequest("you hold a visit at one of these times, travel included; propose others")
        body = result_of(command, proposal, reply)
        return body | {"outcome": OUTCOMES.get(body["outcome"], body["outcome"])}

    async def of(self, market: str, bno: int) -> list[Counteroffer]:
        """Those of a booking, oldest first."""
        raw = await self._calls.command("HVALS", key("counteroffers", market, bno))
        return sorted((_decoder.decode(one) for one in raw), key=lambda one: one.number)

    async def get(self, market: str, bno: int, number: int) -> Counteroffer | None:
        """One of a booking, or None."""
        raw = await self._calls.command("HGET", key("counteroffers", market, bno), number)
        return None if raw is None else _decoder.decode(raw)

    async def accept(self, market: str, bno: int, one: Counteroffer, *, rid: str, window: int, cutoff: int) -> Mapping[str, Any]:
        """The client takes it: the verb `accept`, with the cause `counteroffer`."""
        return await self._calls.verb(
            "accept", market, p=one.pno, id=rid, proposal=f"{bno}.{one.number}", bno=bno, round=one.round, version=0, window=window,
            cause="counteroffer", offer=one.number, cutoff=cutoff,
        )  # fmt: skip

    async def decline(self, market: str, bno: int, number: int, *, rid: str) -> Mapping[str, Any]:
        """The client does not want it: the verb `decline`."""
        return await self._calls.verb("decline", market, bno=bno, offer=number, rid=rid)

    async def end(self, market: str) -> int:
        """Ends those whose time is over; how many."""
        if not await self._calls.command("ZCARD", key("counter_due", market)):
            return 0
        reply = await self._calls.verb("end_counteroffers", market, limit=AT_ONCE)
        return int(text(reply["ended"]))


_decoder = msgspec.msgpack.Decoder(Counteroffer)
