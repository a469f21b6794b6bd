"""The list of mutants is right: each can be planted, names tests that are there, and no promise is without one."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from mutants.seeded import LIST, Broken, Mutant, read
from tests.project.tree import ROOT, parsed

MUTANTS = read()
FEWEST = 30
RULES = {
    "R2",
    "R3",
    "R4",
    "R5",
    "R6",
    "R7",
    "R8",
    "R9",
    "R10",
    "R11",
    "R12",
    "R12b",
    "R13",
    "R14",
    "R15",
    "R17",
    "R20",
    "webhooks",
}  # and all promises
SUFFIXES = {".py", ".lua"}

each = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


def explained() -> set[str]:
    """The numbers of all rules and promises."""
    return set(re.findall(r"\*\*([RP]\d+b?)\*\*", (ROOT / "docs/reference/rules.md").read_text()))


def one(**changes: object) -> Mutant:
    right = {"name": "one", "breaks": ("P1",), "fault": "x", "file": "a.py", "find": "yes", "put": "no", "tests": ("tests/a.py::test_a",)}
    return Mutant(**{**right, **changes})  # type: ignore[arg-type]


@each
def test_it_can_be_planted_and_changes_the_engine(mutant: Mutant) -> None:
    path = ROOT / mutant.file
    text = path.read_text(encoding="utf-8")
    assert mutant.planted(text) != text
    assert path.suffix in SUFFIXES
    assert mutant.file.startswith("dispatch/")


@each
def test_it_says_what_is_wrong_in_words(mutant: Mutant) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", mutant.name)
    assert len(mutant.fault.split()) > 4


@each
def test_those_who_ought_to_notice_are_there(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        found = {node.name for node in ast.walk(parsed(ROOT / path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name.partition("[")[0] in found, f"{path} has no {name}"


def test_what_is_python_stays_python() -> None:
    for mutant in MUTANTS:
        if mutant.file.endswith(".py"):
            ast.parse(mutant.planted((ROOT / mutant.file).read_text(encoding="utf-8")), mutant.name)


def test_names_and_faults_are_unique() -> None:
    for what in ("name", "fault"):
        assert [text for text, times in Counter(getattr(mutant, what) for mutant in MUTANTS).items() if times > 1] == []
    assert len({(mutant.file, mutant.find, mutant.put) for mutant in MUTANTS}) == len(MUTANTS)


def test_there_are_enough_and_every_promise_has_one() -> None:
    assert len(MUTANTS) >= FEWEST
    promises = {number for number in explained() if number.startswith("P")}
    assert len(promises) >= 13
    assert (promises | RULES) - {broken for mutant in MUTANTS for broken in mutant.breaks} == set()


def test_what_they_break_is_a_rule_or_a_promise() -> None:
    assert {broken for mutant in MUTANTS for broken in mutant.breaks} - explained() == {"webhooks", "link"}


@pytest.mark.parametrize(("text", "times"), [("no", 0), ("yes, yes", 2)])
def test_a_text_that_is_not_there_exactly_once_breaks_the_mutant(text: str, times: int) -> None:
    with pytest.raises(Broken, match=rf"stands {times} times in a\.py"):
        one().planted(text)


def test_planting_changes_the_one_place(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("well, yes.\n")
    one().plant(tmp_path)
    assert (tmp_path / "a.py").read_text() == "well, no.\n"
    with pytest.raises(Broken, match=r"no file b\.py"):
        one(file="b.py").plant(tmp_path)


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(LIST.read_text(encoding="utf-8").replace("fault =", "falt =", 1), encoding="utf-8")
    with pytest.raises(TypeError, match="falt"):
        read(tmp_path / "list.toml")
