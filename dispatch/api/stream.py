"""Server-sent events: a full ``state`` first, then ``delta``s as they come."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

import anyio
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatch.api.call import Call, Reply
from dispatch.api.endpoint import encoded
from dispatch.errors import DispatchError, RateLimited

log = structlog.get_logger("dispatch.api")

BEAT_S = 15.0
RECONNECT_MS = 2_000
MOST_STREAMS = 200


class Feed(Protocol):
    """What a stream shows of a market."""

    async def deltas(self, market: str) -> AsyncIterator[dict[str, Any]]:
        """What changes from this very call on (it listens before it returns). May repeat what ``state`` says already."""
        ...

    async def state(self, market: str) -> dict[str, Any]:
        """Everything, as it is now."""
        ...


class Streams:
    """The open streams of a process: bounded, and ended together when it stops."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._open: set[anyio.CancelScope] = set()

    async def open(self, call: Call[None]) -> Reply:
        """The answer to a call that wants to listen. Raises RateLimited when too many do."""
        if len(self._open) >= MOST_STREAMS:
            raise RateLimited(f"{MOST_STREAMS} streams are open here; try again later")
        deltas = await self._feed.deltas(call.market)
        try:
            state = await self._feed.state(call.market)
        except BaseException:
            await _let_go(deltas)
            raise
        return Reply(response=_EventStream(state, deltas, self._open))

    def close(self) -> None:
        """Ends every stream; the listeners come back to another process."""
        for scope in self._open:
            scope.cancel()


class _EventStream(Response):
    """One stream, while somebody listens."""

    media_type = "text/event-stream"

    def __init__(self, state: dict[str, Any], deltas: AsyncIterator[dict[str, Any]], streams: set[anyio.CancelScope]) -> None:
        super().__init__(None, 200, {"cache-control": "no-store", "x-accel-buffering": "no", "content-type": "text/event-stream"})
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]
        self._state, self._deltas, self._streams = state, deltas, streams
        self._one_at_a_time = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with anyio.create_task_group() as tasks:
            self._streams.add(tasks.cancel_scope)
            try:
                tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
                tasks.start_soon(self._beat, send)
                await self._tell(send)
            except DispatchError as error:
                log.warning("stream_ended", code=error.code)
            finally:
                self._streams.discard(tasks.cancel_scope)
                tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send) -> None:
        try:
            await self._write(send, f"retry: {RECONNECT_MS}\n".encode() + event("state", self._state))
            async for delta in self._deltas:
                await self._write(send, event("delta", delta))
        finally:
            await _let_go(self._deltas)

    async def _beat(self, send: Send) -> None:
        """A comment now and then, so that nobody between us takes the silence for an end."""
        while True:
            await anyio.sleep(BEAT_S)
            await self._write(send, b":\n\n")

    async def _write(self, send: Send, part: bytes) -> None:
        async with self._one_at_a_time:
            await send({"type": "http.response.body", "body": part, "more_body": True})


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event on the wire. JSON has no line ends, so one data line holds it."""
    return b"event: " + name.encode() + b"\ndata: " + encoded(data) + b"\n\n"


async def _let_go(deltas: AsyncIterator[dict[str, Any]]) -> None:
    """Ends a generator now rather than when it is collected; other iterators have nothing to end."""
    if isinstance(deltas, AsyncGenerator):
        await deltas.aclose()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
