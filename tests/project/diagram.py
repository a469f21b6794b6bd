"""The diagram of a booking's life: docs/reference/lifecycle.md, written from the table of moves in dispatch/lifecycle.py (`make rules`)."""

from collections.abc import Mapping

from dispatch.lifecycle import MOVES, BookingState, Move
from tests.project.tree import ROOT

PAGE = ROOT / "docs/reference/lifecycle.md"
BEGIN, END = "<!-- written by `make rules` from dispatch/lifecycle.py -->", "<!-- the end of what is written by `make rules` -->"
Moves = Mapping[BookingState, Mapping[Move, BookingState]]


def drawn(moves: Moves) -> list[str]:
    """The states and moves as Mermaid draws them; moves between the same two states share an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> searching: open"]
    for state, row in moves.items():
        for to in BookingState:
            if names := [move.value for move, after in row.items() if after is to]:
                lines.append(f"    {state.value} --> {to.value}: {', '.join(names)}")
        if not row:
            lines.append(f"    {state.value} --> [*]")
    return [*lines, "```"]


def listed(moves: Moves) -> list[str]:
    """The same as a table: what each verb makes of each state."""
    head = ["| verb | " + " | ".join(f"`{state.value}`" for state in moves) + " |", "|---" * (len(moves) + 1) + "|"]
    return head + [f"| `{move.value}` | " + " | ".join(_cell(moves, state, move) for state in moves) + " |" for move in Move]


def _cell(moves: Moves, state: BookingState, move: Move) -> str:
    after = moves[state].get(move)
    return f"`{after.value}`" if after else ""


def page(old: str, moves: Moves = MOVES) -> str:
    """The page ``old`` with what lies between its two marks written anew."""
    (before, rest), new = old.split(BEGIN), [BEGIN, "", *drawn(moves), "", *listed(moves), "", END]
    return before + "\n".join(new) + rest.split(END)[1]


def write() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
