"""Devices as their marketplace and their owner's page see them: what they connect with, and whether what is sent reaches them."""

from collections.abc import Awaitable, Callable
from typing import Any

from dispatch.engine import faces
from dispatch.engine.enrolment import number_of, own_face
from dispatch.errors import NotFound
from dispatch.identity import DeviceKeys
from dispatch.store import Hand, Market, Store, refusal_of

EVERY = "*"  # stands for a device where a token names none: only what was revoked for all of them counts


class Devices:
    """The devices of providers, as the desk sees them."""

    def __init__(self, store: Store, keys: DeviceKeys, market: Callable[[str], Awaitable[Market]]) -> None:
        self._store, self._keys, self._market = store, keys, market

    async def token(self, name: str, provider_id: str, device_id: str, ttl_s: int) -> dict[str, Any]:
        """A token with which a device says hello."""
        market = await self._market(name)
        number = await number_of(self._store, name, provider_id)
        token_generation = await self._store.rights.token_generation(name, number)
        token, expires = self._keys.issue(name, provider_id, device_id, ttl_s, token_generation, number)
        return {"token": token, "expires_at": faces.clock_of(market.settings.time_zone)(expires)}

    async def revoke(self, name: str, provider_id: str, device_id: str | None, hand: Hand | None = None) -> None:
        """What a device of a provider (None: each of them) was given to connect with opens nothing any more; the sockets it opened end."""
        await self._market(name)
        await self._store.rights.revoke(name, await number_of(self._store, name, provider_id), device_id, hand)

    async def own_face(self, token: str) -> dict[str, Any]:
        """What the device of a provider may know of him and his market. Raises Unauthorized, Forbidden (his account is blocked)."""
        claims = self._keys.verify(token)
        market = await self._market(claims.market)
        provider = await self._store.providers.get(claims.market, claims.provider_id)
        holder = provider.no, claims.device_id or EVERY, claims.token_generation
        (fault,) = await self._store.rights.faults(claims.market, [holder])
        if fault is not None:
            raise refusal_of(fault)
        return own_face(market, provider)

    async def test(self, name: str, provider_id: str, rid: str) -> dict[str, Any]:
        """Sends a provider a test proposal (R25b); how it stands. Raises NotFound, RateLimited."""
        provider = await self._store.providers.get(name, provider_id)
        await self._store.trials.send(name, provider.no, rid, by_device=False)
        return await self.tested(name, provider_id)

    async def tested(self, name: str, provider_id: str) -> dict[str, Any]:
        """His last test, and what came back of it. Raises NotFound."""
        market, provider = await self._market(name), await self._store.providers.get(name, provider_id)
        trial = await self._store.trials.last(name, provider.no)
        if trial is None:
            raise NotFound("his notifications were never tested; POST to the same path does")
        return faces.trial_face(provider.no, trial, market.settings.time_zone)
