"""A disk, as the system calls of a server leave it: what is on it for certain at some moment, and what may be.

The model is a file system that keeps the order of changes to its folders, as journals do, and nothing else: what was written to a file
is safe once a sync of that file that began after the write has returned; that a name leads to a file, once a sync of a folder has.
"""

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.syscalls import Call

APPEND_ONLY = "appendonlydir"
SYNCS = {"fsync", "fdatasync"}
NAMES = {"rename", "renameat", "renameat2", "unlink", "unlinkat"}

Choice = Callable[[int, int], int]  # of what may be on the disk, from the least to the most: what is


@dataclass
class File:
    """What was written to one file. ``writes``: (when it was done, bytes); ``syncs``: (when it was done, how many bytes it covers)."""

    writes: list[tuple[int, bytes]] = field(default_factory=list)
    syncs: list[tuple[int, int]] = field(default_factory=list)

    def written(self, place: int) -> int:
        """Bytes that the kernel had taken before that place in the order of things."""
        return sum(len(content) for done, content in self.writes if done < place)

    def safe(self, place: int) -> int:
        """Bytes that no loss of power can take away any more."""
        return max((covered for done, covered in self.syncs if done < place), default=0)

    @property
    def content(self) -> bytes:
        return b"".join(content for _, content in self.writes)


@dataclass
class Disk:
    """The folder of one server. Give it the calls in order."""

    folder: str
    files: dict[str, File] = field(default_factory=dict)  # as the kernel has them
    changes: list[tuple[int, str, str, File | None]] = field(default_factory=list)  # (when done, old name, new name, file)
    commits: list[tuple[int, int]] = field(default_factory=list)  # (when done, how many changes a sync of a folder covers)

    @classmethod
    def of(cls, folder: Path, calls: Iterable[Call]) -> "Disk":
        """The disk after these calls. Raises ValueError for a call that the model does not know."""
        disk = cls(str(folder))
        for call in calls:
            disk.take(call)
        return disk

    def take(self, call: Call) -> None:
        """One more call."""
        if call.name in SYNCS:
            self._sync(call)
        elif call.name in NAMES:
            self._rename(call)
        elif call.name == "openat":
            self._open(call)
        elif call.name == "write" and call.target in self.files:
            self.files[call.target].writes.append((call.done, call.content))
        elif any(f"/{APPEND_ONLY}/" in name for name in self._about(call)):
            raise ValueError(f"the disk knows no {call.name} of {self._about(call)}")

    def _open(self, call: Call) -> None:
        name = self._path(call.strings[0])
        if "O_CREAT" not in call.arguments or not name.startswith(self.folder):
            return
        if name in self.files and "O_TRUNC" in call.arguments and self.files[name].writes:
            raise ValueError(f"{name} was emptied, which the disk does not know")
        if name not in self.files:
            self._change(call, "", name, File())

    def _rename(self, call: Call) -> None:
        old, new = (self._path(call.strings[0]), self._path(call.strings[1]) if len(call.strings) > 1 else "")
        if old in self.files:
            self._change(call, old, new, self.files[old])

    def _change(self, call: Call, old: str, new: str, file: File) -> None:
        self.changes.append((call.done, old, new, file))
        _apply(self.files, old, new, file)

    def _sync(self, call: Call) -> None:
        if call.target in self.files:
            self.files[call.target].syncs.append((call.done, self.files[call.target].written(call.begun)))
        elif call.target in (self.folder, f"{self.folder}/{APPEND_ONLY}"):
            self.commits.append((call.done, sum(1 for done, *_ in self.changes if done < call.begun)))

    def _about(self, call: Call) -> list[str]:
        """The files that a call speaks of."""
        return [call.target] if call.target else [self._path(name) for name in call.strings]

    def _path(self, name: bytes) -> str:
        return posixpath.join(self.folder, name.decode(errors="replace"))

    # -- after a cut --------------------------------------------------------------------------------------------------

    def left(self, place: int, choose: Choice) -> dict[str, bytes]:
        """What is found after the power went at that place: what was safe, and of all else as much as ``choose`` says."""
        certain = max((count for done, count in self.commits if done < place), default=0)
        possible = sum(1 for done, *_ in self.changes if done < place)
        names: dict[str, File] = {}
        for _, old, new, file in self.changes[: choose(certain, possible)]:
            _apply(names, old, new, file)
        return {name: file.content[: choose(file.safe(place), file.written(place))] for name, file in names.items()}

    def safe(self, place: int) -> bytes:
        """All that is certain of the append-only files at that place."""
        return b"".join(found for name, found in self.left(place, min).items() if name.endswith(".aof"))


def _apply(names: dict[str, File], old: str, new: str, file: File | None) -> None:
    names.pop(old, None)
    if new and file is not None:
        names[new] = file
