"""OpenAPI 3.1, made from the table of calls and the types they take and give."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from dispatch import __version__
from dispatch.api import questions
from dispatch.api.answers import Problem
from dispatch.api.call import Route

DESCRIPTION = """\
Times are RFC 3339 with offset. Money is integer cents. Unknown fields are refused. Errors are problem+json: `code` is stable, `detail` says
what was wrong and what would be right, `retry` whether the same request may work later. Every POST that changes something takes an
`Idempotency-Key` (kept 24 h): the same key and body give the same answer."""

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A fresh value per request; the same when it is repeated.",
}
REFUSALS = {"400": "It cannot be read", "409": "It collides, or is still running", "413": "It is too large", "422": "It is against a rule"}
KEY_REFUSALS = {"401": "A key is needed", "403": "The role of the key is too small", "404": "It is not there, or not in the key's markets"}
STATUS = {200: "OK", 201: "Created", 204: "Done"}
HEADINGS = {
    "catalogue": "market",
    "areas": "market",
    "device-tokens": "providers",
    "match": "bookings",
    "blocks": "clients",
    "links": "providers",
    "coverage": "market",
    "ops": "operations",
}
REF = "#/components/schemas/{name}"


@lru_cache(maxsize=4)
def document(table: Sequence[Route]) -> dict[str, Any]:
    """The description of a table (a tuple)."""
    bodies = [body for route in table for body in (route.takes, route.streams, route.gives) if body is not None]
    schemas, components = msgspec.json.schema_components([*bodies, Problem], ref_template=REF)
    named = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        takes, streams, gives = (next(named) if body is not None else None for body in (route.takes, route.streams, route.gives))
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, takes, streams, gives)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dispatch", "version": __version__, "description": DESCRIPTION},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route, takes: Any, streams: Any, gives: Any) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters]
    parameters += [{"name": name, "in": "query", "schema": {"type": "array", "items": {"type": "string"}}} for name in route.query]
    parameters += questions.parameters(route.asks) if route.asks is not None else []
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": parameters + ([KEY] if route.idempotent else []),
        "responses": _responses(route, gives),
        "security": [{"key": []}] if route.roles else [],
        "x-roles": sorted(route.roles),
    }
    if takes is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    if streams is not None:
        operation["requestBody"] = {"required": True, "content": {"application/x-ndjson": {"schema": streams}}}
    return operation


def _tag(route: Route) -> str:
    """The heading under which a call stands: what it is about."""
    below = route.path.removeprefix("/v1/markets/{market}").split("/")[1:2]
    if not route.path.startswith("/v1/"):
        return "operations"
    return HEADINGS.get(below[0], below[0]) if below else "market"


def _responses(route: Route, gives: Any) -> dict[str, Any]:
    content = {} if gives is None else {"content": {route.gives_media: {"schema": gives}}}
    responses: dict[str, Any] = {str(status): {"description": STATUS[status], **content} for status in route.success}
    refusals = {"503": "The store does not answer; repeat it with the same key"}
    if route.roles:
        refusals |= KEY_REFUSALS
    if route.takes is not None or route.streams is not None:
        refusals |= REFUSALS
    if route.query:
        refusals |= {"422": REFUSALS["422"]}
    problem = {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}}
    return responses | {status: {"description": text, "content": problem} for status, text in sorted(refusals.items())}
