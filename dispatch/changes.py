"""What a change of a market's settings changed: field by field, what it was and what it is.

A field within a field is named with a dot (``answer_s.far``), a list is one value. What is secret is never told, nor what a URL may carry
besides its place; what is too long to keep a thousand times is told by its digest. Nothing here is about a person (P14b).
Source: SPEC.md R84.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from dispatch.model import MarketSettings

LONGEST = 1_000  # characters of a value as JSON
HIDDEN, ANOTHER = "(hidden)", "(hidden, another one)"
SECRET, URL = "webhook.secret", "webhook.url"


class Change(NamedTuple):
    """One field that is other than it was. The values are those of JSON."""

    field: str
    old: Any
    new: Any


def changes_of(old: MarketSettings | None, new: MarketSettings) -> tuple[Change, ...]:
    """What differs, in the order of the settings. ``old``: None for a market that is new, whose settings were the defaults."""
    was, is_ = (msgspec.json.decode(msgspec.json.encode(each)) for each in (old or MarketSettings(), new))
    return tuple(told for name in is_ for told in _differing(name, was.get(name), is_[name]))


def _differing(name: str, old: Any, new: Any) -> list[Change]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*new, *(each for each in old if each not in new)]
        return [told for each in names for told in _differing(f"{name}.{each}", old.get(each), new.get(each))]
    if name == SECRET:
        return [Change(name, HIDDEN, ANOTHER)]
    return [Change(name, _told(name, old), _told(name, new))]


def _told(name: str, value: Any) -> Any:
    """A value as it may be kept and shown."""
    if isinstance(value, Mapping):
        value = {each: HIDDEN if f"{name}.{each}" == SECRET else _told(f"{name}.{each}", within) for each, within in value.items()}
    if name == URL:
        value = _place(value)
    raw = msgspec.json.encode(value)
    return value if len(raw) <= LONGEST else {"length": len(raw), "sha256": sha256(raw).hexdigest()}


def _place(url: str) -> str:
    """A URL without what may be secret in it: who enters, with which password or token."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?..." if parts.query or parts.fragment or "@" in parts.netloc else "")
