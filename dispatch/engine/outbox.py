"""The outbox: tells the booking service what happened, in order per booking, until it has heard it or a day has passed.

The store hands out at most one event per booking at a time, for a minute; an event whose fate could not be written (the store went away, we
were killed) is handed out again: at least once.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio
import structlog

from dispatch import webhooks
from dispatch.engine.courier import Courier
from dispatch.errors import Unavailable
from dispatch.settings import Settings
from dispatch.store import Delivery, Store
from dispatch.webhooks import GIVE_UP_MS, Outcome, Verdict, next_attempt_ms

log = structlog.get_logger("dispatch.outbox")

SEATS = 128  # deliveries under way at once: a slow receiver takes one, and delays nobody else


class Outbox:
    """Delivers webhooks while it is open: ``async with Outbox(store, settings) as outbox``, then ``outbox.once()`` again and again."""

    def __init__(self, store: Store, settings: Settings, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._http = webhooks.client(allow_private=settings.allow_private_webhooks)
        self._wall = wall  # seconds; receivers compare the timestamp with their own clocks, and the engine's may run faster
        self._courier = Courier(store.outbox.due, self._see_to, SEATS)

    async def __aenter__(self) -> Self:
        await self._courier.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        try:
            return await self._courier.__aexit__(kind, error, trace)
        finally:
            with anyio.CancelScope(shield=True):
                await self._http.close()

    async def once(self) -> int:
        """Starts every delivery that is due, as far as there are free seats; how many. Does not wait for the receivers.

        The engine's time plays no part: deliveries are kept in wall time. Raises Unavailable.
        """
        return await self._courier.once()

    async def _see_to(self, delivery: Delivery) -> None:
        try:
            if delivery.target is None:
                await self._store.outbox.done(delivery)  # nobody wants to hear it
            else:
                outcome = await webhooks.deliver(self._http, delivery.target, delivery.id, int(self._wall()), delivery.body)
                await self._settle(delivery, outcome)
        except Unavailable:
            log.warning("outbox_unavailable", market=delivery.market, bno=delivery.bno, effect="this event is delivered again")

    async def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        pause = outcome.after_ms or next_attempt_ms(delivery.attempts + 1, delivery.id)
        late = self._wall() * 1_000 + pause - delivery.first_ms > GIVE_UP_MS
        _report(delivery, outcome)
        if outcome.verdict is Verdict.DELIVERED:
            await self._store.outbox.done(delivery)
        elif outcome.verdict is Verdict.GONE or late:
            await self._store.outbox.bury(delivery)
        else:
            await self._store.outbox.retry(delivery, pause)


def _report(delivery: Delivery, outcome: Outcome) -> None:
    say = log.info if outcome.verdict is Verdict.DELIVERED else log.warning
    say(
        "webhook",
        market=delivery.market,
        bno=delivery.bno,
        type=delivery.type,
        verdict=outcome.verdict.value,
        status=outcome.status,
        detail=outcome.detail,
        attempts=delivery.attempts + 1,
    )
