"""Markets: their settings, catalogue and areas. The numbers that verbs need stand beside the settings, written in the same step."""

import secrets
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import msgspec

from dispatch.model import Catalogue, MarketSettings
from dispatch.store.calls import Calls, text
from dispatch.store.footprint import basis_of
from dispatch.store.hands import Hand, plain_hand
from dispatch.store.keys import MARKETS, key

NAMES_S = 0.2  # how long the list of markets is good for
FIELDS = ("version", "settings", "catalogue", "areas", "epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A market as it stands. ``areas``: its own areas as compressed GeoJSON, or None. ``now``: engine time when it was read."""

    id: str
    version: int
    settings: MarketSettings
    catalogue: Catalogue
    areas: bytes | None
    epoch: str
    now: int = 0
    services: frozenset[str] = field(default=frozenset())


def reads(market: str) -> tuple[tuple[str, ...], ...]:
    """The commands that tell whether a market as known is still right, and the time; for ``Markets.of``."""
    return ("HGET", key("market", market), "version"), ("TIME",)


class Markets:
    """All markets of the store, cached by version: one small read tells whether the cache is still right."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._cache: dict[str, Market] = {}
        self._names: list[str] = []
        self._named_at = -NAMES_S

    async def names(self) -> list[str]:
        """Every market, sorted. One that another process has just made may be missing for a fifth of a second."""
        if monotonic() - self._named_at > NAMES_S:
            self._names = sorted(text(name) for name in await self._calls.command("SMEMBERS", MARKETS))
            self._named_at = monotonic()
        return self._names

    async def get(self, market: str) -> Market | None:
        """The market with the engine time of this very moment, or None. One round trip while nothing has changed."""
        return await self.of(market, *await self._calls.pipeline(*reads(market)))

    async def of(self, market: str, version: bytes | None, time: tuple[bytes, bytes]) -> Market | None:
        """The market, from what its ``reads`` have just answered, or None."""
        if version is None:
            return None
        known = await self.as_of(market, int(version))
        wall = int(time[0]) * 1_000 + int(time[1]) / 1_000
        return replace(known, now=self._calls.clock.engine_ms(wall))

    async def as_of(self, market: str, version: int) -> Market:
        """A market that is there, as this process knows it if that is still this version. Its ``now`` says nothing."""
        known = self._cache.get(market)
        return known if known and known.version == version else await self._read(market)

    def cached(self, market: str) -> Market | None:
        """The market as this process last saw it, without asking."""
        return self._cache.get(market)

    async def _read(self, market: str) -> Market:
        version, settings, catalogue, areas, epoch = await self._calls.command("HMGET", key("market", market), *FIELDS)
        found = Market(
            id=market,
            version=int(version),
            settings=msgspec.json.decode(settings or b"{}", type=MarketSettings),
            catalogue=(held := msgspec.json.decode(catalogue or b"{}", type=Catalogue)),
            areas=areas,
            epoch=text(epoch),
            services=frozenset(service.code for service in held.services),
        )
        self._cache[market] = found
        return found

    async def put_settings(self, market: str, settings: MarketSettings, hand: Hand | None = None) -> bool:
        """Creates or replaces the settings; whether the market is new."""
        numbers = {
            "gap": settings.travel_gap_s * 1_000,
            "cap": settings.open_proposals_cap,
            "patience": settings.pause_after,
            "hook": int(settings.webhook is not None),
            "basis": basis_of(settings),
            "fair": round(settings.fair_window_s * 1_000),
            "bonus": int(settings.bonus_mode != "manual" and bool(settings.bonus_steps)),
            "share": round(settings.newcomer_share * 10_000),
            "newcomer": settings.newcomer_answers,
            "policy": settings.wave_policy,
        }
        return await self._put(market, {"settings": msgspec.json.encode(settings), **numbers}, hand=hand)

    async def put_catalogue(self, market: str, catalogue: Catalogue, hand: Hand | None = None) -> bool:
        """Creates or replaces the catalogue; whether there was none."""
        return await self._put(market, {"catalogue": msgspec.json.encode(catalogue)}, "catalogue", hand)

    async def put_areas(self, market: str, areas: bytes, hand: Hand | None = None) -> bool:
        """Creates or replaces the market's own areas; whether there were none."""
        return await self._put(market, {"areas": areas}, "areas", hand)

    async def _put(self, market: str, fields: dict[str, Any], new: str = "settings", hand: Hand | None = None) -> bool:
        """All in one transaction: fields, a higher version, for a new market its epoch, and a line of the audit log when it is by hand."""
        audited = (self._calls.call("audit", market, hand=plain_hand(hand), what=new),) if hand is not None else ()
        pairs = [part for item in fields.items() for part in item]
        name = key("market", market)
        before, *_ = await self._calls.pipeline(
            ("HEXISTS", name, new),
            ("HSET", name, *pairs),
            ("HSETNX", name, "epoch", secrets.token_hex(6)),
            ("HINCRBY", name, "version", 1),
            *audited,
            transaction=True,
        )
        await self._calls.command("SADD", MARKETS, market)
        self._named_at = -NAMES_S
        return not before
