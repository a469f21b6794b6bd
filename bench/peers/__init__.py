"""What one would use instead of this engine, or of a part of it: each started by us, measured beside us in the same run.

rounds.py    times in rounds, ratios with their spread, what must hold       machine.py   the machine and the versions, in one line
children.py  servers as children: unprivileged, ended with us                postgres.py  PostgreSQL with PostGIS
speech.py    how a contender is talked to                                    speeches.py  how each of the others is
town_sql.py  the dense city as a table, and its two plans
"""

import os
import sys
from typing import Final

REQUIRED: Final = "BENCH_PEERS"  # in the environment, as `make bench-peers` sets it: "required", and a bench without all its peers fails


class Absent(Exception):
    """A peer that is not installed here; the text says what would install it."""


class Absences:
    """The peers that a bench had to do without. One by one they are skipped; where all are asked for, that is no success."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def note(self, name: str, absent: Absent) -> None:
        """Says so at once."""
        self._names.append(name)
        print(f"skipped {name}: {absent}", file=sys.stderr)

    def allowed(self) -> bool:
        """Whether the bench may end well without them; says so when not."""
        if self._names and os.environ.get(REQUIRED) == "required":
            print(f"FAILED: not measured, as not installed: {', '.join(self._names)}", file=sys.stderr)
            return False
        return True
