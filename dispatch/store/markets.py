"""Markets: their settings, catalogue and areas. The numbers that verbs need stand beside the settings, written in the same step."""

import secrets
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import msgspec

from dispatch.changes import Change, changes_of
from dispatch.errors import Unavailable
from dispatch.model import Catalogue, MarketSettings
from dispatch.store.calls import Calls, decode, text
from dispatch.store.footprint import basis_of
from dispatch.store.hands import Hand, plain_hand
from dispatch.store.keys import MARKETS, key

KEPT = 1_000  # changes of its settings that a market remembers
TRIES = 8
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change of the settings. ``by`` is a key's id, ``name`` what it was called then; ``audit``: its line in the audit log, if it was by
    hand; ``created``: the market was new, and had the defaults before."""

    number: int
    at: int
    by: str
    name: str
    audit: int | None
    created: bool
    changes: tuple[Change, ...]


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

    async def put_settings(self, market: str, settings: MarketSettings, hand: Hand | None = None, by: Hand | None = None) -> bool:
        """Creates or replaces the settings; whether the market is new. ``by``: whose key it is, for the history (who acts by hand, if none
        is named). Raises Unavailable."""
        whose = by or hand or Hand(key="", name="")
        said = {"epoch": secrets.token_hex(6), "fields": _fields(settings), "most": KEPT, "by": plain_hand(whose), "hand": plain_hand(hand)}
        for _ in range(TRIES):
            before = await self.get(market)
            changes = [text(msgspec.json.encode(change)) for change in changes_of(before.settings if before else None, settings)]
            reply = await self._calls.verb("put_market", market, seen=before.version if before else 0, changes=changes, **said)
            if reply["word"] == "DONE":
                await self._known(market)
                return bool(reply["created"])
        raise Unavailable("these settings change all the time; retry")

    async def history(self, market: str, before: int | None, limit: int) -> list[Changed]:
        """Changes of the settings with numbers under ``before`` (None: the last ones), newest first. Two round trips."""
        end = "+" if before is None else f"({before}-0"
        rows = await self._calls.command("XREVRANGE", key("settings_log", market), end, "-", "COUNT", limit)
        numbers = [int(text(place).partition("-")[0]) for place, _ in rows]
        names = await self._calls.command("HMGET", key("settings_words", market), *numbers) if numbers else []
        entries = [decode(pairs[b"e"] if isinstance(pairs, dict) else pairs[1]) for _, pairs in rows]
        return [_changed(*line) for line in zip(numbers, entries, names, strict=True)]

    async def put_catalogue(self, market: str, catalogue: Catalogue, hand: Hand | None = None) -> bool:
        """Creates or replaces the catalogue; whether there was none."""
        return await self._put(market, {"catalogue": msgspec.json.encode(catalogue)}, "catalogue", hand)

    async def put_areas(self, market: str, areas: bytes, hand: Hand | None = None) -> bool:
        """Creates or replaces the market's own areas; whether there were none."""
        return await self._put(market, {"areas": areas}, "areas", hand)

    async def _put(self, market: str, fields: dict[str, Any], new: str, hand: Hand | None = None) -> bool:
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
        await self._known(market)
        return not before

    async def _known(self, market: str) -> None:
        """It is one of the markets."""
        await self._calls.command("SADD", MARKETS, market)
        self._named_at = -NAMES_S


def _fields(settings: MarketSettings) -> dict[str, str]:
    """The settings as the market's hash holds them, and the numbers that verbs need beside them."""
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
    return {"settings": text(msgspec.json.encode(settings)), **{name: str(value) for name, value in numbers.items()}}


def _changed(number: int, entry: dict[str, Any], name: bytes | None) -> Changed:
    changes = tuple(msgspec.json.decode(raw, type=Change) for raw in entry.pop("changes"))
    return Changed(number=number, name=text(name or b""), changes=changes, **entry)
