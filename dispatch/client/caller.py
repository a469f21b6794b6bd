"""HTTP as a caller of the engine: the same call is asked again until the engine has decided, and its refusals are exceptions."""

import random
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2
import msgspec
from msgspec import Struct

from dispatch.errors import (
    BadRequest,
    Conflict,
    DispatchError,
    Forbidden,
    InProgress,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
)

_BY_STATUS: dict[int, type[DispatchError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unprocessable,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


class Backoff(Struct, frozen=True, kw_only=True):
    """How often, and after what pause at most, an unanswered call is asked again."""

    tries: int = 6
    base_s: float = 0.2
    cap_s: float = 5.0

    def pause(self, attempt: int) -> float:
        """Full jitter: anything up to base * 2^attempt seconds, so that callers that failed together do not return together."""
        return random.uniform(0, min(self.cap_s, self.base_s * 2**attempt))


class Caller:
    """A caller with a key. Use as an async context manager; safe for many tasks at once."""

    def __init__(
        self, base_url: str, key: str, *, timeout_s: float, connections: int, backoff: Backoff, transport: httpx2.AsyncBaseTransport | None
    ) -> None:
        self._backoff = backoff
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"authorization": f"Bearer {key}"},
            timeout=timeout_s,
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def once(self, path: str) -> int | None:
        """The status of a GET, asked once; None: nothing was heard."""
        try:
            return (await self._http.get(path)).status_code
        except httpx2.TransportError:
            return None

    async def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, *, patient: bool = False
    ) -> httpx2.Response:
        """Asks, and asks the very same again (same key, same bytes) until the engine has decided or our patience ends."""
        for attempt in range(self._backoff.tries):
            outcome = await self._once(method, path, body, headers, patient)
            if isinstance(outcome, httpx2.Response):
                return outcome
            if not outcome.retry or attempt + 1 == self._backoff.tries:
                raise outcome
            await anyio.sleep(self._backoff.pause(attempt))
        raise AssertionError("Backoff.tries must be at least 1")

    async def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None, patient: bool
    ) -> httpx2.Response | DispatchError:
        usual = self._http.timeout
        timeout = httpx2.Timeout(connect=usual.connect, pool=usual.pool, read=None, write=None) if patient else usual
        try:
            response = await self._http.request(method, path, content=body, headers=headers, timeout=timeout)
        except httpx2.TransportError as broken:  # nothing heard: it may have been done, the same key finds out
            return Unavailable(f"{method} {path}: {type(broken).__name__} {broken}".rstrip())
        return response if response.is_success else problem(response.status_code, response.content)


def problem(status: int, body: bytes) -> DispatchError:
    """The exception for an answer that is not a success; ``body`` is RFC 9457 problem+json, or whatever a proxy wrote."""
    said = _said(body)
    code, detail = said.get("code"), said.get("detail") or body.decode(errors="replace")[:200] or f"HTTP {status}"
    kind = InProgress if code == InProgress.default else _BY_STATUS.get(status, DispatchError)
    return kind(str(detail), code if isinstance(code, str) else None)


def _said(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
