"""The replay: some minutes of the real calls through a real engine, and what is said when they are not there."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bench.calls import NoCalls, find
from bench.replay import booking_of, main
from tests.bench.table import call

ROOT = Path(__file__).resolve().parents[2]


def real_calls() -> Path | None:
    try:
        return find(None)
    except NoCalls:
        return None


CALLS = real_calls()


def replayed(folder: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and summary of a replay in a process of its own."""
    command = [sys.executable, "-m", "bench", "replay", "--json", str(folder / "run.json"), *options]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "COLUMNS": "160"}, capture_output=True, text=True, timeout=110, check=False)
    output = done.stdout + done.stderr
    assert (folder / "run.json").is_file(), output
    return done.returncode, output, json.loads((folder / "run.json").read_text())


@pytest.mark.skipif(CALLS is None, reason="the file of real calls is not here (DISPATCH_DATA_SETS names its folder)")
def test_some_minutes_of_real_calls_keep_every_promise(tmp_path: Path) -> None:
    """24 minutes from nine o'clock, of 40 days laid over each other; nobody is out yet, since visits begin three hours later.

    What was late on a slow machine is told, and fails no test.
    """
    short = ("--days", "40", "--start-hour", "9", "--hours", "0.4", "--warm", "0", "--speed", "60", "--busy", "0")
    code, output, found = replayed(tmp_path, "--calls", str(CALLS), *short)
    assert found["bookings"] >= 8, output
    assert found["filled"] >= 3, output
    assert {name: found["promises"][name]["examples"] for name in ("P1", "P3", "P5", "P12") if found["promises"][name]["broken"]} == {}
    assert [example for example in found["promises"]["P6"]["examples"] if " late" not in example] == []
    assert {name for name, verdict in found["promises"].items() if verdict["checked"]} >= {"P1", "P3", "P5", "P6", "P12"}
    assert (found["days"]["laid_over_each_other"], found["failures"], found["refusals"]) == (40, {}, {})
    assert found["units"] > 100
    assert "last_minute" in found["foreseen"]
    assert code in (0, 1), output
    assert "40 days (2010-" in output
    assert "told at the POST" in output


def test_without_the_file_it_says_where_it_looked_and_how_to_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--calls", str(tmp_path / "none.csv.gz")]) == 2
    assert "none.csv.gz; name it with --calls" in capsys.readouterr().err


WRONG = [("--hours", "0"), ("--warm", "15"), ("--speed", "-1"), ("--busy", "1.5"), ("--days", "-2"), ("--answers", "magic")]


@pytest.mark.parametrize("wrong", WRONG, ids=[name for name, _ in WRONG])
def test_what_cannot_be_chosen_is_refused_with_the_right_values(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(list(wrong))
    assert left.value.code == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.parametrize(("priority", "hours"), [("3", 3), ("2", 8), ("1", 30)])
def test_a_call_becomes_a_booking_with_its_place_its_kind_its_lead_time_and_its_length(priority: str, hours: int) -> None:
    now = datetime(2026, 11, 24, 9, 30, 12, tzinfo=ZoneInfo("Etc/GMT-5"))
    found = booking_of(call(out_min=37.5, priority=priority, kind="alarms"), 7, now)
    (window,) = found.windows
    assert (found.place.lat, found.place.lng, found.services) == (37.7782, -122.4111, ("alarms",))
    assert window.start - now == timedelta(hours=hours, minutes=1)
    assert window.end - window.start == timedelta(minutes=37.5)
