"""Messages and their bytes: every vector of tests/vectors through both encodings, with other libraries as the judges."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.messages import ToDevice
from dispatch.wire import (
    COMMANDS,
    DEPTH_LIMIT,
    INBOUND_LIMIT,
    JSON,
    MSGPACK,
    OUTBOUND_LIMIT,
    Ack,
    BadMessage,
    Codec,
    Malformed,
    Raw,
    Snapshot,
    Welcome,
    decode_json,
    decode_msgpack,
    head,
)

VECTORS = Path(__file__).parents[1] / "vectors"
TO_SERVER, TO_DEVICE, WRONG = (json.loads((VECTORS / f"{name}.json").read_text()) for name in ("to_server", "to_device", "wrong"))
CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


def name_of(vector: Any) -> str:
    return str(vector.get("why") or vector["message"]["type"]) if isinstance(vector, dict) else ""


def frame(vector: dict[str, Any], codec: Codec) -> bytes:
    return orjson.dumps(vector["message"]) if codec.text else bytes.fromhex(vector["msgpack"])


def plain(message: Any, codec: Codec) -> Any:
    """A message as another library reads what we wrote."""
    data = codec.encode(message)
    return orjson.loads(data) if codec.text else msgpack.unpackb(data)


@pytest.mark.parametrize("vector", [*TO_SERVER, *TO_DEVICE], ids=name_of)
def test_both_halves_of_a_vector_say_the_same(vector: dict[str, Any]) -> None:
    assert msgpack.unpackb(bytes.fromhex(vector["msgpack"])) == vector["message"]


def test_every_message_has_a_vector() -> None:
    assert {vector["message"]["type"] for vector in TO_SERVER} == set(COMMANDS)
    assert {vector["message"]["type"] for vector in TO_DEVICE} == {kind.__struct_config__.tag for kind in ToDevice.__args__}


@CODECS
@pytest.mark.parametrize("vector", TO_SERVER, ids=name_of)
def test_a_message_from_a_device_is_read_and_written_without_loss(vector: dict[str, Any], codec: Codec) -> None:
    message = codec.decode(frame(vector, codec))
    assert plain(message, codec) == vector["message"]
    assert message == (MSGPACK if codec.text else JSON).decode(frame(vector, MSGPACK if codec.text else JSON))


@CODECS
@pytest.mark.parametrize("vector", TO_DEVICE, ids=name_of)
def test_a_message_to_a_device_is_read_and_written_without_loss(vector: dict[str, Any], codec: Codec) -> None:
    message = codec.to_device(frame(vector, codec))
    assert plain(message, codec) == vector["message"]
    if isinstance(message, Welcome | Snapshot):
        assert [plain(codec.item(item), codec) for item in message.items] == vector["message"]["items"]


@pytest.mark.parametrize("vector", TO_DEVICE, ids=name_of)
def test_a_stored_message_is_the_same_in_either_encoding(vector: dict[str, Any]) -> None:
    stored = bytes.fromhex(vector["msgpack"])
    assert MSGPACK.from_msgpack(stored) == stored
    assert orjson.loads(JSON.from_msgpack(stored)) == vector["message"]


@pytest.mark.parametrize(
    ("vector", "codec"),
    [(vector, codec) for vector in WRONG for codec in (MSGPACK, JSON) if codec.name in vector],
    ids=lambda part: part.name if isinstance(part, Codec) else name_of(part),
)
def test_a_wrong_frame_is_told_from_a_wrong_message(vector: dict[str, Any], codec: Codec) -> None:
    half = vector[codec.name]
    with pytest.raises(Malformed if vector["verdict"] == "malformed" else BadMessage) as raised:
        codec.decode(half.encode() if codec.text else bytes.fromhex(half))
    assert getattr(raised.value, "id", None) == vector.get("id")
    assert raised.value.detail


@CODECS
@pytest.mark.parametrize("vector", [*TO_SERVER, *TO_DEVICE], ids=name_of)
def test_keys_that_nobody_knows_are_ignored(vector: dict[str, Any], codec: Codec) -> None:
    richer = {"unknown": {"list": [None, True, -1, "x"]}, **vector["message"], "later": 7}
    read = codec.decode if vector in TO_SERVER else codec.to_device
    data = codec.encode(richer)
    assert codec.encode(read(data)) == codec.encode(read(codec.encode(vector["message"])))


@CODECS
def test_words_that_a_later_server_may_add_do_not_break_a_device(codec: Codec) -> None:
    message = codec.to_device(codec.encode({"type": "withdrawn", "seq": 1, "proposal": "1.1.1", "version": 1, "reason": "moonrise"}))
    assert message.reason == "moonrise"  # type: ignore[union-attr]


@CODECS
def test_the_limits_of_a_frame_from_a_device_are_exact(codec: Codec) -> None:
    empty = len(codec.encode({"type": "ack", "seq": 1, "x": ""})) + (
        0 if codec.text else 2
    )  # a long text takes 3 bytes of head, an empty one 1
    fits = codec.encode({"type": "ack", "seq": 1, "x": "a" * (INBOUND_LIMIT - empty)})
    assert len(fits) == INBOUND_LIMIT
    assert codec.decode(fits) == Ack(seq=1)
    nested: Any = 1
    for _ in range(DEPTH_LIMIT - 1):
        nested = [nested]
    assert codec.decode(codec.encode({"type": "ack", "seq": 1, "x": nested})) == Ack(seq=1)
    with pytest.raises(Malformed):
        codec.decode(codec.encode({"type": "ack", "seq": 1, "x": [nested]}))


def test_the_head_of_a_stored_message_is_what_its_delivery_needs() -> None:
    vector = next(vector for vector in TO_DEVICE if vector["message"]["type"] == "proposal")
    found = head(bytes.fromhex(vector["msgpack"]))
    assert (found.type, found.seq, found.proposal, found.expires_at) == ("proposal", 41, "12.1.34", 1795597200000)


@CODECS
def test_items_are_passed_through_untouched(codec: Codec) -> None:
    vector = next(vector for vector in TO_DEVICE if vector["message"]["type"] == "booking")
    item = codec.from_msgpack(bytes.fromhex(vector["msgpack"]))
    page = codec.to_device(codec.encode(Snapshot(id=None, epoch="e", seq=1, items=(Raw(item),))))
    assert isinstance(page, Snapshot)
    assert bytes(page.items[0]) == item


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    for decode in (decode_msgpack, decode_json):
        with contextlib.suppress(Malformed, BadMessage):
            decode(data)


Numbers = st.integers(-(2**63), 2**63 - 1)
Values = st.recursive(
    st.none() | st.booleans() | Numbers | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | Numbers, inner, max_size=3),
    max_leaves=8,
)
KEYS = ("id", "seq", "seen", "proposal", "version", "window", "windows", "token", "device", "resume", "push")
Messages = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(COMMANDS)) | st.text(max_size=5)},
    optional=dict.fromkeys(KEYS, Values),
)


@given(Messages)
def test_no_message_whatever_raises_anything_else(message: dict[str, Any]) -> None:
    try:
        read = decode_msgpack(msgpack.packb(message))
    except (Malformed, BadMessage):
        return
    assert msgspec.convert(msgspec.to_builtins(read), type(read)) == read


def test_a_frame_to_a_device_has_room_for_many_items() -> None:
    vector = next(vector for vector in TO_DEVICE if vector["message"]["type"] == "proposal")
    assert OUTBOUND_LIMIT // len(JSON.encode(vector["message"])) >= 40
