"""API keys: who may call. Only the digest of a secret is stored."""

from typing import Any

import msgspec

from dispatch.store.calls import Calls
from dispatch.store.keys import API_KEYS


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's key: its roles (``booking``, ``ops:manager``..., ``metrics``) and markets (``*``: all).

    ``digest``: SHA-256 hex of the secret.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    markets: tuple[str, ...]
    digest: str
    created_ms: int


class ApiKeys:
    """The keys of an installation."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, or None."""
        return _decoded(await self._calls.command("HGET", API_KEYS, digest))

    async def add(self, account: ApiKey) -> None:
        """Adds a key."""
        await self._calls.command("HSET", API_KEYS, account.digest, msgspec.json.encode(account))

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        found = [_decoded(raw) for raw in await self._calls.command("HVALS", API_KEYS)]
        return sorted((account for account in found if account), key=lambda account: account.created_ms)


def _decoded(raw: Any) -> ApiKey | None:
    return msgspec.json.decode(raw, type=ApiKey) if raw else None
