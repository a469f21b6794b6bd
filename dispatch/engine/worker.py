"""The worker: waves on time, webhooks and pushes on their way, upkeep. Any number may run; they share the work through the store."""

from collections.abc import Mapping

import anyio

from dispatch.engine.bonus import Bonuses
from dispatch.engine.loop import NAP_S, Bell, every, on_time
from dispatch.engine.outbox import Outbox
from dispatch.engine.pushes import Pushes
from dispatch.engine.rematch import Rematch
from dispatch.engine.rounds import Rounds
from dispatch.engine.upkeep import Upkeep
from dispatch.settings import Settings
from dispatch.store import Listening, Store

REAP_S, RENEW_S, FOLLOW_S = 1.0, 1.0, 1.0
ALARM_S = 0.25  # a booking in the hands of ops is overdue within a second (P3)
LOOK_AHEAD_MS = 6 * 3_600_000  # of engine time: the index reaches two days beyond the horizon


async def run(store: Store, settings: Settings, stop: anyio.Event, ready: anyio.Event) -> None:
    """Works until ``stop``; sets ``ready`` when it does."""
    due, owed, unheard, freed, starved, timers = Bell(), Bell(), Bell(), Bell(), Bell(), store.timers()
    upkeep = Upkeep(store)
    rounds = Rounds(store, await store.now())
    async with Outbox(store, settings) as outbox, Pushes(store, settings) as pushes, anyio.create_task_group() as tasks:

        async def follow() -> None:
            for market in await store.markets.names():
                await timers.follow(market)

        tasks.start_soon(_listen, timers, {b"t": due, b"h": owed, b"p": unheard, b"f": freed, b"b": starved})
        await follow()
        tasks.start_soon(on_time, store, rounds.once, due, stop)
        tasks.start_soon(on_time, store, Rematch(store).once, freed, stop)
        tasks.start_soon(every, NAP_S, outbox.once, stop, owed)  # apart: no wave waits for a webhook
        tasks.start_soon(every, NAP_S, pushes.once, stop, unheard)
        tasks.start_soon(every, NAP_S, Bonuses(store).once, stop, starved)
        ahead = store.clock.wall_seconds(LOOK_AHEAD_MS)
        duties = (
            (FOLLOW_S, follow),
            (REAP_S, upkeep.reap),
            (REAP_S, upkeep.end_tests),
            (ALARM_S, upkeep.alarm),
            (REAP_S, upkeep.end_counteroffers),
            (RENEW_S, upkeep.renew),
            (ahead, upkeep.look_ahead),
        )
        for pace, duty in duties:
            tasks.start_soon(every, pace, duty, stop)
        ready.set()
        await stop.wait()
        tasks.cancel_scope.cancel()
    await timers.close()


async def _listen(timers: Listening, bells: Mapping[bytes, Bell]) -> None:
    async for _, payload in timers.messages():
        for word, bell in bells.items():
            if payload is None or word in payload:
                bell.ring()
