"""The first half hour works as it is written: its own scripts, run against a whole engine."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine_process import EngineProcess
from tests.project.tree import ROOT

PAGE = ROOT / "docs/tutorial/first-half-hour.md"
SCRIPT = re.compile(r"[Ss]ave (?:it|this) as `(\w+\.py)`.*?```python\n(.*?)```", re.DOTALL)
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(served: EngineProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts one of the page's scripts with the engine of this test in place of the one on the page."""
    for name, text in SCRIPT.findall(PAGE.read_text(encoding="utf-8")):
        text = text.replace("http://127.0.0.1:8080", served.base_url).replace("ws://127.0.0.1:8081/v1/device", served.device_url)
        (tmp_path / name).write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with ExitStack() as running:

        def run(*command: str) -> "subprocess.Popen[str]":
            process = running.enter_context(
                subprocess.Popen([sys.executable, *command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
            )
            running.callback(process.kill)
            return process

        yield run


def read(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_the_page_has_its_three_scripts() -> None:
    assert [name for name, _ in SCRIPT.findall(PAGE.read_text(encoding="utf-8"))] == ["market.py", "phone.py", "book.py"]


def test_the_quick_provider_wins_and_the_slow_one_is_told(start: Start) -> None:
    assert start("market.py").communicate()[0].splitlines() == ["Awa D. is known", "Béa L. is known"]
    awa, bea = start("phone.py", "awa", "0.1"), start("phone.py", "bea", "1")
    assert [read(awa), read(bea)] == ["awa is connected", "bea is connected"]

    booking, _ = start("book.py").communicate()
    assert booking.splitlines()[:2] == ["searching last_minute 2 candidates", "accepted by awa"]
    assert [read(awa), read(awa)] == ["awa is asked for haircut in wave 1", "awa won"]
    assert [read(bea), {read(bea), read(bea)}] == ["bea is asked for haircut in wave 1", {"bea lost", "bea no longer: taken"}]
