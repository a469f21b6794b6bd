"""The clauses of the rules and what proves them: read from docs/reference/clauses.toml and from tests, written to docs/reference/rules.md.

``python -m tests.project.clauses`` (`make rules`) writes the page; test_clauses.py says what is wrong. A test says what it proves with
``@pytest.mark.proves("R2.a")``: the number of the rule, a dot, the letter of the clause. Nothing is imported to find it.
"""

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.project.tree import ROOT, parsed, python_files, relative

DOCS = ROOT / "docs"
SOURCE, PAGE = DOCS / "reference/clauses.toml", DOCS / "reference/rules.md"
BEGIN, END = "<!-- written by `make rules` from clauses.toml and the tests -->", "<!-- the end of what is written by `make rules` -->"
OUTSIDE = tuple(f"tests/{room}/" for room in ("journeys", "api", "gateway", "sdk", "browser", "client"))  # they speak HTTP and sockets
USELESS = {"skip", "skipif", "xfail"}  # a test that need not run, or may fail, proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A numbered rule. ``clauses``: words by letter; ``page``: below docs/; ``inside``: why it cannot be seen from outside."""

    id: str
    page: str
    clauses: Mapping[str, str]
    inside: str = ""

    def ids(self) -> list[str]:
        return [f"{self.id}.{letter}" for letter in self.clauses]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rules under one heading."""

    title: str
    rules: tuple[Rule, ...]


@dataclass(slots=True)
class Proofs:
    """What the tests say that they prove: pytest ids by clause; and ``wrong``: marks that say nothing."""

    by_clause: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def sections(text: str) -> list[Section]:
    """The clauses as they are written down."""
    return [
        Section(title=section["title"], rules=tuple(_rule(row) for row in section["rule"])) for section in tomllib.loads(text)["section"]
    ]


def _rule(row: Mapping[str, str]) -> Rule:
    clauses = {letter: words for letter, words in row.items() if len(letter) == 1}
    return Rule(id=row["id"], page=row["page"], clauses=clauses, inside=row.get("inside", ""))


def rules_of(written: Iterable[Section]) -> list[Rule]:
    return [rule for section in written for rule in section.rules]


# -- what the tests say ---------------------------------------------------------------------------------------------------


def proofs(files: Iterable[tuple[str, ast.Module]]) -> Proofs:
    """The marks of these test files (name from the root, syntax tree)."""
    found = Proofs()
    for name, tree in files:
        tests = [*_tests(name, tree)] if Path(name).name.startswith("test_") else []
        for test, node in tests:
            _read(found, test, node)
        if (marks := _mentions(tree)) != sum(_is(mark, "proves") for _, node in tests for mark in node.decorator_list):
            found.wrong.append(f"{name}: {marks} marks, some of which stand on no test")
    for tests_of_one in found.by_clause.values():
        tests_of_one.sort()
    return found


def _tests(name: str, tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield f"{name}::{node.name}", node


def _read(found: Proofs, test: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for mark in node.decorator_list:
        if not _is(mark, "proves"):
            continue
        said = [arg.value for arg in mark.args if isinstance(arg, ast.Constant)] if isinstance(mark, ast.Call) else []
        if not said or len(said) != len(mark.args) or mark.keywords or len(set(said)) != len(said):  # type: ignore[union-attr]
            found.wrong.append(f"{test}: a mark names clauses, each once, as plain text")
        if any(_is(other, name) for other in node.decorator_list for name in USELESS):
            found.wrong.append(f"{test}: need not run, or may fail, and so proves nothing")
        for clause in said:
            found.by_clause.setdefault(str(clause), []).append(test)


def _is(mark: ast.expr, name: str) -> bool:
    """Whether a decorator is ``pytest.mark.<name>``, called or not."""
    target = mark.func if isinstance(mark, ast.Call) else mark
    return ast.unparse(target) == f"pytest.mark.{name}"


def _mentions(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.proves" for node in ast.walk(tree))


def proofs_here() -> Proofs:
    """Those of this repository."""
    return proofs((relative(path), parsed(path)) for path in python_files("tests"))


# -- what is wrong --------------------------------------------------------------------------------------------------------


def complaints(rules: Iterable[Rule], proved: Proofs, docs: Path) -> list[str]:
    """Everything that is wrong with clauses, marks and pages, in words."""
    rules = list(rules)
    known = {clause for rule in rules for clause in rule.ids()}
    found = [f"{clause}: no test proves it" for rule in rules for clause in rule.ids() if not proved.by_clause.get(clause)]
    found += [f"{clause}: no such clause, named by {tests[0]}" for clause, tests in proved.by_clause.items() if clause not in known]
    found += proved.wrong
    for rule in rules:
        found += _of_the_page(rule, docs)
        if rule.inside and _outside(rule, proved):
            found.append(f"{rule.id}: is seen from outside by {_outside(rule, proved)[0]}, against what `inside` says")
        elif not rule.inside and not _outside(rule, proved):
            found.append(f"{rule.id}: nothing proves it through HTTP and sockets")
    return sorted(found)


def _of_the_page(rule: Rule, docs: Path) -> list[str]:
    page = docs / rule.page
    if not page.is_file():
        return [f"{rule.id}: there is no page {rule.page}"]
    return (
        [] if f"**{rule.id}**" in page.read_text(encoding="utf-8") else [f"{rule.id}: {rule.page} does not explain it (no **{rule.id}**)"]
    )


def _outside(rule: Rule, proved: Proofs) -> list[str]:
    return [test for clause in rule.ids() for test in proved.by_clause.get(clause, []) if test.startswith(OUTSIDE)]


# -- the page -------------------------------------------------------------------------------------------------------------


def page(old: str, written: Iterable[Section], proved: Proofs) -> str:
    """The page ``old`` with what lies between its two marks written anew."""
    (before, rest), lines = old.split(BEGIN), [BEGIN, ""]
    _, after = rest.split(END)
    for section in written:
        lines += [f"## {section.title}", ""]
        for rule in section.rules:
            lines += [f"**{rule.id}** ([explained](../{rule.page}))", "", *_rows(rule, proved), ""]
    return before + "\n".join([*lines, END]) + after


def _rows(rule: Rule, proved: Proofs) -> Iterator[str]:
    for letter, words in rule.clauses.items():
        yield f"* **{letter}** {words}"
        yield from (f"  * `{test}`" for test in proved.by_clause.get(f"{rule.id}.{letter}", []))


def write() -> None:
    written = sections(SOURCE.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), written, proofs_here()), encoding="utf-8")


if __name__ == "__main__":
    write()
