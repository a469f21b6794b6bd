"""The worker as it runs: woken at once, on time, and not to be stopped by what goes wrong beside it (R13; P3, P6)."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from dispatch.engine import worker
from dispatch.engine.loop import Bell, every, on_time
from dispatch.errors import Unavailable
from dispatch.settings import read
from dispatch.store import Store
from dispatch.store.embedded import Embedded
from tests.store.scene import GATEWAY, Scene, play
from tests.store.soundness import faults

PATIENCE_S = 20.0
SPACING_S = 0.05  # between bookings, so that at all times some wave falls due
LATE_MS = 250
QUICK = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 1}]}


@asynccontextmanager
async def working(url: str) -> AsyncIterator[Store]:
    """A worker at work."""
    settings = read(redis_url=url, profile="dev", dev=True)
    store, stop, ready = await Store.connect(settings), anyio.Event(), anyio.Event()
    running = asyncio.create_task(worker.run(store, settings, stop, ready))
    async with asyncio.timeout(PATIENCE_S):
        await ready.wait()
    try:
        yield store
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running
        await store.close()


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """The usual market, but in the time of the wall."""
    async with play(redis_url, market, tmp_path) as scene:
        await scene.at_wall()
        for name in ("ada", "ben", "cleo", "dan"):
            await scene.provider(name)
        yield scene


@asynccontextmanager
async def watching(scene: Scene) -> AsyncIterator[Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]]:
    """``await until(check)`` looks again whenever a provider of the market has news. A gateway learns of news in the same way."""
    async with scene.store.wakeups("gw-scene") as wakeups, scene.listening(wakeups) as heard:

        async def until(check: Callable[[], Awaitable[bool]]) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not await check():
                    await heard()

        yield until


async def waves(scene: Scene, booking_id: str) -> list[dict[str, Any]]:
    record = await scene.record(booking_id)
    return [event for event in await scene.store.bookings.timeline(scene.market, record.no) if event["type"] == "WaveSent"]


@pytest.mark.proves("R13.a")
async def test_the_next_wave_goes_within_fifty_milliseconds_of_the_last_no_r13(scene: Scene, redis_url: str) -> None:
    """The best of some tries, as others use this machine too; each is at once, and not by chance of a look that was due."""
    took: list[int] = []
    async with working(redis_url), watching(scene) as until:
        for number in range(6):
            booking_id = f"b-{number}"
            await scene.open(booking_id, lead=3)
            first = [name for name, state in (await scene.states(booking_id)).items() if state == "open"]
            for name in first:
                await scene.refuse(name, booking_id)

            async def sent(booking_id: str = booking_id) -> bool:
                return len(await waves(scene, booking_id)) == 2

            await until(sent)
            told = await scene.store.bookings.timeline(scene.market, (await scene.record(booking_id)).no)
            refused = max(event["at"] for event in told if event["type"] == "Refused")
            took.append((await waves(scene, booking_id))[-1]["at"] - refused)
            await scene.cancel(booking_id)
    assert min(took) < 50, took
    assert sorted(took)[len(took) // 2] < 200, took


async def test_waves_leave_on_time_p6(scene: Scene, redis_url: str) -> None:
    """The usual wave within the promise, and none held back while others leave: a slow machine delays all, a fault those it is about."""
    await scene.settings(open_proposals_cap=100, **QUICK)
    async with working(redis_url), watching(scene) as until, beating(scene) as turns:
        for number in range(20):
            await scene.open(f"b-{number}", lead=3)
            await asyncio.sleep(SPACING_S)

        async def all_asked() -> bool:
            return await scene.gauge("count.proposals") == 20 * 4

        await until(all_asked)
    sent = [wave | {"booking": number} for number in range(20) for wave in await waves(scene, f"b-{number}")]
    late = sorted(wave["late"] for wave in sent)
    assert [wave for wave in sent if wave["at"] < wave["due"]] == []
    assert late[len(late) // 2] <= LATE_MS, late
    assert held_back(sent, LATE_MS + max(turns)) == [], max(turns)


@asynccontextmanager
async def beating(scene: Scene) -> AsyncIterator[list[float]]:
    """The scene's gateway beats, as a living one does; a yardstick: how long (ms) a short sleep and such a beat take each time."""
    turns: list[float] = []

    async def beat() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.01)
            await scene.store.links.gateway_alive(GATEWAY, [scene.market])
            turns.append((time.perf_counter() - begun) * 1_000)

    steady = asyncio.create_task(beat())
    try:
        yield turns
    finally:
        steady.cancel()


def held_back(sent: list[dict[str, Any]], allowed: float) -> list[dict[str, Any]]:
    """Waves that left after one that fell due later by more than what is allowed. A worker that is late serves whatever fell due first.
    The first wave of a booking is none of a worker's: it leaves with the booking."""
    timed = [wave for wave in sent if wave["wave"] > 1]
    return [wave for wave in timed if any(other["due"] > wave["due"] + allowed and other["at"] < wave["at"] for other in timed)]


def test_a_wave_that_is_held_back_is_found_out() -> None:
    """The control."""
    sent = [{"wave": 2, "due": 1_000 * number, "at": 1_000 * number + 2_100 * (number == 3)} for number in range(9)]
    assert held_back(sent, LATE_MS) == [sent[3]]
    assert held_back([wave | {"at": wave["due"] + 9_000} for wave in sent], LATE_MS) == []


async def test_a_receiver_of_webhooks_that_never_answers_delays_no_wave_p6(scene: Scene, redis_url: str, silent_port: int) -> None:
    hook = {"url": f"http://127.0.0.1:{silent_port}/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    await scene.settings(webhook=hook)
    async with working(redis_url), watching(scene) as until:
        for number in range(12):
            await scene.open(f"w-{number}", lead=3)
            await scene.cancel(f"w-{number}")
        await scene.open("b-1", lead=3)
        for name in [name for name, state in (await scene.states("b-1")).items() if state == "open"]:
            await scene.refuse(name, "b-1")

        async def sent() -> bool:
            return len(await waves(scene, "b-1")) == 2

        await until(sent)
    assert await scene.gauge("count.webhooks") == 0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody listens who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


async def test_several_workers_share_the_work_p6(scene: Scene, redis_url: str) -> None:
    await scene.settings(open_proposals_cap=100, **QUICK)
    async with working(redis_url), working(redis_url), watching(scene) as until:
        for number in range(10):
            await scene.open(f"b-{number}", lead=3)

        async def all_sent() -> bool:
            return await scene.gauge("count.waves") >= 30

        await until(all_sent)
    asked = [(number, pno) for number in range(10) for wave in await waves(scene, f"b-{number}") for pno in wave["asked"]]
    assert len(asked) == len(set(asked))
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_worker_outlives_a_restart_of_the_store_p3(short_dir: Path, market: str, tmp_path: Path) -> None:
    with Embedded(short_dir / "data", "dev") as server:
        async with play(server.url, market, tmp_path, **QUICK) as scene:
            await scene.at_wall()
            for name in ("ada", "ben", "cleo"):
                await scene.provider(name)
            async with working(server.url):
                await scene.open("b-1", lead=3)
                server.stop()
                server.start()
                async with asyncio.timeout(PATIENCE_S):
                    while await attempt(lambda: scene.gauge("count.waves")) != 3:
                        pass  # the store is asked, not the clock
            assert len({pno for wave in await waves(scene, "b-1") for pno in wave["asked"]}) == 3


async def attempt(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await call()
    except Unavailable:
        return None


# -- the loop ---------------------------------------------------------------------------------------------------------


async def test_a_bell_that_rings_while_nobody_sleeps_is_heard_by_the_next_who_does() -> None:
    bell = Bell()
    bell.ring()
    async with asyncio.timeout(1):
        await bell.sleep(60)
    with anyio.move_on_after(0.01) as scope:
        await bell.sleep(60)
    assert scope.cancelled_caught, "it rings once"


async def test_a_duty_that_fails_in_any_way_is_done_again(store: Store) -> None:
    stop, tries = anyio.Event(), []

    async def duty(now: int) -> int | None:
        tries.append(now)
        if len(tries) == 3:
            stop.set()
        raise (Unavailable("down"), KeyError("a fault of ours"), Unavailable("down"))[len(tries) - 1]

    bell = Bell()
    bell.sleep = no_time  # type: ignore[method-assign]
    async with asyncio.timeout(PATIENCE_S):
        await on_time(store, duty, bell, stop)
    assert len(tries) == 3


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


async def test_a_steady_duty_that_fails_in_any_way_is_done_again() -> None:
    stop, tries = anyio.Event(), []

    async def duty() -> None:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise (Unavailable("down"), KeyError("a fault of ours"), Unavailable("down"))[len(tries) - 1]

    async with asyncio.timeout(PATIENCE_S):
        await every(0, duty, stop)
    assert len(tries) == 3


@pytest.mark.parametrize(("ahead_ms", "low", "high"), [(100, 0.04, 0.1), (None, 0.2, 0.2), (10_000, 0.2, 0.2), (0, -1, 0), (-50, -1, 0)])
async def test_what_a_duty_takes_is_no_sleep_p6(store: Store, ahead_ms: int | None, low: float, high: float) -> None:
    """It is due again so long after its beginning, not after its end."""
    stop, slept = anyio.Event(), []

    async def duty(now: int) -> int | None:
        for _ in range(3):
            await store.now()
        return None if ahead_ms is None else now + ahead_ms

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        stop.set()

    bell = Bell()
    bell.sleep = sleep  # type: ignore[method-assign]
    await on_time(store, duty, bell, stop)
    assert low <= slept[0] <= high
    assert ahead_ms != 100 or slept[0] < 0.1
