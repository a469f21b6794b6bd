"""What each setting of a market means: unit, rule and words, beside the default and the bounds that model.py has.

docs/reference/settings.md is written from it (``python -m dispatch settings-docs``); a test sees to it that no setting is left out. A field
within a field is named with a dot, one of a list with ``[]``.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as types

from dispatch.model import MarketSettings

CIRCLE, POLYGON = "bounds (circle)", "bounds (polygon)"


class Meaning(NamedTuple):
    """What cannot be read off a type."""

    unit: str
    rule: str
    words: str


class Row(NamedTuple):
    """A setting as the reference lists it. ``bounds``: what may be sent."""

    field: str
    unit: str
    default: str
    bounds: str
    rule: str
    words: str


_CLASSES = ("last_minute", "same_day", "advance", "far")


def _by_class(name: str, unit: str, rule: str, words: str, classes: tuple[str, ...] = _CLASSES) -> dict[str, Meaning]:
    return {f"{name}.{each}": Meaning(unit, rule, f"{words}, class `{each}`.") for each in classes}


def _by_haste(name: str, rule: str, words: str) -> dict[str, Meaning]:
    hurried, other = f"{words}, last-minute bookings.", f"{words}, all other bookings."
    return {f"{name}.last_minute": Meaning("s", rule, hurried), f"{name}.other": Meaning("s", rule, other)}


MEANINGS: Mapping[str, Meaning] = {
    "time_zone": Meaning("IANA name", "R2", "The clock of hours, quiet hours and days."),
    "booking_cutoff_s": Meaning("s", "R10", "A visit can be booked until so long before its start; less than the horizon."),
    "travel_gap_s": Meaning("s", "R2", "Between two visits of a provider."),
    "open_proposals_cap": Meaning("proposals", "R2", "Live proposals that a provider has at once, at most."),
    "newcomer_share": Meaning("share of seats", "R6", "Seats that go to newcomers."),
    "newcomer_answers": Meaning("answers", "R6", "With fewer answered proposals a provider is a newcomer; 0: nobody is."),
    "under_performing_score": Meaning("points of 10", "R7", "With a lower score for the trade a provider is asked after all others."),
    "under_performing_orders": Meaning("orders", "R7", "From so many on."),
    "coverage_threshold": Meaning("providers", "R9", "With fewer than that a service is reported."),
    "cadence": Meaning("rows", "R12", "From the shortest lead time to the longest, each class once; the last without an upper bound."),
    "cadence[].class": Meaning("", "R12", "The class of a row."),
    "cadence[].lead_under_s": Meaning("s", "R12", "Its lead times end there, exclusive; rises from row to row, null in the last."),
    "cadence[].size": Meaning("providers", "R12", "Asked together, in a wave."),
    "cadence[].pause_s": Meaning("s", "R12", "From one wave to the next."),
    **_by_class("answer_s", "s", "R12b", "How long a proposal is live"),
    "response_cap_s": Meaning("s", "R22", "What never answering counts as, at most."),
    "search_deadline_s": Meaning("s", "R17", "A search ends so long before the start."),
    "reopened_deadline_s": Meaning("s", "R17, R35", "The same after a provider's own cancellation, and for every extension."),
    **_by_class("longest_search_s", "s", "R17", "How long a search lasts at most", _CLASSES[1:]),
    "horizon_days": Meaning("days", "R2", "How far ahead can be booked."),
    "quiet_hours": Meaning("local time", "R12", "When only last-minute waves leave; an hour of the day at least stays loud. null: none."),
    "quiet_hours.from": Meaning("local time", "R12", "When they begin."),
    "quiet_hours.to": Meaning("local time", "R12", "When they end; past midnight when it is not after `from`."),
    **_by_haste("delivery_grace_s", "R14", "An unconfirmed proposal holds its seat for so long"),
    **_by_haste("preferred_hold_s", "R26, R27", "How long a chosen provider has the first word"),
    "no_show_after_s": Meaning("s", "R37", "After the start: from then on he can be said not to have come, or to be late."),
    "pause_after": Meaning("proposals", "R40", "Without an answer in a row: they pause a provider."),
    "counter_cutoff_s": Meaning("s", "R24", "A counteroffer can be made and accepted until so long before its start."),
    "counter_valid_s": Meaning("s", "R24", "How long it stands at most."),
    "counter_near_s": Meaning("s", "R24", "That close to a window asked for, it is shown at once."),
    "counter_limit": Meaning("counteroffers", "R24", "Of a provider for a booking, in a round."),
    "fair_window_s": Meaning("s", "R16", "The best-ranked of those who accept within it wins; fractions too, 0: the first does."),
    "bonus_mode": Meaning("", "R31", "Whether ops confirm bonus proposals, nobody has to, or they are made by hand."),
    "bonus_steps": Meaning("steps", "R30", "What is relaxed when nobody is left, one step after the other; each stretches something."),
    "bonus_steps[].hours_min": Meaning("min", "R30", "By how much hours are stretched."),
    "bonus_steps[].zone_km": Meaning("km", "R30", "By how much zones are."),
    "wave_policy": Meaning("", "R12", "Waves by the cadence, or by pace."),
    "wave_order": Meaning("", "R5", "By rank alone, or the likely and quick first within a score step or a tier."),
    **_by_class("pacing.over_s", "s", "R12", "Policy `paced`: everybody who fits is asked over so long"),
    "pacing.speed": Meaning("factor", "R12", "Policy `paced`: how fast it spends them."),
    "bounds": Meaning("", "R2", "Where bookings may be; null: wherever some zone is near."),
    f"{CIRCLE}.lat": Meaning("degrees", "R4", "Of the centre."),
    f"{CIRCLE}.lng": Meaning("degrees", "R4", "Of the centre."),
    f"{CIRCLE}.radius_km": Meaning("km", "R4", "Its radius."),
    f"{POLYGON}.coordinates": Meaning("[lng, lat]", "R4", "One ring that does not cross itself."),
    "webhook": Meaning("", "", "Where the market's events are sent; null: nowhere."),
    "webhook.url": Meaning("URL", "", "No private, link-local or metadata address."),
    "webhook.secret": Meaning("", "", "Standard Webhooks: what signs them. Never shown again."),
}  # fmt: skip


def rows() -> Iterator[Row]:
    """Every setting, in the order of the model. KeyError for one of which nothing is said."""
    yield from _of_struct(types.type_info(MarketSettings), "", MarketSettings())


def _of_struct(kind: types.Type, before: str, value: Any) -> Iterator[Row]:
    """The settings of an object. ``value``: its default, None: it has none."""
    assert isinstance(kind, types.StructType)
    for field in kind.fields:
        given = getattr(value, field.name, None) if value is not None else (None if field.default is NODEFAULT else field.default)
        known = value is not None or field.default is not NODEFAULT
        yield from _of_field(f"{before}{field.encode_name}", field.type, given, known=known)


def _of_field(name: str, kind: types.Type, default: Any, *, known: bool) -> Iterator[Row]:
    structs = [one for one in _kinds(kind) if isinstance(one, types.StructType)]
    if len(structs) != 1 or structs[0] is not kind:
        meaning = MEANINGS[name]
        yield Row(name, meaning.unit, _text(default) if known else "", bounds_of(kind), meaning.rule, meaning.words)
    if isinstance(kind, types.VarTupleType) and isinstance(kind.item_type, types.StructType):
        yield from _of_struct(kind.item_type, f"{name}[].", None)
    for one in structs:
        tag = f" ({one.tag})" if len(structs) > 1 else ""
        yield from _of_struct(one, f"{name}{tag}.", default)


def _kinds(kind: types.Type) -> tuple[types.Type, ...]:
    return kind.types if isinstance(kind, types.UnionType) else (kind,)


def bounds_of(kind: types.Type) -> str:
    """What may be sent for a field, in words."""
    return " or ".join(_bounds(one) for one in _kinds(kind))


def _bounds(kind: types.Type) -> str:
    match kind:
        case types.IntType() | types.FloatType():
            least = f"over {_number(kind.gt)}" if kind.gt is not None else _number(kind.ge)
            return f"{least} to {_number(kind.le)}" + (", whole" if isinstance(kind, types.IntType) else "")
        case types.LiteralType():
            return ", ".join(f"`{each}`" for each in kind.values)
        case types.EnumType():
            return ", ".join(f"`{each.value}`" for each in kind.cls)
        case types.VarTupleType() | types.ListType():
            return f"{kind.min_length or 0} to {kind.max_length} of them"
        case types.StructType():
            return f"{kind.tag} object" if kind.tag else "object"
        case types.StrType():
            return _pattern(kind.pattern)
    return "null"


_PATTERNS = (
    ("whsec", "`whsec_` and 16 or more of base64"),
    ("https?", "`http://` or `https://`, 2,000 characters"),
    (r"[0-5]\d", "`00:00` to `23:59`"),
)


def _pattern(pattern: str | None) -> str:
    return next((words for mark, words in _PATTERNS if pattern and mark in pattern), "text")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}" if value != int(value) else f"{int(value):,}"


def _text(default: Any) -> str:
    """A default as one would send it."""
    plain = default.value if isinstance(default, Enum) else msgspec.to_builtins(default)
    return f"`{msgspec.json.encode(plain).decode()}`"


def section() -> str:
    """The part of docs/reference/settings.md about markets."""
    lines = [
        "## Settings of a market",
        "",
        "What a market chooses for itself, sent with `PUT /v1/markets/{m}`: a PUT replaces all, what is left out returns to its default. A",
        "value out of its bounds is refused (422) with the field's name and what would be right. Who changed what, and when, is told by",
        "`GET /v1/markets/{m}/ops/settings-history`.",
        "",
        "| field | unit | default | may be | rule | meaning |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| `{row.field}` | {row.unit} | {row.default} | {row.bounds} | {row.rule} | {row.words} |" for row in rows()]
    return "\n".join(lines) + "\n"
