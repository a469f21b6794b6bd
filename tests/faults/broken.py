"""More controls: copies of the engine that break a promise in silence. The harness, or the campaign, must find each out."""

from pathlib import Path

from tests.faults.naive import engine_copy, rewrite

RECALL = "  local before = ledger.recall(kept, a.print)\n  if before then return before end\n"  # in store/lua/open.lua
KEPT = "    if begun.kept is not None:\n        return _repeat(begun.kept, fingerprint)\n    if not begun.ours:\n"  # in api/idempotency.py
MEANWHILE = "  if not b or b.state ~= 'searching' or b.rev ~= a.rev then return reply('STALE') end\n"  # in store/lua/send_wave.lua
CHOSEN = "  turn(m, crowded, chosen)\n"  # in store/lua/lib/propose.lua


def forgetful_copy(folder: Path) -> Path:
    """It remembers no request: who repeats one because he heard no answer is told that his own booking is a duplicate (P4)."""
    engine_copy(folder)
    rewrite(folder / "dispatch/store/lua/open.lua", ((RECALL, ""),))
    rewrite(folder / "dispatch/api/idempotency.py", ((KEPT, "    if begun.kept is None and not begun.ours:\n"),))
    return folder


def deaf_copy(folder: Path) -> Path:
    """Its waves leave as they were decided, whatever has become of the booking meanwhile (P6, P10)."""
    engine_copy(folder)
    rewrite(folder / "dispatch/store/lua/send_wave.lua", ((MEANWHILE, "  if not b then return reply('STALE') end\n"),))
    return folder


def silent_copy(folder: Path) -> Path:
    """It asks nobody for every fourth booking (R12)."""
    engine_copy(folder)
    rewrite(folder / "dispatch/store/lua/lib/propose.lua", ((CHOSEN, f"  if b.no % 4 == 0 then chosen = {{}} end\n{CHOSEN}"),))
    return folder
