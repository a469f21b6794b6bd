"""From an event in the store to the booking service: at least once, in order per booking, until it is heard or a day is over."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import structlog
from redis import Redis
from standardwebhooks.webhooks import Webhook

from dispatch.engine.desk import Desk
from dispatch.engine.outbox import Outbox
from dispatch.engine.requests import CancelRequest
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.model import BookingRequest, Catalogue, CircleZone, MarketSettings, Place, Service, Trade, WebhookTarget, Window
from dispatch.settings import Settings, read
from dispatch.store import Store
from tests.webhooks.receiver import OK, SECRET, Receiver, receiving

PARIS = CircleZone(lat=48.8566, lng=2.3522, radius_km=10)
CATALOGUE = Catalogue(trades=(Trade(code="hair"),), services=(Service(code="haircut", trade="hair"),))
REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return read(redis_url=redis_url, profile="dev", dev=True)


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    return Desk(store, Gazetteer(), DeviceKeys.create(tmp_path / "keys.json"))


class Market:
    """A market whose events go to a receiver, and the hands of its clock."""

    def __init__(self, desk: Desk, redis_url: str, name: str) -> None:
        self.name, self._desk, self._redis_url = name, desk, redis_url

    async def tells(self, target: WebhookTarget | None) -> None:
        await self._desk.put_market(self.name, MarketSettings(bounds=PARIS, webhook=target))
        await self._desk.put_catalogue(self.name, CATALOGUE)

    async def cancelled(self, booking_id: str) -> None:
        """Opens a booking and cancels it: one event for the booking service."""
        start = datetime.now(UTC) + timedelta(hours=30)
        window = Window(start=start, end=start + timedelta(hours=1))
        place = Place(lat=PARIS.lat, lng=PARIS.lng)
        wanted = BookingRequest(booking_id=booking_id, client_id="c-1", place=place, services=("haircut",), windows=(window,))
        await self._desk.open(self.name, wanted, f"open-{booking_id}", False)
        await self._desk.cancel(self.name, booking_id, CancelRequest(by="client"), f"cancel-{booking_id}")

    def later(self) -> None:
        """Whatever waits is due now."""
        with Redis.from_url(self._redis_url) as client:
            key = f"{{{self.name}}}:wdue"
            for bno in client.zrange(key, 0, -1):
                client.zadd(key, {bno: 0})

    def waits_s(self) -> list[float]:
        """For each event that waits, in how many seconds it is due."""
        with Redis.from_url(self._redis_url) as client:
            return [score / 1_000 - time.time() for _, score in client.zrange(f"{{{self.name}}}:wdue", 0, -1, withscores=True)]

    def buried(self) -> int:
        with Redis.from_url(self._redis_url) as client:
            return int(client.xlen(f"{{{self.name}}}:wdead"))


@pytest.fixture
def make_market(desk: Desk, redis_url: str, fresh_market: Callable[[], str]) -> Callable[[], Market]:
    return lambda: Market(desk, redis_url, fresh_market())


@pytest.fixture
async def town(make_market: Callable[[], Market], receiver: Receiver) -> Market:
    made = make_market()
    await made.tells(receiver.target())
    await made.cancelled("b-1")
    return made


async def once(store: Store, settings: Settings, wall: Callable[[], float] = time.time) -> int:
    """One turn of an outbox, and the end of what it started."""
    async with Outbox(store, settings, wall) as outbox:
        return await outbox.once()


async def test_an_event_arrives_signed_and_then_no_more(store: Store, settings: Settings, town: Market, receiver: Receiver) -> None:
    assert await once(store, settings) == 1
    [(headers, body)] = receiver.requests
    said = Webhook(SECRET).verify(body, headers)
    assert (said["type"], said["data"]["booking_id"]) == ("booking.cancelled", "b-1")
    assert await once(store, settings) == 0
    assert (len(receiver.requests), town.waits_s()) == (1, [])


async def test_what_was_refused_is_sent_again_later_with_the_same_id(
    store: Store, settings: Settings, town: Market, receiver: Receiver
) -> None:
    receiver.answer = REFUSAL
    await once(store, settings)
    [wait] = town.waits_s()
    assert 0 < wait <= 1
    town.later()
    await once(store, settings)
    [wait] = town.waits_s()
    assert 0.5 < wait <= 2
    receiver.answer = OK
    town.later()
    await once(store, settings)
    assert [headers["webhook-id"] for headers, _ in receiver.requests] == [receiver.requests[0][0]["webhook-id"]] * 3
    assert (town.waits_s(), town.buried()) == ([], 0)


async def test_a_receiver_may_ask_for_more_time(store: Store, settings: Settings, town: Market, receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"
    await once(store, settings)
    [wait] = town.waits_s()
    assert 110 < wait <= 120


async def test_after_a_day_an_event_is_buried(store: Store, settings: Settings, town: Market, receiver: Receiver) -> None:
    receiver.answer = REFUSAL
    await once(store, settings, lambda: time.time() + 86_390)
    assert town.buried() == 0
    town.later()
    await once(store, settings, lambda: time.time() + 86_410)
    assert (town.buried(), town.waits_s()) == (1, [])


async def test_a_receiver_that_is_gone_for_good_is_told_nothing_more_of_it(
    store: Store, settings: Settings, town: Market, receiver: Receiver
) -> None:
    receiver.answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
    await once(store, settings)
    assert (town.buried(), town.waits_s()) == (1, [])


async def test_a_market_that_wants_to_hear_nothing_any_more_gets_nothing(
    store: Store, settings: Settings, town: Market, receiver: Receiver
) -> None:
    await town.tells(None)
    assert await once(store, settings) == 1
    assert (receiver.requests, town.waits_s(), town.buried()) == ([], [], 0)


async def test_outside_development_nothing_goes_to_a_private_address(
    store: Store, redis_url: str, town: Market, receiver: Receiver
) -> None:
    await once(store, read(redis_url=redis_url, profile="dev", dev=False))
    assert (receiver.connections, town.buried(), len(town.waits_s())) == (0, 0, 1)


async def test_many_bookings_are_told_at_once_and_each_event_arrives_once(
    store: Store, settings: Settings, town: Market, receiver: Receiver
) -> None:
    for number in range(2, 41):
        await town.cancelled(f"b-{number}")
    async with Outbox(store, settings) as outbox:
        assert await outbox.once() + await outbox.once() == 40
    told = [json.loads(body)["data"]["booking_id"] for _, body in receiver.requests]
    assert sorted(told) == sorted(f"b-{number}" for number in range(1, 41))


async def test_a_receiver_that_hangs_delays_no_other_market(
    store: Store, settings: Settings, town: Market, receiver: Receiver, make_market: Callable[[], Market]
) -> None:
    receiver.answer = None
    async with receiving() as healthy:
        other = make_market()
        await other.tells(healthy.target())
        async with Outbox(store, settings) as outbox:
            await outbox.once()
            await other.cancelled("b-9")
            await outbox.once()
            with anyio.fail_after(1):
                while not healthy.requests:
                    await anyio.lowlevel.checkpoint()
    assert (len(healthy.requests), len(town.waits_s())) == (1, 1)


async def test_what_was_under_way_when_we_died_is_sent_again(store: Store, settings: Settings, town: Market, receiver: Receiver) -> None:
    """It is lent for a minute; nobody else gets it before, anybody after."""
    receiver.answer = None
    with anyio.CancelScope() as life:
        async with Outbox(store, settings) as outbox:
            await outbox.once()
            while not receiver.requests:
                await anyio.lowlevel.checkpoint()
            life.cancel()
    [wait] = town.waits_s()
    assert 50 < wait <= 60
    receiver.answer = OK
    assert await once(store, settings) == 0
    town.later()
    assert await once(store, settings) == 1
    assert len(receiver.requests) == 2


async def test_seats_are_bounded(
    store: Store, settings: Settings, town: Market, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.engine.outbox.SEATS", 3)
    receiver.answer = None
    for number in range(2, 7):
        await town.cancelled(f"b-{number}")
    with anyio.CancelScope() as life:
        async with Outbox(store, settings) as outbox:
            assert [await outbox.once() for _ in range(3)] == [3, 0, 0]
            life.cancel()


async def test_logs_speak_in_numbers_and_codes(store: Store, settings: Settings, town: Market, receiver: Receiver) -> None:
    """P14b."""
    with structlog.testing.capture_logs() as lines:
        await once(store, settings)
    [line] = [line for line in lines if line["event"] == "webhook"]
    assert (line["verdict"], line["status"], line["attempts"]) == ("delivered", 200, 1)
    assert "b-1" not in json.dumps(lines)
    assert "127.0.0.1" not in json.dumps(lines)
