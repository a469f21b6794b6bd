"""The gateway's beat in the store: that it lives, what time it is there, and what the store could not be told when it was away."""

from collections import deque
from typing import Final

import anyio
import structlog

from dispatch.errors import Conflict, DispatchError, Forbidden, Unauthorized, Unavailable
from dispatch.gateway.entry import Entry
from dispatch.gateway.link import Link
from dispatch.gateway.moments import Moments
from dispatch.gateway.registry import Registry
from dispatch.gateway.relay import Relay
from dispatch.messages import CloseCode
from dispatch.store import Store

EVERY_MS: Final = 1_000
SILENCE_MS: Final = 3_000  # after so long without a beat others may have taken our links off the store
OWED_LIMIT: Final = 50_000

log = structlog.get_logger("dispatch.gateway")


class Pulse:
    """Tells the store every second that this gateway and its links exist."""

    def __init__(self, store: Store, registry: Registry, relay: Relay, entry: Entry, moments: Moments, gateway: str) -> None:
        self._store, self._registry, self._relay, self._entry = store, registry, relay, entry
        self._moments, self._gateway = moments, gateway
        self._owed: deque[Link] = deque(maxlen=OWED_LIMIT)
        self._beat_at = moments.now()
        self._torn = False  # some links may have been taken off after they were entered again

    def owe(self, link: Link) -> None:
        """This link is gone and the store does not know it yet."""
        self._owed.append(link)

    async def run(self) -> None:
        """Beat, for ever."""
        while True:
            try:
                await self.once(self._moments.now())
            except Unavailable as error:
                log.warning("store_unavailable", duty="beat", detail=error.detail)
            await anyio.sleep(EVERY_MS / 1_000)

    async def once(self, now: int) -> None:
        """One beat. Raises Unavailable."""
        silence = await self._beat(now)
        await self._moments.agree()
        while self._owed:
            await self._entry.leave(self._owed[0])
            self._owed.popleft()
        if silence > SILENCE_MS or self._torn:
            self._torn = True
            self._torn = await self._reconnect() > SILENCE_MS

    async def _beat(self, now: int) -> int:
        """The store hears that we live; ms since it last did."""
        await self._store.links.gateway_alive(self._gateway, self._relay.markets)
        silence, self._beat_at = now - self._beat_at, now
        return silence

    async def _reconnect(self) -> int:
        """We were away: every link is entered into the store again. Of many that takes longer than others are
        patient with a gateway that does not beat, so it beats meanwhile; the longest silence (ms)."""
        log.warning("links_entered_again", links=len(self._registry))
        longest = 0
        for link in self._registry:
            if (now := self._moments.now()) - self._beat_at >= EVERY_MS:
                longest = max(longest, await self._beat(now))
            if link.linked and link.closed is None:
                await self._enter_again(link)
        self._relay.want(self._registry.keys())
        return longest

    async def _enter_again(self, link: Link) -> None:
        """It keeps its generation: where a newer socket of its device has come meanwhile, that one stays. Raises Unavailable."""
        try:
            await self._entry.link_up(link)
        except Unavailable:
            raise
        except Conflict:
            link.close(CloseCode.REPLACED, "a newer socket of this device took over")
        except DispatchError as error:
            self._parted(link, error)

    def _parted(self, link: Link, error: DispatchError) -> None:
        """It may not come in again: its right to be here was taken away, others took its place meanwhile, or the store is another one."""
        if isinstance(error, (Unauthorized, Forbidden)) and error.code != "too_many_devices":
            link.act(link.session.refused(error))
        else:
            link.close(CloseCode.STATE_LOST, "connect again")

    async def last(self) -> None:
        """The gateway stops: all its links are gone."""
        try:
            await self._store.links.gateway_gone(self._gateway, self._relay.markets)
        except Unavailable as error:
            log.warning("store_unavailable", duty="leave", detail=error.detail)
