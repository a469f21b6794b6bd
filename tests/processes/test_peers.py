"""The api answers for all, but only to those who may ask."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from dispatch.errors import ConfigError
from dispatch.processes import peers as module
from dispatch.processes.ops import listen, respond
from dispatch.processes.peers import WithPeers, addresses, scrape

OWN = b"# HELP bookings Bookings.\n# TYPE bookings gauge\nbookings 3.0\n"


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[str, int]]:
    listener = listen("DISPATCH_OPS_PORT", "127.0.0.1", 0)
    address = listener.getsockname()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(respond, listener, lambda: True)
        yield address
        tasks.cancel_scope.cancel()


@pytest.fixture
def nobody() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return tuple(gone.getsockname())  # type: ignore[return-value]


def app_that_says(status: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(OWN)), (b"x", b"y")]})
        await send({"type": "http.response.body", "body": OWN[:10], "more_body": True})
        await send({"type": "http.response.body", "body": OWN[10:]})

    return app


async def call(app: WithPeers, path: str = "/metrics", method: str = "GET") -> tuple[dict[bytes, bytes], bytes]:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing to receive")

    await app({"type": "http", "path": path, "method": method}, receive, send)
    return dict(said[0]["headers"]), b"".join(message["body"] for message in said[1:])


async def test_the_metrics_of_peers_are_added(nobody: tuple[str, int]) -> None:
    async with answering() as peer:
        headers, body = await call(WithPeers(app_that_says(200), {"worker": peer, "gateway": nobody}))
    assert body.startswith(OWN)
    assert b'python_info{process="worker"' in body
    assert b'dispatch_peer_up{process="worker"} 1\n' in body
    assert b'dispatch_peer_up{process="gateway"} 0\n' in body
    assert headers == {b"content-length": b"%d" % len(body), b"x": b"y"}


@pytest.mark.parametrize(("status", "path", "method"), [(401, "/metrics", "GET"), (200, "/v1/markets", "GET"), (200, "/metrics", "POST")])
async def test_everything_else_is_the_answer_of_the_app_itself(
    monkeypatch: pytest.MonkeyPatch, nobody: tuple[str, int], status: int, path: str, method: str
) -> None:
    async def never(peers: Any) -> Any:
        raise AssertionError("peers were asked for someone who may not know")

    monkeypatch.setattr(module, "scrape", never)
    assert (await call(WithPeers(app_that_says(status), {"worker": nobody}), path, method))[1] == OWN


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    with listen("DISPATCH_OPS_PORT", "127.0.0.1", 0) as mute, anyio.fail_after(5):
        assert await scrape({"worker": mute.getsockname()}) == {"worker": None}


async def test_a_page_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAGE", 100)
    async with answering() as peer:
        assert await scrape({"worker": peer}) == {"worker": None}


def test_addresses_of_peers_are_read() -> None:
    assert addresses(("a=127.0.0.1:1", "b=[::1]:2")) == {"a": ("127.0.0.1", 1), "b": ("::1", 2)}


@pytest.mark.parametrize("peers", [("127.0.0.1:1",), ("a=host",), ("a=b=c:1",)])
def test_a_wrong_address_is_refused(peers: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="name=host:port"):
        addresses(peers)
