"""Receipts on their way to the store: those that come while a call is under way go together in the next one."""

from itertools import islice

import anyio

from dispatch.errors import Unavailable
from dispatch.gateway.effects import Confirm
from dispatch.gateway.latency import Latency
from dispatch.gateway.link import Link
from dispatch.gateway.registry import Key
from dispatch.store import Store, mark

AT_ONCE, MARKS = 16, 128  # providers in one call, and after how many marks no further one joins: some 2 ms of the store's time
PROVIDERS_LIMIT = 20_000  # with receipts that the store has not taken yet
RETRY_S = 0.5


class Receipts:
    """What devices confirmed and the store does not know yet. A lost receipt costs little: the seat of its proposal is filled (R14)."""

    def __init__(self, store: Store, latency: Latency) -> None:
        self._store, self._latency = store, latency
        self._waiting: dict[Key, tuple[dict[str, None], dict[str, None]]] = {}
        self._some = anyio.Event()

    def add(self, link: Link, confirm: Confirm) -> None:
        """A device confirms proposals."""
        self._latency.acked(confirm.took)
        received, seen = (tuple(mark(proposal, link.name) for proposal in which) for which in (confirm.received, confirm.seen))
        self._add((link.market, link.pno), received, seen)

    def _add(self, key: Key, received: tuple[str, ...], seen: tuple[str, ...]) -> None:
        if key not in self._waiting and len(self._waiting) >= PROVIDERS_LIMIT:
            return
        known = self._waiting.setdefault(key, ({}, {}))
        known[0].update(dict.fromkeys(received))
        known[1].update(dict.fromkeys(seen))
        self._some.set()

    async def run(self) -> None:
        """Hand them to the store, for ever."""
        while True:
            await self._some.wait()
            await anyio.lowlevel.checkpoint()  # the rest of this turn's acknowledgements joins
            await self._pass_on()

    async def _pass_on(self) -> None:
        if not self._waiting:
            self._some = anyio.Event()
            return
        market = next(iter(self._waiting))[0]
        batch = [(key[1], *self._waiting.pop(key)) for key in self._next(market)]
        try:
            self._latency.marked(await self._store.claims.receipts(market, batch))
        except Unavailable:
            for pno, received, seen in batch:
                self._add((market, pno), tuple(received), tuple(seen))
            await anyio.sleep(RETRY_S)

    def _next(self, market: str) -> list[Key]:
        """Whose receipts go in the next call."""
        keys, marks = list[Key](), 0
        for key in islice((key for key in self._waiting if key[0] == market), AT_ONCE):
            if marks >= MARKS:
                break
            marks += sum(map(len, self._waiting[key]))
            keys.append(key)
        return keys
