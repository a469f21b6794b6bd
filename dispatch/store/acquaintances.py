"""Who knows whom: the clients whom a provider has served, and the personal links by which he is booked first (R26, R27)."""

from dispatch.errors import Conflict, NotFound, Unprocessable
from dispatch.store.calls import Calls, text
from dispatch.store.keys import key

LINKS = 20  # personal links of one provider
KNOWN = 50  # providers of one client who are looked at, the last to have served him first


class Acquaintances:
    """Links and services of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def make_link(self, market: str, pno: int, code: str, rid: str) -> str:
        """A personal link of a provider: ``code``, or the one that the same request got before. Raises Conflict, Unprocessable."""
        reply = await self._calls.verb("make_link", market, rid=rid, p=pno, code=code, most=LINKS)
        if reply["word"] == "NO_SERVICE":
            raise Conflict(
                "a personal link exists once the provider has completed a service; he has completed none yet", code="no_service_yet"
            )
        if reply["word"] == "TOO_MANY":
            raise Conflict(f"a provider has at most {LINKS} personal links; revoke one first", code="too_many_links")
        if reply["word"] == "MISMATCH":
            raise Unprocessable("this Idempotency-Key came with another link; use a fresh key", code="idempotency_mismatch")
        return text(reply["code"])

    async def drop_link(self, market: str, code: str) -> None:
        """A personal link is worth nothing any more. Raises NotFound."""
        if (await self._calls.verb("drop_link", market, code=code))["word"] == "ABSENT":
            raise NotFound("no such personal link in this market; it may have been revoked already")

    async def links_of(self, market: str, pno: int) -> list[str]:
        """The codes of a provider's personal links."""
        return sorted(text(code) for code in await self._calls.command("SMEMBERS", key("codes_of", market, pno)))

    async def owner(self, market: str, code: str) -> int | None:
        """Whose link it is; None: nobody's."""
        found = await self._calls.command("HGET", key("codes", market), code)
        return int(found) if found else None

    async def served(self, market: str, pno: int, client: int) -> bool:
        """Whether he has completed a service for this client."""
        return bool(await self._calls.command("SISMEMBER", key("served", market, pno), client))

    async def known_to(self, market: str, client: int) -> dict[int, int]:
        """The providers who have served a client, the last ones, and when (engine ms)."""
        flat = await self._calls.command("ZREVRANGE", key("known", market, client), 0, KNOWN - 1, "WITHSCORES")
        pairs = zip(flat[::2], flat[1::2], strict=True) if flat and not isinstance(flat[0], (list, tuple)) else flat
        return {int(pno): int(float(at)) for pno, at in pairs}
