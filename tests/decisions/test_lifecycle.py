"""What a booking may become: one table, and the same one in the server functions."""

import re
from itertools import product

import pytest

from dispatch.lifecycle import MOVES, BookingState, Move, ProposalState, after
from dispatch.store.functions import library

ALLOWED = {
    ("searching", "accept"): "accepted",
    ("searching", "close"): "unfilled",
    ("searching", "cancel"): "cancelled",
    ("accepted", "cancel"): "cancelled",
    ("accepted", "reopen"): "searching",
    ("unfilled", "cancel"): "cancelled",
    ("searching", "move"): "searching",
    ("accepted", "move"): "searching",
    ("unfilled", "move"): "searching",
    ("accepted", "complete"): "completed",
    ("accepted", "no_show"): "no_show",
    ("accepted", "search_again"): "searching",
    ("no_show", "search_again"): "searching",
    ("no_show", "complete"): "completed",
    ("no_show", "cancel"): "cancelled",
    ("searching", "take_over"): "taken_over",
    ("accepted", "take_over"): "taken_over",
    ("unfilled", "take_over"): "taken_over",
    ("unfilled", "extend"): "searching",
    ("taken_over", "hand_back"): "searching",
    ("taken_over", "assign"): "accepted",
    ("taken_over", "cancel"): "cancelled",
}


@pytest.mark.parametrize(("state", "move"), list(product(BookingState, Move)), ids=lambda one: one.value)
def test_every_state_answers_every_move(state: BookingState, move: Move) -> None:
    assert after(state, move) == ALLOWED.get((state.value, move.value))


def test_every_state_stands_in_the_table_and_can_be_reached() -> None:
    assert set(MOVES) == set(BookingState)
    assert {to for row in MOVES.values() for to in row.values()} == set(BookingState)


def test_what_is_cancelled_stays_so() -> None:
    assert MOVES[BookingState.CANCELLED] == {}


def test_nobody_can_be_accepted_twice_without_a_new_search_p1() -> None:
    assert [state for state in BookingState if after(state, Move.ACCEPT)] == [BookingState.SEARCHING]


def test_the_server_functions_are_rendered_with_this_table() -> None:
    (line,) = re.findall(r"^MOVES = .*$", library().text, re.MULTILINE)
    rows = dict(re.findall(r"(\w+) = \{ ([^{}]*) \}", line))
    rendered = {(state, move): to for state, row in rows.items() for move, to in re.findall(r"(\w+) = '(\w+)'", row)}
    assert rendered == ALLOWED
    assert set(rows) <= {state.value for state in BookingState}


def test_names_are_those_of_the_interface() -> None:
    assert {state.value for state in ProposalState} == {"open", "accepted", "refused", "countered", "withdrawn", "expired"}
    states = {"searching", "accepted", "unfilled", "cancelled", "taken_over", "completed", "no_show"}
    assert {state.value for state in BookingState} == states
