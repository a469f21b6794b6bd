"""Metrics of several processes as one page: pure functions on Prometheus' text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SAMPLE = re.compile(r"(?P<name>[^{ ]+)(?:\{(?P<labels>.*)\})?(?P<value> .*)")
HAS_PROCESS = re.compile(r'(?:^|,)process="')
OF_A_PROCESS = ("process_", "python_")  # metrics that every process has, told by the client library

UP = """\
# HELP dispatch_peer_up Whether the metrics of another process could be read.
# TYPE dispatch_peer_up gauge""".splitlines()


@dataclass(slots=True)
class Family:
    """One metric: its HELP and TYPE lines, and its samples."""

    head: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merge(name: str, own: str, peers: Mapping[str, str | None]) -> str:
    """The page of the process ``name`` with those of its peers added: each metric once, what a peer says marked ``process="peer"``.

    Our own page stays as it is, but for what every process tells of itself (memory, CPU). A peer without a page (None) is told by
    ``dispatch_peer_up``.
    """
    families: dict[str, Family] = {}
    _add(families, own.splitlines(), name, OF_A_PROCESS)
    for peer, page in peers.items():
        _add(families, (page or "").splitlines(), peer, ("",))
    _add(families, [*UP, *(f'dispatch_peer_up{{process="{peer}"}} {int(page is not None)}' for peer, page in peers.items())], "", ())
    return "".join(f"{line}\n" for family in families.values() for line in (*family.head, *family.samples))


def _add(families: dict[str, Family], lines: Iterable[str], process: str, marked: tuple[str, ...]) -> None:
    """Sort lines into families: HELP and TYPE open one, what follows belongs to it. Samples that begin with ``marked`` get the label."""
    family, known = families.setdefault("", Family()), set(families)
    for line in lines:
        if line.startswith(("# HELP ", "# TYPE ")):
            name = line.split(" ", 3)[2]
            family = families.setdefault(name, Family())
            if name not in known:
                family.head.append(line)
        elif line and not line.startswith("#"):
            family.samples.append(_mark(line, process) if line.startswith(marked) else line)


def _mark(sample: str, process: str) -> str:
    """A sample with the label ``process``, unless it has one."""
    match = SAMPLE.fullmatch(sample)
    if not match or (match["labels"] and HAS_PROCESS.search(match["labels"])):
        return sample
    labels = ",".join(part for part in (f'process="{process}"', match["labels"]) if part)
    return f"{match['name']}{{{labels}}}{match['value']}"
