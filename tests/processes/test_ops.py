"""The responder for probes: short answers, small bounds, and nobody can hold it up."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from dispatch.errors import ConfigError
from dispatch.processes import ops
from dispatch.processes.ops import answer, listen, respond


class Prober:
    """Asks the responder; ``ready`` is what it says of itself."""

    def __init__(self, listener: socket.socket) -> None:
        self.address: tuple[str, int] = listener.getsockname()
        self.ready = True

    async def ask(self, request: bytes) -> bytes:
        async with await anyio.connect_tcp(*self.address) as stream:
            await stream.send(request)
            return b"".join([chunk async for chunk in stream])


@asynccontextmanager
async def responding() -> AsyncIterator[Prober]:
    listener = listen("DISPATCH_OPS_PORT", "127.0.0.1", 0)
    found = Prober(listener)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(respond, listener, lambda: found.ready)
        yield found
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "ready", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n", True, "200 OK"),
        (b"GET /livez HTTP/1.0\r\n", False, "200 OK"),
        (b"GET /readyz HTTP/1.1\r\n", True, "200 OK"),
        (b"GET /readyz HTTP/1.1\r\n", False, "503 Service Unavailable"),
        (b"GET /readyz?verbose=1 HTTP/1.1\r\n", True, "200 OK"),
        (b"GET /metrics HTTP/1.1\r\n", True, "200 OK"),
        (b"GET /metrics HTTP/1.1\r\n", False, "200 OK"),
        (b"GET / HTTP/1.1\r\n", True, "400 Bad Request"),
        (b"GET /other HTTP/1.1\r\n", True, "404 Not Found"),
        (b"POST /livez HTTP/1.1\r\n", True, "400 Bad Request"),
        (b"GET /livez HTTP/2.0\r\n", True, "400 Bad Request"),
        (b"GET  /livez HTTP/1.1\r\n", True, "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00", True, "400 Bad Request"),
        (b"", True, "400 Bad Request"),
    ],
)
def test_a_request_has_its_answer(request_: bytes, ready: bool, status: str) -> None:
    assert answer(request_, ready=ready).status == status


async def test_probes_are_answered_over_a_real_connection() -> None:
    async with responding() as prober:
        assert await prober.ask(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\nConnection: close\r\n\r\nalive\n"
        )
        prober.ready = False
        assert (await prober.ask(b"GET /readyz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        assert b"dispatch_loop_lag_seconds" in await prober.ask(b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_a_request_that_is_too_long_is_not_read_to_its_end() -> None:
    async with responding() as prober, await anyio.connect_tcp(*prober.address) as stream:
        await stream.send(b"GET /livez HTTP/1.1\r\n" + b"x: y\r\n" * 1_000)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_many_who_say_nothing_do_not_keep_a_probe_from_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with responding() as prober:
        monkeypatch.setattr(ops, "PATIENCE_S", 0.05)
        idle = [await anyio.connect_tcp(*prober.address) for _ in range(3 * ops.MOST_AT_ONCE)]
        with anyio.fail_after(10):
            assert (await prober.ask(b"GET /livez HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        for stream in idle:
            await stream.aclose()


async def test_one_who_leaves_in_the_middle_harms_nobody() -> None:
    async with responding() as prober:
        for part in (b"", b"GET /liv"):
            async with await anyio.connect_tcp(*prober.address) as stream:
                if part:
                    await stream.send(part)
        assert (await prober.ask(b"GET /livez HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


def test_a_port_in_use_is_told_with_the_variable_that_chose_it() -> None:
    with listen("DISPATCH_OPS_PORT", "127.0.0.1", 0) as taken, pytest.raises(ConfigError) as caught:
        listen("DISPATCH_HTTP_PORT", "127.0.0.1", taken.getsockname()[1])
    assert "DISPATCH_HTTP_PORT: cannot listen on 127.0.0.1:" in str(caught.value)
    assert "in use" in str(caught.value)


@pytest.mark.parametrize(("host", "reason"), [("no-such-host.invalid", "DISPATCH_OPS_PORT: "), ("192.0.2.1", "assign")])
def test_an_address_that_cannot_be_had_is_told(host: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen("DISPATCH_OPS_PORT", host, 0)
    assert reason in str(caught.value)


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_other_names_of_loopback_will_do(host: str) -> None:
    listen("DISPATCH_OPS_PORT", host, 0).close()
