"""Counteroffers with either SDK through a whole engine, as another team would use them: HTTP, sockets, webhooks (R24)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dispatch.client.bookings import MarketSettings, WebhookEvent, verify_webhook
from dispatch.errors import Conflict, NotFound, Unprocessable
from tests.engine_process import EngineProcess, engine
from tests.sdk.phones import PATIENCE_S, Phone, Sdk
from tests.sdk.test_journey import Town, made, named
from tests.webhooks.receiver import SECRET, Receiver, receiving

pytestmark = pytest.mark.parametrize(("sdk", "encoding"), [("python", "msgpack"), ("javascript", "json")])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("counter")) as started:
        yield started


@pytest.fixture
async def town(running: EngineProcess, sdk: Sdk, encoding: str) -> AsyncIterator[Town]:
    async with made(running, sdk, encoding) as there:
        yield there


def at(hours: float) -> dict[str, int]:
    """Half an hour that begins in so many hours, as devices write it."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    return {"start": int(start.timestamp() * 1_000), "end": int((start + timedelta(minutes=30)).timestamp() * 1_000)}


async def offers(device: Phone, offer: dict[str, Any], *hours: float, note: str = "") -> str:
    """The provider proposes other times; the outcome."""
    answer = await device.do("counter", **named(offer), windows=[at(one) for one in hours], note=note)
    return str(answer["outcome"])


async def told(receiver: Receiver, number: int) -> list[WebhookEvent]:
    """The first events of the booking service, once there are so many, in the order in which they came."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            events = {event.id: event for event in (verify_webhook(SECRET, headers, body) for headers, body in receiver.requests)}
            if len(events) >= number:
                return list(events.values())
            await asyncio.sleep(0.02)


@pytest.mark.proves("R24.f", "R24.h", "R24.i")
async def test_the_client_takes_a_time_that_a_provider_proposed(town: Town) -> None:
    async with receiving() as receiver:
        hook = {"url": f"http://127.0.0.1:{receiver.port}/hook", "secret": SECRET}
        await town.service.put_market(msgspec.convert({"quiet_hours": None, "webhook": hook}, MarketSettings))
        ada, bob = [await town.phone(name) for name in ("ada", "bob")]
        booking = await town.book()
        first, second = await ada.hear("proposal"), await bob.hear("proposal")
        assert await offers(ada, first, 4.25, 9, note="plutôt un peu plus tard") == "sent"
        shown = await ada.hear("counter")
        assert (shown["state"], shown["proposal"], len(shown["windows"])) == ("shown", first["proposal"], 2)
        there = await town.service.booking(booking)
        (offered,) = there.counteroffers
        assert (offered.provider_id, offered.state, offered.note) == ("ada", "shown", "plutôt un peu plus tard")
        assert offered.counteroffer_id == shown["counteroffer"]
        assert [one.state for one in there.proposals if one.provider_id == "ada"] == ["countered"]
        assert there.state == "searching"  # the search goes on meanwhile
        key = "the-client-says-yes"
        answer = await town.service.accept_counteroffer(booking, offered.counteroffer_id, 1, key=key)
        assert (answer["state"], answer["provider_id"]) == ("accepted", "ada")
        assert await town.service.accept_counteroffer(booking, offered.counteroffer_id, 1, key=key) == answer
        after = await town.service.booking(booking)
        assert (after.state, after.provider_id, [one.state for one in after.counteroffers]) == ("accepted", "ada", ["accepted"])
        assert [int(one.start.timestamp() * 1_000) for one in after.windows] == [shown["windows"][1]["start"]]
        assert (await ada.hear("counter"))["state"] == "accepted"
        held = await ada.hear("booking")
        assert (held["state"], held["windows"], held["place"]["lat_e6"]) == ("accepted", [shown["windows"][1]], 48_856_600)
        assert (await bob.hear("withdrawn"))["reason"] == "taken"
        assert (await bob.do("accept", **named(second)))["outcome"] == "lost"
        await ada.until(lambda look: look["open"] == [booking])
        events = await told(receiver, 3)
        names = ["booking.counteroffered", "booking.counteroffer_closed", "booking.accepted"]
        assert [event.type for event in events] == names
        assert {event.data["counteroffer_id"] for event in events[:2]} == {offered.counteroffer_id}
        assert (events[0].data["provider_id"], len(events[0].data["windows"]), events[1].data["state"]) == ("ada", 2, "accepted")
        (won,) = [event for event in await town.service.timeline(booking) if event.type == "Accepted"]
        assert won.fields["cause"] == "counteroffer"


@pytest.mark.proves("R24.d", "R24.g", "R24.j")
async def test_a_far_one_is_held_until_the_others_have_answered_and_declined_is_told(town: Town) -> None:
    ada, bob = [await town.phone(name) for name in ("ada", "bob")]
    booking = await town.book()
    first, second = await ada.hear("proposal"), await bob.hear("proposal")
    assert await offers(ada, first, 9) == "sent"
    assert (await ada.hear("counter"))["state"] == "held"
    (held,) = (await town.service.booking(booking)).counteroffers
    with pytest.raises(Conflict, match="it waits until the others"):
        await town.service.accept_counteroffer(booking, held.counteroffer_id)
    await bob.do("refuse", **named(second))
    assert (await ada.hear("counter"))["state"] == "shown"
    with pytest.raises(Unprocessable, match="window 4 is none of its 1"):
        await town.service.accept_counteroffer(booking, held.counteroffer_id, 4)
    with pytest.raises(NotFound):
        await town.service.accept_counteroffer(booking, "77.1")
    assert (await town.service.decline_counteroffer(booking, held.counteroffer_id))["state"] == "declined"
    assert (await ada.hear("counter"))["state"] == "declined"
    with pytest.raises(Conflict, match="it was declined already"):
        await town.service.accept_counteroffer(booking, held.counteroffer_id)
    won = await ada.do("accept", **named(first))  # the original is still his to accept
    assert won["outcome"] == "won"


@pytest.mark.proves("R24.k")
async def test_a_new_one_replaces_the_earlier_one_until_the_limit_and_what_comes_too_late_is_told(town: Town) -> None:
    ada = await town.phone("ada")
    booking = await town.book()
    offer = await ada.hear("proposal")
    assert await offers(ada, offer, 0.9) == "too_late"
    assert [await offers(ada, offer, hours) for hours in (4.1, 4.2, 4.3, 4.4)] == ["sent", "sent", "sent", "limit"]
    assert [one.state for one in (await town.service.booking(booking)).counteroffers] == ["withdrawn", "withdrawn", "shown"]
    await ada.until(lambda look: look["open"] == sorted([offer["proposal"], f"counter:{offer['proposal']}"]))
    await ada.do("drop")
    await ada.until(lambda look: look["live"])
    assert (await ada.do("look"))["open"] == sorted([offer["proposal"], f"counter:{offer['proposal']}"])
    await town.service.cancel(booking, "client", "")
    await ada.until(lambda look: look["open"] == [])
    assert await offers(ada, offer, 5) in ("expired", "limit")
    assert [one.state for one in (await town.service.booking(booking)).counteroffers] == ["withdrawn", "withdrawn", "withdrawn"]


@pytest.mark.proves("R20.e")
async def test_a_refusals_reason_suggests_a_change_that_he_confirms_r20(town: Town) -> None:
    ada = await town.phone("ada")
    await town.book()
    offer = await ada.hear("proposal")
    answer = await ada.do("refuse", **named(offer), reason="not_then")
    before = await town.service.provider("ada")
    suggestion = answer["suggestion"]
    assert (suggestion["kind"], suggestion["proposal"]) == ("hours", offer["proposal"])
    assert before["hours"] != suggestion["hours"], "nothing changes before his word"
    assert (await ada.do("settings", suggestion=suggestion | {"hours": "off"}))["outcome"] == "expired"  # nor to anything else
    assert await town.service.provider("ada") == before
    assert [(await ada.do("settings", suggestion=suggestion))["outcome"] for _ in range(2)] == ["done", "done"]
    after = await town.service.provider("ada")
    assert {name for name in after if after[name] != before[name]} == {"hours"}
    assert after["hours"] == suggestion["hours"]


@pytest.mark.proves("R25b.a", "R25b.b")
async def test_he_sets_his_quiet_hours_and_asks_for_what_ops_see_to_r25b(town: Town) -> None:
    ada = await town.phone("ada")
    assert (await ada.do("settings", do_not_disturb={"from": "21:00", "to": "08:00"}))["outcome"] == "done"
    assert (await town.service.provider("ada"))["do_not_disturb"] == {"from": "21:00", "to": "08:00"}
    assert (await ada.do("settings", do_not_disturb=None))["outcome"] == "done"
    assert (await town.service.provider("ada"))["do_not_disturb"] is None
    assert (await ada.do("follow_up", kind="service", text="Lissage"))["outcome"] == "sent"
    assert (await ada.do("follow_up", kind="talk"))["outcome"] == "sent"
    waiting = (await town.service.follow_ups())["open"]
    assert [(one["kind"], one["text"], one["provider_id"]) for one in waiting] == [("service", "Lissage", "ada"), ("talk", "", "ada")]
