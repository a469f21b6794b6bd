"""The library `websockets` and nothing else: greets, then listens. `python -m bench.peers.bare_app PORT`."""

import asyncio
import socket
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def listen(connection: ServerConnection) -> None:
    """A device, until it leaves."""
    await connection.recv()
    await connection.send(b"here")
    async for _ in connection:
        pass


async def run(port: int) -> None:
    """Until it is killed."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4_096)
    async with serve(listen, sock=listener, compression=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
