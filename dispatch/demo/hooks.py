"""The booking service's ear: a small HTTP listener on loopback that takes the engine's webhooks and checks their signatures."""

import base64
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import uvicorn

from dispatch.client.bookings import DispatchError, WebhookTarget, verify_webhook
from dispatch.demo.record import Record

Message = MutableMapping[str, Any]
LIMIT = 256 * 1024


class Ear(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """An ASGI application: POST / with a signed event. ``target`` is what the market is told."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.target = WebhookTarget(url=f"http://127.0.0.1:{self._socket.getsockname()[1]}/", secret=secret)

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        """One delivery: 204 when it is ours, 401 when its signature is false."""
        status = self._take({k.decode(): v.decode() for k, v in scope["headers"]}, await _body(receive))
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, headers: dict[str, str], body: bytes) -> int:
        try:
            self._record.hooked(verify_webhook(self.target.secret, headers, body))
        except DispatchError as refused:
            self._record.hooks_false += 1
            return refused.status
        return 204

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listens while the block runs."""
        config = uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = Ear(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [self._socket])
            try:
                yield
            finally:
                server.should_exit = True


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """The body of a request, up to the limit (what is beyond it makes the signature false)."""
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False) and len(body) <= LIMIT
    return body
