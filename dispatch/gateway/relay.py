"""From the store's wake-ups to the devices: who has new messages is gathered, their inboxes are read together, and the links here get them.

The inbox is the truth, and each link knows how far it was told (``session.told``). A wake-up brings the message along: it goes out at once
when it is the next one of its link; when some before it are missing, the inbox is read. So a lost wake-up is made good by the next one, and
after an interruption (``lost``) everybody is read again, a few at a time.
"""

from collections.abc import Iterable
from itertools import islice

import anyio
from anyio.abc import TaskStatus

from dispatch.errors import Unavailable
from dispatch.gateway.frames import Frame
from dispatch.gateway.link import Link
from dispatch.gateway.metrics import REREADS
from dispatch.gateway.moments import Moments
from dispatch.gateway.registry import Key, Registry
from dispatch.gateway.rights import Rights
from dispatch.messages import CloseCode
from dispatch.store import Store, Wake, Wakeups

AT_ONCE = 256  # inboxes read in one round trip
RETRY_S = 0.3
NOBODY = 0  # the number of no provider
GAPS = 2  # reads in a row that begin too late: the stream has forgotten what this link needs


class Relay:
    """Carries messages of the stream to the links of one gateway."""

    def __init__(self, store: Store, registry: Registry, moments: Moments, rights: Rights, gateway: str) -> None:
        self._store, self._registry, self._moments, self._rights, self._gateway = store, registry, moments, rights, gateway
        self._wanted: dict[Key, None] = {}  # a set that keeps its order: first woken, first served
        self._some = anyio.Event()
        self._wakeups: Wakeups | None = None
        self._subscribing = anyio.Lock()
        self._doubt = False  # wake-ups may have been lost, and more
        self.markets: list[str] = []  # that have had a device here; they are few, so none is given up again

    async def follow(self, market: str) -> None:
        """Hear of this market's messages from now on; returns when that is so."""
        assert self._wakeups is not None, "the relay runs before the first device connects"
        async with self._subscribing:
            if market not in self.markets:
                await self._rights.follow(market)
                await self._wakeups.follow(market)
                self.markets.append(market)

    def want(self, keys: Iterable[Key]) -> None:
        """These providers have, or may have, new messages."""
        self._wanted.update(dict.fromkeys(keys))
        self._some.set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Listen and serve, for ever."""
        async with self._store.wakeups(self._gateway) as self._wakeups, anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve)
            task_status.started()
            async for wake in self._wakeups:
                self._woken(wake)

    def _woken(self, wake: Wake) -> None:
        if wake.rights or wake.lost:
            self._rights.wake()
        if wake.lost:
            REREADS.inc()
            self._doubt = True
            self.want(self._registry.keys())
        for pno, data in wake.frames:
            self._bring((wake.market, pno), data)
        for pno, number in wake.closes:
            for link in self._registry.of((wake.market, pno)):
                if link.number == number:
                    link.close(CloseCode.REPLACED, "a newer socket of this device took over")

    def _bring(self, key: Key, data: bytes) -> None:
        """One message, to the links that have heard everything before it; the others are read for."""
        links = self._registry.of(key)
        if not links:
            return
        frame = Frame(data)
        for link in links:
            if link.held:
                link.behind = True
            elif link.deliver([frame], self._moments.now()):
                self.want([key])

    async def _serve(self) -> None:
        while True:
            if not self._wanted:
                self._some = anyio.Event()
                await self._some.wait()
            batch = [(key, links) for key in list(islice(self._wanted, AT_ONCE)) if (links := self._ready(key))]
            try:
                if self._doubt:
                    await self._check_epochs()
                await self._read(batch)
            except Unavailable:
                self.want(key for key, _ in batch)
                await anyio.sleep(RETRY_S)

    async def _check_epochs(self) -> None:
        """After an interruption the store may be another one, or an older one restored: what devices know of it then counts for nothing."""
        for market in list(self.markets):
            epoch = (await self._store.inbox.open_items(market, NOBODY)).epoch
            for key in self._registry.keys(market):
                for link in self._registry.of(key):
                    if link.epoch not in ("", epoch):
                        link.close(CloseCode.STATE_LOST, "the store is not the one you know; connect again for a snapshot")
        self._doubt = False

    def _ready(self, key: Key) -> list[Link]:
        """Of a provider's links, those that may be written to; the others are marked, and ask again when they may."""
        del self._wanted[key]
        links = self._registry.of(key)
        for link in links:
            link.behind |= link.held
        return [link for link in links if not link.held]

    async def _read(self, batch: list[tuple[Key, list[Link]]]) -> None:
        """One round trip for the whole batch."""
        if not batch:
            return
        wants = [(*key, min(link.session.told for link in links)) for key, links in batch]
        now = self._moments.now
        for (key, links), messages in zip(batch, await self._store.inbox.missed(wants), strict=True):
            frames = [Frame(data) for _, data in messages]
            for link in links:
                self._deliver(key, link, frames, now())

    def _deliver(self, key: Key, link: Link, frames: list[Frame], now: int) -> None:
        if link.held:  # since the batch was gathered
            link.behind = True
        elif not link.deliver(frames, now):
            link.gaps = 0
        elif (gaps := link.gaps + 1) < GAPS:
            link.gaps = gaps
            self.want([key])
        else:
            link.close(CloseCode.STATE_LOST, "some messages are gone; connect again for a snapshot")

    def release(self, link: Link) -> None:
        """This link has been told what it missed: from now on it gets what comes, beginning with what came meanwhile."""
        link.held = False
        if link.behind:
            link.behind = False
            self.want([(link.market, link.pno)])
