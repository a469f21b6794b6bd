"""APNs, against a server that speaks HTTP/2 over TLS and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dispatch.push import Kind, Outcome, Verdict, apns
from dispatch.push.apns import Apns, ProviderToken
from dispatch.push.services import _client
from tests.push.h2_service import Answer, Service
from tests.push.said import EXPIRES_AT, FACTS, told

KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"


@pytest.fixture
async def sender(service: Service) -> AsyncIterator[Apns]:
    made = Apns(_client(), service.url, ProviderToken(KEY, "ABC123DEFG", "TEAM456789"), "com.example.provider")
    yield made
    await made.close()


async def test_a_proposal_arrives_with_what_it_is_and_nothing_more(sender: Apns, service: Service) -> None:
    assert await sender.send(DEVICE, told(left_s=600)) == Outcome(Verdict.SENT, 200, "ok")
    [request] = service.requests
    assert (request.headers[":method"], request.path) == ("POST", f"/3/device/{DEVICE}")
    assert request.json == {
        "aps": {
            "alert": {"loc-key": "dispatch.proposal"}, "mutable-content": 1, "sound": "default", "interruption-level": "time-sensitive",
        },
        **FACTS,
    }  # fmt: skip
    heads = {name: request.headers[f"apns-{name}"] for name in ("topic", "push-type", "collapse-id", "priority")}
    assert heads == {"topic": "com.example.provider", "push-type": "alert", "collapse-id": "7.1.42", "priority": "10"}
    assert abs(int(request.headers["apns-expiration"]) - time.time() - 600) < 30


async def test_its_end_takes_its_place_silently(sender: Apns, service: Service) -> None:
    await sender.send(DEVICE, told(Kind.WITHDRAWN))
    [request] = service.requests
    assert request.json["aps"] == {"alert": {"loc-key": "dispatch.withdrawn"}, "mutable-content": 1, "interruption-level": "passive"}
    assert (request.json["kind"], request.json["expires_at"]) == ("withdrawn", EXPIRES_AT)
    assert (request.headers["apns-collapse-id"], request.headers["apns-priority"]) == ("7.1.42", "5")


async def test_a_test_is_as_loud_as_what_it_stands_for_r25b(sender: Apns, service: Service) -> None:
    await sender.send(DEVICE, told(Kind.TEST))
    [request] = service.requests
    aps = request.json["aps"]
    assert (aps["alert"], aps["sound"], request.json["kind"]) == ({"loc-key": "dispatch.test"}, "default", "test")
    assert request.headers["apns-priority"] == "10"


async def test_apple_knows_who_sends_and_all_share_one_connection(sender: Apns, service: Service) -> None:
    outcomes = await asyncio.gather(*(sender.send(DEVICE, told(id=f"{number}.1.42")) for number in range(40)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.SENT}
    assert sorted(int(request.json["id"].partition(".")[0]) for request in service.requests) == list(range(40))
    assert service.connections == 1
    [token] = {request.headers["authorization"].removeprefix("bearer ") for request in service.requests}
    assert jwt.get_unverified_header(token)["kid"] == "ABC123DEFG"
    claims = jwt.decode(token, KEY.public_key(), ["ES256"])
    assert (claims["iss"], claims.keys()) == ("TEAM456789", {"iss", "iat"})


REASONS = (
    (400, "BadDeviceToken", Verdict.GONE),
    (410, "Unregistered", Verdict.GONE),
    (410, "ExpiredToken", Verdict.GONE),
    (400, "DeviceTokenNotForTopic", Verdict.FAILED),
    (400, "BadTopic", Verdict.FAILED),
    (403, "InvalidProviderToken", Verdict.FAILED),
    (403, "ExpiredProviderToken", Verdict.RETRY),
    (404, "BadPath", Verdict.FAILED),
    (413, "PayloadTooLarge", Verdict.FAILED),
    (429, "TooManyRequests", Verdict.RETRY),
    (500, "InternalServerError", Verdict.RETRY),
    (503, "Shutdown", Verdict.RETRY),
)


@pytest.mark.parametrize(("status", "reason", "verdict"), REASONS)
async def test_apples_word_decides(sender: Apns, service: Service, status: int, reason: str, verdict: Verdict) -> None:
    service.answer = lambda _: Answer(status, {"reason": reason})
    assert await sender.send(DEVICE, told()) == Outcome(verdict, status, reason)


async def test_an_answer_that_says_nothing_is_no_reason_to_drop_an_address(sender: Apns, service: Service) -> None:
    service.answer = lambda _: Answer(400, ["?"])
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.FAILED, 400, "unknown")
    service.answer = lambda _: Answer(503, None, (("retry-after", "30"),))
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, 503, "unknown", 30_000)


async def test_a_service_that_does_not_answer_costs_a_bounded_time(sender: Apns, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apns, "ATTEMPT_S", 0.3)
    service.answer = lambda _: None
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, None, "timeout")


async def test_a_connection_that_breaks_is_made_anew(sender: Apns, service: Service) -> None:
    await sender.send(DEVICE, told())
    service.hang_up()
    outcomes = [(await sender.send(DEVICE, told())).verdict for _ in range(3)]
    assert outcomes[-1] is Verdict.SENT
    assert set(outcomes) <= {Verdict.SENT, Verdict.RETRY}


async def test_a_service_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    nobody = Apns(_client(), "https://127.0.0.1:1", ProviderToken(KEY, "k", "t"), "com.example")
    assert (await nobody.send(DEVICE, told())).verdict is Verdict.RETRY
    await nobody.close()


async def test_a_server_whose_certificate_nobody_vouches_for_hears_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    stranger = Apns(_client(), service.url, ProviderToken(KEY, "k", "t"), "com.example")
    assert (await stranger.send(DEVICE, told())).verdict is Verdict.RETRY
    assert service.requests == []
    await stranger.close()


def test_a_provider_token_is_renewed_in_time_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    ours = ProviderToken(KEY, "k", "t")
    tokens = [ours.get()]
    for later, refused in ((10 * 60, True), (25 * 60, False), (39 * 60, False), (41 * 60, False), (62 * 60, True)):
        now = 1_000.0 + later
        if refused:
            ours.refused()
        tokens.append(ours.get())
    changes = [one != other for one, other in pairwise(tokens)]
    assert changes == [False, False, False, True, True]
