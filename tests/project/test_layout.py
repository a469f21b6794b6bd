"""The layout explains itself: files at the top of dispatch/ think, folders act, and every name says what is inside."""

import ast
import tomllib
from pathlib import Path

import pytest

from tests.project.tree import PACKAGE, ROOT, files, imports, parsed, python_files, relative

ACTING_FILES = {"__init__.py", "__main__.py", "cli.py", "settings.py"}  # the only ones at the top that may touch the world
WORLD = {
    *("redis", "websockets", "starlette", "uvicorn", "httpx2", "anyio", "structlog", "prometheus_client"),
    *("asyncio", "socket", "ssl", "selectors", "time", "random", "secrets", "uuid", "os", "subprocess", "threading", "logging", "tempfile"),
}
CLOCKS = {"now", "utcnow", "today"}  # of datetime and date
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "base", "misc", "core"}
CLIENTS_ONLY = ("dispatch/demo", "bench", "loadtests")  # they talk over real sockets
# A verb beside a PING, or beside what one would use instead, has no other socket to be measured on.
OF_THE_STORE = {
    *("bench/match.py", "bench/near.py", "bench/explain.py", "bench/town.py", "bench/verbs.py", "bench/peers_match.py"),
    "bench/peers_claim.py",
    *("bench/peers/town_sql.py", "bench/peers/ours.py", "bench/peers/pushers.py"),
    "bench/costs.py",
    *("bench/rematch.py", "bench/rematch_town.py"),  # hundreds come online a second as a gateway enters them: no machine has the sockets
}
# The simulator drives the decisions themselves, on a clock of its own.
OF_THE_DECISIONS = {
    "bench/simulate.py",
    *(f"bench/pace/{name}.py" for name in ("world", "play", "figures", "frontier", "offers", "picture", "limit")),
}


def pure_files() -> list[Path]:
    return [path for path in PACKAGE.glob("*.py") if path.name not in ACTING_FILES and path in files()]


def impurities(tree: ast.Module) -> list[str]:
    """What a file does that reaches the outside world: awaits, clocks, files."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            found.append(f"line {node.lineno}: asynchronous")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            found.append(f"line {node.lineno}: reads a clock")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}:
            found.append(f"line {node.lineno}: {node.func.id}()")
    return found


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: path.name)
def test_a_file_at_the_top_imports_nothing_that_acts(path: Path) -> None:
    top_level = {(line, name.split(".")[0]) for line, name in imports(path)}
    assert sorted((line, name) for line, name in top_level if name in WORLD) == []


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: path.name)
def test_a_file_at_the_top_neither_waits_nor_reads_a_clock(path: Path) -> None:
    assert impurities(parsed(path)) == []


def test_the_check_of_purity_finds_what_it_looks_for() -> None:
    text = "async def f():\n    await g()\nx = datetime.now()\ny = open('z')\n"
    assert len(impurities(ast.parse(text))) == 4


def test_every_module_has_a_docstring_that_says_what_it_is() -> None:
    silent = [relative(path) for path in python_files("dispatch", "bench", "loadtests", "mutants") if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in python_files("dispatch")}
    assert sorted(relative(folder) for folder in folders if not (folder / "__init__.py").is_file()) == []


def test_no_name_is_empty_of_meaning() -> None:
    parts = {(part.removesuffix(".py"), relative(path)) for path in python_files() for part in relative(path).split("/")}
    assert sorted(path for part, path in parts if EMPTY_WORDS & set(part.split("_"))) == []


def test_those_outside_the_engine_know_its_client_alone() -> None:
    allowed = ("dispatch.client", "dispatch.demo", "dispatch.settings")  # the last for those who start an engine of their own
    wrong = [
        f"{relative(path)}:{line} {name}"
        for path in python_files()
        if relative(path).startswith(tuple(f"{top}/" for top in CLIENTS_ONLY)) and relative(path) not in OF_THE_STORE | OF_THE_DECISIONS
        for line, name in imports(path)
        if name.startswith("dispatch.") and not name.startswith(allowed)
    ]
    assert wrong == []


def test_import_contracts_name_every_file_at_the_top() -> None:
    """import-linter is exhaustive about layers, not about the list of pure files: this closes the gap."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = next(contract for contract in contracts if "pure" in contract["name"])["source_modules"]
    assert sorted(listed) == sorted(f"dispatch.{path.stem}" for path in pure_files())
