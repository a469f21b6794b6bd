"""Meetings: providers who came online, were freed, or widened their settings, and are to meet the vacancies (R18).

Who is to meet them waits in the store, written by the very step that woke him: a worker that dies, or one that comes late, loses nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dispatch.store.calls import Calls, answered, answering
from dispatch.store.keys import key


class Met(Struct, frozen=True, kw_only=True):
    """What came of a meeting. ``asked``: bookings of which he took a seat; ``waited_ms`` since he was woken; ``more``: he is to meet on."""

    asked: tuple[int, ...]
    waited_ms: int
    more: bool


class Meetings:
    """The providers who wait to meet vacancies, of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def waiting(self, markets: Sequence[str], now: int, limit: int) -> list[tuple[str, int]]:
        """(market, number) of those who wait, the longest first, at most ``limit`` a market."""
        found = await self._calls.pipeline(*(("ZRANGEBYSCORE", key("freed", m), "-inf", now, "LIMIT", 0, limit) for m in markets))
        return [(market, int(pno)) for market, numbers in zip(markets, found, strict=True) for pno in numbers]

    async def meet(self, market: str, numbers: Sequence[int], minute: int, terms: Mapping[str, Any]) -> list[Met | Exception | None]:
        """Lets some providers meet the vacancies, each in a step of his own, in one round trip. None: another worker was sooner.

        Raises Unavailable.
        """
        async with answering(), self._calls.redis.pipeline(transaction=False) as pipe:
            for pno in numbers:
                pipe.execute_command(*self._calls.call("rematch", market, p=pno, minute=minute, **terms))
            return [_met(answered(raw)) for raw in await pipe.execute(raise_on_error=False)]

    async def postpone(self, market: str, pno: int, wait_ms: int) -> None:
        """He cannot be served now: he comes again later, and holds nobody up."""
        await self._calls.verb("postpone", market, p=pno, wait=wait_ms)


def _met(reply: Mapping[str, Any] | Exception) -> Met | Exception | None:
    if isinstance(reply, Exception):
        return reply
    if reply["word"] == "IDLE":
        return None
    return Met(asked=tuple(reply["asked"] or ()), waited_ms=int(reply["waited"]), more=bool(reply["more"]))
