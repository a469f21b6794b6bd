"""The description of the device protocol: it is AsyncAPI 3.0, it has every message, and what it says of each is true."""

import gzip
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError

from dispatch.api.asyncapi import document
from dispatch.messages import CloseCode, ToDevice, ToServer
from dispatch.wire import CODECS

HERE = Path(__file__).parent
# The AsyncAPI Initiative's own schema (Apache-2.0), unchanged: schemas/3.0.0-without-$id.json of their package @asyncapi/specs 6.11.1.
SCHEMA = json.loads(gzip.decompress((HERE / "asyncapi-3.0.0.schema.json.gz").read_bytes()))
VECTORS = {name: json.loads((HERE.parent / f"vectors/{name}.json").read_text()) for name in ("to_server", "to_device")}
MESSAGES = [(way, vector["message"]) for way, vectors in VECTORS.items() for vector in vectors]
KINDS = {"to_server": get_args(ToServer), "to_device": get_args(ToDevice)}


def plain() -> dict[str, Any]:
    """The description as it is served."""
    served: dict[str, Any] = json.loads(json.dumps(document()))
    return served


def payload(way: str, message: dict[str, Any]) -> Draft202012Validator:
    """What the description demands of a message of this type in this direction."""
    (kind,) = [kind for kind in KINDS[way] if kind.__struct_config__.tag == message["type"]]
    described = plain()
    return Draft202012Validator({**described["components"]["messages"][kind.__name__]["payload"], "components": described["components"]})


def test_it_is_asyncapi_3() -> None:
    assert [f"{error.json_path}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(plain())] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["operations"]["toServer"].update(action="listen"),
        lambda it: it.update(asyncapi="2.6.0"),
        lambda it: it["channels"]["device"].update(messages=[]),
        lambda it: it["info"].pop("title"),
        lambda it: it.update(more=1),
    ],
)
def test_the_schema_finds_what_is_not_asyncapi(change: Any) -> None:
    changed = plain()
    change(changed)
    with pytest.raises(ValidationError):
        Draft7Validator(SCHEMA).validate(changed)


def test_every_message_stands_in_its_direction_and_no_other_does() -> None:
    described = plain()
    for operation, way in (("toServer", "to_server"), ("toDevice", "to_device")):
        listed = [one["$ref"].rsplit("/", 1)[1] for one in described["operations"][operation]["messages"]]
        assert listed == [kind.__name__ for kind in KINDS[way]]
    assert set(described["channels"]["device"]["messages"]) == {kind.__name__ for kinds in KINDS.values() for kind in kinds}
    for name, message in described["components"]["messages"].items():
        assert message["summary"], name
        assert any(kind.__name__ == name and kind.__struct_config__.tag == message["name"] for kinds in KINDS.values() for kind in kinds)


def test_encodings_and_close_codes_are_told() -> None:
    described = plain()
    protocol = described["channels"]["device"]["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Protocol"]
    assert protocol["enum"] == list(CODECS)
    assert all(str(code.value) in described["info"]["description"] for code in CloseCode)


@pytest.mark.parametrize(("way", "message"), MESSAGES, ids=lambda part: part["type"] if isinstance(part, dict) else part)
def test_what_is_said_is_what_is_described(way: str, message: dict[str, Any]) -> None:
    demanded = payload(way, message)
    demanded.check_schema(demanded.schema)
    demanded.validate(message)
    with pytest.raises(ValidationError):
        demanded.validate({**message, "type": "another"})


def test_what_the_server_would_refuse_is_not_described_as_right() -> None:
    """Messages that are well-formed and wrong. A type of the other direction or of nobody is no message at all."""
    commands = {kind.__struct_config__.tag for kind in KINDS["to_server"]}
    vectors = json.loads((HERE.parent / "vectors/wrong.json").read_text())
    wrong = [json.loads(vector["json"]) for vector in vectors if vector["verdict"] == "bad_message" and "json" in vector]
    known = [message for message in wrong if message["type"] in commands]
    assert len(known) > 8
    assert [message for message in known if payload("to_server", message).is_valid(message)] == []
