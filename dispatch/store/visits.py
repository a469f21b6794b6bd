"""After the accept: verbs about a visit that somebody holds, or held. Each is safe to repeat under the same request id (P4)."""

from collections.abc import Mapping
from typing import Any

from dispatch.store.calls import Calls

Reply = Mapping[str, Any]


class Visits:
    """The visits of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def move(self, market: str, **arguments: Any) -> Reply:
        """The verb `move` (see lua/move.lua)."""
        return await self._calls.verb("move", market, **arguments)

    async def search_again(self, market: str, **arguments: Any) -> Reply:
        """The verb `search_again` (see lua/search_again.lua)."""
        return await self._calls.verb("search_again", market, **arguments)

    async def complete(self, market: str, **arguments: Any) -> Reply:
        """The verb `complete` (see lua/complete.lua)."""
        return await self._calls.verb("complete", market, **arguments)

    async def no_show(self, market: str, **arguments: Any) -> Reply:
        """The verb `no_show` (see lua/no_show.lua)."""
        return await self._calls.verb("no_show", market, **arguments)

    async def late(self, market: str, **arguments: Any) -> Reply:
        """The verb `late` (see lua/no_show.lua)."""
        return await self._calls.verb("late", market, **arguments)
