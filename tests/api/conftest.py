"""The HTTP interface on a real socket, over a desk and a store on the test's server."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dispatch.api import make_app
from dispatch.engine.desk import Desk
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.push.vapid import VapidKeys
from dispatch.settings import Settings, read
from dispatch.store import ApiKey, Store
from tests.api.serving import Api, serving
from tests.api.town import Town, build

MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """As in production: keys are asked for, webhooks go to public addresses; Web Push is set up."""
    VapidKeys.make("mailto:ops@example.org").write(tmp_path / "vapid.json")
    return read(redis_url=redis_url, profile="dev", dev=False, data_dir=tmp_path)


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    return Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json"))


@pytest.fixture
async def api(desk: Desk, store: Store, settings: Settings) -> AsyncIterator[Api]:
    async with serving(make_app(desk, store, settings)) as running:
        yield running


@pytest.fixture
def make_key(store: Store) -> MakeKey:
    """Makes API keys: ``await make_key("booking", "paris")`` is the secret of a new one."""
    made = 0

    async def make(role: str, *markets: str) -> str:
        nonlocal made
        made += 1
        secret = f"secret-{role}-{'-'.join(markets)}-{made}"
        digest = hashlib.sha256(secret.encode()).hexdigest()
        await store.api_keys.add(ApiKey(id=f"k{made}", name="test", roles=(role,), markets=markets, digest=digest, created_ms=0))
        return secret

    return make


@pytest.fixture
async def town(api: Api, store: Store, market: str, make_key: MakeKey) -> Town:
    """A market with a catalogue and three providers who can be reached."""
    return await build(api, store, market, booking=await make_key("booking", market), manager=await make_key("ops:manager", market))
