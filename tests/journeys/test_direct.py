"""Direct bookings and bonus proposals as another team would live them: over HTTP and the devices' sockets alone (R26-R32)."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import anyio
import msgspec
import pytest

from dispatch.client import BookingClient, DeviceClient, Proposal
from dispatch.errors import Conflict, Unprocessable
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from tests.engine_process import EngineProcess

PATIENCE_S = 60.0
PLACE = {"lat": 48.8566, "lng": 2.3522}
HERE = {"type": "circle", **PLACE, "radius_km": 6}
AWAY = {"type": "circle", "lat": 48.8566, "lng": 2.4522, "radius_km": 4}  # its rim is some 3.3 km from the place
ASIDE = {"type": "circle", "lat": 48.95, "lng": 2.3522, "radius_km": 3}  # more than 5 km from it
CADENCE = [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 1}]


@dataclass
class Street:
    """A market in which it is noon, its booking service, and the phones of its providers."""

    served: EngineProcess
    service: BookingClient
    phones: AsyncExitStack
    devices: dict[str, DeviceClient] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    async def settings(self, **changes: Any) -> None:
        """It is noon there now, so that visits in five hours are in the afternoon."""
        ahead = 12 - datetime.now(UTC).hour
        chosen = {"time_zone": f"Etc/GMT{-ahead:+d}", "quiet_hours": None, "cadence": CADENCE, "horizon_days": 3, **changes}
        await self.service.put_market(msgspec.convert(chosen, MarketSettings))

    async def provider(self, name: str, **changes: Any) -> DeviceClient:
        """Somebody with a phone that is connected."""
        right = {"name": name, "trade": "hair", "catalogue": ["cut"], "zone": HERE, "hours": "24/7", **changes}
        await self.service.put_provider(name, msgspec.convert(right, ProviderSettings))
        if name not in self.devices:
            token = (await self.service.device_token(name, "phone")).token
            self.devices[name] = await self.phones.enter_async_context(DeviceClient(self.served.device_url, token, device="phone"))
            await self.devices[name].live()
        return self.devices[name]

    def booking(self, hours: float = 5, **changes: Any) -> BookingRequest:
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        right = {"booking_id": f"b-{next(self.numbers)}", "client_id": "c-77", "place": PLACE, "services": ["cut"], "windows": [window]}
        return msgspec.convert(right | changes, BookingRequest)

    async def served_by(self, name: str, client_id: str = "c-77") -> None:
        """He has completed a visit for a client, which ops had opened for the next moment."""
        start = datetime.now(UTC) + timedelta(seconds=5)
        window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        request = self.booking(client_id=client_id, windows=[window], override={"reason": "the client waits"})
        await self.service.open(request)
        assert await self.accept(name, request.booking_id) == "won"
        with anyio.fail_after(PATIENCE_S):
            while True:
                try:
                    await self.service.complete(request.booking_id)
                    return
                except Unprocessable as early:
                    if early.code != "too_early":
                        raise
                    await anyio.sleep(0.2)

    async def proposal(self, name: str, booking_id: str) -> Proposal:
        """The proposal of a booking on his screen."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                for item in self.devices[name].open.values():
                    if isinstance(item, Proposal) and item.booking.booking_id == booking_id:
                        return item
                await anyio.sleep(0.02)

    async def accept(self, name: str, booking_id: str) -> str:
        shown = await self.proposal(name, booking_id)
        return (await self.devices[name].accept(shown.proposal, shown.version)).outcome

    async def refuse(self, name: str, booking_id: str) -> None:
        shown = await self.proposal(name, booking_id)
        await self.devices[name].refuse(shown.proposal, shown.version)

    async def happened(self, booking_id: str, kind: str) -> dict[str, Any]:
        """What an event of the timeline says, once it is there."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                for event in await self.service.timeline(booking_id):
                    if event.type == kind:
                        return event.fields
                await anyio.sleep(0.05)

    async def asked(self, booking_id: str) -> dict[str, str]:
        """Whom a booking has asked, and with which kind of proposal."""
        return {one.provider_id: one.kind for one in (await self.service.booking(booking_id)).proposals}


@asynccontextmanager
async def street_of(served: EngineProcess) -> AsyncIterator[Street]:
    """A street of its own."""
    async with AsyncExitStack() as phones, BookingClient(served.base_url, "dev-key", f"m-{secrets.token_hex(6)}") as service:
        street = Street(served, service, phones)
        await street.settings()
        catalogue = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair"}]}
        await service.put_catalogue(msgspec.convert(catalogue, Catalogue))
        yield street


@pytest.mark.proves("R26.a", "R26.b", "R28.c")
async def test_a_personal_link_brings_its_provider_the_first_word_r26_r28(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.provider("zoe")
        with pytest.raises(Conflict) as early:
            await street.service.make_link("zoe")
        assert early.value.code == "no_service_yet"
        await street.served_by("zoe")
        await street.provider("ada", initial_rank={"tier": "premier", "score": 9})
        link = await street.service.make_link("zoe")

        request = street.booking(client_id="c-new", link=link.code)
        opened = await street.service.open(request)
        assert opened.direct is not None
        assert (opened.direct.provider_id, opened.direct.state) == ("zoe", "asked")
        shown = await street.proposal("zoe", request.booking_id)
        assert (shown.kind, shown.reasons, shown.booking.known_client) == ("direct", (), False)
        assert await street.asked(request.booking_id) == {"zoe": "direct"}
        await street.refuse("zoe", request.booking_id)
        assert (await street.proposal("ada", request.booking_id)).kind == "ordinary"
        assert await street.accept("ada", request.booking_id) == "won"
        assert await street.asked(request.booking_id) == {"zoe": "direct", "ada": "ordinary"}

        await street.service.revoke_link(link.code)
        with pytest.raises(Unprocessable) as gone:
            await street.service.open(street.booking(link=link.code))
        assert gone.value.code == "unknown_link"


@pytest.mark.proves("R27.a", "R27.b")
async def test_a_client_rebooks_whom_he_knows_and_sees_who_is_free_r27_r28(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.provider("zoe")
        await street.served_by("zoe")
        await street.provider("ada")
        windows = [street.booking(hours=hours).windows[0] for hours in (5, 30)]
        known = await street.service.known_providers("c-77", windows, ["cut"])
        assert [(one.provider_id, one.windows) for one in known] == [("zoe", (0, 1))]
        assert await street.service.known_providers("c-78", windows) == []

        request = street.booking(preferred_provider_id="zoe")
        await street.service.open(request)
        shown = await street.proposal("zoe", request.booking_id)
        assert (shown.kind, shown.booking.known_client) == ("direct", True)
        assert await street.accept("zoe", request.booking_id) == "won"
        assert (await street.happened(request.booking_id, "Accepted"))["cause"] == "direct"
        assert [one.windows for one in await street.service.known_providers("c-77", windows)] == [(1,)]


@pytest.mark.proves("R28.c")
async def test_when_the_hold_is_over_the_waves_go_out_and_he_may_still_take_it_r28(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.settings(preferred_hold_s={"last_minute": 2, "other": 2})
        await street.provider("zoe")
        await street.served_by("zoe")
        await street.provider("ada")
        request = street.booking(preferred_provider_id="zoe")
        await street.service.open(request)
        await street.proposal("zoe", request.booking_id)
        await street.proposal("ada", request.booking_id)
        times = {one.provider_id: one.sent_at for one in (await street.service.booking(request.booking_id)).proposals}
        assert times["ada"] - times["zoe"] >= timedelta(seconds=2)  # type: ignore[operator]
        assert await street.accept("zoe", request.booking_id) == "won"


@pytest.mark.proves("R28.b")
async def test_zone_and_hours_mark_the_proposal_of_a_chosen_one_r28(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.provider("zoe")
        await street.served_by("zoe")
        await street.provider("zoe", zone=AWAY, hours="Mo-Su 08:00-17:20")
        request = street.booking(preferred_provider_id="zoe")
        opened = await street.service.open(request)
        reasons = ("40 min outside your hours", "3.4 km outside your zone")
        assert opened.direct is not None
        assert opened.direct.reasons == reasons
        assert (await street.proposal("zoe", request.booking_id)).reasons == reasons
        assert (await street.service.booking(request.booking_id)).proposals[0].reasons == reasons


@pytest.mark.proves("R28.a")
async def test_what_binds_a_chosen_one_sends_the_booking_to_all_at_once_r28(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.provider("zoe")
        await street.served_by("zoe")
        await street.provider("ada")
        await street.provider("zoe", catalogue=[])
        request = street.booking(preferred_provider_id="zoe")
        opened = await street.service.open(request)
        assert opened.direct is not None
        assert (opened.direct.state, opened.direct.reasons) == ("missed", ("catalogue",))
        assert (await street.proposal("ada", request.booking_id)).kind == "ordinary"


@pytest.mark.proves("R30.a", "R30.b", "R31.a", "R32.a")
async def test_ops_confirm_a_bonus_proposal_that_says_so_r30_r31_r32(served: EngineProcess) -> None:
    async with street_of(served) as street:
        for name, changes in {"early": {"hours": "Mo-Su 08:00-17:20"}, "away": {"zone": AWAY}, "aside": {"zone": ASIDE}}.items():
            await street.provider(name, **changes)
        request = street.booking()
        assert (await street.service.open(request)).candidates == 0
        await street.happened(request.booking_id, "BonusPrepared")
        rows = [(one.provider_id, one.reasons) for one in await street.service.bonus(request.booking_id)]
        assert rows == [("early", ("40 min outside your hours",)), ("away", ("3.4 km outside your zone",))]
        assert await street.asked(request.booking_id) == {}
        assert await street.service.approve_bonus(request.booking_id, reason="the client insists") == ["early", "away"]
        shown = await street.proposal("early", request.booking_id)
        assert (shown.kind, shown.reasons) == ("bonus", ("40 min outside your hours",))
        await street.refuse("early", request.booking_id)
        assert (await street.proposal("away", request.booking_id)).reasons == ("3.4 km outside your zone",)
        assert await street.accept("away", request.booking_id) == "won"
        assert (await street.happened(request.booking_id, "BonusApproved"))["approved"] == ["early", "away"]


@pytest.mark.proves("R31.b")
async def test_in_mode_auto_they_leave_by_themselves_r31(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.settings(bonus_mode="auto")
        await street.provider("away", zone=AWAY)
        request = street.booking()
        await street.service.open(request)
        assert (await street.proposal("away", request.booking_id)).kind == "bonus"
        assert await street.accept("away", request.booking_id) == "won"


@pytest.mark.proves("R31.c")
async def test_in_mode_manual_ops_ask_for_the_list_r31(served: EngineProcess) -> None:
    async with street_of(served) as street:
        await street.settings(bonus_mode="manual")
        await street.provider("away", zone=AWAY)
        request = street.booking()
        await street.service.open(request)
        assert [one.provider_id for one in await street.service.bonus(request.booking_id)] == ["away"]
        await street.service.approve_bonus(request.booking_id, ["away"])
        assert await street.accept("away", request.booking_id) == "won"
