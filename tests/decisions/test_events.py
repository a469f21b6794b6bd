"""The vocabulary of events: what the store's functions write is known here, to the last field, and a history folds into a state (P9)."""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from dispatch import events
from dispatch.history import BookingView, ProposalView, state_of

LUA = Path(events.__file__).parent / "store" / "lua"
ADDED = {"b", "seq", "at", "type"}  # by event.add and event.note themselves
CALL = re.compile(r"event\.(add|note)\(m, (?:(?P<bno>[\w.]+), )?'(?P<type>\w+)', (?P<fields>\{.*?\})\)", re.DOTALL)


def written() -> Iterator[tuple[str, str, set[str]]]:
    """Where, which type, and which fields: every event that the server functions write."""
    for path in sorted(LUA.rglob("*.lua")):
        for found in CALL.finditer(path.read_text()):
            names = set(re.findall(r"(\w+) = ", found["fields"]))
            yield path.name, found["type"], names | (ADDED if found[1] == "add" else {"at", "type"})


def fields_of(kind: type[events.Event]) -> dict[str, bool]:
    """Its fields by the name they travel under, and whether each must be there."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(kind)} | {"type": True}


@pytest.mark.parametrize(("file", "name", "fields"), list(written()), ids=lambda part: part if isinstance(part, str) else "")
def test_every_event_that_is_written_is_in_the_vocabulary(file: str, name: str, fields: set[str]) -> None:
    known = fields_of(events.TYPES[name])
    assert fields - known.keys() == set(), f"{file} writes fields that nobody knows"
    assert {field for field, required in known.items() if required} - fields == set(), f"{file} leaves fields out"


def test_every_call_that_writes_an_event_was_read() -> None:
    calls = sum(len(re.findall(r"(?<!function )\bevent\.(?:add|note)\(", path.read_text())) for path in LUA.rglob("*.lua"))
    assert len(list(written())) == calls


def test_every_word_of_the_vocabulary_is_written_somewhere() -> None:
    assert {name for _, name, _ in written()} == set(events.TYPES)


@pytest.mark.parametrize("kind", events.TYPES.values(), ids=lambda kind: kind.__name__)
def test_an_event_survives_the_wire(kind: type[events.Event]) -> None:
    values = {field.encode_name: sample(field.type) for field in msgspec.structs.fields(kind)}
    event = msgspec.convert(values | {"type": kind.__name__}, kind)
    assert events.decode(msgspec.msgpack.encode(event)) == event


def sample(kind: Any) -> Any:
    """A value of that type, as it travels."""
    origin, inner = get_origin(kind), [each for each in get_args(kind) if each not in (NoneType, Ellipsis)]
    if inner and origin in (tuple, list):
        return [sample(each) for each in inner]
    if inner:
        return inner[0] if origin is Literal else sample(inner[0])
    if issubclass(kind, Enum):
        return next(iter(kind)).value
    if issubclass(kind, Struct):
        return [sample(field.type) for field in msgspec.structs.fields(kind)]
    return {bool: True, str: "x"}.get(kind, 7)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "Nothing", "at": 1},
        {"type": "Unfilled", "at": 1, "b": 1},
        {"type": "Unfilled", "at": 1, "b": 1, "seq": 2, "note": "hello"},
        {"type": "Refused", "at": 1, "b": 1, "seq": 2, "p": "ada", "wave": 1},
        {"at": 1},
        [],
    ],
)
def test_what_is_not_in_the_vocabulary_is_no_event_p14b(raw: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        events.decode(msgspec.msgpack.encode(raw))


# -- the fold ---------------------------------------------------------------------------------------------------------


def story(*parts: tuple[str, dict[str, Any]]) -> list[Any]:
    """A history: Opened, and then these."""
    opened = (
        "Opened",
        {"urgency": "last_minute", "deadline": 900, "services": ["cut"], "windows": [[1000, 1100], [2000, 2100]], "client": 1},
    )
    return [
        events.decode(msgspec.msgpack.encode({"type": kind, "b": 1, "seq": seq, "at": seq, **fields}))
        for seq, (kind, fields) in enumerate((opened, *parts), 1)
    ]


def wave(*asked: int, number: int = 1, kind: str = "wave") -> tuple[str, dict[str, Any]]:
    fields = {"wave": number, "kind": kind, "asked": asked, "due": 0, "ready": 0, "answer_by": 5, "urgency": "last_minute", "late": 0}
    return "WaveSent", fields


LIVE = ProposalView(state="open", wave=1, live=True, seated=True)
WON = ("Accepted", {"p": 7, "cause": "wave", "window": 1, "wave": 1})


@pytest.mark.parametrize(
    ("parts", "changes"),
    [
        ([], {}),
        ([wave(7, 8)], {"wave": 1, "proposals": {7: LIVE, 8: LIVE}}),
        ([wave(7), ("Received", {"p": 7})], {"wave": 1, "proposals": {7: msgspec.structs.replace(LIVE, received=True)}}),
        (
            [wave(7), ("Received", {"p": 7}), ("Seen", {"p": 7})],
            {"wave": 1, "proposals": {7: msgspec.structs.replace(LIVE, received=True, seen=True)}},
        ),
        ([wave(7), ("Pushed", {"p": 7, "kind": "proposal", "outcome": "sent"})], {"wave": 1, "proposals": {7: LIVE}}),
        ([wave(7), ("Faded", {"p": 7, "delivered": False})], {"wave": 1, "proposals": {7: ProposalView(state="open", wave=1)}}),
        ([wave(7), ("Replaced", {"p": 7})], {"wave": 1, "proposals": {7: ProposalView(state="open", wave=1, live=True)}}),
        ([wave(7), ("Refused", {"p": 7, "wave": 1})], {"wave": 1, "proposals": {7: ProposalView(state="refused", wave=1)}}),
        ([wave(7), ("AcceptedTooLate", {"p": 7, "outcome": "LOST"})], {"wave": 1, "proposals": {7: LIVE}}),
        (
            [wave(7, 8), WON, ("Withdrawn", {"p": 8, "reason": "taken"})],
            {
                "state": "accepted", "winner": 7, "window": 1, "wave": 1,
                "proposals": {7: ProposalView(state="accepted", wave=1), 8: ProposalView(state="withdrawn", wave=1)},
            },
        ),
        (
            [wave(7), WON, ("Reopened", {"p": 7, "deadline": 950}), wave(8, number=2)],
            {
                "wave": 2, "deadline": 950,
                "proposals": {7: ProposalView(state="withdrawn", wave=1), 8: msgspec.structs.replace(LIVE, wave=2)},
            },
        ),
        (
            [wave(7), ("Unfilled", {}), ("Withdrawn", {"p": 7, "reason": "expired"})],
            {"state": "unfilled", "wave": 1, "proposals": {7: ProposalView(state="expired", wave=1)}},
        ),
        ([("Cancelled", {"by": "client"})], {"state": "cancelled"}),
        ([("WindowsDropped", {"windows": [[2000, 2100]], "deadline": 1900})], {"windows": ((2000, 2100),), "deadline": 1900, "version": 2}),
    ],
)  # fmt: skip
def test_a_history_folds_into_the_state_p9(parts: Any, changes: dict[str, Any]) -> None:
    opened = BookingView(state="searching", deadline=900, windows=((1000, 1100), (2000, 2100)))
    assert state_of(story(*parts)) == msgspec.structs.replace(opened, **changes)


@pytest.mark.parametrize(
    "history",
    [
        [],
        story()[1:],
        story(("Unfilled", {}))[1:],
        [story()[0], story()[0]],
        [story(("Unfilled", {}), ("Cancelled", {"by": "ops"}))[index] for index in (0, 2)],
        [story(("Unfilled", {}), ("Cancelled", {"by": "ops"}))[index] for index in (0, 2, 1)],
    ],
)
def test_what_is_no_history_is_not_folded(history: list[Any]) -> None:
    with pytest.raises(ValueError, match="history"):
        state_of(history)
