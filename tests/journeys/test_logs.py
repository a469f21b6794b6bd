"""What a whole engine logs while everything happens to it: numbers and codes, and nothing about anybody (P14b)."""

import asyncio
import http.client
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from dispatch.client import BookingClient, DeviceClient, Proposal
from dispatch.errors import Refused
from dispatch.messages import PushAddress
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.wire import JSON
from tests.engine_process import EngineProcess, engine, survivors_of
from tests.webhooks.receiver import OK, Receiver, receiving

CANARY, MARKET, PATIENCE_S = "kanari", "town", 60.0
SECRET = "whsec_" + CANARY * 5
LAT, LNG = 48.861234, 2.345678
PLACES = (str(LAT), str(LNG), "48861234", "2345678")
FAILS = b"HTTP/1.1 500 kanari\r\ncontent-length: 6\r\n\r\nkanari"
CADENCE = [{"class": "far", "lead_under_s": None, "size": 2, "pause_s": 1}]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the store's process is found in /proc")


@dataclass
class Life:
    """A market with a canary in every text that somebody can write, and in every outside id; ``secrets``: what else must not be told."""

    running: EngineProcess
    bookings: BookingClient
    receiver: Receiver
    devices: dict[str, DeviceClient] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    async def prepare(self) -> None:
        """The market, whose first webhooks fail, and three providers."""
        self.receiver.answer = FAILS
        hook = {"url": f"http://127.0.0.1:{self.receiver.port}/{CANARY}", "secret": SECRET}
        await self.bookings.put_market(read({"webhook": hook, "cadence": CADENCE, "quiet_hours": None}, MarketSettings))
        service = {"code": "cut", "trade": "hair", "minutes": 30}
        await self.bookings.put_catalogue(read({"trades": [{"code": "hair"}], "services": [service]}, Catalogue))
        zone = {"type": "circle", "lat": LAT, "lng": LNG, "radius_km": 6}
        for number in range(3):
            person = {"name": f"Awa {CANARY}", "trade": "hair", "catalogue": ["cut"], "zone": zone, "hours": "24/7"}
            await self.bookings.put_provider(f"p-{CANARY}-{number}", read(person, ProviderSettings))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """While it is open, each provider has a device."""
        async with AsyncExitStack() as stack:
            for number in range(3):
                name, device = f"p-{CANARY}-{number}", f"d-{CANARY}-{number}"
                issued = await self.bookings.device_token(name, device)
                self.secrets += [issued.token, *issued.token.split(".")[1:]]
                push = PushAddress(kind="fcm", token=f"push-{CANARY}")
                client = DeviceClient(self.running.device_url, issued.token, device=device, app=CANARY, push=push)
                self.devices[name] = await stack.enter_async_context(client)
                await client.live()
            yield

    async def open(self, number: int) -> str:
        """A booking at the very place; its id."""
        start = datetime.now(UTC) + timedelta(days=2, hours=5 * number)
        window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        place = {"lat": LAT, "lng": LNG, "address": f"1 rue {CANARY}"}
        body = {"booking_id": f"b-{CANARY}-{number}", "client_id": f"c-{CANARY}", "place": place, "services": ["cut"], "windows": [window]}
        await self.bookings.open(read(body | {"note": f"note {CANARY}"}, BookingRequest))
        return f"b-{CANARY}-{number}"

    async def proposed(self, booking: str) -> list[tuple[DeviceClient, Proposal]]:
        """When all three have been asked for it, in two waves: who, and what they were shown."""

        def found() -> list[tuple[DeviceClient, Proposal]]:
            shown = ((client, item) for client in self.devices.values() for item in client.open.values())
            return [(client, item) for client, item in shown if isinstance(item, Proposal) and item.booking.booking_id == booking]

        await eventually(lambda: len(found()) == 3)
        return found()


def read(raw: dict[str, Any], kind: type[Any]) -> Any:
    return msgspec.convert(raw, kind)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def all_goes_well(life: Life) -> None:
    """One booking is won, refused and lost, and given back by its winner; another is cancelled; webhooks fail, then arrive."""
    (winner, his), (refuser, no), (late, lost) = await life.proposed(await life.open(1))
    await winner.seen(his.proposal)
    await refuser.refuse(no.proposal, no.version, reason=f"no {CANARY}")
    assert (await winner.accept(his.proposal, his.version, id=CANARY)).outcome == "won"
    assert (await winner.accept(his.proposal, his.version, id=CANARY)).outcome == "won"
    assert (await late.accept(lost.proposal, lost.version)).outcome == "lost"
    await late.status(available=False, background=True)
    await late.status(available=True, background=False)
    await life.bookings.cancel(f"b-{CANARY}-1", "provider", f"so {CANARY}")
    await life.proposed(await life.open(2))
    await life.bookings.cancel(f"b-{CANARY}-2", "client", f"so {CANARY}")
    await eventually(lambda: life.receiver.requests)
    life.receiver.answer = OK


async def much_goes_wrong(life: Life) -> None:
    """Devices and callers talk nonsense, and the store is killed while an accept is on its way."""
    for said in ('{"t":"hello","token":"kanari.kanari.kanari","device":"kanari"}', '{"t":"kanari"', "kanari", '{"t":"kanari"}'):
        async with connect(f"{life.running.device_url}?{CANARY}", subprotocols=[Subprotocol(JSON.subprotocol)], proxy=None) as socket:
            await socket.send(said)
            async with asyncio.timeout(PATIENCE_S):
                await socket.wait_closed()
    for method, path, body in WRONG:
        await asyncio.to_thread(call, life.running, method, path, body)
    with pytest.raises(Refused):
        await life.bookings.booking(f"b-{CANARY}-0")
    (client, his), *_ = await life.proposed(await life.open(3))
    (store,) = (pid for pid, command in survivors_of(life.running.mark).items() if not re.search(r"-m dispatch \w+", command))
    os.kill(store, signal.SIGKILL)
    assert (await client.accept(his.proposal, his.version, timeout=PATIENCE_S)).outcome in ("won", "gone")


ROOT = f"/v1/markets/{MARKET}"
WRONG = (
    ("POST", f"{ROOT}/bookings", {"booking_id": f"b-{CANARY}", "note": CANARY}),
    ("POST", f"{ROOT}/bookings", CANARY),
    ("PUT", f"{ROOT}/providers/p-{CANARY}", {"name": CANARY, "zone": {"type": CANARY, "lat": LAT, "lng": LNG}}),
    ("GET", f"{ROOT}/{CANARY}?{CANARY}={LAT}", None),
    ("POST", f"/v1/markets/{CANARY}/bookings", {"booking_id": CANARY}),
)


def call(running: EngineProcess, method: str, path: str, body: object) -> None:
    """A request that is refused."""
    for key in (running.key, CANARY):
        connection = http.client.HTTPConnection(running.base_url.removeprefix("http://"), timeout=PATIENCE_S)
        headers = {"authorization": f"Bearer {key}", "idempotency-key": CANARY, "content-type": "application/json"}
        connection.request(method, path, body and json.dumps(body), headers)
        assert 400 <= connection.getresponse().status < 500
        connection.close()


def told(log: str, secrets: list[str]) -> list[str]:
    """Lines that say something about somebody."""
    return [line for line in log.splitlines() if any(secret in line for secret in (CANARY, SECRET, *PLACES, *secrets))]


def processes(log: str) -> set[str]:
    """Who wrote lines."""
    return set(re.findall(r'"process": ?"(\w+)"', log))


async def test_no_process_logs_anything_about_anybody_p14b(short_dir: Path) -> None:
    with engine(short_dir, DISPATCH_LOG_LEVEL="debug") as running:
        async with receiving() as receiver, BookingClient(running.base_url, running.key, MARKET) as bookings:
            life = Life(running, bookings, receiver)
            await life.prepare()
            async with life.connected():
                await all_goes_well(life)
                await much_goes_wrong(life)
        assert running.stop() == 0
        log = running.log.read_text(errors="replace")
    assert told(log, life.secrets) == []
    assert processes(log) >= {"api", "gateway", "worker"}
    assert {
        word for word in ('"request"', '"webhook"', "delivered", "store.died", "store_unavailable", '"ready"') if word not in log
    } == set()


@pytest.mark.parametrize("line", ["name='Awa kanari'", f"secret={SECRET}", "[48861234, 2345678]", "lat=48.861234", "token=abc.def"])
def test_a_line_about_somebody_is_found_out(line: str) -> None:
    """The control."""
    assert told(f"bno=7\n{line}\nseq=3", ["abc.def"]) == [line]
