"""A phone in a pocket, from `dispatch vapid` to the notification and its end. A whole engine, a real push endpoint that really decrypts."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import anyio
import httpx2
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from dispatch.client import BookingClient, DeviceClient
from dispatch.messages import Hello, PushAddress
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.wire import JSON
from tests.engine_process import EngineProcess, engine, survivors_of
from tests.push.browser import Browser, sender
from tests.webhooks.receiver import Receiver, receiving

PATIENCE_S = 40  # longer than a push is lent
PLACE = {"lat": 48.8566, "lng": 2.3522}
CREATED = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"
GONE = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine whose operator has made the keys of Web Push, and nothing else."""
    folder = tmp_path_factory.mktemp("push")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    command = [sys.executable, "-m", "dispatch", "vapid", "--subject", "mailto:ops@example.org"]
    subprocess.run(command, env=environment | {"DISPATCH_DATA_DIR": str(folder / "data")}, check=True, capture_output=True)
    with engine(folder) as running:
        yield running


@dataclass
class Street:
    """A market with one provider, the booking service, and the push service of his browser."""

    served: EngineProcess
    service: BookingClient
    endpoint: Receiver
    browser: Browser
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def phone(self, push: PushAddress | None = None, **options: Any) -> AsyncIterator[DeviceClient]:
        """The app, open."""
        token = (await self.service.device_token("awa", "phone")).token
        async with DeviceClient(self.served.device_url, token, device="phone", push=push or self.browser.address, **options) as device:
            await device.live()
            yield device

    async def book(self) -> str:
        """A booking that he alone is asked for; its id."""
        booking_id = f"b-{next(self.numbers)}"
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2 + 2 * int(booking_id[2:]))
        window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        body = {
            "booking_id": booking_id,
            "client_id": "c-77",
            "place": PLACE,
            "services": ["cut"],
            "windows": [window],
            "note": "door code 12",
        }
        await self.service.open(msgspec.convert(body, BookingRequest))
        return booking_id

    async def heard(self, number: int) -> list[dict[str, Any]]:
        """What his browser has been pushed, when it is that much."""
        await eventually(lambda: arrived(self.endpoint, number))
        return [json.loads(self.browser.read(body)) for _, body in self.endpoint.requests]

    async def unreachable(self) -> bool:
        """Whether he cannot be asked any more."""
        return not (await self.service.provider("awa"))["reachable"]

    async def proposal(self, booking_id: str) -> tuple[str, int]:
        """His proposal as the booking service sees it: id, and expiry in ms."""
        booking = await self.service.booking(booking_id)
        [proposal], deadline = booking.proposals, booking.deadline
        assert deadline is not None
        return proposal.proposal, round(deadline.timestamp() * 1_000)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 - it happens in another process
            await anyio.sleep(0.01)


async def arrived(endpoint: Receiver, number: int) -> bool:
    return len(endpoint.requests) >= number


@pytest.fixture
async def street(served: EngineProcess) -> AsyncIterator[Street]:
    async with receiving() as endpoint, BookingClient(served.base_url, served.key, f"m-{secrets.token_hex(4)}") as service:
        endpoint.answer = CREATED
        await service.put_market(MarketSettings(quiet_hours=None, travel_gap_s=0))
        catalogue = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 30}]}
        await service.put_catalogue(msgspec.convert(catalogue, Catalogue))
        zone = {"type": "circle", **PLACE, "radius_km": 6}
        awa = {"name": "Awa D.", "trade": "hair", "catalogue": ["cut"], "zone": zone, "hours": "24/7"}
        await service.put_provider("awa", msgspec.convert(awa, ProviderSettings))
        yield Street(served, service, endpoint, Browser(f"http://127.0.0.1:{endpoint.port}/awa"))


@pytest.mark.proves("R2.i", "R14.a")
async def test_a_phone_in_a_pocket_hears_of_a_proposal_and_of_its_end(street: Street) -> None:
    async with street.phone():
        pass
    booking_id = await street.book()
    [first] = await street.heard(1)
    proposal, expires_at = await street.proposal(booking_id)
    assert first == {"id": proposal, "kind": "proposal", "expires_at": expires_at}
    async with street.phone() as device:  # he opens the app, and finds it there
        assert list(device.open) == [proposal]
    await street.service.cancel(booking_id, "client", "changed my mind")
    assert await street.heard(2) == [first, first | {"kind": "withdrawn"}]
    pushed = [event.fields for event in await street.service.timeline(booking_id) if event.type == "Pushed"]
    assert pushed[0] == {"provider_id": "awa", "kind": "proposal", "outcome": "sent"}


async def test_the_key_that_browsers_subscribe_with_is_the_one_that_signs(street: Street) -> None:
    async with httpx2.AsyncClient(base_url=street.served.base_url, trust_env=False) as anybody:
        answer = await anybody.get("/v1/push-key")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    async with street.phone():
        pass
    await street.book()
    await street.heard(1)
    key, claims = sender(street.endpoint.requests[0][0]["authorization"])
    assert (key, claims["sub"]) == (answer.json()["public_key"], "mailto:ops@example.org")


async def test_an_app_on_the_screen_is_not_pushed_and_one_in_the_background_is(street: Street) -> None:
    async with street.phone() as device:
        first = await street.book()
        async for message in device:
            if message.__struct_config__.tag == "proposal":
                break
        await device.status(background=True)
        second = await street.book()
        heard = await street.heard(1)
    assert [message["id"] for message in heard] == [(await street.proposal(second))[0]]
    assert (await street.service.booking(first)).proposals[0].received_at is not None


async def test_a_socket_that_confirms_nothing_for_three_seconds_is_pushed(street: Street) -> None:
    token = (await street.service.device_token("awa", "phone")).token
    hello = Hello(token=token, device="phone", push=street.browser.address)
    async with connect(street.served.device_url, subprotocols=[Subprotocol(JSON.subprotocol)], ping_interval=None, proxy=None) as socket:
        await socket.send(JSON.encode(hello), text=True)
        while json.loads(await socket.recv())["type"] != "live":
            pass
        began = anyio.current_time()
        booking_id = await street.book()
        while (shown := json.loads(await socket.recv()))["type"] != "proposal":
            pass
        heard = await street.heard(1)
        assert anyio.current_time() - began >= 2.9  # neither earlier: it was on the screen
    assert [message["id"] for message in heard] == [shown["proposal"]] == [(await street.proposal(booking_id))[0]]


async def test_a_worker_that_is_killed_loses_no_push(street: Street) -> None:
    async with street.phone():
        pass
    street.endpoint.answer = None  # the push is under way, and nobody will ever know what became of it
    await street.book()
    await eventually(lambda: arrived(street.endpoint, 1))
    [worker] = [pid for pid, command in survivors_of(street.served.mark).items() if re.search(r"-m dispatch worker", command)]
    os.kill(worker, signal.SIGKILL)
    street.endpoint.answer = CREATED
    second = await street.book()  # while there is no worker
    heard = await street.heard(2)
    assert heard[-1]["id"] == (await street.proposal(second))[0]
    await street.heard(3)  # the first one again, when what the dead one had is lent anew
    assert [message["id"] for message in await street.heard(3)].count(heard[0]["id"]) == 2


@pytest.mark.proves("R14.a")
async def test_a_browser_that_has_unsubscribed_makes_nobody_reachable(street: Street) -> None:
    async with street.phone():
        pass
    street.endpoint.answer = GONE
    await street.book()
    await street.heard(1)
    await eventually(street.unreachable)
    metrics = await street.service.metrics()
    assert re.search(rf'^dispatch_pushes_gone_total{{market="{street.service.market}"}} 1.0$', metrics, re.MULTILINE)
    assert re.search(r'^dispatch_push_attempts_total{.*service="webpush".*verdict="gone".*} [1-9]', metrics, re.MULTILINE)


async def test_an_address_that_cannot_be_used_is_told_and_makes_nobody_reachable(street: Street) -> None:
    async with street.phone(PushAddress(kind="webpush", token="hello")) as device:
        with anyio.fail_after(PATIENCE_S):
            async for message in device:
                if message.__struct_config__.tag == "error":
                    break
        assert (message.code, message.id) == ("bad_request", None)
        assert "a subscription as JSON" in message.message
    await eventually(street.unreachable)
