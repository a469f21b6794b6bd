"""Answers kept for HTTP requests that are repeated with the same Idempotency-Key (P4). Wall time: it is about networks, not rules."""

from time import monotonic
from typing import NamedTuple

from dispatch.store.calls import Calls, decode, encode
from dispatch.store.keys import key
from dispatch.store.markets import Market, Markets, reads

KEPT_S = 86_400
RUNNING_S = 30


class Kept(NamedTuple):
    """The answer to a request: what the request was, and what was said."""

    fingerprint: bytes
    status: int
    body: bytes


class Begun(NamedTuple):
    """How a request begins: whether it is ours to run, else the kept answer (None: another runs it now). With its market as it stands."""

    ours: bool
    kept: Kept | None
    market: Market | None


class Ledger:
    """Requests by the digest of caller, path and key: one key each, that holds a mark while it runs, and then its answer."""

    def __init__(self, calls: Calls, markets: Markets) -> None:
        self._calls, self._markets = calls, markets
        self._left: dict[str, float] = {}  # marks of ours that could not be taken away, and when they lapse

    async def keep(self, market: str, rid: str, fingerprint: bytes, status: int, body: bytes) -> None:
        """Keeps an answer for 24 h; the request no longer runs."""
        await self._calls.command("SET", _key(market, rid), encode((fingerprint, status, body)), "EX", KEPT_S)

    async def begin(self, market: str, rid: str) -> Begun:
        """Marks the request as running for at most 30 s, unless it runs already or has its answer. One round trip."""
        before, *read = await self._calls.pipeline(("SET", _key(market, rid), b"", "NX", "GET", "EX", RUNNING_S), *reads(market))
        kept = Kept(*decode(before)) if before else None
        idle = self._left.pop(_key(market, rid), 0.0) > monotonic()
        return Begun(before is None or (kept is None and idle), kept, await self._markets.of(market, *read))

    async def release(self, market: str, rid: str) -> None:
        """The request failed without an answer worth keeping: a repeat may run at once. When the store cannot be told (Unavailable), only
        one that comes here may; elsewhere the mark must lapse first.
        """
        name, now = _key(market, rid), monotonic()
        self._left = {each: lapses for each, lapses in self._left.items() if lapses > now}
        self._left[name] = now + RUNNING_S
        await self._calls.command("DEL", name)
        self._left.pop(name, None)


def _key(market: str, rid: str) -> str:
    return key("request", market, f"h:{rid}")
