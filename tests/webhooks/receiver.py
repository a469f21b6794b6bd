"""A receiver of webhooks on a loopback socket, which answers as it is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from dispatch.model import WebhookTarget

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Receiver:
    """Sends ``answer`` to every request (None: never answers) and keeps what it was sent: (headers, body)."""

    port: int = 0
    answer: bytes | None = OK
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    def target(self, host: str = "127.0.0.1", scheme: str = "http") -> WebhookTarget:
        return WebhookTarget(url=f"{scheme}://{host}:{self.port}/hook", secret=SECRET)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError), contextlib.closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}
                self.requests.append((headers, await reader.readexactly(int(headers["content-length"]))))
                if self.answer is None:
                    await reader.read()  # until the other side hangs up
                    return
                writer.write(self.answer)
                await writer.drain()


@contextlib.asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs, with TLS if a context is given."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
