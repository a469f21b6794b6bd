"""APNs: Apple's devices, over HTTP/2.

Source: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

import json
import time
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dispatch.errors import ConfigError
from dispatch.push.sender import ATTEMPT_S, Kind, Notification, Outcome, Verdict, passing, put_off_ms

RENEW_S = 40 * 60  # Apple takes a token for an hour, and a new one at most every 20 minutes
SOONEST_S = 20 * 60
GONE = {"BadDeviceToken", "Unregistered", "ExpiredToken"}
OUR_TOKEN = {"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken"}
SOUND = {Kind.PROPOSAL: "default", Kind.WITHDRAWN: None, Kind.TEST: "default"}


class ProviderToken:
    """Who we are to Apple: a token signed with the key of the team."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, key_id: str, team: str) -> None:
        self._key, self._key_id, self._team = key, key_id, team
        self._token, self._made_at = "", -float(RENEW_S)

    def get(self) -> str:
        """The one in use, renewed in time."""
        if time.monotonic() - self._made_at >= RENEW_S:
            claims = {"iss": self._team, "iat": int(time.time())}
            self._token = jwt.encode(claims, self._key, "ES256", headers={"kid": self._key_id})
            self._made_at = time.monotonic()
        return self._token

    def refused(self) -> None:
        """Apple would not have it: the next one is new, if that may be."""
        if time.monotonic() - self._made_at >= SOONEST_S:
            self._made_at = -float(RENEW_S)


class Apns:
    """Sends to devices of Apple. ``topic``: the app's bundle id."""

    name = "apns"

    def __init__(self, http: httpx2.AsyncClient, url: str, token: ProviderToken, topic: str) -> None:
        self._http, self._url, self._token, self._topic = http, url.rstrip("/"), token, topic

    async def send(self, token: str, notification: Notification) -> Outcome:
        """One request on a connection that all share."""
        headers = envelope(notification) | {"apns-topic": self._topic, "authorization": f"bearer {self._token.get()}"}
        try:
            with anyio.fail_after(ATTEMPT_S):
                answer = await self._http.post(f"{self._url}/3/device/{token}", json=letter(notification), headers=headers)
        except TimeoutError:
            return Outcome(Verdict.RETRY, None, "timeout")
        except httpx2.HTTPError as broken:
            return Outcome(Verdict.RETRY, None, type(broken).__name__)
        return self._judge(answer)

    def _judge(self, answer: httpx2.Response) -> Outcome:
        status, reason = answer.status_code, _reason(answer)
        if status == 200:
            return Outcome(Verdict.SENT, status, "ok")
        if status == 410 or reason in GONE:
            return Outcome(Verdict.GONE, status, reason)
        if reason in OUR_TOKEN:
            self._token.refused()
        retry = passing(status) or reason == "ExpiredProviderToken"
        return Outcome(Verdict.RETRY if retry else Verdict.FAILED, status, reason, put_off_ms(answer.headers.get("retry-after", "")))

    async def close(self) -> None:
        """Closes the connection."""
        await self._http.aclose()


def envelope(notification: Notification) -> dict[str, str]:
    """Headers that say what a notification replaces, until when it is worth delivering, and how urgent it is."""
    return {
        "apns-push-type": "alert",
        "apns-collapse-id": notification.id,
        "apns-expiration": str(notification.until_s),
        "apns-priority": "5" if notification.kind is Kind.WITHDRAWN else "10",
    }


def letter(notification: Notification) -> dict[str, Any]:
    """The payload. The app has the words: the alert names their key, ``dispatch.proposal``, ``dispatch.withdrawn`` or ``dispatch.test``."""
    alert = {"loc-key": f"dispatch.{notification.kind.value}"}
    aps: dict[str, Any] = {"alert": alert, "mutable-content": 1}
    if sound := SOUND[notification.kind]:
        aps |= {"sound": sound, "interruption-level": "time-sensitive"}
    else:
        aps |= {"interruption-level": "passive"}
    return {"aps": aps, **notification.facts}


def _reason(answer: httpx2.Response) -> str:
    """Apple's word for what is wrong."""
    try:
        return str(json.loads(answer.content)["reason"])[:64]
    except (ValueError, KeyError, TypeError):
        return "unknown"


def signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key of a `.p8` file. Raises ConfigError."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"DISPATCH_PUSH_APNS_FILE cannot be read: {error}") from None
    except (ValueError, TypeError):
        raise ConfigError(f"DISPATCH_PUSH_APNS_FILE: {path} is no `.p8` key as Apple gives it out") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"DISPATCH_PUSH_APNS_FILE: {path} holds no key of an elliptic curve")
    return key
