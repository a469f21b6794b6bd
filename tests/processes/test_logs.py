"""What a process logs, seen from outside: it changes the logging of its whole process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging, sys
import structlog
early = structlog.get_logger("dispatch.early")  # as modules do: before anything is configured
from dispatch.processes.logs import configure
from dispatch.settings import read
configure(read(log_level=sys.argv[1]), "worker")
early.debug("thought")
early.info("wave.sent", booking=7)
early.error("broke")
logging.getLogger("somelibrary").info("chatter")
logging.getLogger("somelibrary").warning("careful: %s", "it")
try:
    raise ZeroDivisionError("Awa Diallo, 3 rue des Lilas")
except ZeroDivisionError:
    early.exception("unexpected")
    logging.getLogger("somelibrary").exception("theirs")
"""


def logged(level: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, level], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["thought", "wave.sent", "broke", "careful: it", "unexpected", "theirs"]),
        ("info", ["wave.sent", "broke", "careful: it", "unexpected", "theirs"]),
        ("warning", ["broke", "careful: it", "unexpected", "theirs"]),
        ("error", ["broke", "unexpected", "theirs"]),
    ],
)
def test_each_level_shows_itself_and_what_is_worse(level: str, events: list[str]) -> None:
    assert [line["event"] for line in logged(level)] == events


def test_a_line_is_one_json_object_that_says_what_when_and_which_process() -> None:
    sent = logged("info")[0]
    assert (sent["event"], sent["booking"], sent["level"], sent["process"]) == ("wave.sent", 7, "info", "worker")
    assert sent["timestamp"].endswith("Z")


def test_lines_of_libraries_have_the_same_form() -> None:
    ours, theirs = logged("info")[0], logged("info")[2]
    assert set(theirs) == set(ours) - {"booking"}


def test_an_exception_is_told_with_where_it_happened_and_without_its_words_p14b() -> None:
    ours, theirs = logged("error")[-2:]
    for line in (ours, theirs):
        assert line["exception"].startswith("ZeroDivisionError\n")
        assert 'File "<string>"' in line["exception"]
        assert "Awa" not in json.dumps(line)
