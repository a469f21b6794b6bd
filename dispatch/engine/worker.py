"""The worker: waves on time, webhooks on their way, upkeep. Any number may run; they share the work through the store."""

from collections.abc import Sequence

import anyio

from dispatch.engine.loop import Bell, every, on_time
from dispatch.engine.outbox import Outbox
from dispatch.engine.rounds import Rounds
from dispatch.engine.upkeep import Upkeep
from dispatch.settings import Settings
from dispatch.store import Listening, Store

REAP_S, FOLLOW_S = 1.0, 1.0
LOOK_AHEAD_MS = 6 * 3_600_000  # of engine time: the index reaches two days beyond the horizon


async def run(store: Store, settings: Settings, stop: anyio.Event, ready: anyio.Event) -> None:
    """Works until ``stop``; sets ``ready`` when it does."""
    due, owed, timers, upkeep = Bell(), Bell(), store.timers(), Upkeep(store)
    rounds = Rounds(store, await store.now())
    async with Outbox(store, settings) as outbox, anyio.create_task_group() as tasks:

        async def follow() -> None:
            for market in await store.markets.names():
                await timers.follow(market)

        async def deliver(now: int) -> int | None:
            await outbox.once(now)
            return None  # deliveries keep wall time: it looks again after a nap, or when the bell rings

        tasks.start_soon(_listen, timers, (due, owed))
        await follow()
        tasks.start_soon(on_time, store, rounds.once, due, stop)
        tasks.start_soon(on_time, store, deliver, owed, stop)  # apart: no wave waits for a webhook
        ahead = store.clock.wall_seconds(LOOK_AHEAD_MS)
        for pace, duty in ((FOLLOW_S, follow), (REAP_S, upkeep.reap), (ahead, upkeep.look_ahead)):
            tasks.start_soon(every, pace, duty, stop)
        ready.set()
        await stop.wait()
        tasks.cancel_scope.cancel()
    await timers.close()


async def _listen(timers: Listening, bells: Sequence[Bell]) -> None:
    async for _ in timers.messages():
        for bell in bells:
            bell.ring()
