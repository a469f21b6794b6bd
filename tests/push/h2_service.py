"""A push service that speaks HTTP/2 over TLS, and nothing else, on a loopback socket; it answers as it is told."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


@dataclass
class Request:
    """What was asked, on one stream."""

    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.headers[":path"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Service:
    """``answer`` decides what each request gets; None: it never gets anything."""

    port: int = 0
    answer: Callable[[Request], Answer | None] = lambda request: Answer()
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        http, streams = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8")), {}
        http.initiate_connection()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError), contextlib.closing(writer):
            writer.write(http.data_to_send())
            while data := await reader.read(65_536):
                for event in http.receive_data(data):
                    self._hear(http, streams, event)
                writer.write(http.data_to_send())
                await writer.drain()

    def _hear(self, http: H2Connection, streams: dict[int, Request], event: Any) -> None:
        match event:
            case RequestReceived():
                streams[event.stream_id] = Request(dict(event.headers))
            case DataReceived():
                streams[event.stream_id].body += event.data
                http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                request = streams.pop(event.stream_id)
                self.requests.append(request)
                if (answer := self.answer(request)) is not None:
                    body = b"" if answer.body is None else json.dumps(answer.body).encode()
                    http.send_headers(event.stream_id, [(":status", str(answer.status)), *answer.headers])
                    http.send_data(event.stream_id, body, end_stream=True)

    def hang_up(self) -> None:
        """Every connection breaks."""
        for writer in self.writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[Service]:
    """A service that listens while the block runs."""
    context.set_alpn_protocols(["h2"])
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=context)
    service.port = server.sockets[0].getsockname()[1]
    async with server:
        yield service
        service.hang_up()
