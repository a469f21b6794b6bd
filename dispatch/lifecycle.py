"""What a booking and a proposal may become, as one table each.

The store's functions are rendered with these same tables (``MOVES`` in Lua), so there is no second copy to drift.
Source: PROTOCOL.md section 1 (names of states), SPEC.md R15, R17, R35-R38, R83.
"""

from collections.abc import Mapping
from enum import StrEnum


class BookingState(StrEnum):
    """Where a booking stands."""

    SEARCHING = "searching"
    ACCEPTED = "accepted"
    UNFILLED = "unfilled"
    CANCELLED = "cancelled"


class ProposalState(StrEnum):
    """Where one provider's proposal stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    COUNTERED = "countered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Move(StrEnum):
    """A verb that changes the state of a booking."""

    ACCEPT = "accept"
    CLOSE = "close"
    CANCEL = "cancel"
    REOPEN = "reopen"
    EXTEND = "extend"


_S = BookingState

MOVES: Mapping[BookingState, Mapping[Move, BookingState]] = {
    _S.SEARCHING: {Move.ACCEPT: _S.ACCEPTED, Move.CLOSE: _S.UNFILLED, Move.CANCEL: _S.CANCELLED},
    _S.ACCEPTED: {Move.CANCEL: _S.CANCELLED, Move.REOPEN: _S.SEARCHING},
    _S.UNFILLED: {Move.CANCEL: _S.CANCELLED, Move.EXTEND: _S.SEARCHING},
    _S.CANCELLED: {},
}


def after(state: BookingState, move: Move) -> BookingState | None:
    """The state that ``move`` leads to from ``state``, or None when the table does not allow it."""
    return MOVES[state].get(move)
