"""The machine on which something was measured, and the versions of what was measured on it."""

import os
import platform
import re
import subprocess
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory, kernel."""
    model = _found(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.processor() or platform.machine()
    kb = _found(r"MemTotal:\s*(\d+)", "/proc/meminfo")
    memory = f"{int(kb) / 2**20:.0f} GB" if kb else "unknown memory"
    return f"{model}, {os.cpu_count()} cores, {memory}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def version(*command: str) -> str:
    """The first number with dots in what a program says of its version, '?' when it says none."""
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    number = re.search(r"\d+\.\d+[\w.]*", said.stdout + said.stderr)
    return number[0] if number else "?"


def _found(pattern: str, path: str) -> str | None:
    try:
        line = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return line[1].strip() if line else None
