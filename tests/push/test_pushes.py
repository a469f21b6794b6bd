"""From a proposal in the store to the phone: sent once, tried again within bounds, and dropped where nobody lives any more."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY
from redis import Redis

from dispatch.engine import pushes as module
from dispatch.engine.pushes import Pushes
from dispatch.errors import ConfigError
from dispatch.messages import PushAddress
from dispatch.push.vapid import VapidKeys
from dispatch.settings import Settings, read
from dispatch.wire import encode_json
from tests.push.browser import Browser, sender
from tests.store.scene import GATEWAY, Scene, play
from tests.webhooks.receiver import Receiver

PATIENCE_S = 10


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """Development, with keys for Web Push."""
    VapidKeys.make("mailto:ops@example.org").write(tmp_path / "vapid.json")
    return read(redis_url=redis_url, profile="dev", dev=True, data_dir=tmp_path)


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A market in the time of the wall, with Ada and Ben, whose phones are off."""
    async with play(redis_url, market, tmp_path) as scene:
        await scene.at_wall()
        for name in ("ada", "ben"):
            await scene.provider(name, reachable=False)
        yield scene


async def subscribed(scene: Scene, name: str, address: PushAddress, device: str = "phone") -> None:
    """His device has named its address and gone."""
    await scene.store.links.connect(scene.market, scene.numbers[name], device, GATEWAY, 5, push=encode_json(address))
    await scene.disconnect(name, device, conn=5)


async def once(scene: Scene, settings: Settings) -> int:
    """One turn, and the end of what it started."""
    async with Pushes(scene.store, settings) as pushes:
        return await pushes.once()


def later(scene: Scene) -> None:
    """Whatever was put off is due."""
    with Redis.from_url(scene.redis_url) as client:
        for name in client.scan_iter(f"{{{scene.market}}}:ps:*"):
            for bno, raw in client.hgetall(name).items():
                client.hset(name, bno, _due_now(raw))
        key = f"{{{scene.market}}}:psdue"
        for member in client.zrange(key, 0, -1):
            client.zadd(key, {member: 0})


def _due_now(raw: bytes) -> bytes:
    kept = msgspec.msgpack.decode(raw)
    for one in kept["to"].values():
        one["due"] = 0
    return msgspec.msgpack.encode(kept)


def attempts(service: str, verdict: str) -> float:
    return REGISTRY.get_sample_value("dispatch_push_attempts_total", {"service": service, "verdict": verdict}) or 0.0


def answer(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", "content-length: 0", *headers, "", ""]).encode()


def heard(endpoint: Receiver, browser: Browser) -> list[dict[str, object]]:
    return [json.loads(browser.read(body)) for _, body in endpoint.requests]


async def test_a_proposal_and_its_end_reach_a_phone_that_has_no_socket(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    browser = Browser(f"http://127.0.0.1:{endpoint.port}/1")
    await subscribed(scene, "ada", browser.address)
    await scene.open()
    before = attempts("webpush", "sent")
    assert await once(scene, settings) == 1
    assert await once(scene, settings) == 0
    await scene.cancel()
    assert await once(scene, settings) == 1
    record = await scene.record()
    proposal = scene.proposal("ada", record)
    assert heard(endpoint, browser) == [
        {"id": proposal, "kind": "proposal", "expires_at": record.deadline},
        {"id": proposal, "kind": "withdrawn", "expires_at": record.deadline},
    ]
    assert attempts("webpush", "sent") - before == 2
    assert await scene.gauge("count.pushes_sent") == 2


async def test_the_time_left_is_told(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    await scene.open()
    await once(scene, settings)
    left_s = ((await scene.record()).deadline - await scene.store.now()) / 1_000
    [(headers, _)] = endpoint.requests
    assert left_s - 2 <= int(headers["ttl"]) <= left_s + 30


async def test_what_was_refused_for_now_is_sent_again_later(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    await scene.open()
    endpoint.answer = answer(503)
    before = attempts("webpush", "retry")
    assert await once(scene, settings) == 1
    assert await once(scene, settings) == 0
    later(scene)
    endpoint.answer = answer(201)
    assert await once(scene, settings) == 1
    assert (len(endpoint.requests), attempts("webpush", "retry") - before) == (2, 1)
    assert await scene.gauge("count.pushes_sent") == 1


async def test_an_address_that_is_gone_is_dropped_at_once_and_nobody_is_asked_in_vain_again_r14(
    scene: Scene, settings: Settings, endpoint: Receiver
) -> None:
    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    assert await scene.candidates() == ["ada"]
    await scene.open()
    endpoint.answer = answer(410)
    assert await once(scene, settings) == 1
    assert await scene.candidates() == []
    assert (await scene.gauge("count.pushes_gone"), await scene.gauge("providers.askable")) == (1, 0)
    later(scene)
    assert await once(scene, settings) == 0


async def test_one_that_refuses_us_is_left_alone_but_keeps_its_address(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    await scene.open()
    endpoint.answer = answer(403)
    assert await once(scene, settings) == 1
    later(scene)
    assert await once(scene, settings) == 0
    assert (await scene.gauge("count.pushes_failed"), await scene.candidates()) == (1, ["ada"])


async def test_a_service_that_hangs_delays_nobody_else(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    await subscribed(scene, "ben", PushAddress(kind="fcm", token="b"))  # goes to the log
    endpoint.answer = None
    await scene.open()
    with anyio.CancelScope() as life:
        async with Pushes(scene.store, settings) as pushes:
            assert await pushes.once() == 2
            await until(lambda: sent(scene, 1))
            life.cancel()


async def sent(scene: Scene, number: int) -> bool:
    return await scene.gauge("count.pushes_sent") == number


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not await check():
            await anyio.lowlevel.checkpoint()


async def test_seats_are_bounded(scene: Scene, settings: Settings, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEATS", 1)
    for name in ("ada", "ben"):
        await subscribed(scene, name, Browser(f"http://127.0.0.1:{endpoint.port}/{name}").address)
    endpoint.answer = None
    await scene.open()
    with anyio.CancelScope() as life:
        async with Pushes(scene.store, settings) as pushes:
            assert [await pushes.once() for _ in range(3)] == [1, 0, 0]
            life.cancel()


async def test_what_was_under_way_when_we_died_is_sent_again(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    browser = Browser(f"http://127.0.0.1:{endpoint.port}/1")
    await subscribed(scene, "ada", browser.address)
    await scene.open()
    endpoint.answer = None
    with anyio.CancelScope() as life:
        async with Pushes(scene.store, settings) as pushes:
            await pushes.once()
            while not endpoint.requests:
                await anyio.lowlevel.checkpoint()
            life.cancel()
    endpoint.answer = answer(201)
    assert await once(scene, settings) == 0
    later(scene)
    assert await once(scene, settings) == 1
    assert [message["id"] for message in heard(endpoint, browser)] == [scene.proposal("ada", await scene.record())] * 2
    assert await scene.gauge("count.pushes_sent") == 1


async def test_a_sender_with_a_fault_of_its_own_ends_neither_the_worker_nor_the_push(
    scene: Scene, settings: Settings, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret-token")

    await subscribed(scene, "ada", Browser(f"http://127.0.0.1:{endpoint.port}/1").address)
    await scene.open()
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
        patch.setattr("dispatch.push.webpush.WebPush.send", broken)
        assert await once(scene, settings) == 1
    assert [line["error"] for line in lines if line["event"] == "push_broken"] == ["KeyError"]
    assert "secret-token" not in json.dumps(lines)
    later(scene)
    assert await once(scene, settings) == 1
    assert await scene.gauge("count.pushes_sent") == 1


async def test_logs_speak_in_numbers_and_codes(scene: Scene, settings: Settings, endpoint: Receiver) -> None:
    """P14b."""
    browser = Browser(f"http://127.0.0.1:{endpoint.port}/1")
    await subscribed(scene, "ada", browser.address, device="Awas phone")
    await scene.open("b-secret")
    with structlog.testing.capture_logs() as lines:
        await once(scene, settings)
    [line] = [line for line in lines if line["event"] == "push"]
    assert (line["service"], line["verdict"], line["status"], line["kind"], line["attempts"]) == ("webpush", "sent", 201, "proposal", 1)
    written = json.dumps(lines)
    assert [word for word in ("b-secret", "Awas", "ada", "127.0.0.1", browser.token[:40]) if word in written] == []


async def test_one_who_is_set_up_wrongly_does_not_start(scene: Scene, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "vapid.json").write_text("{}")
    with pytest.raises(ConfigError):
        async with Pushes(scene.store, settings):
            raise AssertionError("it started")


async def test_the_log_says_who_is_not_reached(scene: Scene, settings: Settings) -> None:
    with structlog.testing.capture_logs() as lines:
        await once(scene, settings)
    assert [line["services"] for line in lines if line["event"] == "push_to_log"] == [["fcm", "apns"]]


def test_the_sender_of_these_tests_is_known_by_its_key() -> None:
    keys = VapidKeys.make("mailto:ops@example.org")
    assert sender(keys.authorization("https://push.example/1"))[0] == keys.public_key
