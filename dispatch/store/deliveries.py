"""Webhooks waiting to be delivered: lent out one a booking, in order, until somebody says they arrived (or gives up)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from dispatch.store.bookings import Bookings
from dispatch.store.calls import Calls, text
from dispatch.store.markets import Markets
from dispatch.store.providers import Providers

LENT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for the booking service. ``body``: the JSON to send; ``at`` engine ms; ``first_ms`` wall ms of the event."""

    market: str
    bno: int
    id: str
    type: str
    at: int
    body: bytes
    attempts: int
    first_ms: int


class Deliveries:
    """The outbox of all markets."""

    def __init__(self, calls: Calls, markets: Markets, bookings: Bookings, providers: Providers) -> None:
        self._calls, self._markets, self._bookings, self._providers = calls, markets, bookings, providers

    async def due(self, limit: int) -> list[Delivery]:
        """The next events to deliver, at most one a booking; each is lent for a minute."""
        found: list[Delivery] = []
        for market in await self._markets.names():
            if len(found) < limit:
                reply = await self._calls.verb("deliver", market, limit=limit - len(found), lend=LENT_MS)
                if reply["list"]:
                    found += await self._addressed(market, [(int(bno), event) for bno, event in reply["list"]])
        return found

    async def _addressed(self, market: str, events: Sequence[tuple[int, dict[str, Any]]]) -> list[Delivery]:
        """Events with outside ids in place of numbers."""
        records = {record.no: record for record in await self._bookings.records(market, [bno for bno, _ in events])}
        numbers = sorted({event["data"]["p"] for _, event in events if "p" in (event["data"] or {})})
        ids = dict(zip(numbers, await self._providers.ids(market, numbers), strict=True))
        return [_delivery(market, bno, event, records.get(bno), ids) for bno, event in events]

    async def done(self, delivery: Delivery) -> None:
        """It arrived."""
        await self._calls.verb("delivered", delivery.market, bno=delivery.bno, id=delivery.id, dead=False)

    async def bury(self, delivery: Delivery) -> None:
        """Nobody took it for a day: kept aside."""
        await self._calls.verb("delivered", delivery.market, bno=delivery.bno, id=delivery.id, dead=True)

    async def retry(self, delivery: Delivery, after_ms: int) -> None:
        """Once more, later."""
        await self._calls.verb("deferred", delivery.market, bno=delivery.bno, id=delivery.id, wait=after_ms)


def _delivery(market: str, bno: int, event: dict[str, Any], record: Any, ids: dict[int, str]) -> Delivery:
    data: dict[str, Any] = {"market": market, "booking_id": record.who.get("booking_id") if record else None}
    for name, value in (event["data"] or {}).items():
        if name == "p":
            data["provider_id"] = ids[value]
        elif name == "window":
            data["window"] = {"start": _iso(value[0]), "end": _iso(value[1])}
        else:
            data[name] = value
    body = {"type": event["type"], "timestamp": _iso(event["at"]), "data": data}
    return Delivery(
        market=market,
        bno=bno,
        id=text(event["id"]),
        type=text(event["type"]),
        at=int(event["at"]),
        body=msgspec.json.encode(body),
        attempts=int(event["attempts"]),
        first_ms=int(event["first"]),
    )


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
