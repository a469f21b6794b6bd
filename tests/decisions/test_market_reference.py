"""The reference of a market's settings: complete, and what it says of bounds is what the interface refuses."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.api import bodies
from dispatch.errors import Unprocessable
from dispatch.market_reference import MEANINGS, Row, rows
from dispatch.model import MarketSettings

ROWS = tuple(rows())
RULES = (Path(__file__).parents[2] / "docs/reference/rules.md").read_text()
NUMBER = r"(-?\d+(?:,\d{3})*(?:\.\d+)?)"
BOUNDS = re.compile(rf"^(over )?{NUMBER} to {NUMBER}(, whole)?(?! of them)(?:$| or )")
ROW = {"class": "far", "lead_under_s": None, "size": 1, "pause_s": 60}
WITHIN = {"cadence[]": ROW, "bonus_steps[]": {"hours_min": 1, "zone_km": 1}}
CIRCLE = {"type": "circle", "lat": 48.8, "lng": 2.3, "radius_km": 5}


def test_every_setting_stands_there_once_and_nothing_else_does() -> None:
    assert sorted(row.field for row in ROWS) == sorted(MEANINGS)


def test_every_setting_has_a_sentence_and_a_rule_that_there_is() -> None:
    assert [row.field for row in ROWS if not row.words.endswith(".")] == []
    assert [row.field for row in ROWS if not row.rule and not row.field.startswith("webhook")] == []
    assert [rule for row in ROWS for rule in filter(None, row.rule.split(", ")) if not re.search(rf"\b{rule}\b", RULES)] == []


def test_every_length_of_time_has_its_unit() -> None:
    named = [row for row in ROWS if re.search(r"_s(\.|$)", row.field)]
    assert len(named) > 20
    assert {row.unit for row in named} == {"s"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.default and "[]" not in row.field], ids=lambda row: row.field)
def test_a_default_is_what_a_market_has_that_says_nothing(row: Row) -> None:
    value: Any = msgspec.json.decode(msgspec.json.encode(MarketSettings()))
    for part in row.field.split("."):
        value = value[part]
    assert msgspec.json.decode(row.default.strip("`")) == value


def beyond() -> Iterator[tuple[str, float]]:
    """Every number that has bounds, a little below and a little above them."""
    for row in ROWS:
        if found := BOUNDS.match(row.bounds):
            least, most = (float(text.replace(",", "")) for text in found.group(2, 3))
            step: float = 1 if found[4] else 0.001
            yield row.field, least if found[1] else least - step
            yield row.field, most + step


def body(field: str, value: float) -> dict[str, Any]:
    """Settings in which this one field is so."""
    top, _, rest = field.partition(".")
    value = int(value) if value == int(value) else value
    if top in WITHIN:
        return {top.removesuffix("[]"): [WITHIN[top] | {rest: value}]}
    if top.startswith("bounds"):
        return {"bounds": CIRCLE | {rest: value}}
    whole: Any = msgspec.to_builtins(MarketSettings())
    inner = whole[top]
    for part in rest.split(".")[:-1]:
        inner = inner[part]
    if rest:
        inner[rest.split(".")[-1]] = value
        return {top: whole[top]}
    return {top: value}


@pytest.mark.parametrize(("field", "value"), list(beyond()))
def test_a_value_beyond_its_bounds_is_refused_with_the_field_and_the_bound(field: str, value: float) -> None:
    with pytest.raises(Unprocessable) as caught:
        bodies.decode(msgspec.json.encode(body(field, value)), MarketSettings)
    told = re.sub(r"\[\d\.*\]|\[\.\.\.\]", "[]", caught.value.detail)
    assert told.startswith(field.replace(" (circle)", "") + ": expected "), told
    assert re.search(r"[<>]=? -?[\d.]+$", told), told


@pytest.mark.parametrize("row", [row for row in ROWS if BOUNDS.match(row.bounds)], ids=lambda row: row.field)
def test_the_bounds_themselves_may_be_sent(row: Row) -> None:
    found = BOUNDS.match(row.bounds)
    assert found is not None
    for text in (found[3],) if found[1] else (found[2], found[3]):
        bodies.decode(msgspec.json.encode(body(row.field, float(text.replace(",", "")))), MarketSettings)
