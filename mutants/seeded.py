"""The list of mutants (list.toml): small textual changes of the engine, each of which breaks a rule or a promise.

A mutant that is still alive after its tests is a rule that nobody watches.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("list.toml")


class Broken(Exception):
    """A mutant that is none: it cannot be planted, its tests do not run, or what it makes of the engine does not even load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file. ``breaks``: rules and promises; ``fault``: what the engine does wrong; ``tests``: who must notice."""

    name: str
    breaks: tuple[str, ...]
    fault: str
    file: str
    find: str
    put: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The text of its file with the fault. Raises Broken."""
        if (times := text.count(self.find)) != 1:
            raise Broken(f"the text to replace stands {times} times in {self.file}; it must stand there exactly once")
        return text.replace(self.find, self.put)

    def plant(self, root: Path) -> None:
        """Plants it in the tree below ``root``. Raises Broken."""
        path = root / self.file
        if not path.is_file():
            raise Broken(f"there is no file {self.file}")
        path.write_text(self.planted(path.read_text(encoding="utf-8")), encoding="utf-8")


def read(path: Path = LIST) -> tuple[Mutant, ...]:
    """The mutants of a list, in its order. Raises TypeError for a field that is missing or unknown."""
    return tuple(map(_mutant, tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]))


def _mutant(entry: dict[str, Any]) -> Mutant:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return Mutant(**fields)
