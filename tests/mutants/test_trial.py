"""Trials: a mutant is killed by a test that fails, and by nothing else. The last of these run real ones, each in a copy of the tree."""

from pathlib import Path

import pytest

from mutants import __main__ as command
from mutants.seeded import ROOT, Broken, Mutant, read
from mutants.trial import Run, Verdict, control, copy_of, failures, spoken, tried, verdict

REPORT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>
<testcase classname="a" name="test_right"/>
<testcase classname="a" name="test_skipped"><skipped message="x"/></testcase>
<testcase classname="a" name="test_without_a_server"><error message="x">at setup</error></testcase>
<testcase classname="a" name="test_wrong[1-2]"><failure message="assert 1 == 2">no</failure></testcase>
</testsuite></testsuites>"""
CUT_OFF = "tests/decisions/test_waves.py::test_a_client_books_until_exactly_the_cut_off_r10"


def on_waves(find: str, put: str, tests: tuple[str, ...] = (CUT_OFF,)) -> Mutant:
    return Mutant(name="x", breaks=("R10",), fault="x", file="dispatch/waves.py", find=find, put=put, tests=tests)


def test_only_tests_that_failed_are_failures() -> None:
    assert failures(REPORT) == ("test_wrong[1-2]",)


@pytest.mark.parametrize(
    ("code", "failed", "expected"),
    [
        (0, (), (Verdict.SURVIVED, "no test failed")),
        (1, ("test_a", "test_b"), (Verdict.KILLED, "test_a")),
        (1, (), (Verdict.BROKEN, "pytest ended with 1, and no test failed: ERROR at setup")),
        (2, (), (Verdict.BROKEN, "pytest ended with 2, and no test failed: ERROR at setup")),  # a module that cannot be imported
        (2, ("test_a",), (Verdict.BROKEN, "pytest ended with 2, and no test failed: ERROR at setup")),  # interrupted
        (4, (), (Verdict.BROKEN, "pytest ended with 4, and no test failed: ERROR at setup")),  # a test that is not there
        (5, (), (Verdict.BROKEN, "pytest ended with 5, and no test failed: ERROR at setup")),  # nothing was collected
        (-9, (), (Verdict.BROKEN, "pytest ended with -9, and no test failed: ERROR at setup")),
    ],
)
def test_a_failed_test_kills_and_nothing_else_does(code: int, failed: tuple[str, ...], expected: tuple[Verdict, str]) -> None:
    assert verdict(Run(code=code, failed=failed, printed="...\nERROR at setup\n\n")) == expected


def test_what_does_not_end_is_ended_and_kills_nobody(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\nwhile True:\n    time.sleep(0.05)\n")
    with pytest.raises(Broken, match=r"endless did not end within 0\.5 s"):
        spoken(tmp_path, 0.5, "endless")


def test_a_copy_has_what_the_tests_need_and_is_gone_afterwards() -> None:
    with copy_of() as tree:
        assert (tree / "dispatch/waves.py").read_bytes() == (ROOT / "dispatch/waves.py").read_bytes()
    assert not tree.exists()


# -- the command ------------------------------------------------------------------------------------------------------


def test_a_name_that_nobody_has_is_told_with_one_that_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["wave-a-second-erly"]) == 2
    assert "no mutant wave-a-second-erly; did you mean wave-a-second-early" in capsys.readouterr().err
    assert command.main(["zzz"]) == 2
    assert "`--list` shows them all" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--jobs", "many"], ["--fast"]])
def test_options_that_make_no_sense_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == 2
    assert "usage: python -m mutants" in capsys.readouterr().err


def test_the_list_can_be_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert command.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert [mutant.name for mutant in read() if mutant.name not in printed] == []


@pytest.mark.parametrize("number", [1, 2, 3, 16])
def test_every_test_is_in_one_part_of_the_control(number: int) -> None:
    parts = command.parts_of(read(), number)
    assert sorted(test for part in parts for test in part) == sorted({test for mutant in read() for test in mutant.tests})
    assert len(parts) <= number
    files = [{test.partition("::")[0] for test in part} for part in parts]
    assert sum(map(len, files)) == len(set().union(*files)), "tests of one file stay together"


# -- real trials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mutant", "expected", "detail"),
    [
        (on_waves("return start - now < settings", "return start - now <= settings"), Verdict.KILLED, "test_a_client_books_until"),
        (on_waves("return start - now < settings", "return start < now + settings"), Verdict.SURVIVED, "no test failed"),
        (on_waves("return start - now < settings", "return start - now < settings +"), Verdict.BROKEN, "does not load"),
        (on_waves("nobody wrote this", "x"), Verdict.BROKEN, "stands 0 times"),
    ],
    ids=["a fault", "another way to say the same", "a mistake of spelling", "a text that has changed"],
)
def test_a_trial_ends_with_the_right_verdict(mutant: Mutant, expected: Verdict, detail: str) -> None:
    outcome = tried(mutant)
    assert outcome.verdict is expected
    assert detail in outcome.detail


def test_server_functions_that_cannot_be_read_are_no_kill() -> None:
    mutant = Mutant(
        name="x",
        breaks=("P1",),
        fault="x",
        file="dispatch/store/lua/sweep.lua",
        find="if not at then",
        put="if not at them",
        tests=("tests/store/test_index.py::test_matching_leaves_nothing_behind",),
    )
    outcome = tried(mutant)
    assert (outcome.verdict, "does not load" in outcome.detail) == (Verdict.BROKEN, True)


def test_the_control_tells_of_tests_that_do_not_pass() -> None:
    assert "ended with 4" in control([f"{CUT_OFF}_gone"])
