"""The diagram of a booking's life shows the moves that the engine makes, and no others."""

import re

from dispatch.lifecycle import MOVES, BookingState, Move
from tests.project import diagram

ARROW = re.compile(r"^    (\w+) --> (\w+): (.+)$", re.MULTILINE)


def test_the_page_of_the_lifecycle_is_as_the_table_of_moves_is() -> None:
    old = diagram.PAGE.read_text(encoding="utf-8")
    assert old == diagram.page(old), "write it again: make rules"


def test_every_move_is_an_arrow_and_every_arrow_a_move() -> None:
    arrows = {(state, move, to) for state, to, moves in ARROW.findall("\n".join(diagram.drawn(MOVES))) for move in moves.split(", ")}
    assert arrows == {(state.value, move.value, to.value) for state, row in MOVES.items() for move, to in row.items()}


def test_a_move_more_makes_the_page_stale() -> None:
    old = diagram.PAGE.read_text(encoding="utf-8")
    more = {**MOVES, BookingState.COMPLETED: {Move.CANCEL: BookingState.CANCELLED}}
    assert diagram.page(old, more) != old
    assert "    completed --> cancelled: cancel\n" in diagram.page(old, more)
