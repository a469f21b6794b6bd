"""Test proposals: a provider tries whether what the engine sends reaches him (R25b). They go the way of all, and stand for no booking."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.errors import BadRequest, NotFound, RateLimited
from dispatch.store.calls import Calls, text
from dispatch.store.keys import key

LIFE_MS = 600_000  # a test is open for ten minutes
PAUSE_MS = 10_000  # between two tests of a provider
AT_ONCE = 50  # tests that end in one call
NO_BOOKING = 0
CURRENCY = "EUR"  # of its price, which is nothing


class TrialReceipt(Struct, frozen=True, array_like=True):
    """What came back by one way: ``socket`` of a device, or ``push``. Moments are engine ms, 0: not yet."""

    way: str
    device: str
    received_at: int
    seen_at: int
    outcome: str


class Trial(Struct, frozen=True, array_like=True):
    """A test as the store keeps it: a proposal, and its receipts."""

    state: str
    wave: int
    kind: str
    round: int
    sent_at: int
    expires_at: int
    received_at: int
    seen_at: int
    answered_at: int
    reason: str | None
    seq: int
    live: int
    replaced: int
    distance_m: int
    windows: list[int]
    ended_at: int
    urgency: str
    receipts: list[TrialReceipt]


class Trials:
    """Sending tests, and what became of them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(self, market: str, pno: int, command: str, *, by_device: bool) -> str:
        """Sends one; its proposal id. A repeat of ``command`` gets the same. Raises RateLimited, NotFound."""
        reply = await self._calls.verb(
            "test", market, p=pno, id=command, by_device=by_device, life=LIFE_MS, pause=PAUSE_MS, currency=CURRENCY
        )
        match reply["word"]:
            case "SENT":
                return text(reply["proposal"])
            case "TOO_SOON":
                raise RateLimited(f"a test was sent just now; {PAUSE_MS // 1_000} s must lie between two: again in {reply['after']} ms")
            case "UNKNOWN":
                raise NotFound("no such provider")
            case _:
                raise BadRequest("this id came before with other content; make a new id for a new command")

    async def last(self, market: str, pno: int) -> Trial | None:
        """The last one of a provider."""
        raw = await self._calls.command("HGET", key("proposals", market, NO_BOOKING), pno)
        return None if raw is None else msgspec.msgpack.decode(raw, type=Trial)

    async def end(self, market: str) -> int:
        """Ends those whose time is over; how many."""
        if not await self._calls.command("ZCARD", key("trials", market)):
            return 0
        reply: Mapping[str, Any] = await self._calls.verb("end_tests", market, limit=AT_ONCE)
        return int(reply["ended"])
