"""Every clause of the rules has a test that proves it, from outside where it can be seen there, and a page that explains it."""

import ast
from pathlib import Path

import pytest

from tests.project import clauses
from tests.project.clauses import BEGIN, END, Proofs, Rule, Section

RULE = Rule(id="R2", page="a.md", clauses={"a": "He is approved.", "b": "His zone covers the place."})
JOURNEY, STORE = "tests/journeys/test_a.py::test_b", "tests/store/test_a.py::test_b"


def read(text: str, name: str = "tests/store/test_x.py") -> Proofs:
    return clauses.proofs([(name, ast.parse(text))])


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("* **R2** He is approved...")
    return tmp_path


def test_every_clause_is_proved_and_explained_and_nothing_else_is_named() -> None:
    written = clauses.sections(clauses.SOURCE.read_text(encoding="utf-8"))
    assert clauses.complaints(clauses.rules_of(written), clauses.proofs_here(), clauses.DOCS) == []


def test_the_page_of_the_rules_is_as_the_clauses_and_the_tests_are() -> None:
    old, written = clauses.PAGE.read_text(encoding="utf-8"), clauses.sections(clauses.SOURCE.read_text(encoding="utf-8"))
    assert old == clauses.page(old, written, clauses.proofs_here()), "write it again: make rules"


def test_the_rules_are_there_each_once_and_their_letters_without_a_gap() -> None:
    rules = clauses.rules_of(clauses.sections(clauses.SOURCE.read_text(encoding="utf-8")))
    numbers = [*range(1, 12), 12, *range(13, 25), 25, *range(26, 33), *range(35, 39), 40]
    assert sorted(rule.id for rule in rules) == sorted([f"R{number}" for number in numbers] + ["R12b", "R25b"])
    assert [rule.id for rule in rules if [*rule.clauses] != [chr(ord("a") + n) for n in range(len(rule.clauses))]] == []


# -- that the check can fail ----------------------------------------------------------------------------------------------


def test_marks_are_read_from_tests() -> None:
    found = read("@pytest.mark.proves('R2.a', 'R2.b')\n@pytest.mark.timeout(9)\nasync def test_it(): pass\ndef test_other(): pass\n")
    assert (found.by_clause, found.wrong) == ({name: ["tests/store/test_x.py::test_it"] for name in ("R2.a", "R2.b")}, [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@pytest.mark.proves\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves()\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves(NAME)\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves('R2.a', 'R2.a')\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves(clause='R2.a')\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves('R2.a')\n@pytest.mark.skip\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves('R2.a')\n@pytest.mark.xfail(strict=True)\ndef test_it(): pass", "test_x.py"),
        ("@pytest.mark.proves('R2.a')\ndef helps(): pass", "test_x.py"),
        ("@pytest.mark.proves('R2.a')\ndef test_it(): pass", "scene.py"),
        ("pytestmark = pytest.mark.proves('R2.a')", "test_x.py"),
    ],
)
def test_a_mark_that_says_nothing_is_wrong(text: str, name: str) -> None:
    assert len(read(text, f"tests/store/{name}").wrong) == 1


@pytest.mark.parametrize(
    ("proved", "rule", "complaint"),
    [
        ({"R2.a": [JOURNEY], "R2.b": [STORE]}, RULE, None),
        ({"R2.a": [JOURNEY]}, RULE, "R2.b: no test proves it"),
        ({"R2.a": [JOURNEY], "R2.b": [STORE], "R2.c": [STORE]}, RULE, f"R2.c: no such clause, named by {STORE}"),
        ({"R2.a": [STORE], "R2.b": [STORE]}, RULE, "R2: nothing proves it through HTTP and sockets"),
        ({"R2.a": [STORE]}, Rule(id="R2", page="a.md", clauses={"a": "x"}, inside="it costs nothing"), None),
        (
            {"R2.a": [JOURNEY]},
            Rule(id="R2", page="a.md", clauses={"a": "x"}, inside="it costs nothing"),
            f"R2: is seen from outside by {JOURNEY}, against what `inside` says",
        ),
        ({"R2.a": [JOURNEY]}, Rule(id="R2", page="none.md", clauses={"a": "x"}), "R2: there is no page none.md"),
        ({"R3.a": [JOURNEY]}, Rule(id="R3", page="a.md", clauses={"a": "x"}), "R3: a.md does not explain it (no **R3**)"),
    ],
)
def test_what_is_missing_is_found(docs: Path, proved: dict[str, list[str]], rule: Rule, complaint: str | None) -> None:
    assert clauses.complaints([rule], Proofs(proved), docs) == ([] if complaint is None else [complaint])


def test_a_page_that_is_stale_is_written_anew_between_its_marks_alone() -> None:
    old = f"# Rules\n{BEGIN}\nold\n{END}\nthe rest\n"
    new = clauses.page(old, [Section(title="Who", rules=(RULE,))], Proofs({"R2.b": [STORE]}))
    assert new.startswith(f"# Rules\n{BEGIN}\n\n## Who\n\n**R2** ([explained](../a.md))\n\n* **a** He is approved.\n* **b** His zone")
    assert new.endswith(f"  * `{STORE}`\n\n{END}\nthe rest\n")
    assert new != old
    assert clauses.page(new, [Section(title="Who", rules=(RULE,))], Proofs({"R2.b": [STORE]})) == new
