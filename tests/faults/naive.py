"""The control: an engine whose claim reads first and writes then, as one would without thinking. The harness must find it out.

It is a copy of the package with the claim replaced: nothing in the product can be told to win twice.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLAIM = '        reply = await self._calls.verb(\n            "accept"'  # in store/claims.py
READ = """\
        state = await self._calls.command("HGET", key("booking", market, bno), "state")
        if state != b"searching":
            return result_of(command, proposal, {"word": "LOST"})
"""
IMPORT = "from dispatch.store.calls import Calls, text\n"
GUARDS = (  # in store/lua/lib/judging.lua: a claim looks at what has become of its proposal, and of the booking
    ("  return not seats.stands(p) and (AFTER[p[S.reason]] or 'NOT_ASKED') or nil\n", "  return nil\n"),
    ("  if b.state ~= (a.given and 'taken_over' or 'searching') then return 'LOST' end", "  --"),
)
MOVE = "  booking.move(m, b, a.given and 'assign' or 'accept', "  # in store/lua/accept.lua: it checks where the booking stands
WRITE = "  call('HSET', K.booking(m, b.no), 'state', 'accepted', unpack("


def engine_copy(folder: Path) -> Path:
    """A folder with a copy of the engine, to be broken."""
    shutil.copytree(ROOT / "dispatch", folder / "dispatch", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def naive_copy(folder: Path) -> Path:
    """A folder from which `python -m dispatch` runs the naive engine."""
    engine_copy(folder)
    rewrite(folder / "dispatch/store/claims.py", ((CLAIM, READ + CLAIM), (IMPORT, IMPORT + "from dispatch.store.keys import key\n")))
    rewrite(folder / "dispatch/store/lua/lib/judging.lua", GUARDS)
    accept = folder / "dispatch/store/lua/accept.lua"
    (move,) = (line for line in accept.read_text().splitlines() if line.startswith(MOVE))
    rewrite(accept, ((move, f"{WRITE}{move.removeprefix(MOVE)})"),))
    return folder


def rewrite(path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    """Each text, which must be there exactly once, becomes another."""
    text = path.read_text()
    for before, after in changes:
        assert text.count(before) == 1, f"{path.name} has changed: find the place to break anew"
        text = text.replace(before, after)
    path.write_text(text)
