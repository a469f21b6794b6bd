"""One set of vectors for all: bytes and stories of tests/vectors, told to the Python and to the JavaScript SDK."""

import json
import subprocess
from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import orjson
import pytest

from dispatch.client.protocol import Conversation, Step, pause_s, verdict
from dispatch.messages import Ack, ToDevice
from dispatch.wire import CODECS, JSON, MSGPACK, Codec
from tests.sdk.phones import node

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors"
TO_SERVER, TO_DEVICE, WRONG, STORIES = (
    json.loads((VECTORS / f"{name}.json").read_text()) for name in ("to_server", "to_device", "wrong", "stories")
)
NOW = 1_000
BOTH = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


def javascript(jobs: list[dict[str, Any]]) -> list[Any]:
    """What the JavaScript SDK makes of each of these jobs."""
    done = subprocess.run(
        [*node(), str(HERE / "vectors.mjs")], input=json.dumps(jobs).encode(), stdout=subprocess.PIPE, check=True, timeout=60
    )
    outcomes: list[Any] = json.loads(done.stdout)
    assert len(outcomes) == len(jobs)
    return outcomes


def frame(vector: dict[str, Any], codec: Codec) -> bytes:
    return orjson.dumps(vector["message"]) if codec.text else bytes.fromhex(vector["msgpack"])


# -- bytes ----------------------------------------------------------------------------------------------------------


@BOTH
def test_javascript_writes_every_message_to_the_server_as_the_vectors_have_it(codec: Codec) -> None:
    written = javascript([{"do": "write", "encoding": codec.name, "message": vector["message"]} for vector in TO_SERVER])
    for vector, hexed in zip(TO_SERVER, written, strict=True):
        data = bytes.fromhex(hexed)
        assert data.hex() == vector["msgpack"] if not codec.text else orjson.loads(data) == vector["message"]
        assert codec.decode(data) == codec.decode(frame(vector, codec))


@BOTH
def test_javascript_reads_every_message_to_a_device_as_the_vectors_have_it(codec: Codec) -> None:
    read = javascript([{"do": "read", "encoding": codec.name, "frame": frame(vector, codec).hex()} for vector in TO_DEVICE])
    assert read == [vector["message"] for vector in TO_DEVICE]


@BOTH
def test_either_sdk_fills_in_what_a_message_leaves_out_alike(codec: Codec) -> None:
    """Every message with only the fields that must be there, as the engine's own types have it."""
    bare = [_required(vector["message"]) for vector in TO_DEVICE]
    read = javascript([{"do": "read", "encoding": codec.name, "frame": codec.encode(message).hex()} for message in bare])
    assert read == [_told(codec.to_device(codec.encode(message))) for message in bare]


def _required(message: dict[str, Any]) -> dict[str, Any]:
    kind = next(kind for kind in get_args(ToDevice) if kind.__struct_config__.tag == message["type"])
    must = {field.encode_name for field in msgspec.structs.fields(kind) if field.required} | {"type"}
    return {name: value for name, value in message.items() if name in must}


def test_the_javascript_sdk_knows_the_messages_and_fields_of_the_engine() -> None:
    kinds = {kind.__struct_config__.tag: {field.encode_name for field in msgspec.structs.fields(kind)} for kind in get_args(ToDevice)}
    (known,) = javascript([{"do": "fields"}])
    assert {name: set(fields) for name, fields in known.items()} == kinds


@BOTH
def test_no_wrong_frame_is_taken_for_a_message(codec: Codec) -> None:
    """What is malformed for the server is so for a device, and changes nothing: neither SDK ends of it."""
    wrong = [vector[codec.name] for vector in WRONG if codec.name in vector and vector["verdict"] == "malformed"]
    frames = [text.encode() if codec.text else bytes.fromhex(text) for text in wrong]
    beheaded = [frame(vector, codec)[:-1] for vector in TO_DEVICE]
    mistyped = [codec.encode({**vector["message"], **{name: [True] for name in _numbers(vector["message"])}}) for vector in TO_DEVICE]
    floats = [_floating(vector["message"], codec) for vector in TO_DEVICE if _numbers(vector["message"])]
    jobs = [*frames, *beheaded, *mistyped, *floats]
    assert javascript([{"do": "read", "encoding": codec.name, "frame": data.hex()} for data in jobs]) == [None] * len(jobs)
    talk = Conversation(codec, token="t", device="d")
    assert [talk.receive(data, NOW) for data in jobs] == [Step()] * len(jobs)


def _numbers(message: dict[str, Any]) -> list[str]:
    return [name for name, value in message.items() if type(value) is int] or ["type"]


def _floating(message: dict[str, Any], codec: Codec) -> bytes:
    changed = {**message, _numbers(message)[0]: 0.5}
    return orjson.dumps(changed) if codec.text else bytes(msgpack.packb(changed))


@BOTH
def test_a_javascript_device_reads_the_numbers_at_every_edge(codec: Codec) -> None:
    edges = [edge + step for power in (0, 5, 7, 8, 15, 16, 31, 32, 52) for edge in (2**power, -(2**power)) for step in (-1, 0, 1)]
    edges += [2**53 - 1, -(2**53) + 1]
    messages = [{"type": "pong", "seq": 0, "now": edge} for edge in edges]
    read = javascript([{"do": "read", "encoding": codec.name, "frame": codec.encode(message).hex()} for message in messages])
    assert read == messages
    written = javascript([{"do": "write", "encoding": codec.name, "message": message} for message in messages])
    assert [bytes.fromhex(data) for data in written] == [codec.encode(message) for message in messages]


@BOTH
def test_a_javascript_device_writes_texts_and_lists_of_every_length(codec: Codec) -> None:
    texts = ["é" * length for length in (0, 15, 16, 127, 128, 200)] + ["x" * length for length in (31, 32, 255, 256, 300)] + ['🔔\n"\\']
    messages: list[dict[str, Any]] = [{"type": "ack", "seq": 0, "seen": [text]} for text in texts]
    messages += [{"type": "ack", "seq": 0, "seen": ["1.1.7"] * length} for length in (0, 15, 16, 64)]
    written = javascript([{"do": "write", "encoding": codec.name, "message": message} for message in messages])
    plain = [codec.plain(bytes.fromhex(data)) for data in written]
    assert plain == messages
    assert all(isinstance(codec.decode(bytes.fromhex(data)), Ack) for data in written[-4:])


# -- stories --------------------------------------------------------------------------------------------------------


def python(story: dict[str, Any], codec: Codec) -> list[dict[str, Any]]:
    """A story as it goes with the Python SDK."""
    talk = Conversation(codec, token="", device="d-1", app="story")
    told = []
    for chapter in story["steps"]:
        step = _play(talk, chapter, codec)
        heard = [_told(message) for message in step.messages if message.__struct_config__.tag != "snapshot"]
        told.append({"says": [codec.plain(data) for data in step.frames], "tells": heard, "open": sorted(talk.open)})
    return told


def _play(talk: Conversation, chapter: dict[str, Any], codec: Codec) -> Step:
    match chapter:
        case {"hear": message}:
            return talk.receive(codec.encode(message), NOW)
        case {"overhear": message}:
            return talk.overheard(codec.encode(message), NOW)
        case {"connect": token}:
            talk.token = token
            return _said(talk.hello(NOW))
        case {"command": command}:
            return _said(talk.command(codec.decode(codec.encode(command))))  # type: ignore[arg-type]
        case {"seen": [proposal]}:
            return _said(talk.seen(proposal))
    talk.lost(chapter["lost"])
    return Step()


def _said(data: bytes | None) -> Step:
    return Step(frames=(data,) if data else ())


def _told(message: Any) -> Any:
    return json.loads(msgspec.json.encode(message))


def expected(story: dict[str, Any], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How it should go; what is open is not said in every chapter."""
    return [
        {"says": chapter["says"], "tells": chapter["tells"], "open": chapter.get("open", one["open"])}
        for chapter, one in zip(story["steps"], told, strict=True)
    ]


@BOTH
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["story"])
def test_a_story_goes_as_it_should_in_python(story: dict[str, Any], codec: Codec) -> None:
    told = python(story, codec)
    assert told == expected(story, told)


@BOTH
def test_every_story_goes_as_it_should_in_javascript(codec: Codec) -> None:
    played = javascript([{"do": "story", "encoding": codec.name, "steps": story["steps"]} for story in STORIES])
    for story, told in zip(STORIES, played, strict=True):
        assert told == expected(story, told), story["story"]
        assert [chapter["open"] for chapter in told] == [chapter["open"] for chapter in python(story, codec)], story["story"]


def test_the_stories_say_every_message_to_a_device_that_changes_anything() -> None:
    said = {chapter[how]["type"] for story in STORIES for chapter in story["steps"] for how in ("hear", "overhear") if how in chapter}
    kinds = {kind.__struct_config__.tag for kind in get_args(ToDevice)}
    assert kinds - said == {"refreshed"}, "this is played on a stage"


# -- ends and pauses ------------------------------------------------------------------------------------------------


def test_both_sdks_stop_and_come_back_alike() -> None:
    codes = [1000, 1001, 1006, 1012, 1013, *range(4000, 4020), 4499, *range(4500, 4510), 4599, 4600]
    in_python = [stopped.detail if (stopped := verdict(code, "why")) else None for code in codes]
    assert javascript([{"do": "verdict", "code": code} for code in codes]) == in_python


def test_both_sdks_wait_alike() -> None:
    cases = [
        (attempt, chance, reason) for attempt in (0, 1, 5, 6, 50) for chance in (0.0, 0.3, 0.999) for reason in ("", "full, after_ms=2500")
    ]
    waited = javascript([{"do": "pause", "attempt": attempt, "chance": chance, "reason": reason} for attempt, chance, reason in cases])
    assert waited == pytest.approx([1_000 * pause_s(*case) for case in cases])


def test_there_are_two_encodings_and_javascript_has_both() -> None:
    text = (HERE.parents[1] / "sdk/js/src/codec.js").read_text()
    assert all(f'"{codec.subprotocol}"' in text for codec in CODECS.values())
