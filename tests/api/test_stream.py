"""Server-sent events: state first, then deltas, bounded, over as soon as either side goes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dispatch.api import make_app, stream
from dispatch.engine.desk import Desk
from dispatch.errors import Unavailable
from dispatch.model import MarketSettings
from dispatch.settings import Settings
from dispatch.store import Store
from tests.api.conftest import MakeKey
from tests.api.serving import Api, serving


class Counting:
    """A feed whose state is a number, and whose deltas are what a test says."""

    def __init__(self) -> None:
        self.say: list[MemoryObjectSendStream[dict[str, Any]]] = []
        self.ended = 0

    async def deltas(self, market: str) -> AsyncIterator[dict[str, Any]]:
        send, receive = anyio.create_memory_object_stream[dict[str, Any]](8)
        self.say.append(send)
        return self._until_closed(receive)

    async def _until_closed(self, receive: MemoryObjectReceiveStream[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        try:
            async with receive:
                async for delta in receive:
                    if "fail" in delta:
                        raise Unavailable("down")
                    yield delta
        finally:
            self.ended += 1

    async def state(self, market: str) -> dict[str, Any]:
        assert self.say  # it listens already: nothing that happens from here on is lost
        return {"market": market, "bookings": 1}


@pytest.fixture
def feed() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    for send in counting.say:
        send.close()


@pytest.fixture
async def api(desk: Desk, store: Store, settings: Settings, feed: Counting) -> AsyncIterator[Api]:
    async with serving(make_app(desk, store, settings, feed)) as running:
        yield running


@pytest.fixture
async def path(store: Store, market: str) -> str:
    await store.markets.put_settings(market, MarketSettings())
    return f"/v1/markets/{market}/ops/stream"


async def told(lines: AsyncIterator[str]) -> tuple[str, Any]:
    """The next event: its name and data."""
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            return name, json.loads(line.removeprefix("data: "))
    raise EOFError


async def until(condition: Any) -> None:
    """Lets others run until it is so."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_the_state_comes_first_and_then_every_delta(api: Api, path: str, market: str, feed: Counting, make_key: MakeKey) -> None:
    key = await make_key("ops:viewer", market)
    async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in response.headers
        lines = response.aiter_lines()
        assert await told(lines) == ("state", {"market": market, "bookings": 1})
        for number in (2, 3):
            await feed.say[0].send({"bookings": number, "text": "deux\nlignes"})
            assert await told(lines) == ("delta", {"bookings": number, "text": "deux\nlignes"})


async def test_only_ops_may_listen(api: Api, path: str, market: str, make_key: MakeKey) -> None:
    for role, status in (("booking", 403), ("metrics", 403)):
        assert (await api.call("GET", path, key=await make_key(role, market))).status_code == status
    assert (await api.call("GET", path)).status_code == 401
    assert (await api.call("GET", path, key=await make_key("ops:manager", "elsewhere"))).status_code == 404


async def test_when_the_listener_goes_the_feed_is_let_go(api: Api, path: str, market: str, feed: Counting, make_key: MakeKey) -> None:
    key = await make_key("ops:viewer", market)
    async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
        await told(response.aiter_lines())
    await until(lambda: feed.ended == 1)


async def test_when_the_feed_fails_the_stream_ends_and_the_listener_may_come_back(
    api: Api, path: str, market: str, feed: Counting, make_key: MakeKey
) -> None:
    key = await make_key("ops:viewer", market)
    for turn in range(2):
        async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
            lines = response.aiter_lines()
            assert (await told(lines))[0] == "state"
            await feed.say[turn].send({"fail": True})
            with pytest.raises(EOFError):
                await told(lines)


async def test_all_streams_end_when_the_process_stops(api: Api, path: str, market: str, feed: Counting, make_key: MakeKey) -> None:
    key = await make_key("ops:viewer", market)
    async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
        lines = response.aiter_lines()
        await told(lines)
        api.app.state.streams.close()
        with pytest.raises(EOFError):
            await told(lines)
    assert feed.ended == 1


async def test_a_silent_stream_says_now_and_then_that_it_lives(
    api: Api, path: str, market: str, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.01)
    key = await make_key("ops:viewer", market)
    async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
        lines = response.aiter_lines()
        await told(lines)
        beats = [line async for line in _first(lines, 6) if line]
    assert beats == [":"] * 3


async def test_more_streams_than_a_process_bears_are_told_to_wait(
    api: Api, path: str, market: str, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    key = await make_key("ops:viewer", market)
    async with api.http.stream("GET", path, headers={"authorization": f"Bearer {key}"}) as response:
        await told(response.aiter_lines())
        second = await api.call("GET", path, key=key)
    assert (second.status_code, second.json()["code"], second.json()["retry"]) == (429, "rate_limited", True)


async def _first(lines: AsyncIterator[str], many: int) -> AsyncIterator[str]:
    for _ in range(many):
        yield await anext(lines)
