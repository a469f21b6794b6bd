"""Rights: which sockets may stand. A blocked account has none; a token is good from the generation on that its device was last revoked in.

Whatever takes a right away writes, in the same step, the provider's number into a short stream of the market: gateways read it every half
second, and at once when they are woken, so that no lost wake-up leaves a socket open (decision 19).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dispatch.errors import DispatchError, Forbidden, Unauthorized
from dispatch.store.calls import Calls, text
from dispatch.store.hands import Hand, plain_hand
from dispatch.store.keys import key

DEVICES_REMEMBERED = 64  # of a provider, revoked one by one; beyond that the one revoked first is forgotten, in favour of safety
REMEMBERED = 1_000  # changes that the stream keeps (lua/lib/rights.lua)

Holder = tuple[int, str, int]  # provider, device, generation of its token
Fault = Literal["blocked", "revoked"]


@dataclass(frozen=True, slots=True)
class Changes:
    """Of one market: the number of the latest change, and whose sockets to look at again. ``who`` None: everybody's, some are forgotten."""

    number: int
    who: frozenset[int] | None


class Rights:
    """What is left of the right to hold a socket."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def token_generation(self, market: str, pno: int) -> int:
        """The generation that tokens of a provider are issued in now."""
        return int(await self._calls.command("HGET", key("revoked", market, pno), "#") or 0)

    async def revoke(self, market: str, pno: int, device: str | None, hand: Hand | None = None) -> None:
        """Tokens issued until now are worth nothing any more: those of one device, or all of the provider's."""
        await self._calls.verb("revoke", market, p=pno, device=device, most=DEVICES_REMEMBERED, hand=plain_hand(hand))

    async def last(self, market: str) -> int:
        """The number of the latest change."""
        return int(await self._calls.command("HGET", key("numbers", market), "rights") or 0)

    async def changes(self, since: Mapping[str, int]) -> dict[str, Changes]:
        """For each market, what has changed since the number given; markets where nothing has are left out. One round trip mostly."""
        markets = list(since)
        numbers = await self._calls.pipeline(*(("HGET", key("numbers", market), "rights") for market in markets)) if markets else []
        moved = {market: int(raw or 0) for market, raw in zip(markets, numbers, strict=True) if int(raw or 0) != since[market]}
        return {market: await self._changes(market, since[market], number) for market, number in moved.items()}

    async def _changes(self, market: str, since: int, number: int) -> Changes:
        """A number that went back is an older store's, restored: it cannot say what changed."""
        if number < since:
            return Changes(number, None)
        entries = await self._calls.command("XRANGE", key("rights", market), f"({since}-0", f"{number}-0")
        return Changes(number, frozenset(int(pairs[1]) for _, pairs in entries) if len(entries) == number - since else None)

    async def faults(self, market: str, holders: Sequence[Holder]) -> list[Fault | None]:
        """For each of them what he lacks to hold a socket; None: he may."""
        reply = await self._calls.verb("rights", market, list=[list(holder) for holder in holders])
        return [None if fault is False or fault is None else _fault(text(fault)) for fault in reply["faults"]]


def refusal_of(fault: Fault) -> DispatchError:
    """What somebody is told who may not hold a socket."""
    return Forbidden("this account is blocked") if fault == "blocked" else Unauthorized("the token was revoked; sign in anew")


def _fault(word: str) -> Fault:
    return "blocked" if word == "blocked" else "revoked"
