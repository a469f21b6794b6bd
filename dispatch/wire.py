"""Messages to bytes and back: msgpack and JSON, one schema.

On the wire there are only strings, integers, booleans, nulls, lists and maps with string keys. Unknown keys are ignored both ways. A frame
from a device is either a message, or one of:

    Malformed    not a message at all: broken bytes, another kind of value, too deep, too large   -> close 4501
    BadMessage   a message whose fields are wrong, or of a type nobody knows                      -> ``error`` bad_request, the link lives

``wire.Proposal`` and the others are those of ``messages``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from dispatch.errors import BadRequest
from dispatch.messages import *  # noqa: F403  (one name to import: the schema and its bytes belong together)
from dispatch.messages import COMMANDS, Item, ToDevice, ToServer

INBOUND_LIMIT: Final = 4 * 1024  # bytes of one frame from a device
OUTBOUND_LIMIT: Final = 32 * 1024  # bytes of one frame to a device
DEPTH_LIMIT: Final = 8  # lists and maps inside each other, in a frame from a device


class Malformed(BadRequest):
    """A frame that is no message: nothing that follows it could be trusted."""


class BadMessage(BadRequest):
    """A message that can be read but says something impossible. ``id`` is its own, when it has one, so that the error finds its command."""

    def __init__(self, detail: str, id: str | None = None) -> None:
        super().__init__(detail)
        self.id = id


class Head(Struct, frozen=True):
    """The part of a stored message that its delivery needs; the rest is not even decoded."""

    type: str
    seq: int = 0
    proposal: str | None = None
    expires_at: int | None = None
    at: int = 0
    booking_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One encoding of the schema. ``text``: its frames are websocket text frames (UTF-8)."""

    name: Literal["msgpack", "json"]
    subprotocol: str
    text: bool
    encode: Callable[[Any], bytes]
    plain: Callable[[bytes], Any]
    to_device: Callable[[bytes], ToDevice]
    item: Callable[[bytes], Item]

    def decode(self, frame: bytes) -> ToServer:
        """A frame from a device. Raises ``Malformed`` or ``BadMessage``."""
        if len(frame) > INBOUND_LIMIT:
            raise Malformed(f"a frame of {len(frame)} bytes; at most {INBOUND_LIMIT} are allowed")
        try:
            value = self.plain(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(f"not {self.name}: {error}") from None
        _check_kinds(value, DEPTH_LIMIT)
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            raise Malformed("a message is a map with a string `type`")
        return _command(value)

    def from_msgpack(self, frame: bytes) -> bytes:
        """A stored message (msgpack) in this encoding."""
        return frame if not self.text else self.encode(_plain_msgpack(frame))


def _check_kinds(value: object, depth: int) -> None:
    """Only string, integer, boolean, null, list, and map with string keys, and not too deep."""
    if value is None or isinstance(value, (str, int)):
        return
    if depth == 0:
        raise Malformed(f"lists and maps more than {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Malformed("keys of maps must be strings")
            _check_kinds(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check_kinds(inner, depth - 1)
    else:
        raise Malformed(f"a value of kind {type(value).__name__}; only strings, integers, booleans, nulls, lists and maps are allowed")


def _command(value: dict[str, Any]) -> ToServer:
    own = value.get("id")
    own = own if isinstance(own, str) and 0 < len(own) <= 64 else None
    kind = COMMANDS.get(value["type"])
    if kind is None:
        raise BadMessage(f"unknown type {value['type'][:40]!r}; known: {', '.join(COMMANDS)}", own)
    try:
        message: ToServer = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadMessage(f"{value['type']}: {error}", own) from None
    return message


_plain_msgpack = msgspec.msgpack.Decoder().decode
head: Final[Callable[[bytes], Head]] = msgspec.msgpack.Decoder(Head).decode
encode_msgpack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder().encode
encode_json: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode

MSGPACK: Final = Codec(
    name="msgpack", subprotocol="dispatch.v1.msgpack", text=False,
    encode=encode_msgpack,
    plain=_plain_msgpack,
    to_device=msgspec.msgpack.Decoder(ToDevice).decode,
    item=msgspec.msgpack.Decoder(Item).decode,
)  # fmt: skip
JSON: Final = Codec(
    name="json", subprotocol="dispatch.v1.json", text=True,
    encode=encode_json,
    plain=msgspec.json.Decoder().decode,
    to_device=msgspec.json.Decoder(ToDevice).decode,
    item=msgspec.json.Decoder(Item).decode,
)  # fmt: skip
CODECS: Final = {codec.subprotocol: codec for codec in (MSGPACK, JSON)}

decode_msgpack: Final[Callable[[bytes], ToServer]] = MSGPACK.decode
decode_json: Final[Callable[[bytes], ToServer]] = JSON.decode
