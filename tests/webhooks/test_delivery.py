"""One attempt to deliver one event, over real sockets."""

import time

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from dispatch.model import WebhookTarget
from dispatch.webhooks import Outcome, Verdict, deliver, delivery
from tests.webhooks.receiver import OK, SECRET, Receiver, receiving

BODY = '{"type":"booking.accepted","note":"à bientôt"}'.encode()


async def test_what_arrives_is_verified_by_the_receivers_own_library(http: aiohttp.ClientSession, receiver: Receiver) -> None:
    outcome = await deliver(http, receiver.target(), "msg_1", int(time.time()), BODY)
    assert outcome == Outcome(Verdict.DELIVERED, 200, "ok")
    [(headers, body)] = receiver.requests
    assert headers["webhook-id"] == "msg_1"
    assert headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(body, headers) == {"type": "booking.accepted", "note": "à bientôt"}


def _answer(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", "content-length: 0", *headers, "", ""]).encode()


ANSWERS = (
    (_answer("204 No Content"), Verdict.DELIVERED, 204, "ok", None),
    (_answer("301 Moved Permanently", "location: http://127.0.0.1:1/"), Verdict.RETRY, 301, "redirect", None),
    (_answer("400 Bad Request"), Verdict.RETRY, 400, "refused", None),
    (_answer("410 Gone"), Verdict.GONE, 410, "gone", None),
    (_answer("429 Too Many Requests", "retry-after: 30"), Verdict.RETRY, 429, "refused", 30_000),
    (_answer("503 Service Unavailable", "retry-after: 999999"), Verdict.RETRY, 503, "refused", 3_600_000),
    (_answer("503 Service Unavailable", "retry-after: Wed, 21 Oct 2026 07:28:00 GMT"), Verdict.RETRY, 503, "refused", None),
    (b"not http at all\r\n\r\n", Verdict.RETRY, None, "RemoteProtocolError", None),
)


@pytest.mark.parametrize(("answer", "verdict", "status", "detail", "after"), ANSWERS, ids=[row[3] + str(row[2]) for row in ANSWERS])
async def test_only_a_2xx_is_a_delivery_and_410_is_for_ever(
    http: aiohttp.ClientSession, receiver: Receiver, answer: bytes, verdict: Verdict, status: int | None, detail: str, after: int | None
) -> None:
    receiver.answer = answer
    assert await deliver(http, receiver.target(), "msg_1", 1, BODY) == Outcome(verdict, status, detail, after)
    assert len(receiver.requests) == 1  # a redirect is not followed


async def test_a_receiver_that_does_not_answer_costs_a_bounded_time(
    http: aiohttp.ClientSession, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ATTEMPT_S", 0.2)
    receiver.answer = None
    assert await deliver(http, receiver.target(), "msg_1", 1, BODY) == Outcome(Verdict.RETRY, None, "timeout")


async def test_an_answer_without_an_end_is_cut_off(http: aiohttp.ClientSession, receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * 100_000
    assert (await deliver(http, receiver.target(), "msg_1", 1, BODY)).verdict is Verdict.DELIVERED
    receiver.answer = OK
    assert (await deliver(http, receiver.target(), "msg_2", 1, BODY)).verdict is Verdict.DELIVERED
    assert receiver.connections == 2


async def test_a_connection_is_used_again_and_no_cookie_is_sent_back(http: aiohttp.ClientSession, receiver: Receiver) -> None:
    receiver.answer = _answer("200 OK", "set-cookie: a=b; Path=/")
    for number in range(3):
        await deliver(http, receiver.target(), f"msg_{number}", 1, BODY)
    assert receiver.connections == 1
    assert not any("cookie" in headers for headers, _ in receiver.requests)


UNREACHABLE = (
    ("http://127.0.0.1:1/", SECRET, "ConnectError"),
    ("http://no-such-host.invalid/", SECRET, "ConnectError"),
    (f"http://{'a' * 70}.invalid/", SECRET, "ConnectError"),
    ("http://127.0.0.1:99999/", SECRET, "bad_url"),
    ("http://[::1/", SECRET, "bad_url"),
    ("http://127.0.0.1:1/", "whsec_aaaaaaaaaaaaaaaaa", "bad_secret"),
    ("http://127.0.0.1:1/", "whsec_MfKQ9r8GKYqrTwjU_D8ILPZIo2LaLaSw", "bad_secret"),
)


@pytest.mark.parametrize(("url", "secret", "detail"), UNREACHABLE)
async def test_a_target_that_cannot_work_is_an_outcome_and_not_an_exception(
    http: aiohttp.ClientSession, url: str, secret: str, detail: str
) -> None:
    assert await deliver(http, WebhookTarget(url=url, secret=secret), "msg_1", 1, BODY) == Outcome(Verdict.RETRY, None, detail)


async def test_two_targets_never_mix_their_events() -> None:
    async with receiving() as one, receiving() as other, delivery.client(allow_private=True) as http:
        for number in range(4):
            await deliver(http, (one, other)[number % 2].target(), f"msg_{number}", 1, BODY)
        assert [headers["webhook-id"] for headers, _ in one.requests] == ["msg_0", "msg_2"]
        assert [headers["webhook-id"] for headers, _ in other.requests] == ["msg_1", "msg_3"]
