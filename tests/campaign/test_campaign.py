"""The campaign, small: it passes on our engine, goes on where it was killed, and finds a naive claim out (P1, P2, P3)."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from math import inf
from pathlib import Path
from typing import Any

import pytest

from campaign import state as states
from campaign.report import markdown
from campaign.state import FAULTS, KINDS, State
from tests.faults.naive import naive_copy

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--devices", "25", "--bookings", "16", "--search-s", "4", "--every-s", "1.5", "--thorough", "1"]
PATIENCE_S = 150.0


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "campaign", *SMALL, "--folder", str(folder), *options]


def campaign(folder: Path, *options: str, code: Path = ROOT) -> tuple[int, str]:
    """Exit status and output of a campaign run with this copy of the engine."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    line = command(folder, *options)
    done = subprocess.run(line, cwd=code, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stdout + done.stderr


def known(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return state


@pytest.mark.timeout(2 * PATIENCE_S)
def test_it_finds_nothing_goes_on_where_it_was_killed_and_says_what_it_did(tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    first = subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not ((folder / "state.json").exists() and known(folder)["claims"]):
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = known(folder)
    assert before["claims"] > 0

    code, output = campaign(folder, "--claims", str(before["claims"] + 800))
    after = known(folder)
    assert code == 0, output
    assert (after["starts"], after["claims"] >= before["claims"] + 800) == (2, True)
    assert after["found"] == dict.fromkeys(FAULTS, 0)
    assert all(after["crashes"][kind] > 0 for kind in KINDS)
    assert (sum(after["ends"].values()), sum(after["outcomes"].values())) == (after["bookings"], after["claims"])
    assert after["outcomes"]["won"] >= after["ends"]["accepted"] > 0
    assert after["sound"] == after["rounds"]
    assert (folder / "report.md").read_text() == markdown(states.load(folder / "state.json", 1))


@pytest.mark.timeout(PATIENCE_S)
def test_a_naive_claim_is_found_out(tmp_path: Path) -> None:
    code, output = campaign(tmp_path / "campaign", "--claims", "1500", code=naive_copy(tmp_path / "naive"))
    found = known(tmp_path / "campaign")["found"]
    assert code == 1, output
    assert found["double winners"] > 0, output
    assert found["impossible histories"] > 0, output
    assert re.search(r"double winners: round \d+: booking", output), output


def test_a_campaign_of_another_seed_is_not_gone_on_with(tmp_path: Path) -> None:
    states.save(tmp_path / "state.json", State(seed=7, claims=3))
    code, output = campaign(tmp_path, "--seed", "8")
    assert code == 2
    assert "go on with --seed 7, or begin anew with --fresh" in output


@pytest.mark.parametrize("wrong", [("--devices", "51"), ("--bookings", "100"), ("--claimants", "1")])
def test_a_size_that_cannot_be_says_what_would_be_right(tmp_path: Path, wrong: tuple[str, str]) -> None:
    code, output = campaign(tmp_path, *wrong)
    assert code == 2
    assert f"argument {wrong[0]}" in output or "would be right" in output


def test_a_campaign_in_which_nothing_was_claimed_is_not_fine() -> None:
    assert not State(seed=1).fine
    assert State(seed=1, claims=1).fine


def test_findings_are_counted_all_and_shown_in_part(tmp_path: Path) -> None:
    state = State(seed=1, claims=1, seconds=inf)
    for number in range(states.EXAMPLES + 5):
        state.blame("lost wins", f"booking {number}")
    assert (state.found["lost wins"], len(state.examples), state.fine) == (states.EXAMPLES + 5, states.EXAMPLES, False)
