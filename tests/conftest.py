"""What every test may ask for: a real server, a store with a market of its own, a whole engine.

``TEST_SERVER=redis-server`` in the environment runs everything on another server program than the bundled one.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from redis import Redis

from dispatch.settings import read
from dispatch.store import CLOCK_KEY, Store
from dispatch.store.embedded import Embedded, find_binary
from dispatch.store.keys import API_KEYS, BEATS, MARKETS
from tests.engine_process import EngineProcess, engine

# A slow machine is no failure; in CI every run tries the same examples, so that a red run can be repeated.
hypothesis_settings.register_profile("desk", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "desk")

SHARED = {name.encode() for name in (API_KEYS, BEATS, CLOCK_KEY, MARKETS)}  # keys that belong to no market


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder with a short name: the path of a unix socket has little room."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """One real server for all tests of this process; it may lose the last second of a crash, for speed."""
    name = os.environ.get("TEST_SERVER")
    program = Path(shutil.which(name) or name) if name else find_binary()
    with tempfile.TemporaryDirectory(prefix="d-") as folder, Embedded(Path(folder), "dev", binary=program) as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(server: Embedded) -> str:
    """Where the server listens."""
    return server.url


@pytest.fixture
def fresh_market(redis_url: str) -> Iterator[Callable[[], str]]:
    """Makes names of markets that nobody used. Afterwards the test must have left no key outside them, and no scratch key inside."""
    names: list[str] = []

    def make() -> str:
        names.append(f"m-{secrets.token_hex(6)}")
        return names[-1]

    with Redis.from_url(redis_url) as client:
        before = set(client.scan_iter(count=1_000))
        yield make
        made = set(client.scan_iter(count=1_000)) - before
        if made:
            client.delete(*made)
    assert not leaked(made, names), "keys outside the test's markets, or scratch keys that were not removed"


def leaked(made: set[bytes], markets: list[str]) -> list[bytes]:
    """Of the keys that a test made, those that it should not have left: of no market of its own, or scratch."""
    prefixes = tuple(f"{{{name}}}:".encode() for name in markets)
    return sorted(key for key in made - SHARED if not key.startswith(prefixes) or b"}:~" in key)


@pytest.fixture
def market(fresh_market: Callable[[], str]) -> str:
    """The name of a market that nobody used."""
    return fresh_market()


@pytest.fixture
async def store(redis_url: str, fresh_market: Callable[[], str]) -> AsyncIterator[Store]:
    """The store on the test's server."""
    connected = await Store.connect(read(redis_url=redis_url, profile="dev", dev=True))
    yield connected
    await connected.close()


@pytest.fixture(scope="session")
def served() -> Iterator[EngineProcess]:
    """A whole engine, as its users start it: `dispatch serve --dev` with its own store. Shared; use a fresh market."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder, engine(Path(folder)) as running:
        yield running
