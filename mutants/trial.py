"""The trial of one mutant: a copy of the tree, the fault planted in it, its tests run there, and the verdict.

A mutant is killed by a test that fails, and by nothing else: not by tests that cannot be collected or set up, nor by a run without an end.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

from mutants.seeded import ROOT, Broken, Mutant

COPIED = ("dispatch", "mutants", "campaign", "sdk", "tests", "pyproject.toml")
RUN_S, CONTROL_S, LOAD_S, GOODBYE_S = 300, 900, 60, 15  # bounds: of a mutant's tests, of the control, of loading, of an orderly end
FOREIGN = ("COVERAGE_", "DISPATCH_", "PYTEST_", "PYTHONPATH")  # what must not leak into a trial
REPORT = "report.xml"


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial ended: ``detail`` is the test that noticed, or what is wrong with the mutant."""

    verdict: Verdict
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of tests: pytest's exit code, the tests that failed (errors of fixtures are not among them), and what was printed."""

    code: int
    failed: tuple[str, ...]
    printed: str


@contextmanager
def copy_of(root: Path = ROOT) -> Iterator[Path]:
    """A copy of what the tests need, gone afterwards. Compiled files come along: they count only while their source is as it was."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for name in COPIED:
            source, target = root / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
        yield Path(folder)


def spoken(tree: Path, patience_s: float, *words: str) -> tuple[int, str]:
    """Runs a Python module in a tree; its exit code and what it printed. Raises Broken when it does not end."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = ours | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}  # CI: the same examples in every run
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        printed, _ = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        raise Broken(f"{words[0]} did not end within {patience_s:g} s") from None
    finally:
        _end(process)
    return process.returncode, printed


def _end(process: "subprocess.Popen[str]") -> None:
    """Ends it if it still runs: first so that it can clear up."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def tested(tree: Path, tests: Sequence[str], patience_s: float, *options: str) -> Run:
    """Runs some tests in a tree; each has its own bound, as ever. Raises Broken when they do not end."""
    code, printed = spoken(tree, patience_s, "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={REPORT}", *options, *tests)
    report = tree / REPORT
    return Run(code=code, failed=failures(report.read_text(encoding="utf-8")) if report.is_file() else (), printed=printed)


def failures(report: str) -> tuple[str, ...]:
    """The tests that failed, by a JUnit report."""
    return tuple(case.get("name", "") for case in ElementTree.fromstring(report).iter("testcase") if case.find("failure") is not None)


def verdict(run: Run) -> tuple[Verdict, str]:
    """What a run of a mutant's tests says of it."""
    if run.code == 0:
        return Verdict.SURVIVED, "no test failed"
    if run.code == 1 and run.failed:
        return Verdict.KILLED, run.failed[0]
    return Verdict.BROKEN, f"pytest ended with {run.code}, and no test failed: {last_line(run.printed)}"


def last_line(printed: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "nothing was printed")


def tried(mutant: Mutant) -> Outcome:
    """The trial of a mutant."""
    began = time.monotonic()
    try:
        with copy_of() as tree:
            mutant.plant(tree)
            code, printed = spoken(tree, LOAD_S, "mutants.loads")
            if code:
                raise Broken(f"the engine does not load with it: {last_line(printed)}")
            found, detail = verdict(tested(tree, mutant.tests, RUN_S, "--exitfirst"))
    except Broken as reason:
        found, detail = Verdict.BROKEN, str(reason)
    return Outcome(verdict=found, detail=detail, seconds=time.monotonic() - began)


def control(tests: Sequence[str]) -> str:
    """Runs tests in a copy without any fault: what is wrong, or nothing."""
    try:
        with copy_of() as tree:
            run = tested(tree, tests, CONTROL_S)
    except Broken as reason:
        return str(reason)
    if run.code == 0:
        return ""
    return f"pytest ended with {run.code}: {', '.join(run.failed) or last_line(run.printed)}"
