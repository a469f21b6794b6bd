"""Rounds: what is due is done, in time, once, and one that cannot be done holds up nobody (R12, R13, R17; P3, P6)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.rounds import BATCH, Rounds
from dispatch.errors import Unavailable
from dispatch.store.embedded import Embedded
from tests.store.scene import HOUR, MINUTE, NOON, Scene, play
from tests.store.soundness import faults

ONE_BY_ONE = {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 60}]}


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with play(redis_url, market, tmp_path) as scene:
        for name in ("ada", "ben", "cleo", "dan"):
            await scene.provider(name)
        yield scene


async def sent(scene: Scene, booking_id: str = "b-1") -> list[dict[str, Any]]:
    """Every wave and fill of a booking."""
    record = await scene.record(booking_id)
    return [event for event in await scene.store.bookings.timeline(scene.market, record.no) if event["type"] == "WaveSent"]


async def test_with_nothing_to_do_there_is_no_next_time(scene: Scene) -> None:
    assert await scene.turn() is None


async def test_it_says_when_it_wants_to_come_again(scene: Scene) -> None:
    await scene.open()
    assert await scene.turn() == NOON + 20_000
    await scene.later(seconds=20)
    assert await scene.turn() == scene.now, "there may be more"
    assert await scene.turn() == NOON + 40_000
    assert await scene.turn() == NOON + 40_000


async def test_waves_leave_on_time_one_after_the_other_r12_p6(scene: Scene) -> None:
    await scene.settings(**ONE_BY_ONE)
    await scene.open()
    for name in ("ada", "ben", "cleo", "dan"):
        await scene.receive(name) if name in await scene.states() else None
        due = await scene.settle()
        assert due is not None
        while len(await scene.states()) == len(await sent(scene)) < 4 and due < NOON + 10 * MINUTE:
            await scene.at(due)
            before = len(await sent(scene))
            due = await scene.settle()
            assert due is not None
            if len(await sent(scene)) > before:
                break
    assert [(wave["wave"], wave["at"] - NOON, wave["late"]) for wave in await sent(scene) if wave["kind"] == "wave"] == [
        (number + 1, number * MINUTE, 0) for number in range(len([w for w in await sent(scene) if w["kind"] == "wave"]))
    ]
    assert all(wave["at"] >= wave["due"] for wave in await sent(scene))


async def test_the_last_no_brings_the_next_wave_in_the_same_once_r13(scene: Scene) -> None:
    await scene.open()
    await scene.later(seconds=3)
    for name in ("ada", "ben", "cleo"):
        await scene.refuse(name)
    assert len(await sent(scene)) == 1
    await scene.turn()
    assert [(wave["wave"], wave["at"] - NOON, wave["late"]) for wave in await sent(scene)] == [(1, 0, 0), (2, 3_000, 0)]


@pytest.mark.proves("R17.a")
async def test_a_deadline_closes_the_search_and_a_last_window_too_r11_r17_p3(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", leads=(4, 6))
    await scene.at(NOON + 3 * HOUR)
    due = await scene.settle()
    assert [(await scene.record(b)).state for b in ("b-1", "b-2")] == ["unfilled", "searching"]
    assert due is not None
    await scene.at(NOON + 5 * HOUR)
    assert await scene.settle() is None
    assert (await scene.record("b-2")).state == "unfilled"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize(("ready_before_ms", "late_ms"), [(10 * MINUTE, 2_000), (2_000, 2_000), (1_500, 1_500), (0, 0)])
async def test_lateness_counts_from_the_due_time_or_from_when_this_worker_was_ready_p6(
    scene: Scene, ready_before_ms: int, late_ms: int
) -> None:
    await scene.settings(**ONE_BY_ONE)
    await scene.open()
    await scene.receive("ada")
    await scene.later(seconds=62)
    await Rounds(scene.store, scene.now - ready_before_ms).once(scene.now)
    assert [(wave["at"] - wave["due"], wave["late"]) for wave in await sent(scene)][-1] == (2_000, late_ms)


async def test_a_worker_that_could_not_reach_the_store_was_not_ready_p6(short_dir: Path, market: str, tmp_path: Path) -> None:
    with Embedded(short_dir / "data", "dev") as server:
        async with play(server.url, market, tmp_path, **ONE_BY_ONE) as scene:
            for name in ("ada", "ben"):
                await scene.provider(name)
            await scene.open()
            await scene.receive("ada")
            await scene.later(seconds=90)
            rounds, store = Rounds(scene.store, NOON), scene.store
            server.stop()
            with pytest.raises(Unavailable):
                await rounds.once(scene.now)
            server.start()
            await scene.later(seconds=5)
            rounds._store = scene.store
            await again(lambda: rounds.once(scene.now))
            (_, late) = await sent(scene)
            assert (late["due"], late["at"], late["ready"], late["late"]) == (NOON + MINUTE, scene.now, scene.now, 0)
            assert store is not scene.store


async def again(call: Callable[[], Any]) -> Any:
    for _ in range(100):
        try:
            return await call()
        except Unavailable:
            continue
    raise AssertionError("the store never came back")


@pytest.mark.parametrize(
    ("key", "field", "value", "error"),
    [
        ("bw:1", "query", b"\xc1", msgspec.DecodeError),  # cannot be read
        ("b:1", "rev", b"", ValueError),
        ("bw:1", "query", b"\x80", Unavailable),  # is read, and the function fails
    ],
)
async def test_a_booking_that_cannot_be_served_holds_up_nobody(
    scene: Scene, key: str, field: str, value: bytes, error: type[Exception]
) -> None:
    """Its record is broken; the one behind it is served all the same, and the fault is not hidden."""
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=4.5)
    kept = await scene.redis.hget(f"{{{scene.market}}}:{key}", field)
    await scene.redis.hset(f"{{{scene.market}}}:{key}", field, value)
    await scene.later(minutes=3)
    with pytest.raises(error):
        await scene.turn()
    await scene.redis.hset(f"{{{scene.market}}}:{key}", field, kept)
    assert len(await sent(scene, "b-2")) == 2
    assert (await scene.record("b-1")).state == "searching"


async def test_lateness_does_not_begin_anew_with_every_broken_booking_p6(scene: Scene) -> None:
    await scene.settings(**ONE_BY_ONE)
    for booking_id in ("b-1", "b-2"):
        await scene.open(booking_id)
    for name in ("ada", "ben"):
        for booking_id in ("b-1", "b-2"):
            await scene.receive(name, booking_id) if name in await scene.states(booking_id) else None
    await scene.redis.hset(f"{{{scene.market}}}:bw:1", "query", b"\x80")
    rounds = Rounds(scene.store, NOON)
    await scene.later(seconds=59)
    rounds._store = scene.store
    await rounds.once(scene.now)
    await scene.later(seconds=3)
    rounds._store = scene.store
    with pytest.raises(Unavailable):
        await rounds.once(scene.now)
    assert (await sent(scene, "b-2"))[-1]["late"] == 2_000


async def test_many_due_bookings_are_served_by_several_workers_each_once_p6(scene: Scene) -> None:
    many = BATCH + 60
    await scene.settings(open_proposals_cap=100, **ONE_BY_ONE)
    for number in range(many):
        await scene.open(f"b-{number}", lead=4)
    await scene.later(minutes=1)
    workers = [Rounds(scene.store, 0) for _ in range(3)]
    for _ in range(6):
        await asyncio.gather(*(worker.once(scene.now) for worker in workers))
    story = await scene.store.gauges.read(scene.market)
    assert (story["count.waves"], story["bookings.searching"]) == (2 * many, many)
    assert min((await scene.timers()).values()) > scene.now
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_what_is_due_longest_comes_first_p6(scene: Scene) -> None:
    await scene.settings(**ONE_BY_ONE)
    for number in range(4):
        await scene.open(f"b-{number}", lead=4)
        await scene.later(seconds=1)
    await scene.later(minutes=1)
    due, _ = await scene.store.bookings.due([scene.market], scene.now, 3)
    assert due == [(scene.market, 1), (scene.market, 2), (scene.market, 3)]


async def test_every_market_is_served(scene: Scene, fresh_market: Callable[[], str], tmp_path: Path) -> None:
    async with play(scene.redis_url, fresh_market(), tmp_path) as other:
        await other.provider("zoe")
        await scene.open()
        await other.open()
        await scene.at(NOON + 3 * HOUR)
        await scene.settle()
        assert [(await one.record()).state for one in (scene, other)] == ["unfilled", "unfilled"]
