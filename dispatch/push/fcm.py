"""FCM HTTP v1: Android, and whatever else has a Firebase token.

Sources: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and
https://developers.google.com/identity/protocols/oauth2/service-account
"""

import time
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from dispatch.errors import ConfigError
from dispatch.push.apns import envelope, letter
from dispatch.push.sender import ATTEMPT_S, Kind, Notification, Outcome, Verdict, passing, put_off_ms

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_S = 3_600  # of what we sign
EARLY_S = 120  # before the end of an access token another one is fetched


class ServiceAccount(Struct, frozen=True):
    """The file that Google's console gives out: who we are, and where that is exchanged for an access token."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str
    token_uri: str = "https://oauth2.googleapis.com/token"

    @classmethod
    def load(cls, path: Path) -> "ServiceAccount":
        """Read the file. Raises ConfigError."""
        try:
            account = msgspec.json.decode(path.read_bytes(), type=cls)
            load_pem_private_key(account.private_key.encode(), None)
        except OSError as error:
            raise ConfigError(f"DISPATCH_PUSH_FCM_FILE cannot be read: {error}") from None
        except (msgspec.MsgspecError, ValueError, TypeError):
            raise ConfigError(f"DISPATCH_PUSH_FCM_FILE: {path} is no key of a service account as Google's console gives it out") from None
        return account


class NoAccess(Exception):
    """Google gave us no access token; the argument says why, as a code."""


class Access:
    """An access token, fetched when it is needed and kept until shortly before its end."""

    def __init__(self, http: httpx2.AsyncClient, account: ServiceAccount) -> None:
        self._http, self._account = http, account
        self._token, self._until = "", 0.0
        self._fetching = anyio.Lock()

    async def get(self) -> str:
        """The one in use. Raises NoAccess, or httpx2.HTTPError."""
        async with self._fetching:
            if time.monotonic() >= self._until:
                await self._fetch()
            return self._token

    def refused(self) -> None:
        """It is not taken any more."""
        self._until = 0.0

    async def _fetch(self) -> None:
        form = {"grant_type": GRANT, "assertion": self._signed(int(time.time()))}
        answer = await self._http.post(self._account.token_uri, data=form)
        given = _object(answer)
        token, life = given.get("access_token"), given.get("expires_in")
        if answer.status_code != 200 or not isinstance(token, str) or not isinstance(life, int):
            raise NoAccess(f"access_{answer.status_code}")
        self._token, self._until = token, time.monotonic() + life - EARLY_S

    def _signed(self, now: int) -> str:
        claims = {"iss": self._account.client_email, "scope": SCOPE, "aud": self._account.token_uri, "iat": now, "exp": now + LIFE_S}
        return jwt.encode(claims, self._account.private_key, "RS256", headers={"kid": self._account.private_key_id})


class Fcm:
    """Sends through Firebase."""

    name = "fcm"

    def __init__(self, http: httpx2.AsyncClient, url: str, account: ServiceAccount) -> None:
        self._http, self._access = http, Access(http, account)
        self._url = f"{url.rstrip('/')}/v1/projects/{account.project_id}/messages:send"

    async def send(self, token: str, notification: Notification) -> Outcome:
        """One message, after an access token if there is none."""
        try:
            with anyio.fail_after(ATTEMPT_S):
                headers = {"authorization": f"Bearer {await self._access.get()}"}
                answer = await self._http.post(self._url, json={"message": message(token, notification)}, headers=headers)
        except TimeoutError:
            return Outcome(Verdict.RETRY, None, "timeout")
        except NoAccess as refusal:
            return Outcome(Verdict.RETRY, None, str(refusal))
        except httpx2.HTTPError as broken:
            return Outcome(Verdict.RETRY, None, type(broken).__name__)
        return self._judge(answer)

    def _judge(self, answer: httpx2.Response) -> Outcome:
        status = answer.status_code
        if status == 200:
            return Outcome(Verdict.SENT, status, "ok")
        code, about_token = _wrong(answer)
        if code == "UNREGISTERED" or about_token:
            return Outcome(Verdict.GONE, status, code)
        if status == 401:
            self._access.refused()
        retry = passing(status) or status == 401
        return Outcome(Verdict.RETRY if retry else Verdict.FAILED, status, code, put_off_ms(answer.headers.get("retry-after", "")))

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()


def message(token: str, notification: Notification) -> dict[str, Any]:
    """Data alone: the app shows it in its own words. Apple's devices get what they would get from APNs."""
    return {
        "token": token,
        "data": {name: str(value) for name, value in notification.facts.items()},
        "android": {
            "priority": "NORMAL" if notification.kind is Kind.WITHDRAWN else "HIGH",
            "ttl": f"{notification.left_s}s",
            "collapse_key": notification.id,
        },
        "apns": {"headers": envelope(notification), "payload": letter(notification)},
    }


def _wrong(answer: httpx2.Response) -> tuple[str, bool]:
    """Google's word for what is wrong, and whether it is the device's token."""
    error = _object(answer).get("error")
    if not isinstance(error, dict):
        return "unknown", False
    details = [one for one in error.get("details") or () if isinstance(one, dict)]
    code = next((one["errorCode"] for one in details if "errorCode" in one), error.get("status", "unknown"))
    fields = {fault.get("field") for one in details for fault in one.get("fieldViolations") or () if isinstance(fault, dict)}
    return str(code)[:64], "message.token" in fields


def _object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer; an empty one when there is none."""
    try:
        found = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
