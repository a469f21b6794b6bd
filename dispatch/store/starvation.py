"""Bookings for which nobody is left: which they are, who nearly fits, and what is done about it (R30-R32)."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dispatch.store.calls import Calls, text
from dispatch.store.keys import key


class Named(Struct, frozen=True, kw_only=True):
    """Somebody who is asked by name: as of which version of his settings he was judged, and what he is shown."""

    no: int
    seen: int
    windows: tuple[int, ...]
    far: int
    reasons: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As the verbs read it."""
        return {"p": self.no, "seen": self.seen, "windows": self.windows, "far": self.far, "reasons": self.reasons}


class Starvation:
    """Of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def due(self, market: str, now: int, limit: int) -> list[int]:
        """The bookings for which bonus proposals are to be looked for, those who wait longest first."""
        return [int(bno) for bno in await self._calls.command("ZRANGEBYSCORE", key("starved", market), "-inf", now, "LIMIT", 0, limit)]

    async def near(self, market: str, bno: int, minute: int, wider: Mapping[str, Any], limit: int) -> list[int]:
        """Who may fit a wider query, in rank order, at most ``limit``; each is to be judged exactly."""
        found: list[int] = []
        at: int | None = 0
        while at is not None and len(found) < limit:
            reply = await self._calls.verb("near", market, bno=bno, minute=minute, **wider, at=at, limit=limit - len(found))
            found += [int(pno) for pno in reply["list"] or ()]
            at = reply.get("at")
        return found

    async def settle(
        self,
        market: str,
        bno: int,
        rev: int,
        *,
        count: int = 0,
        people: Sequence[Named] = (),
        plan: Mapping[str, Any] | None = None,
        again: int | None = None,
    ) -> int | None:
        """The verb `bonus`: ops are told of ``count``, or with a plan people are asked; how many. None: the booking has moved since."""
        listed = [one.plain() for one in people]
        reply = await self._calls.verb("bonus", market, bno=bno, rev=rev, count=count, list=listed, plan=plan, again=again)
        return None if reply["word"] == "STALE" else int(reply["asked"])

    async def forget(self, market: str, bno: int) -> None:
        """It is not looked for, until a wave of the booking finds nobody again."""
        await self._calls.command("ZREM", key("starved", market), bno)

    async def approve(self, market: str, **arguments: Any) -> Mapping[str, Any]:
        """The verb `approve` (see lua/bonus.lua): APPROVED, WRONG_STATE or MISMATCH."""
        reply = dict(await self._calls.verb("approve", market, **arguments))
        return {**reply, "word": text(reply["word"])}
