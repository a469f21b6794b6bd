"""The only clock and the only sleeper of the engine: repeats duties, each of which is one ``once``."""

from collections.abc import Awaitable, Callable

import anyio
import structlog

from dispatch.errors import Unavailable
from dispatch.store import Clock, Store

log = structlog.get_logger("dispatch.loop")

NAP_S = 0.2  # a worker looks at least so often, whatever it was told
Duty = Callable[[int], Awaitable[int | None]]


class Bell:
    """Wakes a sleeper early."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Whoever sleeps, or sleeps next, wakes."""
        self._event.set()

    async def sleep(self, seconds: float) -> None:
        """Until that long has passed or the bell rang."""
        with anyio.move_on_after(max(0.0, seconds)):
            await self._event.wait()
        self._event = anyio.Event()


async def on_time(store: Store, duty: Duty, bell: Bell, stop: anyio.Event) -> None:
    """Runs a duty whenever it is due: it says when it wants to run again. An unavailable store is waited for."""
    while not stop.is_set():
        await bell.sleep(await _attempt(store, duty, store.clock))


async def _attempt(store: Store, duty: Duty, clock: Clock) -> float:
    """Does it now; how long to sleep (s) until it is due again. What the duty itself took is no sleep."""
    began = anyio.current_time()
    try:
        again = await duty(now := await store.now())
    except Unavailable as error:
        log.warning("store_unavailable", detail=error.detail)
        return NAP_S
    except Exception:  # a fault of ours in one duty must not end the others
        log.exception("duty_failed", duty=duty.__qualname__)
        return NAP_S
    return NAP_S if again is None else min(NAP_S, clock.wall_seconds(again - now) - (anyio.current_time() - began))


async def every(seconds: float, duty: Callable[[], Awaitable[object]], stop: anyio.Event, bell: Bell | None = None) -> None:
    """Runs a duty at a steady pace of wall time, and when its bell rings, until told to stop; a failure of the store costs one turn."""
    while not stop.is_set():
        try:
            await duty()
        except Unavailable as error:
            log.warning("store_unavailable", duty=duty.__qualname__, detail=error.detail)
        except Exception:  # a fault of ours in one duty must not end the others
            log.exception("duty_failed", duty=duty.__qualname__)
        if bell:
            await bell.sleep(seconds)
            continue
        with anyio.move_on_after(seconds):
            await stop.wait()
