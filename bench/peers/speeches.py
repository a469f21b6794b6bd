"""How nchan, NATS, python-socketio and Starlette are talked to: as lean as each allows, so that the time is theirs."""

import asyncio
import json
from collections.abc import Sequence

from websockets.typing import Subprotocol

from bench.peers.speech import Socket, message

HELLO = 400  # bytes of a first frame, about what ours has with its token


class Http:
    """A connection that stays, and one request at a time on it."""

    def __init__(self, port: int) -> None:
        self._port, self._turn = port, asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> None:
        """Raises RuntimeError when the answer is no."""
        async with self._turn:
            reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next((int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length:")), 0)
            said = await reader.readexactly(length)
            if not head.startswith("http/1.1 2"):
                raise RuntimeError(f"POST {path}: {head}{said!r}")


class Silent:
    """What most have in common: nothing to prepare, and nothing to say to a message."""

    subprotocols: Sequence[Subprotocol] | None = None

    def __init__(self, port: str) -> None:
        self._port = int(port)

    async def begin(self, count: int) -> None:
        pass

    async def greet(self, socket: Socket, i: int) -> None:
        pass

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        return ()


class Greeted(Silent):
    """Says something, hears something: nothing is published."""

    async def url(self, i: int) -> str:
        return f"ws://127.0.0.1:{self._port}/"

    async def greet(self, socket: Socket, i: int) -> None:
        await socket.send(b"hello".ljust(HELLO, b"."))
        if await socket.recv() != b"here":
            raise RuntimeError("the bare server did not greet")


class Posted(Silent):
    """Published over HTTP."""

    path = "/ws?id=%d"

    async def begin(self, count: int) -> None:
        self._http = Http(self._port)

    async def url(self, i: int) -> str:
        return f"ws://127.0.0.1:{self._port}{self.path % i}"

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        body = {"to": [f"p{i}" for i in to], "data": message(wave).decode()}
        await self._http.post("/publish", json.dumps(body).encode())


class Starlette(Posted):
    """A dictionary of websockets behind one POST."""

    async def greet(self, socket: Socket, i: int) -> None:
        if await socket.recv() != "here":
            raise RuntimeError("the Starlette application did not greet")


class SocketIO(Posted):
    """python-socketio, one room a provider; engine.io's packets by hand."""

    path = "/socket.io/?EIO=4&transport=websocket&id=%d"

    async def greet(self, socket: Socket, i: int) -> None:
        await socket.recv()  # 0{...}: open
        await socket.send("40")
        answer = await socket.recv()
        if not str(answer).startswith("40"):
            raise RuntimeError(f"socket.io refuses: {answer!r}")


class Nchan(Posted):
    """nginx with nchan, one channel a provider; one POST publishes to several."""

    path = "/sub/p%d"

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        await self._http.post(f"/pub/{','.join(f'p{i}' for i in to)}", message(wave))


class Nats(Silent):
    """NATS over websocket, one subject a provider; published over TCP, which is what a back end would use."""

    def __init__(self, port: str, tcp: str) -> None:
        super().__init__(port)
        self._tcp = int(tcp)

    async def begin(self, count: int) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._tcp)
        await reader.readline()  # INFO
        self._writer.write(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
        if await reader.readline() != b"PONG\r\n":
            raise RuntimeError("NATS does not answer")

    async def url(self, i: int) -> str:
        return f"ws://127.0.0.1:{self._port}"

    async def greet(self, socket: Socket, i: int) -> None:
        await socket.send(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB p%d 1\r\nPING\r\n' % i)
        while b"PONG" not in await socket.recv(decode=False):
            pass

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        return (b"PONG\r\n",) if frame.startswith(b"PING") else ()

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        body = message(wave)
        self._writer.write(b"".join(b"PUB p%d %d\r\n%b\r\n" % (i, len(body), body) for i in to))
        await self._writer.drain()
