"""One attempt to deliver one event: signed, bounded in time and size, without redirects."""

import contextlib
from enum import StrEnum
from http.cookiejar import DefaultCookiePolicy

import anyio
import httpcore2
import httpx2
from msgspec import Struct

from dispatch.model import WebhookTarget
from dispatch.webhooks.addresses import BadUrl, PrivateAddress, PublicOnly, place_of, refuse_private
from dispatch.webhooks.signing import BadSecret, check_secret, sign

ATTEMPT_S = 15  # for everything: resolve, connect, send, wait, read
CONNECT_S = 5
MOST_ANSWER = 16_384  # bytes of the answer that are read (and dropped) so that the connection can be used again
LONGEST_PUT_OFF_S = 3_600  # of a Retry-After


class Verdict(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"  # 410: the receiver wants no more of it


class Outcome(Struct, frozen=True):
    """An attempt's verdict, its HTTP status (None when there was no answer), and why, as a code without personal data."""

    verdict: Verdict
    status: int | None
    detail: str
    after_ms: int | None = None  # how long the receiver asked us to wait


class _Transport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, whose connections are opened by us."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),  # SSL_CERT_FILE names further authorities
            max_connections=128,
            max_keepalive_connections=64,
            keepalive_expiry=30,
            network_backend=backend,
        )


def client(*, allow_private: bool) -> httpx2.AsyncClient:
    """The HTTP client for webhooks: no redirects, no proxies, no cookies; public addresses only unless told otherwise."""
    transport = _Transport(httpcore2.AnyIOBackend() if allow_private else PublicOnly())
    http = httpx2.AsyncClient(
        transport=transport, follow_redirects=False, trust_env=False, timeout=httpx2.Timeout(ATTEMPT_S, connect=CONNECT_S)
    )
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return http


async def check_target(target: WebhookTarget, *, allow_private: bool) -> None:
    """Looks at a target before it is stored. Raises BadSecret, BadUrl or PrivateAddress; a name without an address yet may pass."""
    check_secret(target.secret)
    host, port = place_of(target.url)
    if not allow_private:
        with contextlib.suppress(OSError):
            await refuse_private(host, port)


async def deliver(http: httpx2.AsyncClient, target: WebhookTarget, event_id: str, timestamp_s: int, body: bytes) -> Outcome:
    """Sends one event once. Never raises for what the receiver, the network or the target's settings do."""
    try:
        place_of(target.url)
        headers = sign(target.secret, event_id, timestamp_s, body)
        with anyio.fail_after(ATTEMPT_S):
            return await _post(http, target.url, body, headers | {"content-type": "application/json", "user-agent": "dispatch-webhooks/1"})
    except BadSecret:
        return Outcome(Verdict.RETRY, None, "bad_secret")
    except PrivateAddress:
        return Outcome(Verdict.RETRY, None, "private_address")
    except (TimeoutError, httpx2.TimeoutException):
        return Outcome(Verdict.RETRY, None, "timeout")
    except BadUrl:
        return Outcome(Verdict.RETRY, None, "bad_url")
    except httpx2.HTTPError as broken:
        return Outcome(Verdict.RETRY, None, type(broken).__name__)


async def _post(http: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    async with http.stream("POST", url, content=body, headers=headers) as response:
        await _drain(response)
        return _judge(response)


async def _drain(response: httpx2.Response) -> None:
    """Reads a short answer to its end; a longer one costs the connection, not our memory. Raw: nothing is unpacked."""
    read = 0
    async for part in response.aiter_raw():
        read += len(part)
        if read > MOST_ANSWER:
            return


def _judge(response: httpx2.Response) -> Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, status, "ok")
    if status == 410:
        return Outcome(Verdict.GONE, status, "gone")
    return Outcome(
        Verdict.RETRY, status, "redirect" if 300 <= status < 400 else "refused", _put_off_ms(response.headers.get("retry-after", ""))
    )


def _put_off_ms(retry_after: str) -> int | None:
    """A Retry-After in seconds, in ms and bounded; one that is a date is not followed."""
    return min(int(retry_after), LONGEST_PUT_OFF_S) * 1_000 if retry_after.isascii() and retry_after.isdigit() else None
