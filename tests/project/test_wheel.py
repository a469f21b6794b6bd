"""What is installed is whole: the wheel serves the same provider's page as the source tree, with the JavaScript SDK in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dispatch.api.provider_page import shell
from tests.project.tree import ROOT


def test_the_wheel_serves_the_same_page(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is missing; `make` installs it")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    ask = "from dispatch.api.provider_page import shell, CONSOLE; print(CONSOLE); print(shell().version)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    said = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    where, version = said.stdout.split()
    assert where.startswith(str(tmp_path))
    assert version == shell().version
