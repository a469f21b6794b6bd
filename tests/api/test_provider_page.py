"""The provider's page as it is served: whole, fresh, for its own eyes; and what it may be told."""

import re
import shutil
from pathlib import Path

import h3
import pytest

from dispatch.api import make_app
from dispatch.api.provider_page import APP, policy, shell
from dispatch.engine.desk import Desk
from dispatch.settings import read
from dispatch.store import Store
from tests.api.serving import Api, serving
from tests.api.town import PROVIDER, Town

IMPORT = re.compile(r'^(?:import|export) .*?from "([^"]+)"|^import "([^"]+)"', re.MULTILINE)


async def test_everything_the_page_is_made_of_is_in_its_shell_and_served(api: Api) -> None:
    kept = shell()
    assert {"/app/", "/app/main.js", "/app/app.css", "/app/manifest.webmanifest", "/sdk/index.js", "/dom.js"} <= set(kept.files)
    assert not [name for name in kept.files if name.endswith((".d.ts", "sw.js", "package.json"))]
    for name in kept.files:
        answer = await api.call("GET", name)
        assert answer.status_code == 200, name
        assert answer.headers.get("x-content-type-options") == "nosniff" or name == "/dom.js"


async def test_every_module_that_is_imported_is_in_the_shell(api: Api) -> None:
    """Else the page would not open without a network."""
    files = set(shell().files)
    modules = [name for name in files if name.endswith(".js")]
    for name in modules:
        text = (await api.call("GET", name)).text
        for found in IMPORT.findall(text):
            target = (Path(name).parent / next(filter(None, found))).as_posix()
            parts: list[str] = []
            for part in target.split("/")[1:]:
                parts = parts[:-1] if part == ".." else [*parts, part]
            assert "/" + "/".join(parts) in files, f"{name} imports {target}"


def test_another_byte_is_another_version(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(APP, tmp_path / "app"))
    assert shell(copy) == shell()
    with (copy / "words.js").open("ab") as words:
        words.write(b"\n")
    assert shell(copy).files == shell().files
    assert shell(copy).version != shell().version


async def test_the_service_worker_is_told_the_version(api: Api) -> None:
    answer = await api.call("GET", "/app/shell.js")
    assert shell().version in answer.text
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-cache", "text/javascript; charset=utf-8")


@pytest.mark.parametrize(
    ("path", "status"), [("/app", 307), ("/app/nothing.js", 404), ("/app/../../settings.py", 404), ("/sdk/nothing.js", 404)]
)
async def test_nothing_else_is_served(path: str, status: int, api: Api) -> None:
    answer = await api.call("GET", path)
    assert answer.status_code == status
    assert answer.headers.get("location", "/app/") == "/app/"


async def test_the_page_may_speak_to_the_engine_and_to_nobody_else(api: Api) -> None:
    answer = await api.call("GET", "/app/")
    told = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert told["default-src"] == "'none'"
    assert told["script-src"] == told["style-src"] == "'self'"
    assert told["connect-src"] == "'self' ws://*:8081 wss://*:8081"
    named = read(device_url="wss://live.example/v1/device", token_url="https://shop.example/token?x=1")
    assert "connect-src 'self' wss://live.example https://shop.example;" in policy(named)


async def test_the_settings_of_the_page_hold_what_it_must_know_and_no_secret(
    api: Api, desk: Desk, store: Store, redis_url: str, tmp_path: Path
) -> None:
    assert (await api.call("GET", "/app/settings")).json() == {
        "device_url": None,
        "device_port": 8081,
        "token_url": None,
        "speed": 1.0,
        "dev": False,
        "push_key": (await api.call("GET", "/v1/push-key")).json()["public_key"],
    }
    named = read(
        redis_url=redis_url, profile="dev", dev=True, device_url="wss://live.example/v1/device", clock_speed=60, data_dir=tmp_path / "none"
    )
    async with serving(make_app(desk, store, named)) as other:
        told = (await other.call("GET", "/app/settings")).json()
    assert (told["device_url"], told["speed"], told["dev"]) == ("wss://live.example/v1/device", 60.0, True)
    assert told["push_key"] is None  # without keys of its own an installation sends no notifications


async def test_his_own_token_tells_a_provider_what_his_page_shows(town: Town) -> None:
    await town.call("PUT", "/providers/p-0", PROVIDER | {"do_not_disturb": {"from": "12:00", "to": "14:00"}, "catalogue": ["haircut"]})
    token = (await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "phone"})).json()["token"]
    answer = await town.api.call("GET", "/app/me", key=token)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "market": town.name,
        "time_zone": "Europe/Paris",
        "provider_id": "p-0",
        "name": "Awa D.",
        "tier": "limited",
        "available": True,
        "paused": False,
        "zone": PROVIDER["zone"],
        "do_not_disturb": {"from": "12:00", "to": "14:00"},
        "services": {"haircut": {"fr": "", "en": ""}},
    }


async def test_a_key_or_no_token_or_a_forged_one_tells_nothing(town: Town) -> None:
    token = (await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "phone"})).json()["token"]
    for key in (None, town.booking_key, town.manager_key, "x", token[:-6] + "AAAAAA"):
        answer = await town.api.call("GET", "/app/me", key=key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_revoked_token_or_that_of_a_blocked_account_tells_nothing(town: Town) -> None:
    async def token() -> str:
        return str((await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "phone"})).json()["token"])

    async def told(key: str) -> int:
        return (await town.api.call("GET", "/app/me", key=key)).status_code

    first = await token()
    assert await told(first) == 200
    await town.call("DELETE", "/providers/p-0/devices/phone")
    second = await token()
    assert (await told(first), await told(second)) == (401, 200)
    await town.call("DELETE", "/providers/p-0/devices")
    assert await told(second) == 401
    third = await token()
    await town.call("PUT", "/providers/p-0", PROVIDER | {"status": "inactive"})
    assert await told(third) == 403


async def test_the_outline_of_a_cell_is_that_of_h3_and_lasts(api: Api) -> None:
    cell = h3.latlng_to_cell(48.8566, 2.3522, 7)
    answer = await api.call("GET", f"/app/cells/{cell}")
    assert answer.json()["ring"] == [[round(lat, 5), round(lng, 5)] for lat, lng in h3.cell_to_boundary(cell)]
    assert len(answer.json()["around"]) == 18
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("cell", ["8a1fb46622dffff", "871fb4662ffffff0", "x", "0", "871fb466%00"])
async def test_what_is_no_cell_of_that_size_is_not_found(cell: str, api: Api) -> None:
    answer = await api.call("GET", f"/app/cells/{cell}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
