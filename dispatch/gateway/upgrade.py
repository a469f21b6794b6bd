"""What is looked at before a connection becomes a websocket: path, origin, subprotocol. And the socket on which it is waited for."""

import re
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from dispatch.errors import ConfigError
from dispatch.gateway.door import Door, forwarded, host_of
from dispatch.gateway.guard import Guarded
from dispatch.gateway.metrics import REFUSALS
from dispatch.wire import CODECS

PATH: Final = "/v1/device"
BACKLOG: Final = 2_048
SEND_BUFFER: Final = 64 * 1024  # bytes the kernel keeps for a device that does not read
UNACKNOWLEDGED_MS: Final = 30_000  # after so long without an answer to sent bytes the kernel gives the connection up
_TOKEN: Final = re.compile(r"token|\beyJ[\w-]+\.", re.IGNORECASE)  # by its name, or by how a JWT begins
_OTHER_VERSION: Final = re.compile(r"dispatch\.v\d+\.(msgpack|json)")

log = structlog.get_logger("dispatch.gateway")


class Upgrade:
    """Decides on upgrades. ``stopping``: no device may come in any more."""

    def __init__(self, origins: Sequence[str], door: Door, now: Callable[[], int]) -> None:
        self._origins, self._door, self._now = frozenset(origins), door, now
        self.stopping = self._warned = False

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """The HTTP answer that refuses the upgrade, or None to go on. A device that is no browser sends no Origin."""
        path, _, query = request.path.partition("?")
        origins = request.headers.get_all("Origin")
        if self.stopping:
            return _refusal(connection, 503, "this gateway is stopping; connect again, another will answer")
        if over := self._over(connection, request):
            return _refusal(connection, 429, over)
        if path != PATH:
            return _refusal(connection, 404, f"devices connect to {PATH}")
        if _TOKEN.search(unquote(query)):
            return _refusal(connection, 400, "never put a token into a URL: URLs are logged; it belongs into `hello`")
        if origins and not (len(origins) == 1 and origins[0] in self._origins):
            return _refusal(connection, 403, "this origin may not connect; see DISPATCH_ORIGINS")
        if chosen(_offered(request)) is None:
            return _refusal(connection, 400, f"offer one of the subprotocols {', '.join(CODECS)}")
        return None

    def _over(self, connection: ServerConnection, request: Request) -> str:
        """Which cap its address is over, if any."""
        assert isinstance(connection, Guarded)
        spoken_for = forwarded(request)
        if self._door.is_proxy(host_of(connection)):
            connection.count_for(self._door.behind(spoken_for))
        elif spoken_for and not self._warned:
            self._warned = True
            log.warning(
                "untrusted_proxy", hint="a stranger sends X-Forwarded-For; if it is your proxy, name it in DISPATCH_TRUSTED_PROXIES"
            )
        return self._door.refusal(connection.party, self._now())


def chosen(offered: Sequence[str]) -> Subprotocol | None:
    """The first one offered that we speak; else one of another version, only to be told so by close code 4502."""
    known = [name for name in offered if name in CODECS] or [name for name in offered if _OTHER_VERSION.fullmatch(name)]
    return Subprotocol(known[0]) if known else None


def select(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """For websockets: which subprotocol is spoken."""
    return chosen(offered)


def _offered(request: Request) -> list[str]:
    headers = request.headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for header in headers for name in header.split(",")]


def _refusal(connection: ServerConnection, status: int, text: str) -> Response:
    REFUSALS.labels(str(status)).inc()
    response = connection.respond(status, text + "\n")
    if status in (429, 503):
        response.headers["Retry-After"] = "5"
    return response


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections notice a dead peer and keep little for a slow one. Raises ConfigError."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise ConfigError(f"the device port cannot be opened: {error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {host}:{port} for devices (DISPATCH_DEVICE_HOST, DISPATCH_DEVICE_PORT): {error}") from None
    listener.setblocking(False)
    return listener
