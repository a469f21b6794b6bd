"""What one would write with Starlette: a dictionary of websockets by provider, and a POST that sends to some of them."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

sockets: dict[str, WebSocket] = {}


async def listen(socket: WebSocket) -> None:
    """A provider's device, until it leaves."""
    await socket.accept()
    name = f"p{socket.query_params['id']}"
    sockets[name] = socket
    await socket.send_text("here")
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        sockets.pop(name, None)


async def publish(request: Request) -> Response:
    """To those who are connected."""
    body = await request.json()
    await asyncio.gather(*(sockets[name].send_text(body["data"]) for name in body["to"] if name in sockets))
    return Response(status_code=204)


app = Starlette(routes=[WebSocketRoute("/ws", listen), Route("/publish", publish, methods=["POST"])])
