"""Bookings over HTTP: what a caller gets when he asks rightly."""

import msgspec
import pytest

from dispatch.api import answers
from dispatch.model import Place
from tests.api.town import PLACE, Town, window


@pytest.mark.proves("R11.b")
async def test_a_booking_is_opened_read_and_cancelled(town: Town) -> None:
    opened = await town.post("/bookings", town.booking(booking_id="b-1", note="third floor"))
    assert opened.status_code == 201
    said = msgspec.json.decode(opened.content, type=answers.Opened)
    assert (said.booking_id, said.state, said.urgency, said.candidates) == ("b-1", "searching", "advance", 3)

    read = await town.call("GET", "/bookings/b-1")
    state = msgspec.json.decode(read.content, type=answers.BookingState)
    assert (state.state, state.note, state.provider_id, state.place) == ("searching", "third floor", None, Place(**PLACE))

    cancelled = await town.post("/bookings/b-1/cancel", {"by": "client", "reason": "ill"})
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert (await town.call("GET", "/bookings/b-1")).json()["state"] == "cancelled"

    events = msgspec.json.decode((await town.call("GET", "/bookings/b-1/timeline")).content, type=answers.Timeline).events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


@pytest.mark.proves("R19.a")
async def test_match_says_who_would_be_asked_and_changes_nothing(town: Town) -> None:
    body = town.booking() | {"explain": True, "explain_ids": ["p-0"], "limit": 2}
    matched = await town.call("POST", "/match", body)
    assert matched.status_code == 200
    said = msgspec.json.decode(matched.content, type=answers.Match)
    assert (said.count, len(said.candidates)) == (3, 2)
    assert (await town.call("GET", f"/bookings/{body['booking_id']}")).status_code == 404


async def test_explain_tells_why_a_provider_was_asked(town: Town) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"))
    explained = await town.call("GET", "/bookings/b-1/explain/p-0")
    assert explained.status_code == 200
    assert explained.json()["provider_id"] == "p-0"


@pytest.mark.proves("R10.b")
async def test_ops_may_book_under_the_cut_off_with_a_reason(town: Town) -> None:
    late = town.booking(windows=[window(hours=1)])
    assert (await town.post("/bookings", late)).json()["code"] == "too_late"
    overridden = late | {"override": {"reason": "the client is in hospital"}}
    assert (await town.post("/bookings", overridden, key=town.manager_key)).status_code == 201


@pytest.mark.proves("R10.a")
async def test_a_window_exactly_at_the_cut_off_is_allowed(town: Town) -> None:
    """R10: exactly two hours is allowed; the request itself takes a moment, so half a minute more is sent."""
    assert (await town.post("/bookings", town.booking(windows=[window(hours=2 + 30 / 3600)]))).status_code == 201
    assert (await town.post("/bookings", town.booking(windows=[window(hours=2 - 30 / 3600)]))).json()["code"] == "too_late"


@pytest.mark.proves("R25.b", "R29.a")
async def test_a_blacklisted_client_is_refused_until_he_is_taken_off(town: Town) -> None:
    assert (await town.call("PUT", "/blocks/c-9", {"reason": "never at home"})).status_code == 201
    assert (await town.call("PUT", "/blocks/c-9", {"reason": "never at home"})).status_code == 200
    assert (await town.post("/bookings", town.booking(client_id="c-9"))).json()["code"] == "blocked"
    assert (await town.call("DELETE", "/blocks/c-9")).status_code == 204
    assert (await town.post("/bookings", town.booking(client_id="c-9"))).status_code == 201
    assert (await town.call("DELETE", "/blocks/c-9")).status_code == 404


async def test_a_provider_and_a_client_who_are_blocked_do_not_meet(town: Town) -> None:
    assert (await town.call("PUT", "/providers/p-0/blocks/c-9")).status_code == 201
    assert (await town.call("POST", "/match", town.booking(client_id="c-9"))).json()["count"] == 2
    assert (await town.call("DELETE", "/providers/p-0/blocks/c-9")).status_code == 204
    assert (await town.call("POST", "/match", town.booking(client_id="c-9"))).json()["count"] == 3


async def test_names_in_every_script_survive(town: Town) -> None:
    note = 'Ⅻ étage — 电梯 🛗\u0000\t"\\'
    await town.post("/bookings", town.booking(booking_id="b-1", note=note))
    assert (await town.call("GET", "/bookings/b-1")).json()["note"] == note
