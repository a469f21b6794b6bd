"""What a browser asks for before it subscribes."""

import json
from pathlib import Path

from dispatch.api import make_app
from dispatch.engine.desk import Desk
from dispatch.settings import read
from dispatch.store import Store
from tests.api.serving import Api, serving


async def test_the_public_key_is_for_any_page_without_a_key_of_ours(api: Api, tmp_path: Path) -> None:
    answer = await api.call("GET", "/v1/push-key", origin="https://app.example")
    assert (answer.status_code, answer.json()) == (200, {"public_key": json.loads((tmp_path / "vapid.json").read_text())["public_key"]})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"


async def test_without_web_push_there_is_no_key(desk: Desk, store: Store, redis_url: str, tmp_path: Path) -> None:
    async with serving(make_app(desk, store, read(redis_url=redis_url, profile="dev", data_dir=tmp_path / "empty"))) as api:
        answer = await api.call("GET", "/v1/push-key")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "dispatch vapid" in answer.json()["detail"]
