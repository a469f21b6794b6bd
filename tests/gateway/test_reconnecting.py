"""Who comes back is live at once, with exactly what is open (P8): the gateway waits for no clock in between, on however slow a machine."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median

import pytest

from dispatch.messages import Resume
from dispatch.store import Store
from tests.gateway.gate import PATIENCE_S, Gate, gate

TIMES = 9
FASTEST_S, USUAL_S = 0.25, 1.0  # the second is the promise: a busy machine makes some slower, a wait all of them


@contextmanager
def clocks_stopped(patience_s: float = 2 * PATIENCE_S) -> Iterator[Callable[[Awaitable[None]], Awaitable[None]]]:
    """No timer that is set from now on ever rings in this loop. Runs what must get along without; a thread says when that took too long."""
    loop, set_timer = asyncio.get_running_loop(), asyncio.get_running_loop().call_at
    too_late = asyncio.Event()
    watch = threading.Timer(patience_s, loop.call_soon_threadsafe, (too_late.set,))

    async def run(work: Awaitable[None]) -> None:
        working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(too_late.wait())
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        loop.call_at = set_timer  # type: ignore[method-assign]
        for task in (working, waiting):
            task.cancel()
        assert not too_late.is_set(), "somebody waits for a clock"
        await working

    loop.call_at = lambda when, callback, *args, context=None: asyncio.TimerHandle(when, callback, args, loop, context)  # type: ignore
    watch.start()
    try:
        yield run
    finally:
        watch.cancel()
        loop.call_at = set_timer  # type: ignore[method-assign]


async def come_back(running: Gate, known: Resume | None) -> tuple[Resume, list[str]]:
    """A device from its socket to ``live``: where it stands then, and the bookings it was told of."""
    async with running.device(resume=known) as (bare, (welcome, *told, live)):
        items = [bare.codec.to_device(item) for item in welcome.items]
        return Resume(epoch=welcome.epoch, seq=live.seq), [item.booking.booking_id for item in (*items, *told)]


async def test_no_timer_stands_between_hello_and_live_p8(store: Store, market: str) -> None:
    """Every clock is stopped, and devices come back all the same: to a list of everything, and to what they missed."""

    opened: list[str] = []

    async def come_and_go() -> None:
        known, told = await come_back(running, None)
        for _ in range(3):
            opened.append(await running.book())
            known, told = await come_back(running, known)
            assert told == opened[-1:]
            assert sorted((await come_back(running, None))[1]) == sorted(opened)

    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="d-2"):  # through which he can be asked while this one is away
            with clocks_stopped() as run:
                await run(come_and_go())


async def test_the_control_of_stopped_clocks() -> None:
    """A timer, however short, is found out."""
    with clocks_stopped(patience_s=0.1) as run, pytest.raises(AssertionError, match="waits for a clock"):
        await run(asyncio.sleep(0.001))


async def seconds(work: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


async def test_a_device_that_reconnects_is_live_within_a_second_p8(store: Store, market: str) -> None:
    """Beside the upgrade alone, measured in the same moment: the fastest at once, the usual one within the promise."""
    took: list[float] = []

    async def upgrade_alone() -> None:
        async with running.socket():
            pass

    async with gate(store, market) as running:
        await running.provider()
        known, _ = await come_back(running, None)
        for turn in range(TIMES):
            beside = await seconds(upgrade_alone())
            took.append(await seconds(come_back(running, known if turn % 2 else None)) - beside)
    assert min(took) < FASTEST_S, took
    assert median(took) < USUAL_S, took
