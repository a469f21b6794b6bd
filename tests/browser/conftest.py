"""A browser, and the console of a real api over a real store."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from dispatch.api import make_app
from dispatch.engine.feed import Feed
from dispatch.settings import read
from dispatch.store import Store
from tests.api.serving import Api, serving
from tests.browser.stage import Stage, staged
from tests.engine.conftest import town  # noqa: F401 - a fixture
from tests.engine.watched import Town

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium. It may be missing on a desk, not in CI."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("chromium is missing, the console stays untested; on Debian: apt-get install chromium")
    assert CHROMIUM, "chromium is missing; on Debian: apt-get install chromium"
    async with async_playwright() as player:
        running = await player.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        await running.close()


@pytest.fixture
async def dev_api(town: Town, store: Store, redis_url: str) -> AsyncIterator[Api]:  # noqa: F811
    """As `serve --dev` serves it."""
    async with serving(make_app(town.desk, store, read(redis_url=redis_url, profile="dev", dev=True), Feed(store))) as running:
        yield running


@pytest.fixture
async def api(town: Town, store: Store, redis_url: str) -> AsyncIterator[Api]:  # noqa: F811
    """As in production: a key is asked for."""
    async with serving(make_app(town.desk, store, read(redis_url=redis_url, profile="dev"), Feed(store))) as running:
        yield running


@pytest.fixture
async def stage(store: Store, market: str) -> AsyncIterator[Stage]:
    """A market with providers, one of whom is played in the browser."""
    ready: asyncio.Future[Stage] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    play = asyncio.create_task(_play(store, market, ready, over))  # its task groups must end in the task in which they began
    await asyncio.wait((play, ready), return_when=asyncio.FIRST_COMPLETED)
    if play.done():
        play.result()
    yield ready.result()
    over.set()
    await play


async def _play(store: Store, market: str, ready: "asyncio.Future[Stage]", over: asyncio.Event) -> None:
    async with staged(store, market) as running:
        ready.set_result(running)
        await over.wait()
