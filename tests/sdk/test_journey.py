"""One journey with either SDK through a whole engine: the same steps, the same words, real processes, a network that fails."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from dispatch.client.bookings import BookingClient, BookingRequest, Catalogue, MarketSettings, ProposalState, ProviderSettings
from tests.engine_process import EngineProcess, engine, survivors_of
from tests.faults.counts import Fired
from tests.faults.proxy import Fault, Proxy
from tests.sdk.phones import PATIENCE_S, Phone, Sdk, phone, told

EITHER = pytest.mark.parametrize(
    ("sdk", "encoding"), [("python", "msgpack"), ("python", "json"), ("javascript", "msgpack"), ("javascript", "json")]
)
pytestmark = EITHER
PLACE = {"lat": 48.8566, "lng": 2.3522}
NUMBERS = count(1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine for the days on which nothing of it is killed."""
    with engine(tmp_path_factory.mktemp("journey")) as started:
        yield started


@dataclass
class Town:
    """A market, what the booking service does there, and the network between its phones and the engine."""

    service: BookingClient
    network: Proxy
    upstreams: list[int]
    phones: AsyncExitStack
    sdk: Sdk
    encoding: str

    async def book(self, hours: int = 4) -> str:
        """A booking whose first wave asks three; its id."""
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        body = {"booking_id": f"b-{next(NUMBERS)}", "client_id": "c-1", "place": PLACE, "services": ["cut"], "windows": [window]}
        return (await self.service.open(msgspec.convert(body, BookingRequest))).booking_id

    async def phone(self, provider: str) -> Phone:
        """A phone of a provider who can do everything anywhere near, live."""
        settings = {
            "name": provider,
            "trade": "hair",
            "catalogue": ["cut"],
            "zone": {"type": "circle", **PLACE, "radius_km": 6},
            "hours": "24/7",
        }
        await self.service.put_provider(provider, msgspec.convert(settings, ProviderSettings))
        token = (await self.service.device_token(provider, "phone-1")).token
        url = f"ws://127.0.0.1:{self.network.port}/v1/device"
        device = await self.phones.enter_async_context(phone(self.sdk, url, token, encoding=self.encoding, pause_ms=50))
        await device.do("live")
        return device

    async def proposal(self, booking: str, true: str) -> ProposalState:
        """The one proposal of a booking, once this field of it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                (proposal,) = (await self.service.booking(booking)).proposals
                if getattr(proposal, true) is not None:
                    return proposal
                await asyncio.sleep(0.02)

    def cut(self) -> None:
        """The network is gone: connections break, none can be made."""
        self.network.upstreams = []
        for pair in list(self.network.pairs):
            pair.abort(reset=True)

    def mend(self) -> None:
        """The network is back."""
        self.network.upstreams = self.upstreams


@pytest.fixture
async def town(running: EngineProcess, sdk: Sdk, encoding: str) -> AsyncIterator[Town]:
    async with made(running, sdk, encoding) as there:
        yield there


@asynccontextmanager
async def made(running: EngineProcess, sdk: Sdk, encoding: str) -> AsyncIterator[Town]:
    async with (
        BookingClient(running.base_url, running.key, f"m-{os.getpid()}-{next(NUMBERS)}") as service,
        Proxy("devices", Fired(), Random(1)).listening() as network,
        AsyncExitStack() as phones,
    ):
        await service.put_market(MarketSettings(quiet_hours=None))
        catalogue = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 30}]}
        await service.put_catalogue(msgspec.convert(catalogue, Catalogue))
        port = urlsplit(running.device_url).port
        assert port is not None
        network.upstreams = [port]
        yield Town(service, network, [port], phones, sdk, encoding)


def named(proposal: dict[str, Any]) -> dict[str, Any]:
    """What an answer says of the proposal that it answers."""
    return {"proposal": proposal["proposal"], "version": proposal["version"]}


# -- an ordinary day ------------------------------------------------------------------------------------------------


async def test_a_proposal_is_received_seen_accepted_and_won(town: Town) -> None:
    device = await town.phone("ada")
    booking = await town.book()
    offer = await device.hear("proposal")
    assert offer["booking"]["booking_id"] == booking
    await town.proposal(booking, "received_at")
    await device.do("seen", proposals=[offer["proposal"]])
    assert (await town.proposal(booking, "seen_at")).state == "open"
    won = await device.do("accept", **named(offer))
    assert (won["outcome"], won["booking"]["place"]["lat_e6"]) == ("won", 48_856_600)
    assert (await town.service.booking(booking)).provider_id == "ada"
    assert (await device.until(lambda look: look["open"] == [booking]))["pending"] == []


@pytest.mark.proves("R15.a", "R15.b")
async def test_of_two_who_want_it_one_wins_and_the_other_is_told_p1(town: Town) -> None:
    devices = [await town.phone(provider) for provider in ("ada", "bob")]
    booking = await town.book()
    offers = [await device.hear("proposal") for device in devices]
    answers = [await device.begin("accept", **named(offer)) for device, offer in zip(devices, offers, strict=True)]
    outcomes = [told(await answer)["outcome"] for answer in answers]
    assert sorted(outcomes) == ["lost", "won"]
    winner, loser = (devices[outcomes.index(outcome)] for outcome in ("won", "lost"))
    assert (await loser.hear("withdrawn"))["reason"] == "taken"
    await winner.until(lambda look: look["open"] == [booking])
    await loser.until(lambda look: look["open"] == [])


async def test_a_refusal_is_done_with_its_reason_r20(town: Town) -> None:
    device = await town.phone("ada")
    booking = await town.book()
    offer = await device.hear("proposal")
    assert (await device.do("refuse", **named(offer), reason="trop loin"))["outcome"] == "done"
    assert (await town.proposal(booking, "answered_at")).state == "refused"
    assert (await device.do("accept", **named(offer)))["outcome"] == "not_asked"
    await device.until(lambda look: look["open"] == [])


async def test_a_provider_who_wants_no_work_says_so_and_is_not_asked_until_he_does(town: Town) -> None:
    device = await town.phone("ada")
    assert (await device.do("status", available=False))["outcome"] == "done"
    first = await town.book()
    assert (await town.service.booking(first)).proposals == ()
    assert (await device.do("status", available=True))["outcome"] == "done"
    assert (await device.hear("proposal"))["booking"]["booking_id"] == first, "it waits, and he meets it now (R18)"
    second = await town.book()
    assert (await device.hear("proposal"))["booking"]["booking_id"] == second


async def test_the_same_answer_again_is_the_same_and_another_by_its_id_is_none_p4(town: Town) -> None:
    device = await town.phone("ada")
    await town.book()
    offer = await device.hear("proposal")
    for _ in range(3):
        assert (await device.do("accept", **named(offer), id="yes"))["outcome"] == "won"
        await device.do("drop")
    other = await (await device.begin("accept", **named(offer), id="yes", window=1))
    assert other["failed"]["code"] == "bad_request"


# -- a network that fails ---------------------------------------------------------------------------------------------


async def test_after_a_cut_the_phone_knows_exactly_what_is_open_p8(town: Town) -> None:
    device = await town.phone("ada")
    gone = await town.book()
    offer = await device.hear("proposal")
    held = await town.book(hours=5)
    won = await device.hear("proposal")
    assert (await device.do("accept", **named(won)))["outcome"] == "won"
    town.cut()
    await device.until(lambda look: not look["live"])
    await town.service.cancel(gone, "client", "found another")
    town.mend()
    assert (await device.hear("withdrawn"))["proposal"] == offer["proposal"]
    await device.until(lambda look: look["live"] and look["open"] == [held])
    another = await town.book(hours=3)
    assert (await device.hear("proposal"))["booking"]["booking_id"] == another


async def test_what_is_answered_without_a_network_is_said_when_it_is_back(town: Town) -> None:
    device = await town.phone("ada")
    taken, refused = await town.book(hours=4), await town.book(hours=5)
    offers = [await device.hear("proposal") for _ in range(2)]
    offers.sort(key=lambda offer: int(offer["booking"]["booking_id"] != taken))
    town.cut()
    await device.until(lambda look: not look["live"])
    yes = await device.begin("accept", **named(offers[0]), id="yes")
    no = await device.begin("refuse", **named(offers[1]), id="no")
    assert (await device.do("look"))["pending"] == ["yes", "no"]
    assert (await town.service.booking(taken)).provider_id is None
    town.mend()
    assert (told(await yes)["outcome"], told(await no)["outcome"]) == ("won", "done")
    assert (await town.service.booking(taken)).provider_id == "ada"
    assert (await town.proposal(refused, "answered_at")).state == "refused"
    await device.until(lambda look: look["open"] == [taken] and look["pending"] == [])


@pytest.mark.parametrize("harm", ["request cut", "reply cut"])
async def test_an_accept_whose_connection_breaks_under_way_is_won_once(town: Town, harm: str) -> None:
    device = await town.phone("ada")
    booking = await town.book()
    offer = await device.hear("proposal")
    strike = asyncio.create_task(town.network.strike(Fault(harm), PATIENCE_S))
    await asyncio.sleep(0)  # armed
    assert (await device.do("accept", **named(offer), id="once"))["outcome"] == "won"
    assert await strike, "the fault did not happen"
    events = [event.type for event in await town.service.timeline(booking)]
    assert len([kind for kind in events if "accepted" in kind.lower()]) == 1
    await device.until(lambda look: look["open"] == [booking])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_gateway_that_restarts_costs_a_moment_and_nothing_else(
    tmp_path: Path, sdk: Sdk, encoding: str, how: signal.Signals
) -> None:
    """Each on an engine of its own: a part that ends again and again is started again later and later."""
    with engine(tmp_path) as running:
        async with made(running, sdk, encoding) as town:
            device = await town.phone("ada")
            booking = await town.book()
            offer = await device.hear("proposal")
            before = gateway(running)
            os.kill(before, how)
            answer = await device.begin("accept", **named(offer))
            assert told(await answer)["outcome"] == "won"
            await device.until(lambda look: look["live"] and look["open"] == [booking])
            assert gateway(running) != before
            assert [heard["proposal"] for heard in device.heard if heard["type"] == "proposal"] == [offer["proposal"]], "none twice"


def gateway(running: EngineProcess) -> int:
    """The process id of the engine's gateway."""
    found = [pid for pid, words in survivors_of(running.mark).items() if re.search(r"-m dispatch gateway", words)]
    return found[0] if found else 0


def test_both_phones_say_the_same_deeds(sdk: Sdk, encoding: str) -> None:
    """A deed that one phone of the tests does not have would be a step that one SDK never takes."""
    here = Path(__file__).parent
    script, python = (here / "phone.mjs").read_text(), (here / "phone.py").read_text()
    deeds = set(re.findall(r"^  (\w+): \(", script.split("const DEEDS")[1], re.MULTILINE))
    assert len(deeds) >= 10
    assert {deed for deed in deeds if f'"{deed}"' not in python} == set()
