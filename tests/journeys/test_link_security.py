"""The security of the link in a whole engine, of several processes: what is revoked over HTTP ends on the socket."""

import time
from datetime import UTC, datetime, timedelta

import anyio
import msgspec
import pytest

from dispatch.client import DeviceClient, Stopped
from dispatch.client.bookings import BookingClient
from dispatch.model import BookingRequest, Catalogue, CircleZone, MarketSettings, Place, ProviderSettings, Service, Trade, Window
from tests.engine_process import EngineProcess

PROMISED_S, PATIENCE_S = 2.0, 20.0
AWA = ProviderSettings(
    name="Awa Private", trade="hair", catalogue=("cut",), hours="24/7", zone=CircleZone(lat=48.8566, lng=2.3522, radius_km=6)
)


@pytest.mark.parametrize(("what", "code"), [("device", 4500), ("devices", 4500), ("account", 4505)])
async def test_a_right_that_is_taken_away_over_http_ends_the_socket_and_leaves_no_trace_in_the_log(
    served: EngineProcess, market: str, what: str, code: int
) -> None:
    person, phone, client_id = f"provider-{market}", f"phone-{market}", f"client-{market}"
    start = datetime.now(UTC) + timedelta(hours=5)
    booking = BookingRequest(
        booking_id=f"booking-{market}", client_id=client_id, services=("cut",),
        windows=(Window(start=start, end=start + timedelta(hours=1)),), place=Place(lat=48.8566, lng=2.3522, address="19 rue Secrète"),
    )  # fmt: skip
    async with BookingClient(served.base_url, served.key, market) as service:
        await service.put_market(MarketSettings(quiet_hours=None, horizon_days=3))
        await service.put_catalogue(Catalogue(trades=(Trade(code="hair"),), services=(Service(code="cut", trade="hair"),)))
        await service.put_provider(person, AWA)
        token = (await service.device_token(person, phone)).token
        with anyio.fail_after(PATIENCE_S):
            async with DeviceClient(served.device_url, token, device=phone) as device:
                await device.live()
                await service.open(booking)
                while not device.open:
                    await anext(device)
                (proposal,) = device.open.values()
                await device.accept(proposal.proposal, proposal.version)
                before = time.monotonic()
                await take_away(service, what, person, phone)
                with pytest.raises(Stopped) as stopped:
                    await the_end(device)
                took = time.monotonic() - before
    assert stopped.value.close_code == code
    assert took < PROMISED_S
    log = served.log.read_text(errors="replace")
    assert [secret for secret in (token, token.split(".")[1], person, phone, client_id, "Awa Private", "19 rue") if secret in log] == []


async def take_away(service: BookingClient, what: str, person: str, phone: str) -> None:
    if what == "account":
        await service.put_provider(person, msgspec.structs.replace(AWA, status="inactive"))
    else:
        await service.revoke_tokens(person, phone if what == "device" else None)


async def the_end(device: DeviceClient) -> None:
    """Raises Stopped when the gateway has ended the link for good."""
    async for _ in device:
        pass
