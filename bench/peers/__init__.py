"""What one would use instead of this engine, or of a part of it: each started by us, measured beside us in the same run.

rounds.py    times in rounds, ratios with their spread, what must hold       machine.py   the machine and the versions, in one line
children.py  servers as children: unprivileged, ended with us                postgres.py  PostgreSQL with PostGIS
town_sql.py  the dense city as a table, and its two plans
"""


class Absent(Exception):
    """A peer that is not installed here; the text says what would install it."""
