"""Watching a run: follows bookings as they end, and gathers the evidence when the city has come to rest."""

import math
from itertools import islice

import anyio

from dispatch.client import BookingClient
from dispatch.client.bookings import DispatchError
from dispatch.demo.clock import CityClock
from dispatch.demo.evidence import READERS, Evidence, read, samples

FOLLOW_S = 0.5
PATIENCE_S = 10.0
STEP_S = 0.2


class Watch:
    """Reads what the engine says. The screen shows ``evidence`` while it grows, the promises are judged by it at the end."""

    def __init__(self, evidence: Evidence, client: BookingClient, clock: CityClock) -> None:
        self.evidence, self._client, self._clock = evidence, client, clock

    async def follow(self) -> None:
        """Reads each booking after a webhook spoke of it, for the screen."""
        heard = 0
        while True:
            fresh = list(islice(self.evidence.record.hooks.values(), heard, None))
            heard += len(fresh)
            await read(self.evidence, self._client, self._clock, {event.data["booking_id"] for event in fresh})
            await anyio.sleep(FOLLOW_S)

    async def gather(self) -> None:
        """Everything, once the last webhooks have come."""
        await self._all_heard()
        await read(self.evidence, self._client, self._clock, self.evidence.record.asked)
        self.evidence.record.opened.update(self.evidence.bookings)
        self.evidence.states = self.evidence.by_state()

    async def close_shop(self) -> None:
        """Cancels what still searches, so that nothing moves, and reads what that changed and the engine's counters."""
        searching = [booking_id for booking_id, booking in self.evidence.bookings.items() if booking.state == "searching"]
        gate = anyio.CapacityLimiter(READERS)

        async def cancel(booking_id: str) -> None:
            async with gate:
                try:
                    await self._client.cancel(booking_id, "ops", "the demo is over")
                except DispatchError as ended:  # it found somebody, or its deadline, in the meantime
                    self.evidence.record.refusals[f"cancel: {ended.code}"] += 1

        async with anyio.create_task_group() as tasks:
            for booking_id in searching:
                tasks.start_soon(cancel, booking_id)
        await read(self.evidence, self._client, self._clock, searching)
        self.evidence.metrics = await self._resting_metrics()

    async def _all_heard(self) -> None:
        """Waits for the webhook of every win that a device was told of."""
        record = self.evidence.record
        for _ in range(math.ceil(PATIENCE_S / STEP_S)):
            told = {event.data["booking_id"] for event in record.hooks.values() if event.type == "booking.accepted"}
            if told >= set(record.wins):
                return
            await anyio.sleep(STEP_S)

    async def _resting_metrics(self) -> dict[str, float]:
        """The counters of this market, read until they stand still."""
        before: dict[str, float] = {}
        for _ in range(math.ceil(PATIENCE_S / STEP_S)):
            now = {
                name: value for name, value in samples(await self._client.metrics()).items() if f'market="{self._client.market}"' in name
            }
            if now == before:
                break
            before = now
            await anyio.sleep(STEP_S)
        return before
