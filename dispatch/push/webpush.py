"""Web Push: browsers and installed web pages. Encrypted for the browser alone (RFC 8291), sent to whatever service it named (RFC 8030)."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import aiohttp
import anyio
from pywebpush import WebPusher
from yarl import URL

from dispatch.push.addresses import Subscription, subscription
from dispatch.push.sender import ATTEMPT_S, Kind, Notification, Outcome, Verdict, passing, put_off_ms
from dispatch.push.vapid import VapidKeys

TOPIC_LENGTH = 32  # characters of base64url (RFC 8030 section 5.4)
GONE = (404, 410)
MOST_ANSWER = 16_384  # bytes of the answer that are read (and dropped) so that the connection can be used again


class WebPush:
    """Sends to browsers. Their endpoints are chosen by devices: ``http`` must refuse addresses that are not public."""

    name = "webpush"

    def __init__(self, http: aiohttp.ClientSession, keys: VapidKeys) -> None:
        self._http, self._keys = http, keys

    async def send(self, token: str, notification: Notification) -> Outcome:
        """One POST of some two hundred encrypted bytes."""
        try:
            to = subscription(token)
            body, headers, url = encrypted(to, notification.body), self._headers(to, notification), URL(to.endpoint, encoded=True)
        except ValueError:
            return Outcome(Verdict.GONE, None, "malformed")
        try:
            with anyio.fail_after(ATTEMPT_S):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Outcome(Verdict.RETRY, None, "timeout")
        except aiohttp.ClientError as broken:
            return Outcome(Verdict.RETRY, None, type(broken).__name__)
        except ValueError:  # it leads into a network of our own
            return Outcome(Verdict.FAILED, None, "private_address")

    def _headers(self, to: Subscription, notification: Notification) -> dict[str, str]:
        return {
            "authorization": self._keys.authorization(to.endpoint),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(notification.left_s),
            "topic": topic(notification.id),
            "urgency": "normal" if notification.kind is Kind.WITHDRAWN else "high",
        }

    async def _post(self, endpoint: URL, body: bytes, headers: dict[str, str]) -> Outcome:
        async with self._http.post(endpoint, data=body, headers=headers, allow_redirects=False) as response:
            await response.content.read(MOST_ANSWER)
            status = response.status
            if 200 <= status < 300:
                return Outcome(Verdict.SENT, status, "ok")
            if status in GONE:
                return Outcome(Verdict.GONE, status, "unsubscribed")
            after_ms = put_off_ms(response.headers.get("retry-after", ""))
            return Outcome(Verdict.RETRY if passing(status) else Verdict.FAILED, status, "refused", after_ms)

    async def close(self) -> None:
        """The client is another's."""


def encrypted(to: Subscription, body: bytes) -> bytes:
    """A body as only this browser can read it. Raises ValueError when its key is no point of the curve."""
    sealed = WebPusher({"endpoint": to.endpoint, "keys": {"p256dh": to.keys.p256dh, "auth": to.keys.auth}}).encode(body, "aes128gcm")
    return bytes(sealed["body"])


def topic(proposal: str) -> str:
    """What a later message of the same proposal replaces: its id in the letters that a topic may have."""
    text = proposal.replace(".", "-")
    return text if len(text) <= TOPIC_LENGTH else urlsafe_b64encode(sha256(text.encode()).digest()).decode()[:TOPIC_LENGTH]
