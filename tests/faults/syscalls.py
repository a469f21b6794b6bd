"""What a server asked of its kernel: writes, syncs and changes of folders, as strace saw them, each with its place and moment."""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Whatever changes a file or a folder, so that nothing is overlooked; the writes to sockets come with it.
WATCHED = (
    *("write", "writev", "sendto", "sendmsg", "pwrite64", "pwritev", "fsync", "fdatasync", "openat", "open", "creat"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "truncate", "ftruncate", "link", "linkat", "copy_file_range", "sendfile"),
)
LONGEST = 1 << 24  # bytes of a write that are shown
LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
WHOLE = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<[^>]*>)?(?: [^<]*)?(?: <(\d+\.\d+)>)?")
BEHIND = re.compile(r"^\d+<([^>]*)>")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class Call:
    """A system call that came to its end. ``begun`` and ``done`` are places in the order of all that happened, ``at`` and ``until`` the
    same as wall time (s)."""

    begun: int
    done: int
    at: float
    until: float
    name: str
    arguments: str
    result: int

    @cached_property
    def target(self) -> str:
        """The file, folder or socket behind the descriptor that it was called with; empty where there is none."""
        found = BEHIND.match(self.arguments)
        return _plain(found[1]).decode() if found else ""

    @cached_property
    def strings(self) -> list[bytes]:
        """Its arguments that are text, whole: names, or what was written."""
        return [_plain(text) for text in STRING.findall(self.arguments)]

    @property
    def content(self) -> bytes:
        """What it wrote: all that the kernel took of it."""
        return b"".join(self.strings)[: self.result]

    @property
    def writes_anew(self) -> bool:
        """Whether it may make a file."""
        return "O_CREAT" in self.arguments


def tracer(program: Path, trace: Path) -> list[str]:
    """The command that runs ``program`` and writes what it asks of the kernel to ``trace``. The program is the tracer's child: that needs
    no right to look into other processes."""
    strace = shutil.which("strace") or "strace"
    watched = ["-e", f"trace={','.join(WATCHED)}", "-e", "signal=none"]
    shown = ["-ttt", "-T", "-y", "-xx", "-s", str(LONGEST)]
    return [strace, "-f", "--seccomp-bpf", *shown, *watched, "-o", str(trace), str(program)]


def calls(lines: Iterable[str]) -> list[Call]:
    """The calls of a trace that succeeded, by their beginning. Those that never came back are left out."""
    return sorted(_calls(lines), key=lambda call: call.begun)


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, float, str]] = {}  # by thread: its call that has not returned
    for place, line in enumerate(lines):
        found = LINE.match(line)
        if not found:
            continue
        thread, at, text = found[1], float(found[2]), found[3].rstrip()
        if text.endswith(UNFINISHED):
            begun[thread] = place, at, text.removesuffix(UNFINISHED)
            continue
        first, started = place, at
        if resumed := RESUMED.match(text):
            first, started, beginning = begun.pop(thread)
            text = beginning + resumed[1]
        if (call := _call(first, place, started, text)) and call.result >= 0:
            yield call


def _call(begun: int, done: int, at: float, text: str) -> Call | None:
    """None for what is no call: the end of a process, or a call that the end of its process cut off."""
    if text.startswith(("+++", "---")) or ") = ?" in text:
        return None
    found = WHOLE.fullmatch(text)
    if not found:
        raise ValueError(f"a line of the trace that nobody understands: {text[:200]}")
    return Call(begun, done, at, at + float(found[4] or 0), found[1], found[2], int(found[3]))


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
