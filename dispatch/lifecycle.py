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
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    TAKEN_OVER = "taken_over"


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
    MOVE = "move"
    COMPLETE = "complete"
    NO_SHOW = "no_show"
    SEARCH_AGAIN = "search_again"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    ASSIGN = "assign"
    EXTEND = "extend"


_S = BookingState
_ANEW = dict.fromkeys((Move.REOPEN, Move.MOVE, Move.SEARCH_AGAIN), _S.SEARCHING)

MOVES: Mapping[BookingState, Mapping[Move, BookingState]] = {
    _S.SEARCHING: {
        Move.ACCEPT: _S.ACCEPTED,
        Move.CLOSE: _S.UNFILLED,
        Move.CANCEL: _S.CANCELLED,
        Move.MOVE: _S.SEARCHING,
        Move.TAKE_OVER: _S.TAKEN_OVER,
    },
    _S.ACCEPTED: {
        Move.CANCEL: _S.CANCELLED,
        Move.COMPLETE: _S.COMPLETED,
        Move.NO_SHOW: _S.NO_SHOW,
        Move.TAKE_OVER: _S.TAKEN_OVER,
        **_ANEW,
    },
    _S.UNFILLED: {
        Move.CANCEL: _S.CANCELLED,
        Move.MOVE: _S.SEARCHING,
        Move.EXTEND: _S.SEARCHING,
        Move.TAKE_OVER: _S.TAKEN_OVER,
    },
    _S.CANCELLED: {},
    _S.COMPLETED: {},
    _S.NO_SHOW: {Move.CANCEL: _S.CANCELLED, Move.COMPLETE: _S.COMPLETED, Move.SEARCH_AGAIN: _S.SEARCHING},
    _S.TAKEN_OVER: {Move.HAND_BACK: _S.SEARCHING, Move.ASSIGN: _S.ACCEPTED, Move.CANCEL: _S.CANCELLED},
}


def after(state: BookingState, move: Move) -> BookingState | None:
    """The state that ``move`` leads to from ``state``, or None when the table does not allow it."""
    return MOVES[state].get(move)
