"""How a process tells that it lives, is ready, and what it counts: `/livez`, `/readyz`, `/metrics` on a port of its own.

A responder for probes and scrapers, not a web server: one short request a connection, GET only, small bounds everywhere. So the gateway
and the worker need no web framework. Under `dispatch serve` the api asks them here, and answers for all on its own port.
"""

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.abc import SocketListener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dispatch.errors import ConfigError

LONGEST_REQUEST = 4_096  # bytes
PATIENCE_S = 2.0
MOST_AT_ONCE = 16
REQUEST = re.compile(rb"GET (/[a-z]{1,16})(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a probe."""

    status: str
    body: bytes
    kind: str = PLAIN

    def encode(self) -> bytes:
        """The answer as it goes over the wire; the connection ends with it."""
        head = f"HTTP/1.1 {self.status}\r\nContent-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        return head.encode() + self.body


def answer(request: bytes, *, ready: bool) -> Answer:
    """The answer to a request (its head, up to the empty line)."""
    match = REQUEST.match(request)
    path = match[1].decode() if match else ""
    if path == "/livez":
        return Answer("200 OK", b"alive\n")
    if path == "/readyz":
        return Answer("200 OK", b"ready\n") if ready else Answer("503 Service Unavailable", b"not ready\n")
    if path == "/metrics":
        return Answer("200 OK", generate_latest(), CONTENT_TYPE_LATEST)
    return Answer("404 Not Found", b"GET /livez, /readyz or /metrics would be right\n") if match else Answer("400 Bad Request", b"")


async def respond(listener: socket.socket, is_ready: Callable[[], bool]) -> None:
    """Answer on a listening socket until cancelled. More than MOST_AT_ONCE connections wait in the socket's own queue."""
    seats = anyio.Semaphore(MOST_AT_ONCE)

    async def serve(stream: SocketStream) -> None:
        async with stream:
            with anyio.move_on_after(PATIENCE_S):
                await _serve_one(stream, is_ready)
        seats.release()

    async with await SocketListener.from_socket(listener) as accepting, anyio.create_task_group() as tasks:
        while True:
            await seats.acquire()
            tasks.start_soon(serve, await accepting.accept())


async def _serve_one(stream: SocketStream, is_ready: Callable[[], bool]) -> None:
    try:
        head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", LONGEST_REQUEST)
        await stream.send(answer(head + b"\r\n", ready=is_ready()).encode())
    except (anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # whoever asked is gone, or is no prober


def listen(variable: str, host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError that names the ``variable`` when the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1_024)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by connections; plain asyncio only sets it on its own
        return listener
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)  # below 0: the name is unknown
        raise ConfigError(f"{variable}: cannot listen on {host}:{port}: {reason}") from error
