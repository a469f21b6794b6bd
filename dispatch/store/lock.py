"""The lock on a data folder: held by whichever process has the file open, and gone with the last of them, even after kill -9."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from dispatch.errors import ConfigError

LOOK_AGAIN_S = 0.02


@contextmanager
def locked(path: Path, patience_s: float) -> Iterator[IO[str]]:
    """The lock file, open and locked. A child that inherits its descriptor keeps the lock after this context has closed ours.

    Raises ConfigError when another process still has it after ``patience_s``.
    """
    with path.open("a+") as file:
        deadline = monotonic() + patience_s
        while not _take(file):
            if monotonic() >= deadline:
                owner = _words(file)[0]
                raise ConfigError(f"the folder {path.parent} is in use by process {owner}: stop that one first, or choose another folder")
            sleep(LOOK_AGAIN_S)
        yield file


def sign(file: IO[str], owner: int, word: str) -> None:
    """Leave the owner's process id and a word for others in the lock file."""
    file.truncate(0)
    file.write(f"{owner} {word}\n")
    file.flush()


def owners_word(path: Path) -> str | None:
    """The word that the owner of the lock left; None when nobody holds it."""
    try:
        with path.open() as file:
            return None if _take(file) else _words(file)[1]
    except FileNotFoundError:
        return None


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _words(file: IO[str]) -> tuple[str, str]:
    file.seek(0)
    owner, _, word = file.read().strip().partition(" ")
    return owner or "(unknown)", word
