"""AsyncAPI 3.0 of the device protocol, made from its own messages."""

from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import Struct

from dispatch import __version__, messages
from dispatch.wire import CODECS

REF = "#/components/schemas/{name}"


@cache
def document() -> dict[str, Any]:
    """The description."""
    up, down = get_args(messages.ToServer), get_args(messages.ToDevice)
    kinds = list(dict.fromkeys((*up, *down)))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    described = {kind.__name__: _message(kind, schema) for kind, schema in zip(kinds, schemas, strict=True)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "dispatch: devices", "version": __version__, "description": _description()},
        "defaultContentType": "application/json",
        "channels": {"device": _channel(list(described))},
        "operations": {"toServer": _operation("receive", up), "toDevice": _operation("send", down)},
        "components": {"schemas": components, "messages": described},
    }


def _channel(names: list[str]) -> dict[str, Any]:
    """The one websocket. Its subprotocol chooses the encoding; the schema is the same."""
    protocols = {"type": "string", "enum": list(CODECS)}
    headers = {"type": "object", "required": ["Sec-WebSocket-Protocol"], "properties": {"Sec-WebSocket-Protocol": protocols}}
    return {
        "address": "/v1/device",
        "messages": {name: _ref(f"components/messages/{name}") for name in names},
        "bindings": {"ws": {"method": "GET", "headers": headers, "bindingVersion": "0.1.0"}},
    }


def _message(kind: type[Struct], schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": kind.__struct_config__.tag, "summary": " ".join((kind.__doc__ or "").split()), "payload": schema}


def _operation(action: str, kinds: tuple[type[Struct], ...]) -> dict[str, Any]:
    listed = [_ref(f"channels/device/messages/{kind.__name__}") for kind in kinds]
    return {"action": action, "channel": _ref("channels/device"), "messages": listed}


def _ref(path: str) -> dict[str, str]:
    return {"$ref": f"#/{path}"}


def _description() -> str:
    protocols = ", ".join(f"`{codec.subprotocol}`" for codec in CODECS.values())
    closes = ", ".join(f"{code.value} {code.name.lower()}" for code in messages.CloseCode)
    return f"One websocket. Subprotocols: {protocols}, one schema. Times are ms since 1970 UTC. Close codes: {closes}."
