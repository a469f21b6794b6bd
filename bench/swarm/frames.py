"""A websocket's handshake and frames from the client's side, by hand: a swarm has no use for more, and no room for it."""

import base64
import hashlib
import os
from collections.abc import Iterator
from typing import Final

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LARGEST_HEAD: Final = 8 * 1024  # bytes of an answer to the handshake


class Refused(Exception):
    """The server did not open the websocket; ``status`` is its HTTP answer, 0 when it was none."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(f"HTTP {status} {text}".strip())
        self.status = status


def handshake(host: str, path: str, subprotocol: str | None) -> tuple[bytes, bytes]:
    """The request, and the key that the answer must prove to have read."""
    key = base64.b64encode(os.urandom(16))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Key: {key.decode()}", *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else [])]
    return "\r\n".join([*lines, "", ""]).encode(), key


def opened(data: bytes, key: bytes) -> bytes | None:
    """What came behind the answer to the handshake; None: it is not complete. Raises Refused."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if len(data) > LARGEST_HEAD:
            raise Refused(0, "an endless answer")
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if words[1:2] != ["101"]:
        raise Refused(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, rest.decode("utf-8", "replace").strip()[:200])
    proof = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
    if proof not in (line.partition(":")[2].strip() for line in lines if line.lower().startswith("sec-websocket-accept:")):
        raise Refused(101, "the answer belongs to another request")
    return rest


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole message in one masked frame."""
    size, mask = len(payload), os.urandom(4)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8)
    pad = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(pad)).to_bytes(size)


class Frames:
    """Bytes of a server, cut into (opcode, payload). Servers here send every message in one frame, unmasked; anything else is an error."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete now. Raises ValueError."""
        self._rest = self._rest + data if self._rest else data
        while (size := self._size()) is not None:
            begin, end = size
            found, self._rest = (self._rest[0] & 0x0F, self._rest[begin:end]), self._rest[end:]
            yield found

    def _size(self) -> tuple[int, int] | None:
        """Where the first frame's payload begins and ends, when it is complete."""
        rest = self._rest
        if len(rest) < 2:
            return None
        if not rest[0] & 0x80 or rest[1] & 0x80:
            raise ValueError("a fragment or a masked frame, which no server here sends")
        extra = {126: 2, 127: 8}.get(rest[1], 0)
        if len(rest) < 2 + extra:
            return None
        end = 2 + extra + (int.from_bytes(rest[2 : 2 + extra]) if extra else rest[1])
        return (2 + extra, end) if len(rest) >= end else None
