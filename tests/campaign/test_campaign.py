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
from campaign.__main__ import parsed
from campaign.code import digest
from campaign.report import markdown
from campaign.state import FAULTS, KINDS, State
from tests.faults.broken import silent_copy
from tests.faults.naive import CLAIM, engine_copy, naive_copy, rewrite

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--devices", "25", "--bookings", "16", "--search-s", "4", "--every-s", "1.5", "--thorough", "1"]
PATIENCE_S = 280.0  # on the slowest machines an engine's process takes ten seconds to start, and here they are killed all the time


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
    assert after["quiet"] + sum(after["unraced"].values()) < after["bookings"]
    assert (folder / "report.md").read_text() == markdown(states.load(folder / "state.json", 1))

    code, output = campaign(folder, "--claims", str(after["claims"]))
    assert code == 0, output
    assert f"this campaign is finished: its {after['claims']:,} claims were made before, and none now" in output
    assert known(folder) == after


@pytest.mark.timeout(PATIENCE_S)
def test_a_naive_claim_is_found_out(tmp_path: Path) -> None:
    code, output = campaign(tmp_path / "campaign", "--claims", "1500", code=naive_copy(tmp_path / "naive"))
    found = known(tmp_path / "campaign")["found"]
    assert code == 1, output
    assert found["double winners"] > 0, output
    assert found["impossible histories"] > 0, output
    assert re.search(r"double winners: round \d+: booking", output), output


@pytest.mark.timeout(PATIENCE_S)
def test_bookings_that_nobody_is_asked_for_are_found_out(tmp_path: Path) -> None:
    code, output = campaign(tmp_path / "campaign", "--claims", "300", code=silent_copy(tmp_path / "silent"))
    state = known(tmp_path / "campaign")
    assert code == 1, output
    assert state["found"]["unasked bookings"] >= state["unraced"]["unexplained"] > 0, output
    assert re.search(r"unasked bookings: round \d+: booking \d+: 25 of 25 devices were connected and held no proposal of it", output), (
        output
    )


@pytest.mark.timeout(PATIENCE_S)
def test_an_engine_that_fails_in_a_way_that_nobody_expects_ends_it(tmp_path: Path) -> None:
    """An answer that never comes would hold a round up for ever."""
    broken = engine_copy(tmp_path / "broken")
    rewrite(broken / "dispatch/store/claims.py", ((CLAIM, '        assert round_ > 1, "a claim that fails"\n' + CLAIM),))
    code, output = campaign(tmp_path / "campaign", "--claims", "300", code=broken)
    assert code == 1, output
    assert "a claimant ended by itself, with exit status 1" in output, output
    assert "AssertionError: a claim that fails" in output, output


def begun(folder: Path, **changed: Any) -> State:
    """The state of a campaign that made its claims with this engine."""
    state = State(seed=1, starts=1, claims=900, code=digest(), chosen=parsed([*SMALL])[0].sizes)
    state.crashes = dict.fromkeys(KINDS, 1)
    for name, value in changed.items():
        setattr(state, name, value)
    states.save(folder / "state.json", state)
    return state


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code": "0123456789abcdef"}, "of the engine with the digest 0123456789abcdef, and this engine's is"),
        ({"code": ""}, "of the engine with the digest (none: it does not say)"),
        ({"chosen": parsed([*SMALL, "--devices", "24"])[0].sizes}, "made with --devices 24"),
    ],
)
@pytest.mark.parametrize("claims", [900, 1000])
def test_a_campaign_of_another_engine_or_of_other_sizes_is_neither_gone_on_with_nor_reported(
    tmp_path: Path, changed: dict[str, Any], words: str, claims: int
) -> None:
    before = begun(tmp_path, **changed)
    code, output = campaign(tmp_path, "--claims", str(claims))
    assert code == 2, output
    assert words in output
    assert "go on with what it was begun with, or begin anew with --fresh" in output
    assert states.load(tmp_path / "state.json", 1) == before


@pytest.mark.parametrize(("found", "code"), [({}, 0), ({"lost wins": 1}, 1)])
def test_a_finished_campaign_says_so_and_keeps_its_verdict(tmp_path: Path, found: dict[str, int], code: int) -> None:
    begun(tmp_path, found=dict.fromkeys(FAULTS, 0) | found)
    told, output = campaign(tmp_path, "--claims", "900")
    assert "this campaign is finished: its 900 claims were made before, and none now; --fresh begins anew" in output
    assert told == code


def test_the_digest_is_of_every_file_of_the_engine(tmp_path: Path) -> None:
    first, second = engine_copy(tmp_path / "a") / "dispatch", engine_copy(tmp_path / "b") / "dispatch"
    assert digest(first) == digest(second) == digest()
    with (second / "store/lua/accept.lua").open("a") as file:
        file.write("\n")
    assert digest(second) != digest()


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


def test_findings_are_counted_all_and_some_of_each_kind_are_shown(tmp_path: Path) -> None:
    state = State(seed=1, claims=1, seconds=inf)
    for number in range(states.EXAMPLES + 5):
        state.blame("lost wins", f"booking {number}")
    assert (state.found["lost wins"], len(state.examples), state.fine) == (states.EXAMPLES + 5, states.EXAMPLES, False)
    state.blame("double winners", "booking 3")
    assert state.examples[states.EXAMPLES :] == ["double winners: booking 3"]
