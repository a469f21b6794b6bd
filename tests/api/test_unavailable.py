"""P15: when the store is down the answer is *unavailable, retry with the same key*, and afterwards all is as if nothing had been asked."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch.api import make_app
from dispatch.api.table import CALLS
from dispatch.engine.desk import Desk
from dispatch.errors import Unavailable
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.settings import read
from dispatch.store import ApiKey, Store
from dispatch.store.embedded import Embedded
from tests.api.serving import Api, serving
from tests.api.test_inventory import path_of
from tests.api.town import Town, build

ALWAYS_THERE = {"/v1/push-key", "/livez", "/openapi.json", "/asyncapi.json", "/docs", "/docs/assets/{name}", "/docs/errors"}


@pytest.fixture
def server(short_dir: Path) -> Embedded:
    """A store that the test may stop."""
    server = Embedded(short_dir, "dev")
    server.start()
    return server


@pytest.fixture
async def town(server: Embedded, tmp_path: Path) -> AsyncIterator[Town]:
    settings = read(redis_url=server.url, profile="dev", dev=True)
    store = await Store.connect(settings)
    app = make_app(Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json")), store, settings)
    async with serving(app) as api:
        yield await build(api, store, "paris", booking="dev-key", manager="dev-key")
    await store.close()
    server.stop()


async def test_while_the_store_is_down_nothing_is_decided_and_the_same_key_works_afterwards(server: Embedded, town: Town) -> None:
    body = json.dumps(town.booking(booking_id="b-1")).encode()
    server.stop()
    down = await town.post("/bookings", body, idempotency_key="one")
    assert (down.status_code, down.json()["code"], down.json()["retry"], down.headers["retry-after"]) == (503, "unavailable", True, "1")
    assert "same key" in down.json()["detail"]
    server.start()
    assert (await town.post("/bookings", body, idempotency_key="one")).status_code == 201


async def test_what_was_cut_off_in_the_middle_runs_again_at_once(server: Embedded, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark *running* stays in a store that is gone; who set it knows that nothing runs."""
    body = json.dumps(town.booking(booking_id="b-1")).encode()

    async def cut(*_: object, **__: object) -> None:
        server.stop()
        raise Unavailable("the store is gone")

    with monkeypatch.context() as patched:
        patched.setattr(Desk, "open", cut)
        assert (await town.post("/bookings", body, idempotency_key="one")).status_code == 503
    server.start()
    assert (await town.post("/bookings", body, idempotency_key="one")).status_code == 201


async def test_every_call_that_needs_the_store_says_so(server: Embedded, town: Town, subtests: pytest.Subtests) -> None:
    server.stop()
    for route in CALLS:
        with subtests.test(f"{route.method} {route.path}"):
            body = {} if route.takes is not None else None
            answer = await town.api.call(route.method, path_of(route, "paris"), body, key="dev-key", idempotency_key="x")
            if route.path == "/metrics":
                assert "dispatch_store_up 0.0" in answer.text
            elif route.path not in ALWAYS_THERE:
                assert answer.status_code in (503, 422), answer.text  # 422: it was refused before the store was needed
            else:
                assert answer.status_code in (200, 404)


async def test_readiness_follows_store_worker_and_gateway(server: Embedded, town: Town) -> None:
    async def ready() -> tuple[int, dict[str, object]]:
        answer = await town.api.call("GET", "/readyz")
        return answer.status_code, answer.json()

    assert await ready() == (503, {"ready": False, "store": True, "worker": None, "gateway": None})
    await town.store.beat("worker", "w1")
    assert (await ready())[0] == 503
    await town.store.beat("gateway", "g1")
    status, body = await ready()
    assert (status, body["ready"]) == (200, True)
    server.stop()
    assert await ready() == (503, {"ready": False, "store": False, "worker": None, "gateway": None})


async def test_a_key_is_not_believed_blindly_while_the_store_is_down(server: Embedded, tmp_path: Path) -> None:
    """An unknown key is neither let in nor called wrong."""
    settings = read(redis_url=server.url, profile="dev", dev=False)
    store = await Store.connect(settings)
    digest = hashlib.sha256(b"secret").hexdigest()
    await store.api_keys.add(ApiKey(id="k", name="", roles=("booking",), markets=("*",), digest=digest, created_ms=0))
    app = make_app(Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json")), store, settings)
    async with serving(app) as api:
        server.stop()
        for key in ("secret", "wrong"):
            assert (await _status(api, key)) == 503
    await store.close()


async def _status(api: Api, key: str) -> int:
    return (await api.call("GET", "/v1/markets/paris/bookings/b", key=key)).status_code
