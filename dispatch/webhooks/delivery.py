"""One attempt to deliver one event: signed, bounded in time and size, without redirects."""

import contextlib
from enum import StrEnum

import aiohttp
import anyio
import httpx2
from msgspec import Struct

from dispatch.model import WebhookTarget
from dispatch.webhooks.addresses import BadUrl, PrivateAddress, Resolver, place_of, public_socket, refuse_private
from dispatch.webhooks.signing import BadSecret, check_secret, sign

ATTEMPT_S = 15  # for everything: resolve, connect, send, wait, read
CONNECT_S = 5
CONNECTIONS, KEPT_S = 128, 30
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


def client(*, allow_private: bool) -> aiohttp.ClientSession:
    """The HTTP client for webhooks: no redirects, no proxies, no cookies; public addresses only unless told otherwise. Inside a loop."""
    connector = aiohttp.TCPConnector(
        ssl=httpx2.create_ssl_context(),  # SSL_CERT_FILE names further authorities
        limit=CONNECTIONS,
        keepalive_timeout=KEPT_S,
        resolver=Resolver(allow_private=allow_private),
        use_dns_cache=False,
        socket_factory=None if allow_private else public_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("accept", "accept-encoding"),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
    )


async def check_target(target: WebhookTarget, *, allow_private: bool) -> None:
    """Looks at a target before it is stored. Raises BadSecret, BadUrl or PrivateAddress; a name without an address yet may pass."""
    check_secret(target.secret)
    host, port = place_of(target.url)
    if not allow_private:
        with contextlib.suppress(OSError):
            await refuse_private(host, port)


async def deliver(http: aiohttp.ClientSession, target: WebhookTarget, event_id: str, timestamp_s: int, body: bytes) -> Outcome:
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
    except TimeoutError:  # those of the client, too
        return Outcome(Verdict.RETRY, None, "timeout")
    except (BadUrl, aiohttp.InvalidURL):
        return Outcome(Verdict.RETRY, None, "bad_url")
    except aiohttp.ClientError as broken:
        return Outcome(Verdict.RETRY, None, _word(broken))


def _word(broken: aiohttp.ClientError) -> str:
    """Where it broke."""
    if isinstance(broken, aiohttp.ClientConnectorError):
        return "ConnectError"
    return "ReadError" if isinstance(broken, OSError) else "RemoteProtocolError"


async def _post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    async with http.post(url, data=body, headers=headers, allow_redirects=False) as response:
        await _drain(response)
        return _judge(response)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a short answer to its end; a longer one costs the connection, not our memory. Raw: nothing is unpacked."""
    read = 0
    async for part in response.content.iter_any():
        read += len(part)
        if read > MOST_ANSWER:
            return


def _judge(response: aiohttp.ClientResponse) -> Outcome:
    status = response.status
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
