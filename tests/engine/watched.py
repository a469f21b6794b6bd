"""A small market to watch: some providers in the middle of Paris, and a desk to open bookings at."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

import msgspec

from dispatch.engine.desk import Desk
from dispatch.engine.requests import CancelRequest
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.store import Store

PLACE = {"lat": 48.856613, "lng": 2.352222, "address": "4 rue de Rivoli, code 1234"}
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "name": {"fr": "Coupe", "en": "Haircut"}}]}
PROVIDER = {
    "name": "Awa D.",
    "trade": "hair",
    "catalogue": ["cut"],
    "zone": {"type": "circle", "lat": 48.86, "lng": 2.35, "radius_km": 6},
    "hours": "24/7",
}


class Town:
    """The market ``name``; its bookings are numbered from 1."""

    def __init__(self, store: Store, desk: Desk, name: str) -> None:
        self.store, self.desk, self.name = store, desk, name
        self._numbers = count(1)

    async def settle(self, providers: int = 6) -> None:
        """Makes the market, with providers who are online."""
        await self.put_settings()
        await self.desk.put_catalogue(self.name, msgspec.convert(CATALOGUE, Catalogue))
        for number in range(providers):
            await self.add(f"p-{number}")

    async def put_settings(self, **changes: Any) -> None:
        """Market settings in which the hour of the day matters to nothing, with changes."""
        settings = {"quiet_hours": None, "horizon_days": 4, "open_proposals_cap": 100}
        await self.desk.put_market(self.name, msgspec.convert(settings | changes, MarketSettings))

    async def add(self, provider_id: str, **changes: Any) -> int:
        """One more provider, online; his number."""
        await self.desk.put_provider(self.name, provider_id, msgspec.convert(PROVIDER | changes, ProviderSettings))
        pno = await self.store.providers.number(self.name, provider_id)
        assert pno is not None
        await self.store.links.connect(self.name, pno, "phone", "gw-test", pno, background=False, push=None)
        return pno

    async def open(self, *, hours: float = 3, **changes: Any) -> int:
        """Opens a booking; its number."""
        number = next(self._numbers)
        start = datetime.now(UTC) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        asked = {"booking_id": f"b-{number}", "client_id": "c-secret", "place": PLACE, "services": ["cut"], "windows": [window]} | changes
        await self.desk.open(self.name, msgspec.convert(asked, BookingRequest), f"open {number}", may_override=False)
        return number

    async def asked(self, bno: int) -> list[int]:
        """Numbers of the providers who hold a proposal of the booking."""
        [record] = await self.store.bookings.records(self.name, [bno])
        return sorted(pno for pno, p in record.proposals.items() if p.state == "open")

    async def accept(self, bno: int) -> int:
        """The first of those asked accepts; his number."""
        pno = (await self.asked(bno))[0]
        result = await self.store.claims.accept(self.name, pno, f"accept {bno}", f"{bno}.1.{pno}", 1)
        assert result["outcome"] == "won"
        return pno

    async def cancel(self, bno: int, by: Literal["client", "provider", "ops"] = "client") -> None:
        """Cancels the booking."""
        await self.desk.cancel(self.name, f"b-{bno}", CancelRequest(by=by), f"cancel {bno} {by}")

    async def refuse(self, bno: int) -> int:
        """The first of those asked says no; his number."""
        pno = (await self.asked(bno))[0]
        result = await self.store.claims.refuse(self.name, pno, f"refuse {bno} {pno}", f"{bno}.1.{pno}", 1, None)
        assert result["outcome"] == "done"
        return pno
