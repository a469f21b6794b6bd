"""A small market to call: two services, three providers in the middle of Paris, and the keys of its callers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2

from dispatch.store import Store
from tests.api.serving import Api

PLACE = {"lat": 48.8566, "lng": 2.3522}
CATALOGUE = {
    "trades": [{"code": "hair", "name": {"fr": "Coiffure", "en": "Hair"}}],
    "services": [{"code": "haircut", "trade": "hair", "minutes": 60}, {"code": "blow_dry", "trade": "hair", "minutes": 30}],
}
PROVIDER = {
    "name": "Awa D.",
    "trade": "hair",
    "catalogue": ["haircut", "blow_dry"],
    "zone": {"type": "circle", **PLACE, "radius_km": 6},
    "hours": "24/7",
}


def later(**delay: float) -> str:
    """A moment from now, as callers write it."""
    return (datetime.now(UTC) + timedelta(**delay)).isoformat(timespec="milliseconds")


def window(hours: float = 30, length: float = 1) -> dict[str, str]:
    return {"start": later(hours=hours), "end": later(hours=hours + length)}


@dataclass(slots=True, kw_only=True)
class Town:
    """The market ``name`` and two callers of it, by their keys."""

    api: Api
    store: Store
    name: str
    booking_key: str
    manager_key: str
    _numbers: Any = field(default_factory=count)

    @property
    def root(self) -> str:
        return f"/v1/markets/{self.name}"

    def booking(self, **changes: Any) -> dict[str, Any]:
        """A booking that would be taken, with changes."""
        number = next(self._numbers)
        right = {"booking_id": f"b-{number}", "client_id": f"c-{number}", "place": PLACE, "services": ["haircut"], "windows": [window()]}
        return right | changes

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> httpx2.Response:
        """A call about this market, as the booking service unless another key is given."""
        return await self.api.call(method, self.root + path, body, key=key or self.booking_key, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        """A POST with a fresh Idempotency-Key."""
        return await self.call("POST", path, body, **{"idempotency_key": f"key-{next(self._numbers)}", **headers})


async def build(api: Api, store: Store, name: str, *, booking: str, manager: str, reachable: bool = True) -> Town:
    """Makes the market through the interface itself."""
    town = Town(api=api, store=store, name=name, booking_key=booking, manager_key=manager)
    assert (await town.call("PUT", "", {"quiet_hours": None, "horizon_days": 4})).status_code == 201
    assert (await town.call("PUT", "/catalogue", CATALOGUE)).status_code == 201
    for number in range(3):
        assert (await town.call("PUT", f"/providers/p-{number}", PROVIDER)).status_code == 201
        pno = await store.providers.number(name, f"p-{number}")
        assert pno is not None
        if reachable:
            await store.links.connect(name, pno, "phone", "gw-test", pno, background=False, push=None)
    return town
