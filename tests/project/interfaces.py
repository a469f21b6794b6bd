"""The lists at the end of docs/reference/protocol.md: every call, message and setting, written from the code's tables (`make rules`)."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from dispatch import messages
from dispatch.api.call import EVERY_ROLE, NOBODY, OPS, OVERRIDE, READ, SET_UP, WORK
from dispatch.api.table import CALLS
from dispatch.model import MarketSettings
from tests.project.tree import ROOT

PAGE = ROOT / "docs/reference/protocol.md"
BEGIN = "<!-- written by `make rules` from the table of calls, the messages and the settings -->"
END = "<!-- the end of what is written by `make rules` -->"
MARKET = "/v1/markets/{market}"
WHO = {
    READ: "booking, ops",
    WORK: "booking, manager, agent",
    SET_UP: "booking, manager",
    OPS: "ops",
    OVERRIDE: "manager, agent",
    NOBODY: "nobody",
}


def calls() -> Iterator[str]:
    """The table of calls. Whose key it asks for; those with `key` want an Idempotency-Key."""
    yield from ("## Every call", "")
    yield from (f"`...` is `{MARKET}`. Roles: `booking`, `ops:manager`, `ops:agent`, `ops:viewer` (all three: ops), `metrics`.", "")
    yield from ("| call | does | role | `Idempotency-Key` |", "|---|---|---|---|")
    for route in CALLS:
        role = WHO.get(route.roles) or ", ".join(sorted(route.roles & EVERY_ROLE))
        path = route.path.replace(MARKET, "...") if route.path != MARKET else MARKET
        yield f"| `{route.method} {path}` | {route.summary} | {role} | {'yes' if route.idempotent else ''} |"


def told() -> Iterator[str]:
    """The messages of a device's link, in both directions."""
    yield from ("## Every message", "", "| dir | `type` | fields | says |", "|---|---|---|---|")
    up, down = get_args(messages.ToServer), get_args(messages.ToDevice)
    for kind in dict.fromkeys((*up, *down)):
        way = "both" if kind in up and kind in down else "C>S" if kind in up else "S>C"
        fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(kind))
        said = re.sub(r"``(.+?)``", r"`\1`", " ".join((kind.__doc__ or "").split()))
        yield f"| {way} | `{kind.__struct_config__.tag}` | {fields} | {said} |"


def settings() -> Iterator[str]:
    """What a market may choose, and what it is given."""
    yield from ("## Every setting of a market", "", "`PUT /v1/markets/{market}`; what is left out is the default.", "")
    yield from ("| setting | default |", "|---|---|")
    given: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(MarketSettings()))
    for name, value in given.items():
        yield f"| `{name}` | `{msgspec.json.encode(value).decode()}` |"


def page(old: str) -> str:
    """The page ``old`` with what lies between its two marks written anew."""
    before, rest = old.split(BEGIN)
    return before + "\n".join([BEGIN, "", *calls(), "", *told(), "", *settings(), "", END]) + rest.split(END)[1]


def write() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
