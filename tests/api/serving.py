"""An ASGI application behind a real server on a loopback socket, for as long as a block runs."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where it listens, and a client for it without a key."""

    port: int
    http: httpx2.AsyncClient
    app: Any

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> httpx2.Response:
        """One call. ``body``: bytes as they are, anything else as JSON; headers with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["authorization"] = f"Bearer {key}"
        what: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        return await self.http.request(method, path, headers=named, **what)


@contextlib.asynccontextmanager
async def serving(app: Any, port: int = 0) -> AsyncIterator[Api]:
    """Serves the application; on a free port unless one is named."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not for sockets made without a protocol number
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            yield Api(port=port, http=http, app=app)
    finally:
        server.should_exit = True
        await task
