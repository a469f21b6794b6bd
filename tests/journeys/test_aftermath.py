"""After the accept, as a marketplace and its professionals live it: HTTP, webhooks and devices alone (R23, R25, R29, R35-R38)."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import msgspec
import pytest

from dispatch.client import BookingClient, DeviceClient
from dispatch.client.bookings import Window
from dispatch.errors import Conflict, Refused, Unprocessable
from dispatch.messages import Booking, Notice, Proposal, Withdrawn
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings, WebhookTarget
from tests.engine_process import EngineProcess
from tests.webhooks.receiver import Receiver, receiving

PATIENCE_S = 60
PLACE = {"lat": 48.8566, "lng": 2.3522}
CREATED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def window(hours: float) -> Window:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    return Window(start=start, end=start + timedelta(minutes=30))


@dataclass
class Town:
    """A market, its booking service, and the phones of those who work there."""

    served: EngineProcess
    service: BookingClient
    hook: Receiver
    http: httpx2.AsyncClient
    phones: dict[str, DeviceClient] = field(default_factory=dict)

    async def employ(self, stack: AsyncExitStack, name: str) -> None:
        right = {"name": name, "trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"}
        await self.service.put_provider(name, msgspec.convert(right, ProviderSettings))
        token = (await self.service.device_token(name, "phone")).token
        phone = await stack.enter_async_context(DeviceClient(self.served.device_url, token, device="phone"))
        await phone.live()
        self.phones[name] = phone

    async def book(self, booking_id: str = "b-1", hours: float = 3, **how: Any) -> None:
        body = {"booking_id": booking_id, "client_id": "c-1", "place": PLACE, "services": ["cut"], "windows": [window(hours)], **how}
        await self.service.open(msgspec.convert(msgspec.to_builtins(body), BookingRequest))

    async def soon(self, booking_id: str) -> None:
        """Ops open a visit that begins in a moment."""
        start = datetime.now(UTC) + timedelta(seconds=8)
        body = {
            "booking_id": booking_id, "client_id": "c-1", "place": PLACE, "services": ["cut"], "override": {"reason": "the client waits"},
            "windows": [{"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}],
        }  # fmt: skip
        await self.service.open(msgspec.convert(body, BookingRequest))

    async def won(self, name: str, booking_id: str = "b-1") -> Proposal:
        proposal = await self.asked(name, booking_id)
        assert (await self.phones[name].accept(proposal.proposal, proposal.version)).outcome == "won"
        return proposal

    async def asked(self, name: str, booking_id: str = "b-1", after: str = "") -> Proposal:
        """The proposal on his screen; another than ``after``."""
        found: list[Proposal] = []

        async def there() -> bool:
            items = self.phones[name].open.values()
            found[:] = [m for m in items if isinstance(m, Proposal) and m.booking.booking_id == booking_id and m.proposal != after]
            return bool(found)

        await eventually(there)
        return found[0]

    async def hears(self, name: str, true: Callable[[Any], bool]) -> Any:
        """The next message of that kind."""
        with anyio.fail_after(PATIENCE_S):
            async for message in self.phones[name]:
                if true(message):
                    return message
        raise AssertionError("the phone was closed")

    async def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.served.key}", "idempotency-key": key or secrets.token_hex(8)}
        return await self.http.post(f"/v1/markets/{self.service.market}{path}", json=body, headers=headers)

    async def put(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.served.key}"}
        return await self.http.put(f"/v1/markets/{self.service.market}{path}", json=body, headers=headers)

    async def story(self, booking_id: str = "b-1") -> list[str]:
        return [event.type for event in await self.service.timeline(booking_id)]

    async def hooks(self, kind: str) -> list[dict[str, Any]]:
        """What the booking service was told, once it was told something of that kind."""

        async def told() -> bool:
            return any(kind in body.decode() for _, body in self.hook.requests)

        await eventually(told)
        found = [msgspec.json.decode(body) for _, body in self.hook.requests]
        return [one["data"] for one in found if one["type"] == kind]


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 - it happens in another process
            await anyio.sleep(0.01)


@asynccontextmanager
async def town_of(served: EngineProcess, *names: str, **settings: Any) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(receiving())
        hook.answer = CREATED
        service = await stack.enter_async_context(BookingClient(served.base_url, served.key, f"m-{secrets.token_hex(4)}"))
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=served.base_url, trust_env=False, timeout=30))
        target = WebhookTarget(url=f"http://127.0.0.1:{hook.port}/hook", secret="whsec_" + "A" * 24)
        await service.put_market(MarketSettings(quiet_hours=None, webhook=target, **settings))
        catalogue = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 30}]}
        await service.put_catalogue(msgspec.convert(catalogue, Catalogue))
        town = Town(served, service, hook, http)
        for name in names:
            await town.employ(stack, name)
        yield town


@asynccontextmanager
async def in_a_task(context: AbstractAsyncContextManager[Any]) -> AsyncIterator[Any]:
    """The context, entered and left by one task: a fixture is begun by one and ended by another, which phones do not like."""
    entered, leave = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def hold() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    task = asyncio.create_task(hold())
    await asyncio.wait({task, entered}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            task.result()
        yield entered.result()
    finally:
        leave.set()
        await task


@pytest.fixture
async def town(served: EngineProcess) -> AsyncIterator[Town]:
    async with in_a_task(town_of(served, "awa", "bea", no_show_after_s=0)) as town:
        yield town


@pytest.mark.proves("R23.a", "R23.b", "R35.a")
async def test_a_visit_given_back_from_the_phone_goes_to_the_next_r23_r35(town: Town) -> None:
    await town.book()
    await town.won("awa")
    assert (await town.phones["awa"].cancel("b-1", "fever", "illness")).outcome == "done"
    booking = await town.service.booking("b-1")
    assert (booking.state, booking.provider_id) == ("searching", None)
    (reopened,) = [event for event in await town.service.timeline("b-1") if event.type == "Reopened"]
    assert reopened.fields["declared"] == "illness"
    assert 2.9 < reopened.fields["early"] / 3_600_000 < 3
    assert await town.hooks("booking.reopened") == [{"market": town.service.market, "booking_id": "b-1"}]
    assert (await town.phones["awa"].cancel("b-1")).outcome == "not_yours"


@pytest.mark.proves("R36.d", "R36.e")
async def test_a_moved_visit_comes_back_to_whoever_held_it_r36(town: Town) -> None:
    await town.book()
    first = await town.won("awa")
    answer = await town.service.move("b-1", [window(26), window(28)])
    assert (answer["state"], answer["urgency"]) == ("searching", "advance")
    left = await town.hears("awa", lambda m: isinstance(m, Booking) and m.state != "accepted")
    assert left.state == "searching"
    proposal = await town.asked("awa", after=first.proposal)
    assert (proposal.kind, len(proposal.booking.windows), proposal.version) == ("direct", 2, first.version + 1)
    assert [p.provider_id for p in (await town.service.booking("b-1")).proposals if p.state == "open"] == ["awa"]
    assert (await town.phones["awa"].accept(first.proposal, first.version)).outcome == "version_conflict"
    assert (await town.phones["awa"].accept(proposal.proposal, proposal.version, 1)).outcome == "won"
    assert (await town.hooks("booking.reopened"))[0]["reason"] == "moved"
    assert [event.fields["cause"] for event in await town.service.timeline("b-1") if event.type == "Accepted"] == ["wave", "direct"]


@pytest.mark.proves("R28.c", "R36.e")
async def test_after_his_no_to_the_new_windows_the_others_are_asked_at_once_r28_r36(town: Town) -> None:
    await town.book()
    first = await town.won("awa")
    await town.hears("bea", lambda m: isinstance(m, Withdrawn) and m.reason == "taken")
    await town.service.move("b-1", [window(26)])
    proposal = await town.asked("awa", after=first.proposal)
    await town.phones["awa"].refuse(proposal.proposal, proposal.version)
    again = await town.asked("bea")
    assert (again.kind, again.proposal.split(".")[1]) == ("ordinary", "2")


@pytest.mark.proves("R15.b", "R36.b")
async def test_whoever_is_asked_is_told_that_a_booking_changed_r15_r36(town: Town) -> None:
    await town.book()
    await town.asked("bea")
    await town.service.move("b-1", [window(5)])
    assert (await town.hears("bea", lambda m: isinstance(m, Withdrawn))).reason == "changed"


@pytest.mark.proves("R37.a", "R37.b")
async def test_a_missed_visit_calls_ops_who_have_another_looked_for_r37(town: Town) -> None:
    await town.soon("b-1")
    await town.won("awa")
    await eventually(lambda: reported(town, "no-show", "b-1"))
    booking = await town.service.booking("b-1")
    assert (booking.state, booking.alarm, booking.provider_id) == ("no_show", "no_show", "awa")
    line = f'dispatch_alarms{{market="{town.service.market}",state="no_show"}} 1.0'
    assert line in await town.service.metrics()
    windows = [msgspec.to_builtins(window(1))]
    answer = await town.post("/bookings/b-1/search-again", {"windows": windows, "reason": "awa did not come"})
    assert (answer.status_code, answer.json()["state"]) == (200, "searching")
    assert (await town.asked("bea")).booking.booking_id == "b-1"
    assert all(p.state != "open" for p in (await town.service.booking("b-1")).proposals if p.provider_id == "awa")
    assert (await town.hooks("booking.reopened"))[0]["reason"] == "replacement"


async def reported(town: Town, what: str, booking_id: str) -> bool:
    """Whether a report was taken: before the start it is too early."""
    answer = await town.post(f"/bookings/{booking_id}/{what}", {})
    assert answer.status_code == 200 or answer.json()["code"] == "too_early"
    return answer.status_code == 200


@pytest.mark.proves("R37.a")
async def test_five_minutes_pass_before_anybody_is_said_to_be_missing_r37(served: EngineProcess) -> None:
    async with town_of(served, "awa") as town:
        await town.book()
        await town.won("awa")
        for report in (town.service.no_show("b-1"), town.service.late("b-1")):
            with pytest.raises(Unprocessable) as refused:
                await report
            assert refused.value.code == "too_early"


async def test_he_warns_from_his_phone_that_he_will_be_late_r37(town: Town) -> None:
    await town.book()
    await town.won("awa")
    assert (await town.phones["awa"].late("b-1", 15)).outcome == "done"
    assert (await town.phones["bea"].late("b-1", 15)).outcome == "not_yours"
    assert (await town.service.booking("b-1")).alarm == "late"
    assert (await town.hooks("booking.late"))[0] == {
        "market": town.service.market, "booking_id": "b-1", "provider_id": "awa", "minutes": 15,
    }  # fmt: skip


@pytest.mark.proves("R38.a")
async def test_a_visit_that_took_place_is_completed_once_r38(town: Town) -> None:
    await town.book("b-far")
    await town.won("awa", "b-far")
    with pytest.raises(Unprocessable, match="too early"):
        await town.service.complete("b-far")
    await town.soon("b-1")
    await town.won("bea")
    await eventually(lambda: reported(town, "complete", "b-1"))
    assert (await town.service.booking("b-1")).state == "completed"
    assert (await town.hears("bea", lambda m: isinstance(m, Booking) and m.state == "completed")).booking_id == "b-1"
    with pytest.raises(Conflict, match="completed"):
        await town.service.complete("b-1")
    with pytest.raises(Conflict, match="completed"):
        await town.service.cancel("b-1", "client", "too late")


@pytest.mark.proves("R25.b", "R29.a", "R29.b", "R29.c")
async def test_a_blacklisted_client_is_served_no_more_r29(town: Town) -> None:
    await town.book("b-held")
    await town.won("awa", "b-held")
    await town.book("b-open", hours=9)
    await town.asked("bea", "b-open")
    assert (await town.put("/blocks/c-1", {"reason": "does not pay"})).status_code == 201
    notice = await town.hears("awa", lambda m: isinstance(m, Notice))
    assert (notice.kind, notice.booking_id) == ("client_blocked", "b-held")
    gone = await town.hears("bea", lambda m: isinstance(m, Withdrawn) and m.reason == "cancelled")
    assert gone.proposal.endswith(".2")
    assert (await town.service.booking("b-open")).state == "cancelled"
    with pytest.raises(Refused) as refused:
        await town.book("b-new", hours=12)
    assert refused.value.code == "blocked"
    assert (await town.phones["awa"].cancel("b-held")).outcome == "done"
    assert (await town.service.booking("b-held")).state == "cancelled"
    (last,) = [event for event in await town.service.timeline("b-held") if event.type == "Cancelled"]
    assert last.fields["free"] is True


@pytest.mark.proves("R25.a")
async def test_a_report_reaches_the_booking_service_and_ops_read_its_words_r25(town: Town) -> None:
    await town.book()
    proposal = await town.asked("awa")
    assert (await town.phones["awa"].report(proposal.proposal, "this street does not exist")).outcome == "done"
    (told,) = await town.hooks("proposal.reported")
    assert told == {"market": town.service.market, "booking_id": "b-1", "provider_id": "awa", "proposal": proposal.proposal}
    headers = {"authorization": f"Bearer {town.served.key}"}
    booking = (await town.http.get(f"/v1/markets/{town.service.market}/bookings/b-1", headers=headers)).json()
    assert [(one["provider_id"], one["reason"]) for one in booking["reports"]] == [("awa", "this street does not exist")]
    assert "Reported" in await town.story()
    assert (await town.phones["awa"].report("999.1.1", "spam")).outcome == "not_asked"
