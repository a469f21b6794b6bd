"""Setting the city up: the market, its catalogue, its professionals, and the reading of the engine's clock."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from dispatch.client import BookingClient, DeviceClient
from dispatch.client.bookings import CircleZone, MarketSettings, WebhookTarget
from dispatch.demo.catalogue import catalogue
from dispatch.demo.city import CENTRE, City
from dispatch.demo.clock import CityClock
from dispatch.demo.providers import Provider, population

MARKET = "paris"
BOUNDS = CircleZone(lat=CENTRE[0], lng=CENTRE[1], radius_km=60)


class NotReady(Exception):
    """The city could not be set up; the text says why."""


@dataclass(frozen=True, slots=True)
class Town:
    """A city that is ready to live: everything its parts share."""

    city: City
    providers: list[Provider]
    clock: CityClock
    client: BookingClient
    devices_url: str
    seed: int

    def chance(self, part: str) -> Random:
        """A source of chance for one part, so that what one draws does not change the others' luck."""
        return Random(f"{self.seed} {part}")


async def settle(
    client: BookingClient, city: City, hook: WebhookTarget, *, count: int, seed: int, speed: float, zone: str, devices_url: str
) -> Town:
    """Creates market, catalogue and professionals, and reads the clock. Raises NotReady when a professional is refused."""
    here = ZoneInfo(zone)
    providers = population(city, count, datetime.now(here).date(), seed)
    await client.put_market(MarketSettings(time_zone=zone, bounds=BOUNDS, webhook=hook))
    await client.put_catalogue(catalogue())
    imported = await client.import_providers(provider.line for provider in providers)
    if imported.refused:
        raise NotReady(f"{len(imported.refused)} professionals were refused, the first: {imported.refused[0]}")
    clock = await read_clock(client, providers[0], devices_url, speed, here)
    return Town(city, providers, clock, client, devices_url, seed)


async def read_clock(client: BookingClient, provider: Provider, url: str, speed: float, zone: ZoneInfo) -> CityClock:
    """Engine time as the ``welcome`` of a first connection tells it, beside this machine's clock when it arrived."""
    token = await client.device_token(provider.id, "clock", 60)
    async with DeviceClient(url, token.token, device="clock", app="dispatch-demo") as device:
        await device.live()
        talk = device.conversation
        assert talk.welcome is not None
        return CityClock(talk.welcome.now, (talk.welcome.now - talk.offset_ms) / 1000, speed, zone)
