"""A store that stops, dies, and comes back: nothing was decided twice, nothing that was told is lost, and waves go on (P2, P3, P15)."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError

from dispatch.errors import Unavailable
from dispatch.messages import PushAddress
from dispatch.settings import read
from dispatch.store import Store, Wake
from dispatch.store.calls import make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.wakeups import Wakeups
from dispatch.wire import encode_json
from tests.store.scene import GATEWAY, HOUR, NOON, Scene, play
from tests.store.soundness import faults


@pytest.fixture
def own_server(short_dir: Path) -> Iterator[Embedded]:
    """A server of this test alone, with the promises of production."""
    with Embedded(short_dir / "data", "durable") as server:
        yield server


@pytest.fixture
async def scene(own_server: Embedded, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """The usual scene, on a server that can be stopped."""
    async with play(own_server.url, market, tmp_path) as scene:
        for name in ("ada", "ben", "cleo", "dan"):
            await scene.provider(name)
        yield scene


def crash(server: Embedded) -> None:
    """The server is gone from one moment to the next."""
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


async def again(call: Callable[[], Awaitable[Any]]) -> Any:
    """What a caller does who was told `unavailable`: the same once more, with the same id."""
    for _ in range(100):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(0)
    raise AssertionError("the store never came back")


async def test_waves_go_on_after_a_restart_p3(scene: Scene, own_server: Embedded) -> None:
    await scene.open()
    due = await scene.timers()
    own_server.stop()
    own_server.start()
    assert await again(scene.timers) == due
    await scene.later(seconds=20)
    await again(scene.settle)
    assert await scene.states() == {"ada": "replaced", "ben": "replaced", "cleo": "replaced", "dan": "open"}
    await scene.at(NOON + 3 * HOUR)
    await scene.settle()
    assert (await scene.record()).state == "unfilled"
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_every_call_says_unavailable_while_the_store_is_down_and_nothing_is_decided_p15(scene: Scene, own_server: Embedded) -> None:
    await scene.open("b-1")
    ada, record = scene.numbers["ada"], await scene.record()
    mine, claims, store = scene.proposal("ada", record), scene.store.claims, scene.store
    wave = await scene.desk.market(scene.market)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "open": lambda: scene.open("b-2", rid="r-open"),
        "accept": lambda: claims.accept(scene.market, ada, "yes", mine, 1),
        "refuse": lambda: claims.refuse(scene.market, ada, "no", mine, 1),
        "receipts": lambda: claims.receipts(scene.market, [(ada, [mine], [])]),
        "cancel": lambda: scene.cancel("b-1", rid="r-cancel"),
        "booking": lambda: scene.desk.booking(scene.market, "b-1"),
        "match": lambda: scene.candidates(),
        "connect": lambda: store.links.connect(scene.market, ada, "phone", "gw", 2),
        "status": lambda: store.links.status(scene.market, ada, False, None, "phone"),
        "resume": lambda: scene.resume("ada", None, None),
        "missed": lambda: store.inbox.missed([(scene.market, ada, 0)]),
        "turn": scene.turn,
        "due": lambda: store.outbox.due(1),
        "pushes": lambda: store.pushes.due(1),
        "keep": lambda: store.ledger.begin(scene.market, "r"),
        "settings": lambda: store.markets.put_settings(scene.market, wave.settings),
        "gauges": lambda: store.gauges.read(scene.market),
        "now": store.now,
    }
    own_server.stop()
    for name, call in calls.items():
        with pytest.raises(Unavailable, match="retry with the same key or id"):
            await call()
        assert name
    own_server.start()
    assert (await again(scene.record)) == record
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_the_same_id_gets_its_answer_after_a_restart_p4_p15(scene: Scene, own_server: Embedded) -> None:
    """One answer was given before, one was never decided; the same ids are sent again."""
    opened = await scene.open("b-1", rid="r-1")
    won = await scene.accepted("ada", "b-1", id="yes")
    lost = await scene.accepted("ben", "b-1", id="yes")
    record = await scene.record()
    own_server.stop()
    with pytest.raises(Unavailable):
        await scene.store.claims.refuse(scene.market, scene.numbers["cleo"], "no", scene.proposal("cleo", record), 1)
    own_server.start()
    assert await again(lambda: scene.accepted("ada", "b-1", id="yes")) == won
    assert await scene.accepted("ben", "b-1", id="yes") == lost
    assert await scene.open("b-1", rid="r-1") == opened
    assert await scene.refuse("cleo", id="no") == "done"
    assert (await scene.story()).count("Accepted") == 1


async def test_a_win_that_was_told_survives_the_death_of_the_store_p2(scene: Scene, own_server: Embedded) -> None:
    for number in range(5):
        booking_id = f"b-{number}"
        await scene.open(booking_id, lead=3 + 2 * number)
        await scene.only("ada", booking_id)
        assert await scene.accept("ada", booking_id) == "won"
        crash(own_server)
        own_server.start()
        assert (await again(lambda booking_id=booking_id: scene.record(booking_id))).winner == scene.numbers["ada"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_push_that_is_owed_or_under_way_survives_the_death_of_the_store(scene: Scene, own_server: Embedded) -> None:
    for name in ("ada", "ben"):
        address = encode_json(PushAddress(kind="fcm", token=name))
        await scene.store.links.connect(scene.market, scene.numbers[name], "phone", GATEWAY, 1, push=address)
        await scene.disconnect(name)
    await scene.open()
    lent = next(push for push in await scene.store.pushes.due(100) if push.address.token == "ada")
    crash(own_server)
    own_server.start()
    await again(lambda: scene.store.pushes.sent(lent))
    await scene.cancel()
    assert [(push.address.token, push.kind) for push in await scene.store.pushes.due(100)] == [("ada", "withdrawn")]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize("after", [1, 10, 25, 45])
async def test_a_store_that_dies_in_the_middle_of_a_race_has_one_winner_and_keeps_its_word_p1_p2_p15(
    scene: Scene, own_server: Embedded, after: int
) -> None:
    """Sixty taps on twenty bookings, some at a time; when ``after`` are answered the store dies. Everybody taps again, with the same id."""
    for number in range(20):
        await scene.open(f"b-{number}", lead=2.5 + number / 60)
        await scene.settings(open_proposals_cap=50)
    records = {f"b-{number}": await scene.record(f"b-{number}") for number in range(20)}
    names = {pno: name for name, pno in scene.numbers.items()}
    taps = [(names[pno], booking_id) for booking_id, record in records.items() for pno in record.proposals]
    told: dict[tuple[str, str], list[str]] = {tap: [] for tap in taps}
    interrupted, hands = 0, asyncio.Semaphore(6)

    async def tap(name: str, booking_id: str) -> None:
        proposal = scene.proposal(name, records[booking_id])
        answer = await scene.store.claims.accept(scene.market, scene.numbers[name], f"tap-{booking_id}", proposal, 1)
        told[name, booking_id].append(answer["outcome"])
        if sum(map(len, told.values())) == after:
            crash(own_server)

    async def impatient(name: str, booking_id: str) -> None:
        nonlocal interrupted
        try:
            async with hands:
                await tap(name, booking_id)
        except Unavailable:
            interrupted += 1

    await asyncio.gather(*(impatient(*one) for one in taps))
    assert interrupted > 0, "the store did not die in the middle"
    own_server.start()
    for one in taps:
        await again(lambda one=one: tap(*one))
    assert all(len(set(answers)) == 1 for answers in told.values()), "another answer to the same id"
    wins = Counter(booking_id for (_, booking_id), answers in told.items() if "won" in answers)
    stored = {booking_id: (await scene.record(booking_id)).winner for booking_id in records}
    assert all(count == 1 for count in wins.values())
    assert {booking_id for booking_id, winner in stored.items() if winner} == set(wins)
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_devices_resume_on_the_other_side_of_a_restart_and_take_a_snapshot_of_another_store_p8(
    scene: Scene, own_server: Embedded
) -> None:
    await scene.open()
    known = await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])
    crash(own_server)
    own_server.start()
    resumed = await again(lambda: scene.resume("ada", known.epoch, 0))
    assert (resumed.resumed, len(resumed.missed)) == (True, 1)
    await scene.redis.hset(f"{{{scene.market}}}:market", "epoch", "restored")
    assert (await scene.resume("ada", known.epoch, 1)).reason == "epoch"


async def test_a_webhook_that_was_lent_is_not_lost_by_a_restart(scene: Scene, own_server: Embedded) -> None:
    await scene.settings(webhook={"url": "https://example.org", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    await scene.open()
    await scene.cancel()
    (lent,) = await scene.store.outbox.due(5)
    crash(own_server)
    own_server.start()
    await again(scene.timers)
    await scene.redis.zadd(f"{{{scene.market}}}:wdue", {"1": 0})
    assert await scene.store.outbox.due(5) == [lent]


@pytest.mark.parametrize("followed_before", [True, False])
async def test_wake_ups_are_heard_again_however_long_the_store_was_away(scene: Scene, own_server: Embedded, followed_before: bool) -> None:
    """Also when it was away for several attempts to reach it, or at the very first one."""
    tried = 0

    class Counted(Wakeups):
        async def _renewed(self) -> bool:
            nonlocal tried
            tried += 1
            return await super()._renewed()

    wakeups, heard = Counted(scene.store.links._calls, "gateway_wakes", "gw-1"), asyncio.Queue[Wake]()

    async def listen() -> None:
        async for wake in wakeups:
            heard.put_nowait(wake)

    listener = asyncio.create_task(listen())
    if followed_before:
        await wakeups.follow(scene.market)
    own_server.stop()
    if not followed_before:
        await wakeups.follow(scene.market)
    async with asyncio.timeout(20):
        while tried < 3 and not listener.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        own_server.start()
        first = asyncio.ensure_future(heard.get())
        await asyncio.wait({first, listener}, return_when=asyncio.FIRST_COMPLETED)
        assert (await first).lost
    await again(lambda: scene.connect("ada", gateway="gw-1"))
    await again(lambda: scene.open("b-9"))
    async with asyncio.timeout(10):
        assert (await heard.get()).frames
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    await wakeups.close()


async def _fill(redis: Any, _: str) -> Callable[[], Awaitable[Any]]:
    await redis.config_set("maxmemory", 1)
    return lambda: redis.config_set("maxmemory", 0)


async def _occupy(redis: Any, url: str) -> Callable[[], Awaitable[Any]]:
    await redis.config_set("busy-reply-threshold", 1)
    other = make_redis(url, answers_within_s=None)
    spinning = asyncio.create_task(other.eval("while true do end", 0))
    async with asyncio.timeout(10):
        while not await _is_busy(redis):  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def free() -> None:
        await redis.script_kill()
        await asyncio.gather(spinning, return_exceptions=True)
        await other.aclose()

    return free


async def _is_busy(redis: Any) -> bool:
    try:
        await redis.info()
    except ResponseError as error:
        return str(error).startswith("BUSY")
    return False


@pytest.mark.parametrize("trouble", [_fill, _occupy])
async def test_a_part_that_starts_while_the_store_is_full_or_busy_does_not_call_the_installation_wrong_p15(
    own_server: Embedded, trouble: Callable[[Any, str], Awaitable[Callable[[], Awaitable[Any]]]]
) -> None:
    """It would not be started again: the whole engine would end with it."""
    settings = read(redis_url=own_server.url)
    await (await Store.connect(settings)).close()
    redis = make_redis(own_server.url)
    over = await trouble(redis, own_server.url)
    with pytest.raises(Unavailable):
        await Store.connect(settings)
    await over()
    await (await Store.connect(settings)).close()
    await redis.aclose()
