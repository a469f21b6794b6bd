"""Web Push over real sockets, to a browser that really decrypts."""

import json
import time

import aiohttp
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from dispatch import webhooks
from dispatch.push import Kind, Outcome, Verdict, webpush
from dispatch.push.vapid import VapidKeys
from dispatch.push.webpush import WebPush, topic
from tests.push.browser import Browser, sender, unb64
from tests.push.said import FACTS, told
from tests.webhooks.receiver import Receiver

KEYS = VapidKeys.make("mailto:ops@example.org")


def browser(endpoint: Receiver) -> Browser:
    return Browser(f"http://127.0.0.1:{endpoint.port}/push/1")


def test_the_browser_of_these_tests_reads_the_example_of_rfc_8291() -> None:
    """Section 5 and appendix A: another implementation's message."""
    number = int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
    reader = Browser("https://push.example", ec.derive_private_key(number, ec.SECP256R1()), unb64("BTBZMqHH6r4Tts7J_aSIgg"))
    message = unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert reader.read(message) == b"When I grow up, I want to be a watermelon"


async def test_the_browser_reads_id_kind_and_expiry_and_nobody_else_does(http: aiohttp.ClientSession, endpoint: Receiver) -> None:
    ours, other = browser(endpoint), browser(endpoint)
    assert await WebPush(http, KEYS).send(ours.token, told()) == Outcome(Verdict.SENT, 201, "ok")
    [(headers, body)] = endpoint.requests
    assert json.loads(ours.read(body)) == FACTS
    assert (headers["content-encoding"], "post /push/1 http/1.1" in headers) == ("aes128gcm", True)
    assert b"7.1.42" not in body
    with pytest.raises(InvalidTag):
        other.read(body)


async def test_a_service_is_told_how_long_how_urgent_what_it_replaces_and_who_we_are(
    http: aiohttp.ClientSession, endpoint: Receiver
) -> None:
    push = WebPush(http, KEYS)
    await push.send(browser(endpoint).token, told(left_s=598))
    await push.send(browser(endpoint).token, told(Kind.WITHDRAWN, left_s=12))
    heads = [headers for headers, _ in endpoint.requests]
    assert [(head["ttl"], head["urgency"], head["topic"]) for head in heads] == [("598", "high", "7-1-42"), ("12", "normal", "7-1-42")]
    key, claims = sender(heads[0]["authorization"])
    assert (key, claims["sub"], claims["aud"]) == (KEYS.public_key, "mailto:ops@example.org", f"http://127.0.0.1:{endpoint.port}")
    assert time.time() + 3_600 < claims["exp"] < time.time() + 24 * 3_600
    assert heads[0]["authorization"] == heads[1]["authorization"]  # signed once


@pytest.mark.parametrize("path", ["/w/?token=BQY%2fab%2B%3d%3D", "/fcm/send/e:APA91b_-", "/%7Euser/a%20b"])
async def test_an_endpoint_is_used_to_the_letter(http: aiohttp.ClientSession, endpoint: Receiver, path: str) -> None:
    await WebPush(http, KEYS).send(Browser(f"http://127.0.0.1:{endpoint.port}{path}").token, told())
    [(headers, _)] = endpoint.requests
    assert f"post {path} http/1.1".lower() in headers


def _answer(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", "content-length: 0", *headers, "", ""]).encode()


ANSWERS = (
    (_answer("200 OK"), Outcome(Verdict.SENT, 200, "ok")),
    (_answer("202 Accepted"), Outcome(Verdict.SENT, 202, "ok")),
    (_answer("301 Moved", "location: http://127.0.0.1:1/"), Outcome(Verdict.FAILED, 301, "refused")),
    (_answer("400 Bad Request"), Outcome(Verdict.FAILED, 400, "refused")),
    (_answer("403 Forbidden"), Outcome(Verdict.FAILED, 403, "refused")),
    (_answer("404 Not Found"), Outcome(Verdict.GONE, 404, "unsubscribed")),
    (_answer("410 Gone"), Outcome(Verdict.GONE, 410, "unsubscribed")),
    (_answer("413 Too Large"), Outcome(Verdict.FAILED, 413, "refused")),
    (_answer("429 Too Many", "retry-after: 20"), Outcome(Verdict.RETRY, 429, "refused", 20_000)),
    (_answer("503 Unavailable", "retry-after: 999999"), Outcome(Verdict.RETRY, 503, "refused", 3_600_000)),
    (_answer("503 Unavailable", "retry-after: Wed, 21 Oct 2026 07:28:00 GMT"), Outcome(Verdict.RETRY, 503, "refused")),
)


@pytest.mark.parametrize(("answer", "outcome"), ANSWERS, ids=[f"{row[1].status}-{row[1].after_ms}" for row in ANSWERS])
async def test_only_404_and_410_say_that_the_address_is_none(
    http: aiohttp.ClientSession, endpoint: Receiver, answer: bytes, outcome: Outcome
) -> None:
    endpoint.answer = answer
    assert await WebPush(http, KEYS).send(browser(endpoint).token, told()) == outcome
    assert len(endpoint.requests) == 1  # a redirect is not followed


async def test_a_service_that_does_not_answer_costs_a_bounded_time(
    http: aiohttp.ClientSession, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webpush, "ATTEMPT_S", 0.2)
    endpoint.answer = None
    assert await WebPush(http, KEYS).send(browser(endpoint).token, told()) == Outcome(Verdict.RETRY, None, "timeout")


async def test_a_service_that_is_not_there_or_speaks_no_http_is_tried_again(http: aiohttp.ClientSession, endpoint: Receiver) -> None:
    push = WebPush(http, KEYS)
    assert (await push.send(Browser("http://127.0.0.1:1/x").token, told())).verdict is Verdict.RETRY
    endpoint.answer = b"not http at all\r\n\r\n"
    assert (await push.send(browser(endpoint).token, told())).verdict is Verdict.RETRY


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_subscription_that_leads_into_our_own_network_gets_nothing(endpoint: Receiver, host: str) -> None:
    """Its endpoint is a device's choice: outside development it may not make us speak to what only we can reach."""
    async with webhooks.client(allow_private=False) as guarded:
        token = Browser(f"http://{host}:{endpoint.port}/admin").token
        assert await WebPush(guarded, KEYS).send(token, told()) == Outcome(Verdict.FAILED, None, "private_address")
    assert endpoint.connections == 0


@pytest.mark.parametrize("token", ["", "{}", '{"endpoint": "https://x.example", "keys": {"p256dh": "BA", "auth": "AA"}}'])
async def test_what_is_no_subscription_is_no_address(http: aiohttp.ClientSession, token: str) -> None:
    assert await WebPush(http, KEYS).send(token, told()) == Outcome(Verdict.GONE, None, "malformed")


async def test_a_key_that_is_no_point_of_the_curve_is_no_address(http: aiohttp.ClientSession, endpoint: Receiver) -> None:
    subscription = json.loads(browser(endpoint).token)
    subscription["keys"]["p256dh"] = "BA" + "A" * 85
    assert await WebPush(http, KEYS).send(json.dumps(subscription), told()) == Outcome(Verdict.GONE, None, "malformed")
    assert endpoint.connections == 0


@pytest.mark.parametrize("id", ["1.1.1", "12345678901.123.12345678", "12345678901.12345678901.12345678901"])
def test_a_topic_is_short_made_of_its_letters_and_one_a_proposal(id: str) -> None:
    """RFC 8030 section 5.4."""
    assert len(topic(id)) <= 32
    assert set(topic(id)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert topic(id) != topic(id[:-1] + "9")


def test_tokens_are_kept_for_a_bounded_number_of_services() -> None:
    keys = VapidKeys.make("https://example.org")
    for number in range(200):
        keys.authorization(f"https://push-{number}.example/x")
    assert len(keys._tokens) <= 64


def test_a_token_is_renewed_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, now = VapidKeys.make("https://example.org"), time.time()
    first = keys.authorization("https://push.example/x")
    monkeypatch.setattr(time, "time", lambda: now + 10 * 3_600)
    assert keys.authorization("https://push.example/y") == first
    monkeypatch.setattr(time, "time", lambda: now + 11.5 * 3_600)
    assert keys.authorization("https://push.example/y") != first
