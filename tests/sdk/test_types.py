"""The types of the JavaScript SDK: a compiler accepts them, and they name what is there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from dispatch import __version__
from dispatch.messages import ToDevice
from tests.sdk.phones import node

HERE = Path(__file__).parent
SDK = HERE.parents[1] / "sdk/js"
TYPES = (SDK / "index.d.ts").read_text()
STRICT = ["--strict", "--noEmit", "--target", "es2022", "--module", "es2022", "--moduleResolution", "node", "--lib", "es2022,dom"]
TELL = """
const sdk = await import(process.argv[1]);
const members = (kind) => Object.getOwnPropertyNames(kind.prototype).filter((name) => name !== "constructor");
const own = Object.keys(new sdk.DeviceClient({ url: "ws://x", token: "t", device: "d", WebSocket: class {} }));
console.log(JSON.stringify({ names: Object.keys(sdk), client: [...members(sdk.DeviceClient), ...own] }));
"""


def test_a_compiler_accepts_every_use_and_refuses_every_misuse() -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("tsc is missing. On Debian and Ubuntu: apt-get install node-typescript")
    done = subprocess.run([compiler, *STRICT, str(HERE / "usage.ts")], capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_types_name_what_is_there_and_nothing_else() -> None:
    told = subprocess.run(
        [*node(), "--input-type=module", "--eval", TELL, (SDK / "index.js").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    there = json.loads(told.stdout)
    assert set(re.findall(r"^export (?:class|function) (\w+)", TYPES, re.MULTILINE)) == set(there["names"])
    body = re.search(r"^export class DeviceClient \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    assert body is not None
    declared = re.findall(r"^  (?:readonly )?(\w+)[(:<]", body[1], re.MULTILINE)
    assert set(declared) - {"constructor"} == set(there["client"])


@pytest.mark.parametrize(
    "kind", [kind for kind in get_args(ToDevice) if f"export interface {kind.__name__} " in TYPES], ids=lambda kind: kind.__name__
)
def test_a_message_has_the_fields_of_the_engines_own(kind: type[msgspec.Struct]) -> None:
    assert _fields(kind.__name__) == {field.encode_name for field in msgspec.structs.fields(kind)} | {"type"}


def _fields(name: str) -> set[str]:
    body = re.search(rf"^export interface {name} (?:extends (\w+) )?\{{\n(.*?)^\}}", TYPES, re.MULTILINE | re.DOTALL)
    assert body is not None
    return set(re.findall(r"^  (\w+)\??:", body[2], re.MULTILINE)) | (_fields(body[1]) if body[1] else set())


def test_it_depends_on_nothing_and_bears_the_version_of_the_engine() -> None:
    package = json.loads((SDK / "package.json").read_text())
    assert "dependencies" not in package
    assert package["version"] == __version__
    assert f'"{__version__}"' in (SDK / "src/version.js").read_text()
    for script in SDK.rglob("*.js"):
        assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', script.read_text())), script.name


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    assert [script.name for script in SDK.rglob("*.js") if len(script.read_text().splitlines()) > 400] == []
