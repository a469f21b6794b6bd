"""FCM HTTP v1, against a server that asks for an access token as Google does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dispatch.errors import ConfigError
from dispatch.push import Kind, Outcome, Verdict, fcm
from dispatch.push.fcm import Fcm, ServiceAccount
from dispatch.push.services import _client
from tests.push.h2_service import Answer, Request, Service
from tests.push.said import EXPIRES_AT, told

KEY = rsa.generate_private_key(65_537, 2_048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
DEVICE = "fGf2:APA91b-token_1"
UNREGISTERED = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}


def refusal(status: str, *details: object) -> dict[str, object]:
    return {"error": {"code": 0, "message": "no", "status": status, "details": list(details)}}


def about(name: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": name, "description": "wrong"}]}


@dataclass
class Google:
    """Gives access tokens to who proves himself, and takes messages from who has one."""

    service: Service
    answer: Answer = field(default_factory=lambda: Answer(200, {"name": "projects/town/messages/1"}))
    access: Answer | None = None  # instead of a token
    given: int = 0

    def __post_init__(self) -> None:
        self.service.answer = self._answer

    @property
    def messages(self) -> list[Request]:
        return [request for request in self.service.requests if request.path != "/token"]

    def _answer(self, request: Request) -> Answer:
        if request.path == "/token":
            return self.access or self._give(request)
        if request.headers.get("authorization") != f"Bearer access-{self.given}":
            return Answer(401, refusal("UNAUTHENTICATED"))
        return self.answer

    def _give(self, request: Request) -> Answer:
        claims = jwt.decode(request.form["assertion"], KEY.public_key(), ["RS256"], audience=f"{self.service.url}/token")
        assert request.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert claims["iss"] == "push@town.example"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert claims["exp"] - claims["iat"] <= 3_600
        self.given += 1
        return Answer(200, {"access_token": f"access-{self.given}", "expires_in": 3_599, "token_type": "Bearer"})


@pytest.fixture
def google(service: Service) -> Google:
    return Google(service)


@pytest.fixture
async def sender(service: Service, google: Google) -> AsyncIterator[Fcm]:
    account = ServiceAccount(
        project_id="town", client_email="push@town.example", private_key=PEM, private_key_id="key-1", token_uri=f"{service.url}/token"
    )
    made = Fcm(_client(), service.url, account)
    yield made
    await made.close()


async def test_a_proposal_arrives_as_data_with_its_time_left_and_what_it_replaces(sender: Fcm, google: Google) -> None:
    assert await sender.send(DEVICE, told(left_s=598)) == Outcome(Verdict.SENT, 200, "ok")
    [request] = google.messages
    assert request.path == "/v1/projects/town/messages:send"
    message = request.json["message"]
    assert message.keys() == {"token", "data", "android", "apns"}
    assert (message["token"], message["data"]) == (DEVICE, {"id": "7.1.42", "kind": "proposal", "expires_at": str(EXPIRES_AT)})
    assert message["android"] == {"priority": "HIGH", "ttl": "598s", "collapse_key": "7.1.42"}
    assert message["apns"]["headers"]["apns-collapse-id"] == "7.1.42"


async def test_its_end_takes_its_place(sender: Fcm, google: Google) -> None:
    await sender.send(DEVICE, told(Kind.WITHDRAWN))
    message = google.messages[0].json["message"]
    assert (message["data"]["kind"], message["android"]["collapse_key"], message["android"]["priority"]) == (
        "withdrawn",
        "7.1.42",
        "NORMAL",
    )


async def test_one_access_token_serves_all(sender: Fcm, google: Google) -> None:
    outcomes = await asyncio.gather(*(sender.send(DEVICE, told(id=f"{number}.1.1")) for number in range(20)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.SENT}
    assert (google.given, len(google.messages)) == (1, 20)


async def test_an_access_token_is_renewed_before_its_end(sender: Fcm, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    await sender.send(DEVICE, told())
    now = time.monotonic()
    monkeypatch.setattr(fcm.time, "monotonic", lambda: now + 3_500)
    assert (await sender.send(DEVICE, told())).verdict is Verdict.SENT
    assert google.given == 2


async def test_an_access_token_that_is_not_taken_any_more_is_replaced(sender: Fcm, google: Google) -> None:
    await sender.send(DEVICE, told())
    google.given += 1  # Google has revoked it
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, 401, "UNAUTHENTICATED")
    assert (await sender.send(DEVICE, told())).verdict is Verdict.SENT


@pytest.mark.parametrize("access", [Answer(400, {"error": "invalid_grant"}), Answer(200, {"token": "x"}), Answer(503, None)])
async def test_without_an_access_token_it_is_tried_again(sender: Fcm, google: Google, access: Answer) -> None:
    google.access = access
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, None, f"access_{access.status}")
    assert google.messages == []


REFUSALS = (
    (404, refusal("NOT_FOUND", UNREGISTERED), Verdict.GONE, "UNREGISTERED"),
    (404, refusal("NOT_FOUND"), Verdict.FAILED, "NOT_FOUND"),  # no such project: that says nothing of the device
    (400, refusal("INVALID_ARGUMENT", about("message.token")), Verdict.GONE, "INVALID_ARGUMENT"),
    (400, refusal("INVALID_ARGUMENT", about("message.android.ttl")), Verdict.FAILED, "INVALID_ARGUMENT"),
    (403, refusal("PERMISSION_DENIED", {"errorCode": "SENDER_ID_MISMATCH"}), Verdict.FAILED, "SENDER_ID_MISMATCH"),
    (429, refusal("RESOURCE_EXHAUSTED", {"errorCode": "QUOTA_EXCEEDED"}), Verdict.RETRY, "QUOTA_EXCEEDED"),
    (500, refusal("INTERNAL"), Verdict.RETRY, "INTERNAL"),
    (503, None, Verdict.RETRY, "unknown"),
    (400, ["?"], Verdict.FAILED, "unknown"),
)


@pytest.mark.parametrize(("status", "body", "verdict", "detail"), REFUSALS, ids=[f"{row[0]}-{row[3]}-{row[2]}" for row in REFUSALS])
async def test_googles_word_decides(sender: Fcm, google: Google, status: int, body: object, verdict: Verdict, detail: str) -> None:
    google.answer = Answer(status, body)
    assert await sender.send(DEVICE, told()) == Outcome(verdict, status, detail)


async def test_google_may_ask_for_more_time(sender: Fcm, google: Google) -> None:
    google.answer = Answer(503, refusal("UNAVAILABLE"), (("retry-after", "60"),))
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, 503, "UNAVAILABLE", 60_000)


async def test_a_service_that_does_not_answer_costs_a_bounded_time(sender: Fcm, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcm, "ATTEMPT_S", 0.3)
    service.answer = lambda _: None
    assert await sender.send(DEVICE, told()) == Outcome(Verdict.RETRY, None, "timeout")


async def test_a_service_that_is_not_there_is_tried_again(sender: Fcm, service: Service) -> None:
    await sender.send(DEVICE, told())
    service.hang_up()
    outcomes = [(await sender.send(DEVICE, told())).verdict for _ in range(3)]
    assert outcomes[-1] is Verdict.SENT
    assert set(outcomes) <= {Verdict.SENT, Verdict.RETRY}


ACCOUNT = {"type": "service_account", "project_id": "p", "client_email": "a@b", "private_key": PEM, "private_key_id": "k"}


def test_the_file_is_the_one_that_google_gives_out(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps(ACCOUNT))
    account = ServiceAccount.load(tmp_path / "key.json")
    assert (account.project_id, account.token_uri) == ("p", "https://oauth2.googleapis.com/token")


@pytest.mark.parametrize("text", ["", "{}", json.dumps(ACCOUNT | {"private_key": "x"}), json.dumps(ACCOUNT | {"project_id": 1})])
def test_another_file_is_refused_without_showing_what_is_in_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text)
    with pytest.raises(ConfigError, match="DISPATCH_PUSH_FCM_FILE") as caught:
        ServiceAccount.load(tmp_path / "key.json")
    assert "BEGIN" not in str(caught.value)
