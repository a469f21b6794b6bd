"""A crowd as a child process: told what to do line by line, asked what it saw."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from bench.peers.pushers import Server
from bench.serving import Served
from bench.swarm.truth import Note

ROOT = Path(__file__).resolve().parents[2]


class Crowd:
    """The handle of one."""

    def __init__(self, process: "subprocess.Popen[str]", name: str) -> None:
        self._process, self._name = process, name

    def ask(self, *order: object) -> dict[str, Any]:
        """Its next word, after an order. Raises RuntimeError when it has ended, or lost a socket that it should have kept."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if order:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the crowd of {self._name} has ended with code {self._process.wait()}")
        word: dict[str, Any] = json.loads(line)
        if word.get("failed"):
            raise RuntimeError(f"{self._name}: {word['failed']}")
        return word


@contextmanager
def crowd(module: str, arguments: list[str], count: int, name: str, progress: Progress) -> Iterator[Crowd]:
    """Runs ``bench.swarm.<module>``, which says how many sockets are open until all are."""
    command = [sys.executable, "-m", f"bench.swarm.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        made, bar = Crowd(process, name), progress.add_task(f"{name}: sockets", total=count)
        try:
            while not (word := made.ask()).get("ready"):
                progress.update(bar, completed=word["open"])
            progress.update(bar, completed=count)
            yield made
        finally:
            process.kill()


@contextmanager
def held(server: Server, count: int, name: str, progress: Progress, lazy: int = 0) -> Iterator[Crowd]:
    """All sockets of a contender, open."""
    with crowd("held", [server.speech[0], str(count), str(lazy), *server.speech[1:]], count, name, progress) as made:
        yield made


@contextmanager
def phones(served: Served, gates: list[str], count: int, progress: Progress) -> Iterator[Crowd]:
    """So many phones, live at the first of these addresses."""
    with crowd("phones", [str(count), served.url, served.key, *gates], count, "phones", progress) as made:
        yield made


def report(crowd: Crowd, folder: Path) -> tuple[list[Note], dict[int, list[str]]]:
    """What phones noted, and what is on their screens."""
    crowd.ask("report", str(folder / "notes"))
    found = msgspec.msgpack.decode((folder / "notes").read_bytes())
    return found["notes"], found["shown"]
