"""A provider in a real browser: his page served by a real api, his socket through a network that can be cut, his rivals in the store."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page
from playwright.async_api import expect as within_five_seconds

from dispatch.api import make_app
from dispatch.engine.requests import CancelRequest, CounterofferAccept
from dispatch.model import BookingRequest, Catalogue, ProviderSettings
from dispatch.settings import free_port, read
from dispatch.store import Record, Store
from dispatch.store.keys import key
from tests.api.serving import Api, serving
from tests.faults.counts import Fired
from tests.faults.proxy import Proxy
from tests.gateway.gate import PLACE, Gate, gate

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LOCALES = {"fr": "fr-FR", "en": "en-GB"}
ADDRESS = "4 rue de Rivoli, code 1234"
CATALOGUE = {
    "trades": [{"code": "hair"}],
    "services": [
        {"code": "cut", "trade": "hair", "minutes": 60, "name": {"fr": "Coupe femme", "en": "Women’s haircut"}},
        {"code": "blow_dry", "trade": "hair", "minutes": 30, "name": {"fr": "Brushing", "en": "Blow-dry"}},
    ],
}
PROVIDER = {"trade": "hair", "catalogue": ["cut", "blow_dry"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"}
SQUARE = [[2.30, 48.80], [2.40, 48.80], [2.40, 48.90], [2.30, 48.90], [2.30, 48.80]]
AREAS = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"code": "75104", "name": "Le Marais"}, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}
    ],
}
expect = type(within_five_seconds)()
expect.set_options(timeout=20_000)  # a crowded machine is no failure
# The browser's own lines for what a test does to it: the network is cut, a token is refused.
PROVOKED = re.compile(r"ERR_(INTERNET_DISCONNECTED|CONNECTION_|NETWORK_|EMPTY_)|WebSocket connection to|status of 401")


@dataclass
class Stage:
    """The market with its providers, and where the page is. ``awa`` is played in the browser; the others are numbers in the store."""

    gate: Gate
    store: Store
    api: Api
    network: Proxy
    numbers: dict[str, int] = field(default_factory=dict)
    opened: int = 0
    rids: int = 0

    @property
    def market(self) -> str:
        return self.gate.market

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}/app/"

    def link(self, provider: str = "awa", **options: Any) -> str:
        """What a marketplace hands to a provider."""
        return f"{self.url}#token={self.gate.token(provider, **options)}"

    async def settle(self) -> None:
        await self.gate.desk.put_catalogue(self.market, msgspec.convert(CATALOGUE, Catalogue))
        await self.gate.desk.put_areas(self.market, AREAS)
        for provider, name in (("awa", "Awa D."), ("bea", "Béa L.")):
            await self.put(provider, name=name)
        await self.online("bea")

    async def put(self, provider: str, **settings: Any) -> None:
        await self.gate.desk.put_provider(
            self.market, provider, msgspec.convert(PROVIDER | {"name": provider} | settings, ProviderSettings)
        )
        number = await self.store.providers.number(self.market, provider)
        assert number is not None
        self.numbers[provider] = number

    async def online(self, provider: str) -> None:
        """A rival whose phone is connected, as far as the store knows."""
        pno = self.numbers[provider]
        await self.store.links.connect(self.market, pno, "phone", "gw-test", pno, background=False, push=None)

    async def book(self, *, hours: float = 4, windows: int = 1, **changes: Any) -> int:
        """A client books; the number of the booking."""
        self.opened += 1
        start = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=hours)
        spans = [(start + timedelta(hours=3 * i), start + timedelta(hours=3 * i + 1)) for i in range(windows)]
        wish = {
            "booking_id": f"b-{self.opened}",
            "client_id": "c-secret",
            "place": PLACE | {"address": ADDRESS},
            "services": ["cut"],
            "windows": [{"start": one.isoformat(), "end": other.isoformat()} for one, other in spans],
            "price_cents": 4500,
        }
        request = msgspec.convert(wish | changes, BookingRequest)
        await self.gate.desk.open(self.market, request, rid=f"open-{self.opened}", may_override=False)
        return self.opened

    async def cancel(self, bno: int) -> None:
        await self.gate.desk.cancel(self.market, f"b-{bno}", CancelRequest(by="client"), f"cancel {bno}")

    async def takes(self, provider: str, bno: int) -> str:
        """Another provider accepts; the outcome."""
        self.rids += 1
        pno = self.numbers[provider]
        result = await self.store.claims.accept(self.market, pno, f"rival-{self.rids}", f"{bno}.1.{pno}", 1)
        return str(result["outcome"])

    async def client_declines(self, bno: int) -> None:
        """The client wants none of the times that are shown."""
        await self.gate.desk.counteroffers.decline(self.market, f"b-{bno}", await self._shown(bno), f"decline {bno}")

    async def refuses(self, provider: str, bno: int) -> None:
        """Another provider says no."""
        self.rids += 1
        pno = self.numbers[provider]
        await self.store.claims.refuse(self.market, pno, f"rival-{self.rids}", f"{bno}.1.{pno}", 1, None)

    async def client_takes(self, bno: int, *, window: int) -> None:
        """The client accepts the counteroffer that is shown."""
        request = CounterofferAccept(window=window)
        await self.gate.desk.counteroffers.accept(self.market, f"b-{bno}", await self._shown(bno), request, f"take {bno}")

    async def _shown(self, bno: int) -> str:
        """The counteroffer that the client sees."""
        (shown,) = [one for one in (await self.gate.desk.booking(self.market, f"b-{bno}"))["counteroffers"] if one["state"] == "shown"]
        return str(shown["counteroffer_id"])

    async def record(self, bno: int) -> Record:
        [record] = await self.store.bookings.records(self.market, [bno])
        return record

    async def reported(self, bno: int) -> list[str]:
        """What ops are told that providers reported of a booking, in their words."""
        return [one["reason"] for one in (await self.gate.desk.booking(self.market, f"b-{bno}"))["reports"]]

    async def winner(self, bno: int) -> str | None:
        record = await self.record(bno)
        return next((name for name, number in self.numbers.items() if number == record.winner), None)

    def proposal_id(self, bno: int, provider: str = "awa") -> str:
        return f"{bno}.1.{self.numbers[provider]}"

    # -- notifications ------------------------------------------------------------------------------------------------

    async def addresses(self, provider: str) -> int:
        """How many addresses of his the engine has."""
        return int(await self.store._calls.command("HLEN", key("addresses", self.market, self.numbers[provider])))

    async def pushed(self) -> dict[str, Any]:
        """What the worker does with the one push that is due, when its service takes it; what that is told."""
        (push,) = [one for one in await self.store.pushes.due(100) if one.market == self.market]
        await self.store.pushes.sent(push)
        return {"id": push.id, "kind": push.kind, "expires_at": push.expires_at}

    # -- the network --------------------------------------------------------------------------------------------------

    async def cut(self, page: Page) -> None:
        """The network is gone, for requests and for the socket; nobody says goodbye."""
        self.network.upstreams = ()
        await page.context.set_offline(True)
        for pair in list(self.network.pairs):
            pair.abort(reset=True)

    async def mend(self, page: Page) -> None:
        self.network.upstreams = (self.gate.port,)
        await page.context.set_offline(False)


@asynccontextmanager
async def staged(store: Store, market: str) -> AsyncIterator[Stage]:
    """Curtain up."""
    port, network = free_port(), Proxy("devices", Fired(), Random(1))
    async with network.listening(), gate(store, market, http_port=port) as running:
        network.upstreams = (running.port,)
        settings = read(redis_url="redis://not-asked", profile="dev", dev=True, http_port=port, device_port=network.port)
        async with serving(make_app(running.desk, store, settings), port) as api:
            stage = Stage(running, store, api, network)
            await stage.settle()
            yield stage


@asynccontextmanager
async def phone(browser: Browser, language: str = "en", *, provoked: str = "", **options: Any) -> AsyncIterator[Page]:
    """A phone with a browser of its own. What its scripts say is wrong fails the test, but for what the test itself provokes; ``provoked``:
    words of more of that."""
    complaints: list[str] = []
    context = await browser.new_context(**{**PHONE, "locale": LOCALES[language], **options})
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        yield page
    finally:
        await context.close()
    unprovoked = [text for text in complaints if not PROVOKED.search(text) and not (provoked and provoked in text)]
    assert not unprovoked, unprovoked


async def sign_in(page: Page, stage: Stage, provider: str = "awa", **options: Any) -> None:
    """Opens the link of the marketplace, and waits until the page is connected."""
    await page.goto(stage.link(provider, **options))
    await expect(page.locator("#link[data-state=live]")).to_be_visible()


def card(page: Page, stage: Stage, bno: int) -> Locator:
    return page.locator(f'#cards li[data-id="{stage.proposal_id(bno)}"]')


def booking(page: Page, bno: int) -> Locator:
    return page.locator(f'#visits li[data-booking="b-{bno}"]')


async def shot(page: Page, name: str) -> None:
    """A picture for whoever wants to look: kept when SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        await page.screenshot(path=str(Path(folder) / f"{name}.png"), animations="disabled")


async def barriers(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is now: rule, and where."""
    found = await Axe().run(page)
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found.response["violations"] for node in rule["nodes"]]
