"""Small pieces: what is longer than these limits holds two ideas."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.tree import files, parsed, python_files, relative

FUNCTION, MODULE, LUA = 60, 400, 80  # lines


def long_functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, line and length, without its docstring, of each function over the limit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            about = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - about
            if length > FUNCTION:
                yield node.name, node.lineno, length


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_function_is_longer_than_sixty_lines() -> None:
    found = [f"{relative(path)}:{line} {name} {length}" for path in python_files() for name, line, length in long_functions(parsed(path))]
    assert found == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    assert [f"{relative(path)} {lines(path)}" for path in python_files() if lines(path) > MODULE and "tests" not in path.parts] == []


def test_no_module_of_a_page_is_longer_than_four_hundred_lines() -> None:
    assert [f"{relative(path)} {lines(path)}" for path in files() if path.suffix in {".js", ".css"} and lines(path) > MODULE] == []


def test_no_server_function_is_longer_than_eighty_lines() -> None:
    assert [f"{relative(path)} {lines(path)}" for path in files() if path.suffix == ".lua" and lines(path) > LUA] == []


@pytest.mark.parametrize(("body", "expected"), [(58, []), (59, []), (60, [("f", 1, 61)])])
def test_the_length_of_a_function_is_counted_without_its_docstring(body: int, expected: list[tuple[str, int, int]]) -> None:
    text = 'def f():\n    """One\n    two\n    three."""\n' + "    x = 1\n" * body
    assert list(long_functions(ast.parse(text))) == expected
