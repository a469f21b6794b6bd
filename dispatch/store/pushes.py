"""Pushes that devices are owed: lent out, each to one worker at a time, until somebody says what became of them."""

from dataclasses import dataclass

import msgspec

from dispatch.messages import PushAddress
from dispatch.store.calls import Calls, text, wall_ms
from dispatch.store.keys import key
from dispatch.store.markets import Markets

LENT_MS = 15_000  # longer than any attempt takes
PAGE = 32  # records looked at in one call: a millisecond of the store's time at most
ATTEMPTS = 12  # of one push: with the pauses between them some half an hour

_address = msgspec.json.Decoder(PushAddress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One notification for one device. ``id``: of the proposal; ``kind``: proposal, withdrawn or test; ``expires_at`` engine ms,
    ``until_ms`` the same moment in wall ms; ``attempts``: this one included; ``packed``: the address as the store has it."""

    market: str
    pno: int
    bno: int
    device: str
    address: PushAddress
    packed: str
    id: str
    kind: str
    expires_at: int
    until_ms: int
    attempts: int


class Pushes:
    """The pushes owed in all markets."""

    def __init__(self, calls: Calls, markets: Markets) -> None:
        self._calls, self._markets = calls, markets

    async def due(self, limit: int) -> list[Push]:
        """The next pushes to send, each lent for a while. A few more than ``limit`` may come: a provider's devices go together."""
        found: list[Push] = []
        for market in await self._waiting():
            more = True
            while more and len(found) < limit:
                reply = await self._calls.verb("notify", market, limit=min(PAGE, limit - len(found)), lend=LENT_MS, most=ATTEMPTS)
                found += [self._push(market, int(reply["at"]), *entry) for entry in reply["list"] or ()]
                more = reply["more"]
        return found

    async def _waiting(self) -> list[str]:
        """The markets in which something is due. One round trip, whatever their number."""
        names, now = await self._markets.names(), wall_ms()
        counts = await self._calls.pipeline(*(("ZCOUNT", key("push_due", name), "-inf", now) for name in names))
        return [name for name, count in zip(names, counts, strict=True) if count]

    def _push(
        self, market: str, now: int, pno: int, bno: int, device: str, packed: str, id_: str, kind: str, expires: int, tries: int
    ) -> Push:  # fmt: skip
        return Push(
            market=market,
            pno=int(pno),
            bno=int(bno),
            device=text(device),
            address=_address.decode(packed),
            packed=packed,
            id=text(id_),
            kind=text(kind),
            expires_at=int(expires),
            until_ms=wall_ms() + round(self._calls.clock.wall_seconds(expires - now) * 1_000),
            attempts=int(tries),
        )

    async def sent(self, push: Push) -> None:
        """The push service has taken it."""
        await self._settle(push, "sent")

    async def failed(self, push: Push) -> None:
        """It cannot be sent, now or later."""
        await self._settle(push, "failed")

    async def gone(self, push: Push) -> None:
        """Its address is none any more: it is dropped, unless the device has named another one meanwhile."""
        await self._settle(push, "gone")

    async def _settle(self, push: Push, outcome: str) -> None:
        await self._calls.verb("notified", push.market, **_named(push), outcome=outcome, address=push.packed)

    async def retry(self, push: Push, after_ms: int) -> None:
        """Once more, later."""
        await self._calls.verb("postponed", push.market, **_named(push), wait=after_ms)


def _named(push: Push) -> dict[str, str | int]:
    return {"p": push.pno, "bno": push.bno, "device": push.device, "id": push.id, "kind": push.kind, "tries": push.attempts}
