"""A closed loop of clients on a store's socket: each sends its next command when it has its answer. It costs so little itself that what is
seen is the server, its disk, and nothing of a client library."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import hiredis

Packed = bytes


@dataclass(slots=True)
class Seen:
    """Times (ms) and answers of some commands, and how long all took (s)."""

    ms: list[float] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    lasted_s: float = 0


def packed(*parts: bytes | str | int) -> Packed:
    """A command as it goes over the wire."""
    words = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class _Client(asyncio.Protocol):
    """One of the clients: takes commands from the common pile until it is empty."""

    def __init__(self, pile: list[Packed], seen: Seen) -> None:
        self._pile, self._seen, self._reader, self._begun = pile, seen, hiredis.Reader(), 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        """The next command, if there is one."""
        assert self._transport is not None
        if not self._pile:
            self.done.set_result(None)
            return
        self._begun = time.perf_counter()
        self._transport.write(self._pile.pop())

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        answer = self._reader.gets()
        if answer is not False:
            self._seen.ms.append((time.perf_counter() - self._begun) * 1e3)
            self._seen.answers.append(answer)
            self.send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the store closed the connection"))


async def drive(path: str, commands: Sequence[Packed], clients: int) -> Seen:
    """All of the commands, over so many connections to a unix socket."""
    seen, pile, loop = Seen(), list(reversed(commands)), asyncio.get_running_loop()
    made = [await loop.create_unix_connection(lambda: _Client(pile, seen), path) for _ in range(clients)]
    begun = time.perf_counter()
    for _, client in made:
        client.send()
    await asyncio.gather(*(client.done for _, client in made))
    seen.lasted_s = time.perf_counter() - begun
    for transport, _ in made:
        transport.close()
    return seen
