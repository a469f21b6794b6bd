"""Push services of tests, and what is said to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from dispatch import webhooks
from tests.certificates import self_signed, server_side
from tests.push.h2_service import Service, listening
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    """A push service of browsers; it keeps what it is sent."""
    async with receiving() as running:
        running.answer = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with webhooks.client(allow_private=True) as unguarded:
        yield unguarded


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A push service that speaks HTTP/2, with a certificate that this process trusts."""
    files = self_signed("push.example", tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    async with listening(server_side(*files)) as running:
        yield running
