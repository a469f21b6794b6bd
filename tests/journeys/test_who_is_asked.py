"""Who is asked, and why, as another team would see it: a whole engine, spoken to over HTTP and device sockets alone (R2, R6-R9)."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import anyio
import httpx2
import pytest

from dispatch.client import DeviceClient
from tests.engine_process import EngineProcess

PATIENCE_S = 60.0
PLACE = {"lat": 48.8566, "lng": 2.3522}
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair"}, {"code": "colour", "trade": "hair"}]}
SETTINGS = {"quiet_hours": None, "horizon_days": 6, "cadence": [{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 3600}]}
VETERAN = {"tier": "premier", "score": 9.0, "answered": 10}
POOR = {"tier": "premier", "score": 2.0, "orders": 10, "answered": 10}


class Market:
    """A market of one's own in a running engine."""

    def __init__(self, served: EngineProcess, name: str, http: httpx2.AsyncClient) -> None:
        self._served, self._root, self._http = served, f"/v1/markets/{name}", http
        self._keys = 0

    async def call(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        self._keys += 1
        return await self._http.request(method, self._root + path, json=body, headers={"idempotency-key": f"key-{self._keys}"})

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def begin(self, **settings: Any) -> None:
        assert (await self.call("PUT", "", SETTINGS | settings)).status_code == 201
        assert (await self.call("PUT", "/catalogue", CATALOGUE)).status_code == 201

    async def provider(self, name: str, **changes: Any) -> None:
        right = {"name": name, "trade": "hair", "catalogue": ["cut"], "hours": "24/7", "zone": {"type": "circle", **PLACE, "radius_km": 6}}
        assert (await self.call("PUT", f"/providers/{name}", right | changes)).status_code in (200, 201)

    async def connect(self, stack: AsyncExitStack, name: str) -> DeviceClient:
        token = (await self.call("POST", "/device-tokens", {"provider_id": name, "device_id": "phone"})).json()["token"]
        device = await stack.enter_async_context(DeviceClient(self._served.device_url, token, device="phone"))
        await device.live()
        return device

    async def book(self, booking_id: str, hours: float = 30, client_id: str = "c-1") -> dict[str, Any]:
        start = datetime.now(UTC) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        body = {"booking_id": booking_id, "client_id": client_id, "place": PLACE, "services": ["cut"], "windows": [window]}
        answer = await self.call("POST", "/bookings", body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def town(served: EngineProcess, market: str) -> Any:
    async with httpx2.AsyncClient(
        base_url=served.base_url, headers={"authorization": f"Bearer {served.key}"}, timeout=30, trust_env=False
    ) as http:
        yield Market(served, market, http)


async def asked(device: DeviceClient) -> Any:
    """The proposal that he is shown."""
    while not device.open:
        await anext(device)
    (proposal,) = device.open.values()
    return proposal


@pytest.mark.proves("R1.b", "R5.d", "R6.a", "R6.b", "R6.c")
@pytest.mark.timeout(240)
async def test_newcomers_get_a_seat_in_ten_and_the_booking_tells_by_which_seed_r6(town: Market) -> None:
    await town.begin(open_proposals_cap=50)
    with anyio.fail_after(PATIENCE_S * 3):
        async with AsyncExitStack() as stack:
            for name in ("old-1", "old-2"):
                await town.provider(name, initial_rank=VETERAN)
                await town.connect(stack, name)
            for name in ("new-1", "new-2", "new-3"):
                await town.provider(name)
                await town.connect(stack, name)
            told = []
            for number in range(20):
                await town.book(f"b-{number}", hours=10 + 2 * number)
                told.append(await town.get(f"/bookings/b-{number}/explain"))
    by_lot = [one for one in told if one["decisions"][0]["drawn"]]
    assert len(by_lot) == 2  # of twenty waves of one
    for one in by_lot:
        (name,) = one["decisions"][0]["asked"]
        assert name.startswith("new-")
        booking = await town.get(f"/bookings/{one['booking_id']}")
        assert (booking["seed"], booking["proposals"][0]["provider_id"]) == (one["seed"], name)
        text = (await town.get(f"/bookings/{one['booking_id']}/explain/{name}"))["text"][0]
        assert "kept for newcomers" in text


@pytest.mark.proves("R1.b", "R7.a", "R7.b", "R8.b", "R8.c")
@pytest.mark.timeout(240)
async def test_who_performs_badly_waits_for_the_second_wave_and_is_told_why_r7_r8(town: Market) -> None:
    await town.begin()
    await town.provider("ada", initial_rank={"tier": "limited", "score": 5.0, "answered": 10})
    await town.provider("eve", initial_rank=POOR)
    with anyio.fail_after(PATIENCE_S):
        async with AsyncExitStack() as stack:
            ada, eve = await town.connect(stack, "ada"), await town.connect(stack, "eve")
            await town.book("b-1")
            proposal = await asked(ada)
            assert (proposal.wave, eve.open) == (1, {})
            first = await town.get("/bookings/b-1/explain/eve")
            assert [one["verdict"] for one in first["decisions"]] == ["held_back"]
            assert "below the market's minimum" in first["text"][0]
            await ada.refuse(proposal.proposal, proposal.version)
            assert (await asked(eve)).wave == 2
            then = await town.get("/bookings/b-1/explain/eve")
            assert [one["verdict"] for one in then["decisions"]] == ["held_back", "asked"]
            said = (await town.call("GET", "/bookings/b-1/explain/eve")).text
            assert [private for private in ('"score"', "2.0", "5.0") if private in said] == []


@pytest.mark.proves("R1.b", "R8.a")
@pytest.mark.timeout(240)
async def test_what_left_somebody_out_is_told_after_the_end_though_he_came_since_r8(town: Market) -> None:
    await town.begin()
    for name in ("ada", "ben"):
        await town.provider(name)
    await town.provider("dan", catalogue=["colour"])
    with anyio.fail_after(PATIENCE_S):
        async with AsyncExitStack() as stack:
            ada = await town.connect(stack, "ada")
            await town.book("b-1")
            proposal = await asked(ada)
            await town.connect(stack, "ben")
            assert (await ada.accept(proposal.proposal, proposal.version)).outcome == "won"
    assert (await town.get("/bookings/b-1"))["state"] == "accepted"
    assert (await town.get("/bookings/b-1/explain/ben"))["reasons"] == ["unreachable"]
    left_out = (await town.get("/bookings/b-1/explain?provider_ids=dan"))["left_out"]
    assert left_out["counts"] == {"asked": 1, "unreachable": 1, "catalogue": 1}
    assert {one["provider_id"]: one["reasons"] for one in left_out["providers"]} == {
        "ben": ["unreachable"],
        "dan": ["catalogue", "unreachable"],
    }


@pytest.mark.proves("R2.h")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("by", ["provider", "client"])
async def test_a_block_takes_the_proposal_off_the_screen_and_the_next_is_asked_r2(town: Market, by: str) -> None:
    await town.begin()
    for name in ("ada", "ben"):
        await town.provider(name)
    with anyio.fail_after(PATIENCE_S):
        async with AsyncExitStack() as stack:
            ada, ben = await town.connect(stack, "ada"), await town.connect(stack, "ben")
            await town.book("b-1")
            await asked(ada)
            assert (await town.call("PUT", f"/providers/ada/blocks/c-1?by={by}")).status_code == 201
            while ada.open:
                await anext(ada)
            assert (await asked(ben)).wave == 2
    asked_as = (await town.get("/bookings/b-1/explain/ada"))["asked"]
    assert asked_as == {"wave": 1, "kind": "ordinary", "state": "withdrawn", "reason": "ops", "appeared": False}


@pytest.mark.proves("R9.a", "R9.b")
async def test_what_nobody_can_do_is_reported_before_it_is_sold_r9(town: Market) -> None:
    await town.begin()
    for name in ("ada", "ben", "cleo"):
        await town.provider(name, hours="Mo-Su 09:00-17:00")
    report = await town.get("/coverage?days=3")
    assert report["below_threshold"] == ["colour", "cut"]
    cut, colour = report["services"]
    assert (cut["most"], colour["most"]) == (3, 0)
    assert all(row for row in cut["counts"])
    assert {gap["providers"] for gap in colour["gaps"]} == {0}
    picture = await town.call("GET", "/coverage/picture?days=3&services=cut")
    assert ElementTree.fromstring(picture.text).tag == "{http://www.w3.org/2000/svg}svg"
