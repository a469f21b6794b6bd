"""A market to watch."""

from pathlib import Path

import pytest

from dispatch.engine.desk import Desk
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.store import Store
from tests.engine.watched import Town


@pytest.fixture
async def town(store: Store, market: str, tmp_path: Path) -> Town:
    town = Town(store, Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json")), market)
    await town.settle()
    return town
