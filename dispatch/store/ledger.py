"""Answers kept for HTTP requests that are repeated with the same Idempotency-Key (P4). Wall time: it is about networks, not rules."""

from typing import NamedTuple

from dispatch.store.calls import Calls, decode, encode
from dispatch.store.keys import key

KEPT_S = 86_400
RUNNING_S = 30


class Kept(NamedTuple):
    """The answer to a request: what the request was, and what was said."""

    fingerprint: bytes
    status: int
    body: bytes


class Ledger:
    """Requests by the digest of caller, path and key."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def keep(self, market: str, rid: str, fingerprint: bytes, status: int, body: bytes) -> None:
        """Keeps an answer for 24 h; the request no longer runs."""
        await self._calls.pipeline(
            ("SET", key("request", market, f"h:{rid}"), encode((fingerprint, status, body)), "EX", KEPT_S),
            ("DEL", key("request", market, f"run:{rid}")),
        )

    async def begin(self, market: str, rid: str, fingerprint: bytes) -> tuple[bool, Kept | None]:
        """Marks the request as running for at most 30 s (False: it runs already), and recalls the kept answer, if any. One round trip."""
        made, raw = await self._calls.pipeline(
            ("SET", key("request", market, f"run:{rid}"), fingerprint, "NX", "EX", RUNNING_S),
            ("GET", key("request", market, f"h:{rid}")),
        )
        return bool(made), Kept(*decode(raw)) if raw else None

    async def release(self, market: str, rid: str) -> None:
        """The request failed without an answer worth keeping."""
        await self._calls.command("DEL", key("request", market, f"run:{rid}"))
