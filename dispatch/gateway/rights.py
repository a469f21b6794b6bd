"""Whether those who are connected still may be: links whose account was blocked (4505) or whose token was revoked (4500) end.

The store keeps a short stream of whose rights have changed. It is read every half second, and at once on a wake-up: one that is lost costs
half a second, nothing else. What counts is what the store says of each link when it is asked, not what the stream said (decision 19).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import anyio
import structlog

from dispatch.errors import Unavailable
from dispatch.gateway.link import Link
from dispatch.gateway.registry import Registry
from dispatch.store import Changes, Store, refusal_of

EVERY_S: Final = 0.5
AT_ONCE: Final = 64  # links in one call: well under a millisecond of the store's time

log = structlog.get_logger("dispatch.gateway")


class Rights:
    """Ends the links of one gateway that lost their right to be."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._read: dict[str, int] = {}  # market -> number of the last change that was looked at
        self._woken = anyio.Event()

    async def follow(self, market: str) -> None:
        """Look after this market from now on: after this no change is missed. Raises Unavailable."""
        if market not in self._read:
            number = await self._store.rights.last(market)
            self._read.setdefault(market, number)  # the first who asked knows the oldest number

    def wake(self) -> None:
        """Something has changed."""
        self._woken.set()

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self._woken = anyio.Event()
            try:
                await self.once()
            except Unavailable as error:
                log.warning("store_unavailable", duty="rights", detail=error.detail)
            with anyio.move_on_after(EVERY_S):
                await self._woken.wait()

    async def once(self) -> None:
        """Everything that has changed since the last time. Raises Unavailable; the next time looks at it all again."""
        for market, changes in (await self._store.rights.changes(self._read)).items():
            await self._look_at(market, list(self._links(market, changes)))
            self._read[market] = changes.number

    def _links(self, market: str, changes: Changes) -> Iterable[Link]:
        keys = self._registry.keys(market) if changes.who is None else [(market, pno) for pno in changes.who]
        return (link for key in keys for link in self._registry.of(key) if link.closed is None)

    async def _look_at(self, market: str, links: Sequence[Link]) -> None:
        for first in range(0, len(links), AT_ONCE):
            some = links[first : first + AT_ONCE]
            faults = await self._store.rights.faults(market, [(link.pno, link.name, link.token_generation) for link in some])
            for link, fault in zip(some, faults, strict=True):
                if fault is not None:
                    link.act(link.session.refused(refusal_of(fault)))
