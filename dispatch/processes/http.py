"""uvicorn as a part among others: the signals are ours, and it tells when it serves."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import uvicorn

from dispatch.processes.part import Signs

DRAIN_S = 5  # for requests under way when the api is told to stop
LONGEST_HEAD = 16_384  # bytes of a request's head


class HttpServer(uvicorn.Server):
    """uvicorn that sets ``ready`` and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, signs: Signs) -> None:
        super().__init__(config)
        self._signs = signs

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business: one orderly stop for all that runs in it."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self._signs.ready.set()


async def serve_http(app: Any, listener: socket.socket, signs: Signs, *, goodbye: Callable[[], None] = lambda: None) -> None:
    """Serve an ASGI app until ``stop``; then ``goodbye`` ends what would never end by itself, and requests under way have DRAIN_S."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        h11_max_incomplete_event_size=LONGEST_HEAD,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = HttpServer(config, signs)

    async def end_on_stop() -> None:
        await signs.stop.wait()
        goodbye()
        server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_on_stop)
        await server.serve([listener])
        tasks.cancel_scope.cancel()
