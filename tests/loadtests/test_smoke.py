"""A short run against a real engine: it passes on ours, and turns red on one whose claim has been broken.

The broken engine is a copy of the package with the guards of the ``accept`` function taken out: nothing in the product can be told to win
twice, so the fault is built, not switched on.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatch.settings import free_port
from loadtests.__main__ import wait_ready
from tests.faults.naive import GUARDS, engine_copy, rewrite

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--devices", "60", "--booking-users", "4", "--booking-rate", "6", "--seconds", "20", "--rest", "4", "--drops-per-minute", "6"]
PATIENT = [word for row in ("open", "push", "result", "withdrawn", "live") for word in (f"--limit-{row}-ms", "8000")]


@contextmanager
def engine(code: Path, data: Path) -> Iterator[list[str]]:
    """An engine run from this copy of the code; yields the options that lead to it."""
    http, devices = free_port(), free_port()
    chosen = {"DISPATCH_HTTP_PORT": http, "DISPATCH_DEVICE_PORT": devices, "DISPATCH_DATA_DIR": data}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {k: str(v) for k, v in chosen.items()}
    with (data.parent / "engine.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "dispatch", "serve", "--dev"], cwd=code, env=environment, stdout=log, stderr=log)
        try:
            wait_ready(f"http://127.0.0.1:{http}", process)
            yield ["--host", f"http://127.0.0.1:{http}", "--device-url", f"ws://127.0.0.1:{devices}/v1/device"]
        finally:
            process.terminate()
            process.wait(30)


def load(folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of a short run."""
    command = [sys.executable, "-m", "loadtests", *options, *SMALL, *PATIENT]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_short_run_passes_and_leaves_its_reports(tmp_path: Path) -> None:
    with engine(ROOT, tmp_path / "data") as where:
        code, output = load(tmp_path, *where)
    assert code == 0, output
    assert "FAIL" not in output
    assert re.search(r"generator: process 0 .* used \d+% of a core", output)
    assert {path.name for path in (tmp_path / "build" / "load").iterdir()} >= {"report.html", "load_stats.csv", "load_failures.csv"}


@pytest.mark.parametrize("scenario", ["storm", "stalled", "flapping"])
def test_a_short_run_with_trouble_passes(tmp_path: Path, scenario: str) -> None:
    with engine(ROOT, tmp_path / "data") as where:
        code, output = load(tmp_path, *where, "--scenario", scenario)
    assert code == 0, output
    assert re.search(r"ok   devices had the trouble `\w+` +[1-9]", output), output


def broken_copy(folder: Path) -> Path:
    """The package with a claim that never says no, and tells nobody else."""
    engine_copy(folder)
    rewrite(folder / "dispatch/store/lua/lib/judging.lua", GUARDS)
    rewrite(folder / "dispatch/store/lua/accept.lua", (("  seats.withdraw_all(m, b, 'withdrawn', 'taken')\n", ""),))
    return folder


def test_a_double_win_turns_it_red(tmp_path: Path) -> None:
    """Several hold a booking at once (a last-minute wave has three), and all answer: each of their accepts wins."""
    with engine(broken_copy(tmp_path / "broken"), tmp_path / "data") as where:
        code, output = load(tmp_path, *where)
    assert code == 1, output
    assert re.search(r"FAIL exactly one `won` a booking .* was won \d times", output), output
