"""The failing network does what it says, byte by byte, and counts only what has happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from tests.faults.counts import HARMS, NETWORK, Fired
from tests.faults.proxy import Fault, Proxy

SOON_S = 10.0


class Echo:
    """A server that answers every line with the same, and remembers what it has read."""

    def __init__(self) -> None:
        self.read = b""
        self.here = 0
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.here += 1
        self.gone.clear()
        with suppress(OSError):
            while data := await reader.read(1_000):
                self.read += data
                if data.endswith(b"\n"):
                    writer.write(b"re: " + data)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.here -= 1
        if not self.here:
            self.gone.set()


@asynccontextmanager
async def between() -> AsyncIterator[tuple[Proxy, Echo]]:
    """A proxy in front of a server."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    proxy = Proxy("api", Fired(), Random(1))
    proxy.upstreams = [server.sockets[0].getsockname()[1]]
    async with server, proxy.listening(), asyncio.timeout(SOON_S):
        yield proxy, echo
    await echo.gone.wait()


async def ask(proxy: Proxy, text: bytes) -> bytes:
    """What comes back until the line or the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def struck(proxy: Proxy, fault: Fault, text: bytes) -> bytes:
    """What comes back while a fault is armed."""
    striking = asyncio.create_task(proxy.strike(fault, SOON_S))
    await asyncio.sleep(0)
    answer = await ask(proxy, text)
    assert await striking
    return answer


async def test_without_faults_every_byte_passes() -> None:
    async with between() as (proxy, echo):
        assert await ask(proxy, b"one\n") == b"re: one\n"
        assert (echo.read, proxy.fired.by_kind.total()) == (b"one\n", 0)


async def test_a_cut_request_never_arrives_whole() -> None:
    async with between() as (proxy, echo):
        assert await struck(proxy, Fault("request cut"), b"a long question\n") == b""
        assert echo.read != b"a long question\n"
        assert b"a long question\n".startswith(echo.read)


async def test_a_cut_reply_means_that_it_was_done_and_nobody_heard() -> None:
    async with between() as (proxy, echo):
        answer = await struck(proxy, Fault("reply cut"), b"a long question\n")
        assert echo.read == b"a long question\n"
        assert answer != b"re: a long question\n"


@pytest.mark.parametrize("harm", ["request delayed", "reply delayed"])
async def test_a_delay_changes_nothing_but_the_time(harm: str) -> None:
    async with between() as (proxy, echo):
        assert await struck(proxy, Fault(harm, 0.05), b"one\n") == b"re: one\n"
        assert echo.read == b"one\n"


@pytest.mark.parametrize(("harm", "arrives"), [("request dropped", b""), ("reply dropped", b"one\n")])
async def test_what_is_dropped_never_comes_and_the_connection_is_given_up(harm: str, arrives: bytes) -> None:
    async with between() as (proxy, echo):
        assert await struck(proxy, Fault(harm, 0.05), b"one\n") == b""
        assert echo.read == arrives
        assert await ask(proxy, b"two\n") == b"re: two\n"


async def test_a_fault_can_wait_for_a_certain_request() -> None:
    async with between() as (proxy, _):
        striking = asyncio.create_task(proxy.strike(Fault("reply cut", where=b"accept"), SOON_S))
        await asyncio.sleep(0)
        assert await ask(proxy, b"refuse\n") == b"re: refuse\n"
        assert not striking.done()
        assert await ask(proxy, b"accept\n") != b"re: accept\n"
        assert await striking


async def test_a_fault_for_which_nothing_came_is_not_counted() -> None:
    async with between() as (proxy, _):
        assert not await proxy.strike(Fault("request cut"), 0.01)
        assert await ask(proxy, b"one\n") == b"re: one\n"
        assert set(NETWORK) < set(proxy.fired.never())


@pytest.mark.parametrize("harm", HARMS)
async def test_each_fault_is_counted_once_and_under_its_name(harm: str) -> None:
    async with between() as (proxy, _):
        await struck(proxy, Fault(harm, 0.01), b"one\n")
        assert proxy.fired.by_kind == {f"api: {harm}": 1}


async def test_a_server_that_is_away_is_passed_over() -> None:
    async with between() as (proxy, _):
        proxy.upstreams = [1, *proxy.upstreams]
        assert [await ask(proxy, b"one\n") for _ in range(3)] == [b"re: one\n"] * 3


async def test_what_a_store_refuses_with_is_heard() -> None:
    async with between() as (proxy, _):
        await ask(proxy, b"-READONLY You can't write\n")
        assert proxy.heard == {b"-READONLY": 1}


def test_a_fault_that_nobody_listed_cannot_be_counted() -> None:
    with pytest.raises(KeyError):
        Fired().note("api: reply cutt")
