"""What one would write with python-socketio: a room for each provider, and a POST that emits to some rooms."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import socketio

LONG_S = 3_600  # between heartbeats: they are no part of what is measured
server = socketio.AsyncServer(async_mode="asgi", ping_interval=LONG_S, ping_timeout=LONG_S, transports=["websocket"])


async def connect(sid: str, environment: Mapping[str, Any], auth: object = None) -> None:
    """A provider's device."""
    [name] = parse_qs(environment["QUERY_STRING"])["id"]
    await server.enter_room(sid, f"p{name}")


async def publish(scope: Any, receive: Any, send: Any) -> None:
    """The application behind socket.io's: everything that is not a socket is a POST here."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    raw = b""
    more = True
    while more:
        part = await receive()
        raw, more = raw + part.get("body", b""), part.get("more_body", False)
    body = json.loads(raw)
    for name in body["to"]:
        await server.emit("proposal", body["data"], to=name)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


server.on("connect", connect)
app = socketio.ASGIApp(server, publish)
