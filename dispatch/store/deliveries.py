"""Webhooks waiting to be delivered: lent out one a booking, in order, until somebody says they arrived (or gives up)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from dispatch.model import WebhookTarget
from dispatch.store.calls import Calls, text
from dispatch.store.markets import Markets

LENT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for the booking service. ``body``: the JSON to send; ``at`` engine ms; ``first_ms`` wall ms of the event; ``target``: where
    the market wants it, None: nowhere."""

    market: str
    bno: int
    id: str
    type: str
    at: int
    body: bytes
    attempts: int
    first_ms: int
    target: WebhookTarget | None


class Deliveries:
    """The outbox of all markets."""

    def __init__(self, calls: Calls, markets: Markets) -> None:
        self._calls, self._markets = calls, markets

    async def due(self, limit: int) -> list[Delivery]:
        """The next events to deliver, at most one a booking; each is lent for a minute."""
        found: list[Delivery] = []
        for market in await self._markets.names():
            if len(found) < limit:
                reply = await self._calls.verb("deliver", market, limit=limit - len(found), lend=LENT_MS)
                if reply["list"]:
                    known = await self._markets.as_of(market, reply["version"])
                    found += [_delivery(market, known.settings.webhook, *entry) for entry in reply["list"]]
        return found

    async def done(self, delivery: Delivery) -> None:
        """It arrived."""
        await self._calls.verb("delivered", delivery.market, bno=delivery.bno, id=delivery.id, dead=False)

    async def bury(self, delivery: Delivery) -> None:
        """Nobody took it for a day: kept aside."""
        await self._calls.verb("delivered", delivery.market, bno=delivery.bno, id=delivery.id, dead=True)

    async def retry(self, delivery: Delivery, after_ms: int) -> None:
        """Once more, later."""
        await self._calls.verb("deferred", delivery.market, bno=delivery.bno, id=delivery.id, wait=after_ms)


def _delivery(
    market: str, target: WebhookTarget | None, bno: int, event: dict[str, Any], booking_id: str | None, provider_id: str | None = None
) -> Delivery:
    data: dict[str, Any] = {"market": market, "booking_id": booking_id}
    for name, value in (event["data"] or {}).items():
        if name == "p":
            data["provider_id"] = provider_id or f"gone-{value}"
        elif name == "window":
            data["window"] = {"start": _iso(value[0]), "end": _iso(value[1])}
        elif name == "windows":
            data["windows"] = [{"start": _iso(start), "end": _iso(end)} for start, end in value]
        elif name == "expires_at":
            data["expires_at"] = _iso(value)
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
        target=target,
    )


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
