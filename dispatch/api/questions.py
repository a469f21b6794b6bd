"""What stands behind the ? of a path, as the type that the call asks with. A list is one value with commas, or several of its name."""

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from dispatch.api.problems import unreadable
from dispatch.errors import Unprocessable

T = TypeVar("T")
LONGEST = 8_192


def read(request: Request, wanted: type[T]) -> T:
    """The question of a request. Raises Unprocessable, ``unknown_field`` for a name that is none."""
    if len(request.url.query) > LONGEST:
        raise Unprocessable(f"what follows the ? has at most {LONGEST} characters; ask about fewer at once")
    given = request.query_params
    lists = _lists(wanted)
    asked = {name: _value(name, given.getlist(name), name in lists) for name in given}
    try:
        return msgspec.convert(asked, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise unreadable(error, wanted) from None


def _value(name: str, values: list[str], many: bool) -> Any:
    if many:
        return [part for value in values for part in value.split(",") if part]
    if len(values) > 1:
        raise Unprocessable(f"{name} stands {len(values)} times; send it once")
    return values[0]


def _lists(wanted: Any) -> set[str]:
    """The fields that take several values."""
    kind = msgspec.inspect.type_info(wanted)
    fields = kind.fields if isinstance(kind, msgspec.inspect.StructType) else ()
    return {one.encode_name for one in fields if isinstance(one.type, msgspec.inspect.VarTupleType)}


def parameters(wanted: Any) -> list[dict[str, Any]]:
    """The same for OpenAPI."""
    (schema,), components = msgspec.json.schema_components([wanted])
    fields = components[schema["$ref"].rpartition("/")[2]]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": field}
        | ({"style": "form", "explode": False} if field.get("type") == "array" else {})
        for name, field in fields.items()
    ]
