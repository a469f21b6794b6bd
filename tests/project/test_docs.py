"""What the documents say is there: pages, headings, commands, variables, routes of the source tree."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.project.tree import ROOT, files, python_files, relative

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"\bmake ([a-z]+)\b")
NOT_A_COMMAND = {"sure"}


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md" and "vectors" not in path.parts]


def links(page: Path) -> list[str]:
    return [first or second for first, second in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Links of a page that lead nowhere."""
    found = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_every_page_of_docs_can_be_reached_from_the_first() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            todo += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if not re.match(r"[a-z]+:|#", link)]
    assert sorted(relative(page) for page in pages() if page not in seen) == []


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_make_command_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(MAKE.findall(" ".join(re.findall(r"`[^`]+`|^```.*?^```", page.read_text(), re.MULTILINE | re.DOTALL))))
    assert named - targets - NOT_A_COMMAND == set()


@pytest.mark.parametrize("page", [*pages(), ROOT / "docker-compose.yml"], ids=relative)
def test_every_variable_exists(page: Path) -> None:
    from dispatch.settings import rows

    known = {row.variable for row in rows()}
    for other in (ROOT / "dispatch/cli.py", *python_files("loadtests")):
        known |= set(re.findall(r"\bDISPATCH_[A-Z_]+\b", other.read_text()))
    assert set(re.findall(r"\bDISPATCH_[A-Z_]+\b", page.read_text())) - known == set()


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_file_that_is_named_exists(page: Path) -> None:
    """Names in backticks that look like a path of this repository."""
    named = re.findall(r"`((?:dispatch|tests|docs|deploy|bench|loadtests|\.ci)/[\w./-]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_changelog_tells_of_this_version() -> None:
    from dispatch import __version__

    assert re.search(rf"^## (\[?{re.escape(__version__)}\]?|Unreleased)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_rule_that_the_code_names_is_explained() -> None:
    told = set(re.findall(r"\*\*([RP]\d+b?)\*\*", (ROOT / "docs/reference/rules.md").read_text()))
    code = [path for path in files() if path.suffix in {".py", ".lua"}]
    named = {(rule, relative(path)) for path in code for rule in re.findall(r"\b[RP]\d{1,2}b?\b", path.read_text(encoding="utf-8"))}
    assert sorted((rule, path) for rule, path in named if rule not in told) == []


def test_the_layers_are_drawn_as_they_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = re.search(r"```\n(__main__.*?)\n```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    assert drawn
    assert drawn.group(1).split("\n") == [layer.replace("(", "").replace(")", "") for layer in layers]
