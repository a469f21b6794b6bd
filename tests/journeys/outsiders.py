"""Those outside: a booking service that knows HTTP, and phones that know websockets and JSON; of this engine they know PROTOCOL alone."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.engine_process import EngineProcess

PATIENCE_S, LOOK_S = 60.0, 0.1
PLACE = {"lat": 48.8566, "lng": 2.3522}
PROVIDER = {
    "name": "Somebody", "trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7",
}  # fmt: skip


def after(**delay: float) -> str:
    """A moment from now, as callers write it."""
    return (datetime.now(UTC) + timedelta(**delay)).isoformat(timespec="milliseconds")


def hour(lead: float) -> dict[str, str]:
    """A window of an hour that begins in so many hours."""
    return {"start": after(hours=lead), "end": after(hours=lead + 1)}


@dataclass
class Phone:
    """One device. Whatever it hears stays in ``heard``; pings are answered, proposals confirmed."""

    socket: ClientConnection
    heard: list[dict[str, Any]] = field(default_factory=list)
    epoch: str = ""
    seq: int = 0

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self, kind: str, **facts: Any) -> dict[str, Any]:
        """The next message of that type (it may have come before) with these facts; it is heard once."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                for message in self.heard:
                    if message["type"] == kind and facts.items() <= message.items():
                        self.heard.remove(message)
                        return message
                await self._listen()

    async def _listen(self) -> None:
        message = json.loads(await self.socket.recv())
        if message["type"] == "ping":
            await self.say(type="pong", seq=message["seq"], now=message["now"])
        else:
            self.heard.append(message)
            self.seq = max(self.seq, message.get("seq", 0))
        if message["type"] == "proposal":
            await self.say(type="ack", seq=message["seq"], seen=[message["proposal"]])

    async def accept(self, proposal: dict[str, Any], id: str = "yes", window: int = 0) -> dict[str, Any]:
        """The result of a yes."""
        await self.say(type="accept", id=id, proposal=proposal["proposal"], version=proposal["version"], window=window)
        return await self.hear("result", id=id)


@dataclass
class Service:
    """A booking service in one market."""

    engine: EngineProcess
    http: httpx2.AsyncClient
    market: str

    async def put(self, path: str, body: Any) -> None:
        answer = await self.http.put(f"/v1/markets/{self.market}{path}", json=body)
        assert answer.status_code in (200, 201), answer.text

    async def post(self, path: str, body: Any, expected: int = 200) -> dict[str, Any]:
        answer = await self.http.post(f"/v1/markets/{self.market}{path}", json=body, headers={"Idempotency-Key": secrets.token_hex(8)})
        assert answer.status_code == expected, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/markets/{self.market}{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def states(self, booking_id: str) -> AsyncIterator[str]:
        """The state of a booking, again and again."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            yield (await self.get(f"/bookings/{booking_id}"))["state"]
            await anyio.sleep(LOOK_S)

    async def provider(self, name: str, **changes: Any) -> None:
        await self.put(f"/providers/{name}", PROVIDER | changes)

    async def book(self, booking_id: str, *windows: dict[str, str], **changes: Any) -> dict[str, Any]:
        body = {"booking_id": booking_id, "client_id": "c-1", "place": PLACE, "services": ["cut"], "windows": list(windows)}
        return await self.post("/bookings", body | changes, 201)

    @asynccontextmanager
    async def phone(self, name: str, resume: dict[str, Any] | None = None) -> AsyncIterator[Phone]:
        """A device of that provider, live; with ``resume`` where a former connection stopped."""
        token = (await self.post("/device-tokens", {"provider_id": name, "device_id": "d", "ttl_s": 3_600}, 201))["token"]
        async with connect(self.engine.device_url, subprotocols=[Subprotocol("dispatch.v1.json")], compression=None) as socket:
            phone = Phone(socket)
            await phone.say(type="hello", token=token, device="d", app="a", resume=resume, background=False, push=None)
            phone.epoch = (await phone.hear("welcome"))["epoch"]
            await phone.hear("live")
            yield phone


@asynccontextmanager
async def service(engine: EngineProcess, *, market: str = "", **settings: Any) -> AsyncIterator[Service]:
    """A market (of its own, unless one is named) with one service in its catalogue; no quiet hours."""
    headers = {"Authorization": f"Bearer {engine.key}"}
    async with httpx2.AsyncClient(base_url=engine.base_url, headers=headers, timeout=PATIENCE_S) as http:
        outside = Service(engine, http, market or f"m-{secrets.token_hex(5)}")
        await outside.put("", {"quiet_hours": None, **settings})
        services = [{"code": "cut", "trade": "hair", "name": {}, "minutes": 60}]
        await outside.put("/catalogue", {"trades": [{"code": "hair", "name": {}}], "services": services})
        yield outside
