"""The server functions keep their house rules: true headers, one home for keys, loops that end, names that carry the text's hash."""

import re
import shutil
import subprocess
from hashlib import sha1
from pathlib import Path

import pytest

from dispatch.store import keys
from dispatch.store.functions import Clock, library
from tests.project.tree import PACKAGE, ROOT, relative

LUA = PACKAGE / "store" / "lua"
VERBS = sorted(LUA.glob("*.lua"))
ALL = sorted(LUA.rglob("*.lua"))
LIMIT, WIDTH = 80, 140
PARTS = ("KEYS", "ARGV", "Replies", "Source")
OPTIONS = {"AND", "OR", "NX", "LT", "MAXLEN", "LIMIT", "PXAT", "NOT", "DIFF", "WITHSCORES"}  # of the server's commands
SAID_BY = {r"seats\.refusal": "judging", r"hands\.refusal": "hands"}  # files of the prelude whose words a verb that calls them answers
EXIT = re.compile(r"\b(break|return)\b")

by_name = pytest.mark.parametrize("path", VERBS, ids=lambda path: path.stem)
by_file = pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(LUA).as_posix())


def code_of(path: Path) -> str:
    """A file without its comments."""
    return re.sub(r"--[^\n]*", "", path.read_text())


def comments_of(path: Path) -> str:
    return "\n".join(re.findall(r"--[^\n]*", path.read_text()))


def header_of(path: Path) -> list[str]:
    """The comment with which a file begins, line by line, without its dashes."""
    lines = path.read_text().splitlines()
    return [line.removeprefix("--").strip() for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("--"))]]


def verbs_of(path: Path) -> list[str]:
    return re.findall(r"^function verbs\.(\w+)\(", path.read_text(), re.MULTILINE)


def promised(path: Path) -> set[str]:
    """The words that the headers of a file name as replies."""
    text = re.sub(r"\n--\s{2,}", " ", comments_of(path))
    found: set[str] = set()
    for part in re.findall(r"Replies: (.*?)(?:Source:|\n|$)", text):
        bare = part
        while "{" in bare:
            bare = re.sub(r"\{[^{}]*\}", "", bare)
        found.update(re.findall(r"\b[A-Z][A-Z_]+\b", bare.partition(";")[0]))
    return found


def returned(path: Path) -> set[str]:
    """The words that the code of a file can answer with: its literals in capitals, but the server's own."""
    code = code_of(path)
    words = set(re.findall(r"'([A-Z][A-Z_]+)'", code)) - set(re.findall(r"call\('([A-Z]+)'", code)) - OPTIONS
    for call, name in SAID_BY.items():
        words |= returned(LUA / "lib" / f"{name}.lua") if path.stem != name and re.search(rf"\b{call}\b", code) else set()
    return words | ({"MISMATCH"} if "ledger.recall" in code else set())


@by_name
def test_a_verb_says_what_it_does_and_what_it_takes_and_gives(path: Path) -> None:
    header = header_of(path)
    assert header[0].startswith(f"{path.stem}: ")
    assert header[0].rstrip().endswith((".", ",", ";")) or not header[1].startswith(PARTS), "the first lines are sentences"
    places = [next((i for i, line in enumerate(header) if line.startswith(f"{part}: ")), None) for part in PARTS]
    assert None not in places, f"one of {PARTS} is missing"
    assert places == sorted(places, key=lambda place: place or 0)


@by_name
def test_a_file_holds_the_verb_of_its_name_and_tells_of_every_other_one(path: Path) -> None:
    verbs = verbs_of(path)
    assert path.stem in verbs
    silent = [verb for verb in verbs if verb != path.stem and not re.search(rf"^-- {verb}: .*", path.read_text(), re.MULTILINE)]
    assert silent == []


@by_name
def test_the_replies_of_a_header_are_exactly_those_of_the_code(path: Path) -> None:
    assert promised(path) == returned(path)


def test_the_reader_of_replies_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "x.lua"
    path.write_text(
        "-- x: does.\n-- Replies: DONE {a {B}}, GONE (when THERE; see\n--   below)\n-- Source: R1\nreturn reply('DONE', call('GET'))\n"
    )
    assert promised(path) == {"DONE", "GONE", "THERE"}
    assert returned(path) == {"DONE"}


@by_file
def test_no_file_is_long_or_wide(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= LIMIT
    assert [number for number, line in enumerate(lines, 1) if len(line) > WIDTH] == []


@by_file
def test_keys_come_from_their_one_table(path: Path) -> None:
    code = code_of(path)
    assert set(re.findall(r"call\('[A-Z]+', *'([^']*)", code)) - OPTIONS == set(), "a key spelled out"
    assert [text for text in re.findall(r"'([^'\n]*)'", code) if "{" in text or "}" in text] == [], "a hash tag spelled out"
    names = set(re.findall(r"\bK\.(\w+)", code))
    assert names - keys.TEMPLATES.keys() - keys.CHANNELS.keys() == set()


def test_every_key_has_a_use() -> None:
    lua = "\n".join(code_of(path) for path in ALL)
    python = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "keys.py")
    idle = [name for name in {**keys.TEMPLATES, **keys.CHANNELS} if not re.search(rf"K\.{name}\b", lua) and f'"{name}"' not in python]
    assert idle == []


@by_file
def test_loops_end(path: Path) -> None:
    code = code_of(path)
    assert re.findall(r"\brepeat\b|\bgoto\b", code) == []
    endless = [tail for tail in re.split(r"while true do", code)[1:] if not EXIT.search("\n".join(tail.splitlines()[:4]))]
    assert endless == [], "`while true` must say within its first lines how it ends"


@by_file
def test_nothing_random_and_nothing_forbidden_is_called(path: Path) -> None:
    code = code_of(path)
    assert re.findall(r"math\.random|os\.time|loadstring|redis\.pcall|'(?:KEYS|SCAN|FLUSH\w*|EVAL|CONFIG|EXPIRE)'", code) == []


def test_every_function_of_the_server_carries_the_hash_of_the_text() -> None:
    lib = library()
    body = lib.text.partition("\n")[2].partition("redis.register_function")[0].removesuffix("\n")
    registered = re.findall(r"redis\.register_function\('(\w+)'", lib.text)
    digest = lib.name.removeprefix("dispatch_")
    assert re.fullmatch(r"[0-9a-f]{12}", digest)
    assert sorted(registered) == sorted(f"{verb}_{digest}" for verb in lib.verbs)
    assert sorted(lib.verbs) == sorted(verb for path in VERBS for verb in verbs_of(path))
    assert sha1(body.encode()).hexdigest()[:12] == digest


def test_another_text_has_other_names() -> None:
    one, other = library(), library(Clock(speed=60.0, base_ms=1))
    assert one.name != other.name
    assert one.function("accept") != other.function("accept")
    assert library(Clock()).name == one.name


@pytest.mark.skipif(shutil.which("luacheck") is None, reason="luacheck is not installed")
def test_luacheck_has_nothing_to_say() -> None:
    command = ["luacheck", "--quiet", "--no-color", relative(LUA)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
