"""What processes use, as the kernel counts it (Linux)."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def rss_kb(pid: int) -> int:
    """Resident memory of a process, all included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """Processor time so far."""
    return sum(map(int, _stat(pid)[11:13])) / TICKS


def family(pid: int) -> list[int]:
    """A process and everything that it, or one of its children, has started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
        except (OSError, IndexError):
            continue
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def heaviest(pid: int) -> int:
    """Of a process and its descendants the one with the most memory: the worker of a server that has a master."""
    return max(family(pid), key=rss_kb)


def environment(pid: int) -> dict[str, str]:
    """The variables with which a process was started."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def load() -> str:
    """How busy the machine is, for beside a figure."""
    one, five, _ = os.getloadavg()
    return f"load {one:.1f} (1 min), {five:.1f} (5 min) on {os.cpu_count()} cores"


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
