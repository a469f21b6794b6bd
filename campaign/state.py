"""What a campaign knows so far, in a file that a second start reads."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct, field

KINDS = ("store", "claimant", "worker")  # of processes that are killed
FAULTS = (
    "double winners", "lost wins", "stuck bookings", "wrong lost",
    "impossible histories", "changed answers", "wrong overlaps", "unasked bookings", "unsound markets",
)  # fmt: skip
OFF, UNKNOWN = "their devices were off", "unexplained"  # why a booking was not raced by all
EXAMPLES = 20  # findings of a kind kept in words; all are counted


class State(Struct):
    """The sums over all rounds that were judged. ``started``: rounds begun, judged or not: their names are used up.

    ``code`` and ``chosen``: the engine and the sizes with which it was begun, and must go on.
    """

    seed: int
    code: str = ""
    chosen: dict[str, float] = field(default_factory=dict)
    started: int = 0
    rounds: int = 0
    bookings: int = 0
    claims: int = 0
    repeated: int = 0  # claims asked again under their id
    outcomes: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    quiet: int = 0  # bookings that nobody was to claim
    unraced: dict[str, int] = field(default_factory=dict)  # others that nobody could claim, by cause
    partly: dict[str, int] = field(default_factory=dict)  # and such that not all could claim
    late: int = 0  # raced when their search had ended: all were told `expired`
    off: int = 0  # times that devices were taken off a round, and connected again
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    examples: list[str] = field(default_factory=list)
    sound: int = 0  # rounds whose market was looked through key by key
    looked_again: int = 0  # because something was on its way
    seconds: float = 0.0
    starts: int = 0
    store_mb: float = 0.0  # the most that the store held
    self_mb: float = 0.0  # and this process

    @property
    def fine(self) -> bool:
        """Claims were made, and nothing was wrong."""
        return self.claims > 0 and not any(self.found.values())

    def blame(self, fault: str, words: str) -> None:
        """Something was wrong."""
        self.found[fault] += 1
        if self.found[fault] <= EXAMPLES:
            self.examples.append(f"{fault}: {words}")


def load(path: Path, seed: int) -> State:
    """The state in a file; a new one when there is none. Raises ValueError when it is another campaign's."""
    if not path.exists():
        return State(seed=seed)
    state = msgspec.json.decode(path.read_bytes(), type=State)
    if state.seed != seed:
        raise ValueError(
            f"{path} belongs to the campaign with seed {state.seed}: go on with --seed {state.seed}, or begin anew with --fresh"
        )
    state.found = dict.fromkeys(FAULTS, 0) | state.found  # an older file may not know all of them
    return state


def other(state: State, code: str, chosen: dict[str, float]) -> str | None:
    """Why a state cannot be gone on with: it is of another engine, or of other sizes. None: it can."""
    if not state.starts:
        return None
    what = []
    if state.code != code:
        what.append(f"of the engine with the digest {state.code or '(none: it does not say)'}, and this engine's is {code}")
    changed = [f"--{name.replace('_', '-')} {state.chosen.get(name, 0):g}" for name in chosen if state.chosen.get(name) != chosen[name]]
    if changed:
        what.append(f"made with {' '.join(changed)}")
    return (
        f"the campaign begun here is {'; it was '.join(what)}: go on with what it was begun with, or begin anew with --fresh"
        if what
        else None
    )


def save(path: Path, state: State) -> None:
    """Writes it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
