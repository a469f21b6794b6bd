"""The same Idempotency-Key with the same body gives the same answer and one effect (P4).

Keys are scoped by caller and path. Answers of 2xx and 4xx are kept for 24 h, those of 5xx and those that say *later* are not. Whoever holds
the mark *running* sees every answer kept before him; should he die, the mark lapses, and the verb below repeats safely by the same digest.
"""

import hashlib
from collections.abc import Awaitable, Callable

import anyio
import structlog
from starlette.requests import Request
from starlette.responses import Response

from dispatch.api.call import Caller
from dispatch.api.problems import PROBLEM
from dispatch.errors import BadRequest, InProgress, Unavailable, Unprocessable
from dispatch.store import Market, Store
from dispatch.store.ledger import Kept

log = structlog.get_logger("dispatch.api")

LONGEST_KEY = 255


def request_id(caller: Caller, request: Request) -> str:
    """Digest of caller, path and key. Raises BadRequest when the key is missing or unusable."""
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise BadRequest(
            "send the header Idempotency-Key: a fresh value per request, the same when it is repeated", "idempotency_key_missing"
        )
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(f"an Idempotency-Key has at most {LONGEST_KEY} printable ASCII characters")
    return hashlib.sha256("\n".join((caller.id, request.url.path, key)).encode()).hexdigest()


async def once(store: Store, market: str, rid: str, body: bytes, run: Callable[[Market | None], Awaitable[Response]]) -> Response:
    """The kept answer of this request, or that of running it now. ``run`` gets the market as it stands (None: there is none), turns
    refusals into responses and raises what must not be kept.

    Raises InProgress, or Unprocessable ``idempotency_mismatch``.
    """
    fingerprint = hashlib.sha256(body).digest()
    begun = await store.ledger.begin(market, rid)
    if begun.kept is not None:
        return _repeat(begun.kept, fingerprint)
    if not begun.ours:
        raise InProgress("a request with this Idempotency-Key is still running; ask again in a moment")
    try:
        response = await run(begun.market)
    except BaseException:
        await _release(store, market, rid)
        raise
    await _keep(store, market, rid, fingerprint, response)
    return response


def _repeat(kept: Kept, fingerprint: bytes) -> Response:
    if kept.fingerprint != fingerprint:
        raise Unprocessable(
            "this Idempotency-Key came with another body before; use a fresh key for another request", "idempotency_mismatch"
        )
    media = "application/json" if kept.status < 400 else PROBLEM
    return Response(kept.body, kept.status, {"idempotency-replayed": "true"}, media)


async def _keep(store: Store, market: str, rid: str, fingerprint: bytes, response: Response) -> None:
    """An answer that cannot be kept is given all the same: it is true, and the verb itself knows its repeats."""
    try:
        await store.ledger.keep(market, rid, fingerprint, response.status_code, bytes(response.body))
    except Unavailable:
        log.warning("answer_not_kept", market=market, status=response.status_code)


async def _release(store: Store, market: str, rid: str) -> None:
    """Lets a repeat run at once; should that fail, the mark lapses by itself."""
    with anyio.CancelScope(shield=True):
        try:
            await store.ledger.release(market, rid)
        except Unavailable:
            log.warning("mark_not_released", market=market)
