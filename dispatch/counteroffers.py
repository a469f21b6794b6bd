"""Counteroffers: other times that a provider proposes for a booking (R24), and the figures by which they live.

Whether one may be made, shown or accepted in that instant is decided by the store's verbs `counter` and `accept`; these are the figures
that they are handed.
"""

from collections.abc import Sequence

from msgspec import Struct

from dispatch.errors import BadRequest
from dispatch.model import MarketSettings, Span

LONGEST_MS = 86_400_000
DAY_MS = 86_400_000


class Rules(Struct, frozen=True, kw_only=True):
    """A market's figures in ms. ``cutoff``: before a window's start; ``near``: to one asked for; ``limit``: of a provider in one round."""

    valid: int
    cutoff: int
    near: int
    limit: int


def rules_of(settings: MarketSettings) -> Rules:
    """What a market has chosen."""
    return Rules(
        valid=settings.counter_valid_s * 1_000,
        cutoff=settings.counter_cutoff_s * 1_000,
        near=settings.counter_near_s * 1_000,
        limit=settings.counter_limit,
    )


def check(windows: Sequence[Span], horizon: int) -> None:
    """Each is a visit, no two are the same, and all lie within the horizon (ms). Raises BadRequest. (Those too near are `too_late`.)"""
    for index, window in enumerate(windows):
        if window.end <= window.start:
            raise BadRequest(f"windows[{index}] ends before it starts; end must be after start")
        if window.end - window.start > LONGEST_MS:
            raise BadRequest(f"windows[{index}] is longer than 24 h; a window is the visit itself")
        if window.end > horizon:
            raise BadRequest(f"windows[{index}] ends after the last day that can be booked; propose an earlier time")
    if len(set(windows)) < len(windows):
        raise BadRequest("two windows are the same; send each once")


def horizon_of(settings: MarketSettings, now: int) -> int:
    """Until when visits can be agreed (ms)."""
    return now + settings.horizon_days * DAY_MS
