"""The booking service's client: what it sends, when it asks again, and what it makes of the answers."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from dispatch import errors
from dispatch.client.bookings import Backoff, BookingClient, verify_webhook
from dispatch.client.caller import problem
from dispatch.model import BookingRequest, Catalogue, CircleZone, MarketSettings, Place, ProviderLine, Window

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
BOOKING = BookingRequest(
    booking_id="b-1",
    client_id="c-1",
    place=Place(lat=48.8566, lng=2.3522),
    services=("haircut_women",),
    windows=(Window(start=AT, end=AT + timedelta(hours=1)),),
)
OPENED = {"booking_id": "b-1", "state": "searching", "urgency": "far", "candidates": 3, "plan": [], "deadline": "2026-11-24T09:00:00.000Z"}
BUSY = {"code": "unavailable", "detail": "the store is down", "retry": True}
RUNNING = {"code": "in_progress", "detail": "still running", "retry": True}

Answer = Callable[[httpx2.Request], httpx2.Response]


def says(status: int, body: Any) -> Answer:
    return lambda _: httpx2.Response(status, json=body)


def breaks(error: type[httpx2.TransportError]) -> Answer:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error("gone", request=request)

    return answer


def engine(*answers: Answer) -> tuple[BookingClient, list[httpx2.Request]]:
    """A client whose engine gives these answers in turn, and the requests it saw."""
    seen: list[httpx2.Request] = []
    turn: Iterator[Answer] = iter(answers)

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return next(turn)(request)

    transport = httpx2.MockTransport(handle)
    return BookingClient("http://engine", "a-key", "paris", backoff=Backoff(tries=4, base_s=0), transport=transport), seen


@pytest.mark.parametrize(
    "failures",
    [
        [says(503, BUSY)],
        [says(409, RUNNING), says(409, RUNNING)],
        [breaks(httpx2.ReadTimeout)],
        [breaks(httpx2.ConnectError), says(503, BUSY), breaks(httpx2.RemoteProtocolError)],
        [says(429, {"code": "rate_limited", "detail": "slower"})],
        [lambda _: httpx2.Response(502, text="<html>bad gateway</html>")],
    ],
)
async def test_what_may_have_been_done_is_asked_again_with_the_same_key_and_bytes(failures: list[Answer]) -> None:
    client, seen = engine(*failures, says(201, OPENED))
    async with client:
        assert (await client.open(BOOKING)).candidates == 3
    assert len(seen) == len(failures) + 1
    assert len({(r.headers["idempotency-key"], r.content) for r in seen}) == 1


@pytest.mark.parametrize(("device", "path"), [("phone", "/devices/phone"), (None, "/devices")])
async def test_a_device_or_all_of_them_can_be_revoked(device: str | None, path: str) -> None:
    client, seen = engine(lambda _: httpx2.Response(204))
    async with client:
        await client.revoke_tokens("p-1", device)
    assert [(request.method, request.url.path) for request in seen] == [("DELETE", f"/v1/markets/paris/providers/p-1{path}")]


async def test_two_bookings_have_two_keys_and_a_key_of_ones_own_is_used() -> None:
    client, seen = engine(*[says(201, OPENED)] * 3)
    async with client:
        await client.open(BOOKING)
        await client.open(BOOKING)
        await client.open(BOOKING, key="mine")
    assert len({r.headers["idempotency-key"] for r in seen}) == 3
    assert seen[2].headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "idempotency_key_missing", "detail": "say one"}, errors.BadRequest),
        (401, {"code": "unauthorized", "detail": "no key"}, errors.Unauthorized),
        (403, {"code": "forbidden", "detail": "not yours"}, errors.Forbidden),
        (404, {"code": "not_found", "detail": "no such market"}, errors.NotFound),
        (409, {"code": "duplicate", "detail": "b-1 exists"}, errors.Conflict),
        (413, {"code": "too_large", "detail": "256 KiB"}, errors.TooLarge),
        (422, {"code": "too_late", "detail": "2 h before"}, errors.Unprocessable),
    ],
)
async def test_a_refusal_is_raised_at_once_with_its_code_and_detail(status: int, body: dict[str, Any], kind: type[errors.Refused]) -> None:
    client, seen = engine(says(status, body))
    async with client:
        with pytest.raises(kind) as refused:
            await client.open(BOOKING)
    assert (refused.value.code, refused.value.detail, refused.value.retry) == (body["code"], body["detail"], False)
    assert len(seen) == 1


async def test_patience_ends_with_the_last_reason() -> None:
    client, seen = engine(*[says(503, BUSY)] * 4)
    async with client:
        with pytest.raises(errors.Unavailable, match="the store is down"):
            await client.open(BOOKING)
    assert len(seen) == 4


async def test_an_error_of_the_engine_itself_is_not_asked_again() -> None:
    client, seen = engine(says(500, {"code": "internal", "detail": "a bug"}))
    async with client:
        with pytest.raises(errors.DispatchError) as failed:
            await client.open(BOOKING)
    assert (failed.value.code, failed.value.retry, len(seen)) == ("internal", False, 1)


def test_pauses_spread_from_nothing_to_a_bound_that_doubles_and_is_capped() -> None:
    backoff = Backoff(base_s=0.2, cap_s=1.0)
    for attempt, bound in enumerate([0.2, 0.4, 0.8, 1.0, 1.0]):
        pauses = [backoff.pause(attempt) for _ in range(400)]
        assert 0 <= min(pauses) < bound * 0.1
        assert bound * 0.9 < max(pauses) <= bound


async def test_what_is_sent_is_what_the_engine_reads() -> None:
    client, seen = engine(says(201, {}), says(200, {}), says(200, {"accepted": 1, "refused": []}), says(200, {"count": 0}))
    line = ProviderLine(
        provider_id="p-1",
        name="Awa",
        trade="hair",
        catalogue=("cut",),
        zone=CircleZone(lat=48.8, lng=2.3, radius_km=6),
        hours="Mo-Fr 09:00-18:00",
    )
    async with client:
        assert await client.put_market(MarketSettings()) is True
        assert await client.put_catalogue(Catalogue()) is False
        assert (await client.import_providers([line])).accepted == 1
        assert (await client.match(BOOKING, explain=True)).count == 0
    assert [(r.method, r.url.path) for r in seen] == [
        ("PUT", "/v1/markets/paris"),
        ("PUT", "/v1/markets/paris/catalogue"),
        ("POST", "/v1/markets/paris/providers/import"),
        ("POST", "/v1/markets/paris/match"),
    ]
    assert {r.headers["authorization"] for r in seen} == {"Bearer a-key"}
    assert msgspec.json.decode(seen[0].content, type=MarketSettings) == MarketSettings()
    assert msgspec.json.decode(seen[2].content, type=ProviderLine) == line
    assert json.loads(seen[3].content)["explain"] is True


async def test_a_timeline_keeps_what_each_type_of_event_says() -> None:
    line = {"seq": 1, "at": "2026-11-24T09:00:00.125+01:00", "type": "WaveSent", "wave": 1, "providers": ["p-1"]}
    client, _ = engine(says(200, {"events": [line]}))
    async with client:
        [event] = await client.timeline("b-1")
    assert (event.seq, event.type, event.at.microsecond, event.fields) == (1, "WaveSent", 125_000, {"wave": 1, "providers": ["p-1"]})


async def test_being_ready_is_asked_once_and_never_raises() -> None:
    client, seen = engine(breaks(httpx2.ConnectError), says(503, {}), says(200, {}))
    async with client:
        assert [await client.ready() for _ in range(3)] == [False, False, True]
    assert len(seen) == 3


def test_an_answer_that_is_no_problem_document_is_still_an_exception_that_says_something() -> None:
    assert problem(404, b"<h1>nothing here</h1>").detail == "<h1>nothing here</h1>"
    assert problem(503, b"").detail == "HTTP 503"


def signed(body: bytes, at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(at.timestamp())), "Webhook-Signature": signature}


def test_a_webhook_with_a_true_signature_is_read() -> None:
    body = b'{"type":"booking.accepted","timestamp":"2026-11-24T09:00:00.000Z","data":{"booking_id":"b-1"}}'
    event = verify_webhook(SECRET, signed(body), body)
    assert (event.id, event.type, event.data) == ("msg_1", "booking.accepted", {"booking_id": "b-1"})


BODY = b'{"type":"booking.accepted","data":{}}'


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        (lambda: signed(BODY), BODY.replace(b"accepted", b"unfilled"), errors.Unauthorized),
        (lambda: signed(BODY, secret="whsec_" + base64.b64encode(b"another secret").decode()), BODY, errors.Unauthorized),
        (lambda: signed(BODY, datetime.now(UTC) - timedelta(minutes=6)), BODY, errors.Unauthorized),
        (dict, BODY, errors.Unauthorized),
        (lambda: signed(b"[]"), b"[]", errors.BadRequest),
        (lambda: signed(b"{}"), b"{}", errors.BadRequest),
    ],
    ids=["another body", "another secret", "old", "unsigned", "a list", "empty"],
)
def test_a_webhook_that_is_false_old_or_unreadable_is_refused(
    headers: Callable[[], dict[str, str]], body: bytes, kind: type[errors.Refused]
) -> None:
    with pytest.raises(kind):
        verify_webhook(SECRET, headers(), body)
