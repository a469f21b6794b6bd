"""Ops take bookings out of the hands of a whole engine: real processes, HTTP and sockets (R17, R83, R84; P3, P10)."""

import asyncio
import json
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx2
import msgspec
import pytest

from dispatch.client import BookingClient, DeviceClient, Proposal
from dispatch.errors import Conflict
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderSettings
from tests.engine_process import EngineProcess, engine, survivors_of

PATIENCE_S = 90.0
LAT, LNG = 48.8566, 2.3522
PEOPLE, BOOKINGS, ROUNDS = 12, 96, 6
SETTINGS: dict[str, Any] = {
    "cadence": [{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 2}],
    "quiet_hours": None,
    "open_proposals_cap": 100,
    "booking_cutoff_s": 0,
    "search_deadline_s": 0,
    "travel_gap_s": 0,
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine for the tests of this file; each uses a market of its own."""
    with engine(tmp_path_factory.mktemp("hands")) as found:
        yield found


async def eventually(condition: Callable[[], Awaitable[object]]) -> Any:
    """Asks again until the answer is true; the answer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if found := await condition():
                return found
            await asyncio.sleep(0.01)


def read(raw: dict[str, Any], kind: type[Any]) -> Any:
    return msgspec.convert(raw, kind)


@asynccontextmanager
async def town(running: EngineProcess, people: int, **settings: Any) -> AsyncIterator[tuple[BookingClient, dict[str, DeviceClient]]]:
    """A market of its own with providers whose devices are connected."""
    async with BookingClient(running.base_url, running.key, f"m-{secrets.token_hex(4)}") as desk, AsyncExitStack() as stack:
        await desk.put_market(read(SETTINGS | settings, MarketSettings))
        await desk.put_catalogue(read({"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair"}]}, Catalogue))
        zone = {"type": "circle", "lat": LAT, "lng": LNG, "radius_km": 6}
        devices = {}
        for number in range(people):
            name = f"p-{number}"
            person = {"name": name, "trade": "hair", "catalogue": ["cut"], "zone": zone, "hours": "24/7"}
            await desk.put_provider(name, read(person, ProviderSettings))
            token = (await desk.device_token(name, "phone")).token
            devices[name] = await stack.enter_async_context(DeviceClient(running.device_url, token, device="phone"))
            await devices[name].live()
        yield desk, devices


async def book(desk: BookingClient, booking_id: str, **lead: float) -> None:
    """A visit of half an hour that starts that far from now."""
    start = datetime.now(UTC) + timedelta(**lead)
    window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
    body = {"booking_id": booking_id, "client_id": "c-1", "place": {"lat": LAT, "lng": LNG}, "services": ["cut"], "windows": [window]}
    await desk.open(read(body, BookingRequest))


async def shown(devices: dict[str, DeviceClient], booking_id: str) -> tuple[str, Proposal]:
    """The first who has a proposal of it on his device."""

    async def found() -> tuple[str, Proposal] | None:
        for name, client in devices.items():
            for item in client.open.values():
                if isinstance(item, Proposal) and item.booking.booking_id == booking_id:
                    return name, item
        return None

    pair: tuple[str, Proposal] = await eventually(found)
    return pair


async def nothing_open(client: DeviceClient) -> bool:
    """Whether it shows nothing any more."""
    return not client.open


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Meanwhile the process stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def worker_of(running: EngineProcess) -> int:
    (pid,) = (pid for pid, command in survivors_of(running.mark).items() if re.search(r"-m dispatch worker", command))
    return pid


async def stale_turns(desk: BookingClient) -> float:
    """How often a worker found that a booking had moved since it read it."""
    found = re.findall(r'^dispatch_wave_turns_total\{[^}]*outcome="STALE"[^}]*\} (\S+)', await desk.metrics(), re.MULTILINE)
    return sum(map(float, found))


async def histories(desk: BookingClient, ids: list[str]) -> dict[str, Any]:
    """Everything that can be read of some bookings."""
    return {one: (await desk.booking(one), await desk.timeline(one)) for one in ids}


async def test_a_worker_that_froze_across_a_take_over_changes_nothing_when_it_goes_on_p10(running: EngineProcess) -> None:
    """It is stopped among the waves that it has read and decided on; meanwhile half of the bookings are taken over; then it goes on.

    That it acted on what it had read is proved by its own count of turns in vain, which must rise; that it lives, by the waves of the
    bookings that nobody took.
    """
    async with town(running, PEOPLE) as (desk, _):
        for attempt in range(ROUNDS):
            others, mine = [[f"b-{attempt}-{number}-{side}" for number in range(BOOKINGS // 2)] for side in ("others", "mine")]
            for number, one in enumerate(one for pair in zip(others, mine, strict=True) for one in pair):
                await book(desk, one, days=3, minutes=31 * (attempt * BOOKINGS + number))
            before = await stale_turns(desk)
            await all_due_at_once(running, desk, [*others, *mine])
            await another_wave(desk, others[0], 1)  # of all those it is the first
            with frozen(worker_of(running)):
                await asyncio.gather(*(desk.take_over(one, "the client called") for one in mine))
                was = await histories(desk, mine)
            await another_wave(desk, others[-1], 2)
            assert await histories(desk, mine) == was
            assert {booking.state for booking, _ in was.values()} == {"taken_over"}
            if await stale_turns(desk) > before:
                return
            for one in others:
                await desk.cancel(one, "client", "enough")
    raise AssertionError(f"in {ROUNDS} attempts the worker was never stopped between its look and its deed: nothing is proved")


async def all_due_at_once(running: EngineProcess, desk: BookingClient, ids: list[str]) -> None:
    """The worker stands still until the next wave of each of them is owed; then it finds them all in one look."""

    async def owed() -> bool:
        moments = [(await desk.booking(one)).next_wave_at for one in ids]
        return all(moment is not None and moment <= datetime.now(UTC) for moment in moments)

    with frozen(worker_of(running)):
        await eventually(owed)


async def another_wave(desk: BookingClient, booking_id: str, more: int) -> None:
    """Waits until it has had so many more waves."""
    wave = (await desk.booking(booking_id)).wave

    async def left() -> bool:
        return (await desk.booking(booking_id)).wave >= wave + more

    await eventually(left)


async def test_a_late_accept_of_a_device_has_lost_p10(running: EngineProcess) -> None:
    async with town(running, 2) as (desk, devices):
        await book(desk, "b-1", days=3)
        name, proposal = await shown(devices, "b-1")
        await desk.take_over("b-1", "the client called")
        assert (await devices[name].accept(proposal.proposal, proposal.version)).outcome == "lost"
        assert (await desk.booking("b-1")).state == "taken_over"

        for client in devices.values():
            await eventually(lambda client=client: nothing_open(client))


async def test_ops_give_it_away_and_the_winner_and_the_loser_hear_of_it_at_once_r83(running: EngineProcess) -> None:
    async with town(running, 2) as (desk, devices):
        await book(desk, "b-1", days=3)
        name, proposal = await shown(devices, "b-1")
        assert (await devices[name].accept(proposal.proposal, proposal.version)).outcome == "won"
        await desk.take_over("b-1", "he has had an accident")

        def states(who: str) -> list[str]:
            return [item.state for item in devices[who].open.values() if not isinstance(item, Proposal)]

        async def told(who: str, expected: list[str]) -> bool:
            return states(who) == expected

        await eventually(lambda: told(name, ["taken_over"]))
        other = "p-1" if name == "p-0" else "p-0"
        await desk.assign("b-1", other, "agreed by phone")
        await eventually(lambda: told(other, ["accepted"]))
        await eventually(lambda: told(name, []))
        assert (await desk.booking("b-1")).provider_id == other


@pytest.mark.proves("R2.m")
@pytest.mark.parametrize("by", ["ops", "provider"])
async def test_who_refused_is_asked_again_when_ops_or_he_say_so_r2(running: EngineProcess, by: Literal["ops", "provider"]) -> None:
    async with town(running, 1) as (desk, devices):
        await book(desk, "b-1", days=3)
        name, proposal = await shown(devices, "b-1")
        assert (await devices[name].refuse(proposal.proposal, proposal.version)).outcome == "done"
        await eventually(lambda: nothing_open(devices[name]))
        await desk.reopen("b-1", name, "he called back", by=by)
        _, again = await shown(devices, "b-1")
        assert again.proposal == proposal.proposal
        assert (await devices[name].accept(again.proposal, again.version)).outcome == "won"


async def test_handed_back_the_search_goes_on_where_it_was_r83(running: EngineProcess) -> None:
    async with town(running, 1) as (desk, devices):
        await book(desk, "b-1", days=3)
        await shown(devices, "b-1")
        await desk.take_over("b-1", "the client called")
        await eventually(lambda: nothing_open(devices["p-0"]))
        assert (await desk.hand_back("b-1"))["state"] == "searching"
        _, again = await shown(devices, "b-1")
        assert (await devices["p-0"].accept(again.proposal, again.version)).outcome == "won"


async def test_a_deadline_that_passes_meanwhile_is_an_alarm_on_every_way_and_nothing_else_p3(running: EngineProcess) -> None:
    async with town(running, 1) as (desk, _):
        await book(desk, "b-1", seconds=10)
        await desk.take_over("b-1", "the client called")
        async with listening(running, desk.market) as picture:
            found = (await eventually(desk.alarms))[0]
            assert (found["kind"], found["booking_id"], found["owner"], found["state"]) == ("overdue", "b-1", "dev-key", "taken_over")
            assert datetime.fromisoformat(found["since"]) == (await desk.booking("b-1")).deadline

            async def streamed() -> bool:
                return bool(picture.get("alarms")) and any(face["id"] == "b-1" for face in picture["taken_over"].values())

            await eventually(streamed)
        booking = await desk.booking("b-1")
        assert (booking.state, booking.taken_over and booking.taken_over["by"]) == ("taken_over", "dev-key")
        assert [event.type for event in await desk.timeline("b-1")][-1] == "Overdue"
        await desk.hand_back("b-1")

        async def settled() -> bool:
            return (await desk.booking("b-1")).state == "unfilled" and not await desk.alarms()

        await eventually(settled)


@asynccontextmanager
async def listening(running: EngineProcess, market: str) -> AsyncIterator[dict[str, Any]]:
    """The ops stream's picture, kept up to date while it is open."""
    picture: dict[str, Any] = {}

    async def follow() -> None:
        url, headers = f"{running.base_url}/v1/markets/{market}/ops/stream", {"authorization": f"Bearer {running.key}"}
        async with httpx2.AsyncClient(timeout=None, trust_env=False) as client, client.stream("GET", url, headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    merge(picture, json.loads(line.removeprefix("data: ")))

    task = asyncio.create_task(follow())
    try:
        yield picture
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            merge(target[name], value)
        else:
            target[name] = value


@pytest.mark.proves("R17.d", "R17.e")
async def test_one_that_nobody_took_is_extended_and_taken_r17(running: EngineProcess) -> None:
    longest = {"same_day": 86_400, "advance": 86_400, "far": 2}
    async with town(running, 1, longest_search_s=longest, reopened_deadline_s=60) as (desk, devices):
        await book(desk, "b-1", days=3)
        await shown(devices, "b-1")

        async def unfilled() -> bool:
            return (await desk.booking("b-1")).state == "unfilled"

        await eventually(unfilled)
        assert (await desk.booking("b-1")).offers == ("extend", "other_window", "cancel")
        await eventually(lambda: nothing_open(devices["p-0"]))
        assert (await desk.extend("b-1", datetime.now(UTC) + timedelta(hours=2)))["state"] == "searching"
        _, again = await shown(devices, "b-1")
        assert (await devices["p-0"].accept(again.proposal, again.version)).outcome == "won"


async def test_two_agents_and_what_they_did_stands_in_the_log_under_their_names_r80b_r84(running: EngineProcess) -> None:
    async with town(running, 1) as (desk, _):
        await book(desk, "b-1", days=3)
        zoe, yan = [await agent(running, name, desk.market) for name in ("Zoé", "Yan")]
        async with zoe, yan:
            await zoe.take_over("b-1", "the client called")
            with pytest.raises(Conflict, match="Zoé") as refused:
                await yan.take_over("b-1", "me too")
            assert refused.value.code == "taken_over"
            await zoe.assign("b-1", "p-0", "agreed by phone")
            page = await yan.audit(limit=1)
            rest = await yan.audit(before=page["next"], limit=10)
        lines = [*page["entries"], *rest["entries"]]
        assert [(line["who"], line["what"], line["why"]) for line in lines[:2]] == [
            ("Zoé", "assign", "agreed by phone"), ("Zoé", "take_over", "the client called"),
        ]  # fmt: skip
        assert {line["who"] for line in lines[2:]} == {"dev-key"}, "what set the market up stands below"


async def agent(running: EngineProcess, name: str, market: str) -> BookingClient:
    """A client with a key of his own, made as an administrator makes it."""
    command = [sys.executable, "-m", "dispatch", "key", "new", "--role", "ops:agent", "--market", market, "--name", name]
    environment = {**os.environ, "DISPATCH_DATA_DIR": str(running.data_dir)}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    return BookingClient(running.base_url, printed.decode().strip(), market)
