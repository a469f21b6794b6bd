"""Follow-ups at the desk: what providers ask of ops, and that it was seen to (R25b)."""

from collections.abc import Awaitable, Callable
from typing import Any

from dispatch.engine import faces
from dispatch.errors import NotFound
from dispatch.store import Listed, Market, Store


class FollowUps:
    """The follow-ups of a market, as ops see them."""

    def __init__(self, store: Store, market: Callable[[str], Awaitable[Market]]) -> None:
        self._store, self._market = store, market

    async def listed(self, name: str) -> dict[str, Any]:
        """Those open, asked first first, and those done, done last first."""
        market = await self._market(name)
        waiting, done = await self._store.follow_ups.listed(name)
        return {"open": await self._faces(market, waiting), "done": await self._faces(market, done)}

    async def _faces(self, market: Market, rows: list[Listed]) -> list[dict[str, Any]]:
        ids = await self._store.providers.ids(market.id, [row.one.pno for row in rows])
        return [faces.follow_up_face(row, provider_id, market.settings.time_zone) for row, provider_id in zip(rows, ids, strict=True)]

    async def done(self, name: str, follow_up_id: str, by: str) -> dict[str, Any]:
        """It has been seen to. Raises NotFound."""
        await self._market(name)
        if not (follow_up_id.isascii() and follow_up_id.isdigit() and len(follow_up_id) < 12):
            raise NotFound(f"no follow-up {follow_up_id} in this market; GET the list to see those there are")
        await self._store.follow_ups.done(name, int(follow_up_id), by)
        return {"follow_up_id": follow_up_id, "state": "done"}
