"""What goes wrong, as RFC 9457 problem+json: ``type``, ``title``, ``status``, ``code``, ``detail``, ``retry``."""

import re
from typing import Any

import msgspec
import orjson
from starlette.responses import Response

from dispatch.errors import BadRequest, DispatchError, Unprocessable

PROBLEM = "application/problem+json"
RETRY_AFTER_S = "1"
LONGEST = 300  # characters of what is wrong: it may quote the caller's own value

TITLES = {
    "bad_request": "The request cannot be read",
    "idempotency_key_missing": "An Idempotency-Key is needed",
    "unauthorized": "A key is needed",
    "forbidden": "The role of the key is too small",
    "not_found": "It is not there",
    "method_not_allowed": "The path has no such method",
    "conflict": "It collides with what is there",
    "duplicate": "The booking exists already",
    "in_progress": "The same request is still running",
    "too_large": "The body is too large",
    "invalid": "A field is not what it should be",
    "unknown_field": "A field is unknown",
    "idempotency_mismatch": "The Idempotency-Key was used with another body",
    "too_late": "The start is too near",
    "too_early": "The visit has not come so far",
    "blocked": "The client is blocked",
    "unknown_service": "A service is not in the catalogue",
    "outside_market": "The place is outside the market",
    "bad_window": "A window makes no sense",
    "bad_areas": "The areas cannot be used",
    "bad_hours": "The hours cannot be read",
    "bad_time_zone": "The time zone is unknown",
    "bad_webhook": "The webhook cannot be used",
    "bad_zone": "The zone cannot be used",
    "unknown_trade": "A service names a trade that is not there",
    "not_offered": "That is not offered",
    "taken_over": "Somebody else has taken the booking over",
    "unfit": "The provider does not fit",
    "quiet_hours": "It is quiet hours",
    "unknown_link": "Nobody knows the personal link",
    "not_served": "The provider has not served the client yet",
    "no_service_yet": "The provider has completed no service yet",
    "too_many_links": "The provider has as many personal links as he can have",
    "not_nearly": "A provider is not among those who nearly fit",
    "rate_limited": "Too many requests",
    "unavailable": "The store does not answer; repeat it with the same key",
    "internal": "Our mistake",
}

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_CHOICE = "Invalid enum value"
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)


def problem(status: int, code: str, detail: str, *, retry: bool = False, headers: dict[str, str] | None = None) -> Response:
    """The response that says so."""
    body = {
        "type": f"/docs/errors#{code}",
        "title": TITLES.get(code, code.replace("_", " ").capitalize()),
        "status": status,
        "code": code,
        "detail": detail,
        "retry": retry,
    }
    also = {"retry-after": RETRY_AFTER_S} if retry else {}
    if status == 401:
        also["www-authenticate"] = 'Bearer realm="dispatch"'
    return Response(orjson.dumps(body), status, also | (headers or {}), PROBLEM)


def from_error(error: DispatchError) -> Response:
    """The response for an error of ours."""
    return problem(error.status, error.code, error.detail, retry=error.retry)


def unreadable(error: Exception, wanted: Any) -> DispatchError:
    """What a body that is not a ``wanted`` is told: 400 when it is no JSON, else 422 with the field and what would be right."""
    if not isinstance(error, msgspec.ValidationError):
        return BadRequest(f"the body is not JSON: {_broken(error)}")
    said = _AT.match(str(error))
    what, path = (said["what"], said["path"] or "$") if said else (str(error), "$")
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is None:
        right = f"; one of {', '.join(choices(wanted, path))}" if what.startswith(_CHOICE) else ""
        return Unprocessable(f"{_field(path)}: {what[:1].lower()}{what[1:LONGEST]}{right}", "invalid")
    where = _field(f"{path}.{unknown['name'][:100]}")
    return Unprocessable(f"{where} is unknown; known there: {', '.join(known_fields(wanted, path))}", "unknown_field")


def _broken(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {error.start})"
    return str(error).removeprefix("JSON is malformed: ")


def _field(path: str) -> str:
    """`$.place.lat` as a reader would name it: place.lat."""
    return path.removeprefix("$").removeprefix(".") or "the body"


def known_fields(wanted: Any, path: str) -> list[str]:
    """The fields of the object at a path (`$.windows[0]`) of a type."""
    return [known.encode_name for kind in _there(wanted, path) if isinstance(kind, msgspec.inspect.StructType) for known in kind.fields]


def choices(wanted: Any, path: str) -> list[str]:
    """The words that may stand at a path of a type."""
    inspect, found = msgspec.inspect, list[str]()
    for kind in _there(wanted, path):
        if isinstance(kind, inspect.EnumType):
            found += [str(each.value) for each in kind.cls]
        elif isinstance(kind, inspect.LiteralType):
            found += [str(each) for each in kind.values]
    return found


def _there(wanted: Any, path: str) -> list[msgspec.inspect.Type]:
    """What may stand at a path of a type."""
    here = [msgspec.inspect.type_info(wanted)]
    for step in re.findall(r"\.(\w+)|(\[)", path):
        here = [inner for kind in here for inner in _step(kind, *step)]
    return _spread(here)


def _spread(kinds: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    return [one for kind in kinds for one in (kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,))]


def _step(kind: msgspec.inspect.Type, name: str, bracket: str) -> list[msgspec.inspect.Type]:
    inspect = msgspec.inspect
    found: list[msgspec.inspect.Type] = []
    for one in _spread([kind]):
        if bracket and isinstance(one, inspect.ListType | inspect.VarTupleType | inspect.SetType):
            found.append(one.item_type)
        elif isinstance(one, inspect.StructType):
            found += [known.type for known in one.fields if known.encode_name == name]
    return found
