"""Hostile frames, made from the inventory of messages: whatever a device may send is also sent wrong, in every way that its type allows.

``GOOD`` has one right message of each kind. All the rest follows from the types in dispatch/messages.py, so a new message, or a new field
of one, brings its own hostile cases; a message without a right example fails (test_hostile.py).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
from msgspec import inspect

from dispatch.messages import COMMANDS
from dispatch.wire import DEPTH_LIMIT, INBOUND_LIMIT, JSON, MSGPACK, Codec

WINDOW = {"start": 1, "end": 2}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "hello": {
        "token": "t", "device": "d-1", "app": "a", "background": False,
        "resume": {"epoch": "e", "seq": 1}, "push": {"kind": "web", "token": "p"},
    },
    "ack": {"seq": 0, "seen": ["1.1.1"]},
    "accept": {"id": "a", "proposal": "1.1.1", "version": 1, "window": 0},
    "refuse": {"id": "r", "proposal": "1.1.1", "version": 1, "reason": "far"},
    "counter": {"id": "c", "proposal": "1.1.1", "version": 1, "windows": [WINDOW], "note": "n"},
    "report": {"id": "p", "proposal": "1.1.1", "reason": "spam"},
    "cancel": {"id": "k", "booking_id": "b-1", "reason": "ill", "declares": "illness"},
    "late": {"id": "l", "booking_id": "b-1", "minutes": 10},
    "status": {"id": "s", "available": True, "background": False},
    "ping": {"seq": 0, "now": 1},
    "pong": {"seq": 0, "now": 1},
    "sync": {"id": "y"},
    "refresh": {"id": "f", "token": "t"},
    "test": {"id": "n"},
    "settings": {
        "id": "e", "do_not_disturb": {"from": "21:00", "to": "08:00"},
        "suggestion": {"proposal": "1.1.1", "kind": "zone", "radius_m": 1, "areas": ["75001"], "hours": "24/7", "services": ["cut"]},
    },
    "follow_up": {"id": "u", "kind": "talk", "text": "t"},
}  # fmt: skip
KINDS = sorted(COMMANDS)
WITH_ID = sorted(kind for kind in KINDS if "id" in COMMANDS[kind].__struct_fields__)
FREE = ["ack", "ping", "pong"]  # count against no limit


def good(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A right message; ``changes`` that are ``...`` leave a field out."""
    return {name: value for name, value in {"type": kind, **GOOD[kind], **changes}.items() if value is not ...}


# -- messages whose fields are wrong ----------------------------------------------------------------------------------


def wrong_messages(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A message of a kind with one thing wrong, and what that is: each field left out, of another type, or beyond each of its bounds."""
    of = inspect.type_info(COMMANDS[kind])
    assert isinstance(of, inspect.StructType)
    for field in of.fields:
        if field.required:
            yield f"{kind} without {field.name}", good(kind, **{field.encode_name: ...})
        for what, value in wrong_values(field.type):
            yield f"{kind}.{field.name}: {what}", good(kind, **{field.encode_name: value})


def wrong_values(of: inspect.Type) -> Iterator[tuple[str, Any]]:
    """Values that are none of a type."""
    one, nullable = bare(of)
    kind = PLAIN[type(one)]
    if not nullable:
        yield "null", None
    for value in ("text", 7, True, [], {}):
        if type(value) is not kind:
            yield repr(value), value
    yield from BEYOND[type(one)](one)


def bare(of: inspect.Type) -> tuple[inspect.Type, bool]:
    """A type without what is said about it, and whether null is allowed too."""
    if isinstance(of, inspect.Metadata):
        return bare(of.type)
    if not isinstance(of, inspect.UnionType):
        return of, False
    (one,) = (one for one in of.types if not isinstance(one, inspect.NoneType))
    return bare(one)[0], of.includes_none


def _text(of: Any) -> Iterator[tuple[str, Any]]:
    assert of.max_length is not None or of.pattern is not None, f"unbounded: {of}"
    if of.max_length is not None:
        yield "too long", "x" * (of.max_length + 1)
    if of.min_length:
        yield "too short", "x" * (of.min_length - 1)
    if of.pattern is not None:
        yield "out of its pattern", "../ \u0000é"


def _number(of: Any) -> Iterator[tuple[str, Any]]:
    assert of.le is not None, f"unbounded: {of}"
    assert of.ge is not None, f"unbounded: {of}"
    yield "too large", of.le + 1
    yield "too small", of.ge - 1


def _list(of: Any) -> Iterator[tuple[str, Any]]:
    assert of.max_length is not None, f"unbounded: {of}"
    yield "too many", [right_value(of.item_type)] * (of.max_length + 1)
    if of.min_length:
        yield "too few", [right_value(of.item_type)] * (of.min_length - 1)
    for what, value in wrong_values(of.item_type):
        yield f"an item that is {what}", [value]


def _part(of: Any) -> Iterator[tuple[str, Any]]:
    for field in of.fields:
        if field.required:
            yield f"without {field.name}", {name: value for name, value in right_value(of).items() if name != field.encode_name}
        for what, value in wrong_values(field.type):
            yield f"{field.name} {what}", right_value(of) | {field.encode_name: value}


def right_value(of: inspect.Type) -> Any:
    """A right value of a type."""
    match bare(of)[0]:
        case inspect.StructType() as part:
            return {field.encode_name: right_value(field.type) for field in part.fields}
        case inspect.StrType():
            return "1.1.1"
        case inspect.IntType():
            return 1
        case inspect.VarTupleType() as many:
            return [right_value(many.item_type)] * max(1, many.min_length or 0)
        case _:
            raise AssertionError(f"say what a right value is for {of}")


PLAIN: Mapping[type, type] = {
    inspect.StrType: str, inspect.IntType: int, inspect.BoolType: bool, inspect.VarTupleType: list, inspect.StructType: dict,
}  # fmt: skip
BEYOND: Mapping[type, Callable[[Any], Iterator[tuple[str, Any]]]] = {
    inspect.StrType: _text, inspect.IntType: _number, inspect.BoolType: lambda _: iter(()),
    inspect.VarTupleType: _list, inspect.StructType: _part,
}  # fmt: skip


# -- frames that are no messages --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attack:
    """One frame. ``text``: the kind of its websocket frame."""

    name: str
    frame: bytes
    text: bool


def nested(levels: int) -> Any:
    """Lists inside each other."""
    return [] if levels == 1 else [nested(levels - 1)]


def padded(codec: Codec, kind: str, size: int) -> bytes:
    """A right message with a key that nobody knows, so long that the frame has exactly ``size`` bytes."""
    beside = len(codec.encode(good(kind, x="x" * size))) - size
    frame = codec.encode(good(kind, x="x" * (size - beside)))
    assert len(frame) == size
    return frame


def malformed(kind: str, codec: Codec) -> Iterator[Attack]:
    """Frames made from a right message of a kind that are no messages any more: each ends the link with 4501."""
    right = codec.encode(good(kind))
    for at in sorted({1, len(right) // 4, len(right) // 2, len(right) - 1}):
        yield Attack(f"cut at {at}", right[:at], codec.text)
    yield Attack("empty", b"", codec.text)
    yield Attack("twice in one frame", right + right, codec.text)
    yield Attack("of the other kind of frame", right, not codec.text) if codec.text else Attack("text", b"{}", True)
    yield Attack("one byte too large", padded(codec, kind, INBOUND_LIMIT + 1), codec.text)
    yield Attack("far too large", padded(codec, kind, 100_000), codec.text)
    yield Attack("too deep", codec.encode(good(kind, x=nested(DEPTH_LIMIT))), codec.text)
    yield Attack("a list", codec.encode([good(kind)]), codec.text)
    yield Attack("without a type", codec.encode(good(kind, type=...)), codec.text)
    yield Attack("with a number for a type", codec.encode(good(kind, type=7)), codec.text)
    yield from (_text_attacks if codec.text else _binary_attacks)(kind, right)


def _binary_attacks(kind: str, right: bytes) -> Iterator[Attack]:
    """A map with one more entry than the right one: ``x`` and something hostile."""
    head = bytes([right[0] + 1]) + right[1:] + b"\xa1x"
    assert right[0] & 0xF0 == 0x80, "a map of less than 15 entries"
    for name, value in BOMBS.items():
        yield Attack(name, head + value, False)
    yield Attack("a key that is a number", bytes([right[0] + 1]) + right[1:] + b"\x01\x01", False)
    yield Attack("a key that is bytes", bytes([right[0] + 1]) + right[1:] + b"\xc4\x01x\x01", False)


BOMBS: Mapping[str, bytes] = {
    "four billion items": b"\xdd\xff\xff\xff\xff",
    "four billion entries": b"\xdf\xff\xff\xff\xff",
    "four billion characters": b"\xdb\xff\xff\xff\xff",
    "four billion bytes": b"\xc6\xff\xff\xff\xff",
    "an extension of four billion bytes": b"\xc9\xff\xff\xff\xff\x01",
    "lists of lists that each claim to be long": b"\xdd\x00\xff\xff\xff" * 700,
    "lists three thousand deep": b"\x91" * 3_000,
    "maps a thousand deep": b"\x81\xa1a" * 1_000,
    "a fraction": msgpack.packb(1.5),
    "not a number": msgpack.packb(float("nan")),
    "bytes": msgpack.packb(b"x"),
    "an extension": msgpack.packb(msgpack.ExtType(5, b"x")),
    "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
    "what msgpack never uses": b"\xc1",
    "text that is no UTF-8": b"\xa2\xc3\x28",
    "half a surrogate": b"\xa3\xed\xa0\x80",
}


def _text_attacks(kind: str, right: bytes) -> Iterator[Attack]:
    """The right message with a further key ``x`` of something hostile."""
    head = right[:-1] + b',"x":'
    for name, value in TEXTS.items():
        yield Attack(name, head + value + b"}", True)
    yield Attack("a byte order mark", b"\xef\xbb\xbf" + right, True)
    yield Attack("a comment", right + b"//", True)


TEXTS: Mapping[str, bytes] = {
    "a fraction": b"1.5",
    "a number out of this world": b"1e999",
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "half a surrogate": b'"\\ud800"',
    "half a surrogate and a letter": b'"\\ud800a"',
    "a control character": b'"\x01"',
    "an unknown escape": b'"\\x41"',
    "single quotes": b"'x'",
    "a trailing comma": b"[1,]",
    "lists two thousand deep": b"[" * 1_900 + b"]" * 1_900,
    "lists that never end": b"[" * 3_000,
    "maps that never end": b'{"a":' * 700,
}


def harmless(kind: str, codec: Codec) -> Iterator[Attack]:
    """Frames at the very edge of what is allowed: understood as what they are."""
    yield Attack("as large as may be", padded(codec, kind, INBOUND_LIMIT), codec.text)
    yield Attack("as deep as may be", codec.encode(good(kind, x=nested(DEPTH_LIMIT - 1))), codec.text)
    yield Attack("a huge number that nobody asked for", codec.encode(good(kind, x=2**63)), codec.text)


CODECS = (MSGPACK, JSON)
