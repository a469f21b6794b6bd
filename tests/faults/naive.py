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
            return _result(command, proposal, {"word": "LOST"})
"""
IMPORT = "from dispatch.store.calls import Calls, text\n"
GUARDS = ("  if p[S.state] ~= 'open' then return", "  if b.state ~= 'searching' then return")  # in store/lua/accept.lua
MOVE = "  booking.move(m, b, 'accept', "
WRITE = "  call('HSET', K.booking(m, b.no), 'state', 'accepted', unpack("


def engine_copy(folder: Path) -> Path:
    """A folder with a copy of the engine, to be broken."""
    shutil.copytree(ROOT / "dispatch", folder / "dispatch", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def naive_copy(folder: Path) -> Path:
    """A folder from which `python -m dispatch` runs the naive engine."""
    engine_copy(folder)
    claims, accept = folder / "dispatch/store/claims.py", folder / "dispatch/store/lua/accept.lua"
    rewrite(claims, ((CLAIM, READ + CLAIM), (IMPORT, IMPORT + "from dispatch.store.keys import key\n")))
    lines = accept.read_text().splitlines(keepends=True)
    kept = [_write(line) for line in lines if not line.startswith(GUARDS)]
    assert len(kept) == len(lines) - len(GUARDS), "accept.lua has changed: take its guards out here too"
    assert kept != [line for line in lines if not line.startswith(GUARDS)], "accept.lua has changed: replace its move here too"
    accept.write_text("".join(kept))
    return folder


def _write(line: str) -> str:
    """The move that checks where the booking stands becomes a write that does not."""
    return f"{WRITE}{line.rstrip().removeprefix(MOVE)})\n" if line.startswith(MOVE) else line


def rewrite(path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    """Each text, which must be there exactly once, becomes another."""
    text = path.read_text()
    for before, after in changes:
        assert text.count(before) == 1, f"{path.name} has changed: find the place to break anew"
        text = text.replace(before, after)
    path.write_text(text)
