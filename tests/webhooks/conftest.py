"""Fixtures of the webhook tests."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from dispatch import webhooks
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with webhooks.client(allow_private=True) as unguarded:
        yield unguarded
