"""Which areas hold a place: by the market's own areas when it has some, else by the gazetteer."""

import gzip

import anyio
import orjson
from msgspec import Struct

from dispatch.errors import Unprocessable
from dispatch.gazetteer import Gazetteer
from dispatch.model import AreasZone, ProviderSettings
from dispatch.store import Market
from dispatch.zones import cell_of


class Spot(Struct, frozen=True):
    """A place as matching sees it: its areas' codes, and what may be said of it before the win (name and H3 cell)."""

    codes: frozenset[str]
    name: str
    h3: str


class Places:
    """The areas of all markets; a market's own ones are read once per version."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._gazetteer = gazetteer
        self._warm = False
        self._own: dict[str, tuple[int, Gazetteer]] = {}

    async def warm(self) -> None:
        """Reads the gazetteer, which takes seconds, before anybody waits for it."""
        await self._gazetteer.warm()
        self._warm = True

    async def of(self, market: Market) -> Gazetteer:
        """The areas that hold in a market."""
        if market.areas is None:
            if not self._warm:
                await self.warm()
            return self._gazetteer
        version, own = self._own.get(market.id, (0, None))
        if own is None or version != market.version:
            own = await anyio.to_thread.run_sync(_unpacked, market.areas)
            self._own[market.id] = (market.version, own)
        return own

    async def spot(self, market: Market, lat: int, lng: int) -> Spot:
        """What is known of a place."""
        area = (await self.of(market)).lookup(lat, lng)
        return Spot(area.codes if area else frozenset(), area.name if area else "", cell_of(lat, lng))

    async def check(self, market: Market, settings: ProviderSettings) -> None:
        """A zone of areas may only name codes that are known."""
        if isinstance(settings.zone, AreasZone):
            areas = await self.of(market)
            unknown = [code for code in settings.zone.codes if not areas.known(code)]
            if unknown:
                raise Unprocessable(
                    f"zone names areas nobody knows here: {', '.join(unknown[:10])}; send the market's areas with PUT .../areas first",
                    code="bad_zone",
                )


def packed(features: dict[str, object]) -> bytes:
    """A market's own areas, checked, as they are kept. Raises Unprocessable ``bad_areas``."""
    Gazetteer.from_features(features)
    return gzip.compress(orjson.dumps(features), mtime=0)


def _unpacked(raw: bytes) -> Gazetteer:
    return Gazetteer.from_features(orjson.loads(gzip.decompress(raw)))
