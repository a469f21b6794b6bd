"""The api answers for all: its `/metrics` asks the other processes of `dispatch serve` for theirs and adds them."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import anyio

from dispatch.errors import ConfigError
from dispatch.processes.exposition import merge
from dispatch.processes.part import Role

LONGEST_PAGE = 4 << 20  # bytes
PATIENCE_S = 2.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def addresses(peers: tuple[str, ...]) -> Mapping[str, tuple[str, int]]:
    """DISPATCH_PEERS as name -> (host, port). Raises ConfigError."""
    try:
        named = (peer.split("=") for peer in peers)
        return {name: (where.rpartition(":")[0].strip("[]"), int(where.rpartition(":")[2])) for name, where in named}
    except ValueError:
        raise ConfigError(f"DISPATCH_PEERS: {','.join(peers)} should be name=host:port,name=host:port") from None


class WithPeers:
    """An ASGI app whose `/metrics` also has those of the peers, once the app itself has said that the caller may see them."""

    def __init__(self, app: App, peers: Mapping[str, tuple[str, int]]) -> None:
        self._app, self._peers = app, peers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and scope["path"] == "/metrics" and scope["method"] == "GET":
            await self._metrics(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _metrics(self, scope: Message, receive: Receive, send: Send) -> None:
        said: list[Message] = []

        async def hear(message: Message) -> None:
            said.append(message)

        await self._app(scope, receive, hear)
        start, body = said[0], b"".join(message.get("body", b"") for message in said[1:])
        if start["status"] == 200:
            body = merge(Role.API, body.decode(), await scrape(self._peers)).encode()
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


async def scrape(peers: Mapping[str, tuple[str, int]]) -> dict[str, str | None]:
    """The metrics of each peer; None for one that does not answer in time."""
    pages: dict[str, str | None] = dict.fromkeys(peers)

    async def ask(name: str, host: str, port: int) -> None:
        with anyio.move_on_after(PATIENCE_S):
            pages[name] = await _get_metrics(host, port)

    async with anyio.create_task_group() as tasks:
        for name, (host, port) in peers.items():
            tasks.start_soon(ask, name, host, port)
    return pages


async def _get_metrics(host: str, port: int) -> str | None:
    received = bytearray()
    try:
        async with await anyio.connect_tcp(host, port) as stream:
            await stream.send(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            async for chunk in stream:
                received += chunk
                if len(received) > LONGEST_PAGE:
                    return None
    except (OSError, anyio.BrokenResourceError):
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    return body.decode() if head.startswith(b"HTTP/1.1 200 ") else None
