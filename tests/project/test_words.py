"""The repository speaks of the product alone: nothing of the desk or the machine on which it was written."""

import re
from pathlib import Path

import pytest

from tests.project.tree import files, relative

# Each is written in two parts, so that this file does not contain what it forbids.
FORBIDDEN = {
    "the host of a package registry": r"py" r"pi\.org|python" r"hosted\.org|deb\." r"debian\.org|npm" r"js\.(org|com)|crates" r"\.io",
    "a path of one machine": r"(?<![\w.~-])/(wo" r"rk|ro" r"ot|ho" r"me|Us" r"ers)/\w|/tm" r"p/v\b|/op" r"t/wheels",
    "how it was written": r"(?i)\bhelper ses" r"sion|\bthis ses" r"sion of the project|\bthe br" r"ief (says|asks)|\bsub-?age" r"nt",
    "an unfinished thought": r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b",
    "a merge that was not finished": r"^(<{7}|>{7}) ",
}
NOT_OURS = ("LICENSE", "requirements")
BINARY = {".png", ".jpg", ".gz", ".woff2", ".ico"}


def texts() -> list[tuple[Path, str]]:
    ours = [path for path in files() if path.suffix not in BINARY and not relative(path).startswith(NOT_OURS)]
    return [(path, path.read_text(encoding="utf-8")) for path in ours]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    assert [f"{relative(path)}: {match.group()!r}" for path, text in texts() for match in pattern.finditer(text)] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-demo.lock", "requirements-dev.lock"])
def test_a_lock_file_names_no_host(name: str) -> None:
    text = next(path for path in files() if relative(path) == name).read_text()
    assert "://" not in text
    assert "--index-url" not in text


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the host of a package registry", "see https://py" + "pi.org/simple"),
        ("a path of one machine", "run /wo" + "rk/main/x"),
        ("a path of one machine", "use /tm" + "p/v/bin/python"),
        ("an unfinished thought", "# TO" + "DO later"),
        ("how it was written", "a helper ses" + "sion wrote this"),
    ],
)
def test_the_check_of_words_finds_what_it_looks_for(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text, re.MULTILINE)
