"""RFC 6455 to the letter: the cases of the Autobahn test suite, played by kosoku against the gateway's own websockets.

They want their messages echoed, so an echo stands where the conversation does; all the rest is the gateway's: listening socket, connection
class, options. Sections 12 and 13 are about compression, which this protocol has switched off.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest
from kosoku import FailureError, run_fuzzingclient
from websockets.asyncio import messages
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dispatch.gateway import Limits, listen
from dispatch.gateway.door import Door
from dispatch.gateway.server import websocket_options
from dispatch.settings import read
from dispatch.wire import INBOUND_LIMIT

COMPRESSION = ("12.*", "13.*")
CASES = 301  # without them: fewer would prove less
MIB = 1_024 * 1_024
ROOMY = Limits(fragments=10**6, controls=10**6)  # section 9 has messages of 16 MiB, and some of 4 MiB in pieces of 64 bytes
BIG = {"10.1.1", *(f"1.{kind}.{number}" for kind in (1, 2) for number in (6, 7, 8))}  # messages of 64 KiB


@asynccontextmanager
async def echo(limits: Limits, largest: int) -> AsyncIterator[str]:
    async def handle(connection: ServerConnection) -> None:
        try:
            while True:
                await connection.send(await connection.recv())
        except ConnectionClosed:
            pass

    listener = listen("127.0.0.1", 0)
    door = Door(limits, read(dev=True))
    async with serve(handle, sock=listener, **websocket_options(door, largest=largest)):
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"


async def verdicts(limits: Limits, largest: int, without: Sequence[str]) -> dict[str, tuple[str, str, int | None]]:
    """Of each case what was said of its messages, what of its end, and with which code it ended."""
    async with echo(limits, largest) as url:
        try:
            results = await run_fuzzingclient(url, None, without, 2)
        except FailureError as failure:
            results = failure.results
    return {one.case_id: (one.behavior.value, one.behavior_close.value, one.remote_close_code) for one in results}


def failed(found: dict[str, tuple[str, str, int | None]]) -> dict[str, tuple[str, str, int | None]]:
    good = {"OK", "NON-STRICT", "INFORMATIONAL"}
    return {case: verdict for case, verdict in found.items() if not {verdict[0], verdict[1]} <= good}


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_every_case_passes_but_those_about_compression(uvloop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_FRAGMENTS", 10**6)  # the library's own cap; ours comes long before it
    found = anyio.run(verdicts, ROOMY, 17 * MIB, COMPRESSION, backend_options={"use_uvloop": uvloop})
    assert len(found) == CASES
    assert failed(found) == {}


def test_within_the_gateways_own_bounds_every_case_passes_but_those_with_larger_messages() -> None:
    """Section 9 is all of those; the others have a few, and each ends as PROTOCOL.md says."""
    found = anyio.run(verdicts, Limits(), INBOUND_LIMIT, (*COMPRESSION, "9.*"), backend_options={"use_uvloop": True})
    failures = failed(found)
    assert {case: verdict[2] for case, verdict in failures.items()} == dict.fromkeys(sorted(BIG), 4501)
