"""The whole demo, as a person starts it: an engine, a city, real sockets, and a verdict."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--headless", "--providers", "40", "--bookings-per-hour", "300", "--seed", "5"]


@contextmanager
def demo(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A demo under way; it is ended kindly when the test ends before it does."""
    command = [
        sys.executable,
        "-m",
        "dispatch",
        "demo",
        *SMALL,
        "--json",
        str(folder / "run.json"),
        "--data-dir",
        str(folder / "engine"),
        *options,
    ]
    environment = {**os.environ, "COLUMNS": "160"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def until_connected(process: "subprocess.Popen[str]") -> str:
    """Reads what the demo says until its devices are online."""
    assert process.stdout is not None
    seen = ""
    while "devices online" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return read


def alive(folder: Path) -> list[str]:
    """Command lines of processes that still speak of the demo's folder."""
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if str(folder / "engine") in line]


def children(parent: int) -> list[tuple[int, str]]:
    """Process ids and command lines of the children of a process."""
    rows = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return [(int(pid), args) for pid, ppid, args in (row.split(None, 2) for row in rows) if int(ppid) == parent]


def test_a_city_lives_for_a_while_and_every_promise_is_looked_at_and_kept(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "12") as process:
        output, _ = process.communicate(timeout=110)
    assert process.returncode in (0, 1), output
    said = summary(tmp_path)
    assert said["bookings"] > 20
    assert said["filled"] >= 1
    assert (said["failures"], said["webhooks"]["false"]) == ({}, 0)
    promises = said["promises"]
    assert all(promise["checked"] > 0 for promise in promises.values())
    late = promises.pop("P6")  # a crowded machine may make a wave late; never early, and nobody is asked twice
    assert all(re.fullmatch(r"\S+ wave \d+: \d+ ms late", example) for example in late["examples"])
    assert {name: promise["examples"] for name, promise in promises.items()} == {name: [] for name in promises}
    assert process.returncode == (0 if late["broken"] == 0 else 1)
    assert alive(tmp_path) == []


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_a_verdict_and_leaves_nothing_behind(tmp_path: Path, kind: signal.Signals) -> None:
    with demo(tmp_path) as process:
        seen = until_connected(process)
        process.send_signal(kind)
        output, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 1), seen + output
    assert "Promises" in output
    assert alive(tmp_path) == []


def test_an_engine_that_cannot_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "data").write_text("a file where a folder should be")
    with demo(tmp_path, "--seconds", "5") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the engine ended with code" in output
    assert "Traceback" not in output.partition("the engine ended with code")[0]


def test_an_engine_that_dies_is_told_too(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until_connected(process)
        [(pid, _)] = children(process.pid)
        os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the engine ended with code -9" in output
