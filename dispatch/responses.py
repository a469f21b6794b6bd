"""The clock of an answer (R22): how long a provider took, from the proposal's display to his answer.

An answer never counts for more than silence would (R20): both are bounded by the proposal's live time and by the market's cap.
"""

from msgspec import Struct


class Times(Struct, frozen=True, kw_only=True):
    """Moments of one proposal (ms), 0: not yet. ``stale``: its live time ended before it was answered or taken back (R12b)."""

    sent_at: int
    answer_by: int
    received_at: int
    seen_at: int
    answered_at: int
    stale: bool


def response_ms(times: Times, cap_ms: int) -> int | None:
    """How long it took him (ms). None: nothing is to be counted: no device of his confirmed it before he answered, or it was taken back
    while he still had time, or he still has."""
    since = times.seen_at or times.received_at
    longest = min(times.answer_by - times.sent_at, cap_ms)
    if times.answered_at:
        confirmed = times.seen_at or 0 < times.received_at < times.answered_at
        return min(times.answered_at - since, longest) if confirmed else None
    return longest if since and times.stale else None
