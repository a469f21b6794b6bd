"""A scene: a small market whose time the test decides."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.scene import Scene, play


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A market with four providers, Ada, Ben, Cleo and Dan, asked in this order; it is noon on a Friday in Paris."""
    async with play(redis_url, market, tmp_path) as scene:
        for name in ("ada", "ben", "cleo", "dan"):
            await scene.provider(name)
        yield scene
