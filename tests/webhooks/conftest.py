"""Fixtures of the webhook tests."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from dispatch import webhooks
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with webhooks.client(allow_private=True) as unguarded:
        yield unguarded
