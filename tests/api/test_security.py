"""Keys, roles and markets."""

import msgspec
import pytest
from starlette.requests import Request

from dispatch.api import make_app
from dispatch.api.call import EVERY_ROLE
from dispatch.api.security import DEV_KEY, KNOWN_S, UNKNOWN_S, Doorkeeper
from dispatch.api.table import CALLS
from dispatch.engine.desk import Desk
from dispatch.errors import Forbidden, NotFound, Unauthorized
from dispatch.settings import Settings, read
from dispatch.store import Store
from tests.api.conftest import MakeKey
from tests.api.serving import Api, serving

BOOKING = next(route for route in CALLS if route.path.endswith("/bookings"))


def request(key: str, market: str = "paris") -> Request:
    return Request({"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())], "path_params": {"market": market}})


class Watch:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def doorkeeper(store: Store, settings: Settings, watch: Watch) -> Doorkeeper:
    return Doorkeeper(store, settings, watch)


async def test_a_key_is_known_by_its_digest(doorkeeper: Doorkeeper, make_key: MakeKey) -> None:
    caller = await doorkeeper.admit(request(await make_key("booking", "paris")), BOOKING)
    assert (caller.id, caller.roles, caller.markets) == ("k1", {"booking"}, {"paris"})


async def test_a_star_is_every_market(doorkeeper: Doorkeeper, make_key: MakeKey) -> None:
    key = await make_key("booking", "*")
    assert (await doorkeeper.admit(request(key, "lyon"), BOOKING)).may_enter("anywhere")


@pytest.mark.parametrize("market", ["{paris}", "par is", "paris\n", "é", "-paris", "p" * 65, "*"])
async def test_a_market_that_cannot_be_one_is_not_found_even_with_a_star(doorkeeper: Doorkeeper, make_key: MakeKey, market: str) -> None:
    with pytest.raises(NotFound):
        await doorkeeper.admit(request(await make_key("booking", "*"), market), BOOKING)


async def test_the_market_is_asked_before_the_role(doorkeeper: Doorkeeper, make_key: MakeKey) -> None:
    """Whoever may not know of a market does not learn from 403 that it is there."""
    key = await make_key("metrics", "paris")
    with pytest.raises(NotFound):
        await doorkeeper.admit(request(key, "lyon"), BOOKING)
    with pytest.raises(Forbidden):
        await doorkeeper.admit(request(key, "paris"), BOOKING)


async def test_an_unknown_key_is_asked_for_again_after_a_second(doorkeeper: Doorkeeper, make_key: MakeKey, watch: Watch) -> None:
    with pytest.raises(Unauthorized):
        await doorkeeper.admit(request("secret-booking-paris-1"), BOOKING)
    key = await make_key("booking", "paris")
    assert key == "secret-booking-paris-1"
    with pytest.raises(Unauthorized):
        await doorkeeper.admit(request(key), BOOKING)
    watch.now += UNKNOWN_S + 0.1
    assert (await doorkeeper.admit(request(key), BOOKING)).id == "k1"


async def test_a_key_that_was_taken_back_works_for_a_few_seconds_at_most(
    doorkeeper: Doorkeeper, store: Store, make_key: MakeKey, watch: Watch
) -> None:
    key = await make_key("booking", "paris")
    assert await doorkeeper.admit(request(key), BOOKING)
    [kept] = [known for known in await store.api_keys.all() if known.id == "k1" and known.markets == ("paris",)]
    await store.api_keys.add(msgspec.structs.replace(kept, roles=()))
    assert await doorkeeper.admit(request(key), BOOKING)
    watch.now += KNOWN_S + 0.1
    with pytest.raises(Forbidden):
        await doorkeeper.admit(request(key), BOOKING)


class TestInDevelopment:
    @pytest.fixture
    def settings(self, redis_url: str) -> Settings:
        return read(redis_url=redis_url, profile="dev", dev=True)

    async def test_the_fixed_key_opens_everything(self, doorkeeper: Doorkeeper) -> None:
        caller = await doorkeeper.admit(request(DEV_KEY, "anywhere"), BOOKING)
        assert (caller.roles, caller.may_enter("paris")) == (EVERY_ROLE, True)

    async def test_another_key_is_still_asked_for(self, doorkeeper: Doorkeeper) -> None:
        with pytest.raises(Unauthorized):
            await doorkeeper.admit(request("dev-key2"), BOOKING)

    async def test_a_scraper_needs_no_key(self, desk: Desk, store: Store, settings: Settings) -> None:
        async with serving(make_app(desk, store, settings)) as api:
            assert (await api.call("GET", "/metrics")).status_code == 200


async def test_outside_development_a_scraper_needs_the_metrics_role(api: Api, make_key: MakeKey) -> None:
    assert (await api.call("GET", "/metrics")).status_code == 401
    assert (await api.call("GET", "/metrics", key=await make_key("booking", "*"))).status_code == 403
    assert (await api.call("GET", "/metrics", key=await make_key("metrics"))).status_code == 200
