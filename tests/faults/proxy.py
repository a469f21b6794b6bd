"""A network that can be told to fail: a TCP proxy that cuts, delays and swallows bytes, whatever they mean.

A fault is *armed*; it happens to the next bytes that fit it, and is counted then. ``request`` is what flows to the server, ``reply`` what
flows back. A cut lets a part of the bytes through (perhaps none) and ends both connections; a cut reply therefore means that the server has
done what it was asked, and nobody heard of it. What is dropped is swallowed with everything behind it, until the connection is given up.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from tests.faults.counts import Fired

CHUNK = 64 * 1024
WORDS = (b"-READONLY", b"-OOM", b"-LOADING", b"-BUSY", b"Function not found")  # what a store that refuses says
NO_LINGER = struct.pack("ii", 1, 0)  # ends with a reset instead of an orderly end


@dataclass(slots=True)
class Fault:
    """What is to happen: ``harm`` is a word of ``counts.HARMS``. ``where``: bytes that the request must contain; empty: any will do."""

    harm: str
    seconds: float = 0.0
    where: bytes = b""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def way(self) -> str:
        """Which bytes it happens to: request or reply."""
        return self.harm.split(" ")[0]


@dataclass(slots=True, eq=False)
class Pair:
    """A connection and its twin on the other side; ``asked`` is the last request that went through."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asked: bytes = b""
    swallowed: set[str] = field(default_factory=set)

    def abort(self, *, reset: bool) -> None:
        """Both ends are gone."""
        for writer in (self.client, self.server):
            connection = writer.get_extra_info("socket")
            if reset and connection is not None:
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()


class Proxy:
    """One port that leads to any of some servers, in turn. ``name`` is a word of ``counts.WAYS``."""

    def __init__(self, name: str, fired: Fired, chance: Random) -> None:
        self.name, self.fired, self.chance = name, fired, chance
        self.upstreams: Sequence[int] = ()
        self.heard: Counter[bytes] = Counter()
        self.port = 0
        self.pairs: set[Pair] = set()
        self._armed: list[Fault] = []
        self._turn = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Takes connections until the block ends."""
        server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            server.close()
            self.calm()
            for pair in list(self.pairs):
                pair.abort(reset=False)
            for task in self._later:
                task.cancel()
            await asyncio.gather(*self._serving, *self._later, return_exceptions=True)

    async def strike(self, fault: Fault, patience_s: float) -> bool:
        """Arm a fault and wait until it has happened; whether it has."""
        self._armed.append(fault)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await fault.done.wait()
        if fault in self._armed:
            self._armed.remove(fault)
        return fault.done.is_set()

    def calm(self) -> None:
        """Nothing is armed any more; connections that swallow bytes end."""
        self._armed.clear()
        for pair in [pair for pair in self.pairs if pair.swallowed]:
            pair.abort(reset=True)

    # -- one connection -----------------------------------------------------------------------------------------------

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(task := asyncio.create_task(self._serve(reader, writer)))
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, upstream = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        pair = Pair(writer, upstream)
        self.pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, upstream, pair, "request"))
                tasks.create_task(self._pump(there, writer, pair, "reply"))
        except* OSError:
            pass
        finally:
            self.pairs.discard(pair)
            pair.abort(reset=False)
            for each in (writer, upstream):
                with suppress(OSError):
                    await each.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The next server of the row that takes a connection."""
        for _ in self.upstreams:
            self._turn += 1
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self.upstreams[self._turn % len(self.upstreams)])
        raise ConnectionRefusedError(f"{self.name}: no server listens")

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: Pair, way: str) -> None:
        while data := await reader.read(CHUNK):
            if way == "request":
                pair.asked = data
            else:
                self.heard.update({word: data.count(word) for word in WORDS if word in data})
            if (fault := self._fitting(pair, way)) is not None:
                await self._harm(fault, pair, writer, data)
            elif way not in pair.swallowed:
                writer.write(data)
                await writer.drain()
        if way not in pair.swallowed and writer.can_write_eof():
            writer.write_eof()

    def _fitting(self, pair: Pair, way: str) -> Fault | None:
        if pair.swallowed:
            return None
        for fault in self._armed:
            if fault.way == way and fault.where in pair.asked:
                self._armed.remove(fault)
                return fault
        return None

    async def _harm(self, fault: Fault, pair: Pair, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.fired.note(f"{self.name}: {fault.harm}")
        fault.done.set()
        match fault.harm.split(" ")[1]:
            case "cut":
                writer.write(data[: self.chance.randrange(len(data))])
                pair.abort(reset=self.chance.random() < 0.5)
            case "delayed":
                await asyncio.sleep(fault.seconds)
                writer.write(data)
                await writer.drain()
            case "dropped":
                pair.swallowed.add(fault.way)
                self._later.add(task := asyncio.create_task(_give_up(pair, fault.seconds)))
                task.add_done_callback(self._later.discard)


async def _give_up(pair: Pair, seconds: float) -> None:
    await asyncio.sleep(seconds)
    pair.abort(reset=True)
