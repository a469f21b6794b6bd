"""Who may call: keys, roles and markets. Another market looks exactly like one that does not exist (P13)."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request

from dispatch.api.call import EVERY_ROLE, Caller, Route
from dispatch.errors import Forbidden, NotFound, Unauthorized
from dispatch.settings import Settings
from dispatch.store import Store

DEV_KEY = "dev-key"
KNOWN_S = 5.0  # how long a key is believed without asking again: a key that is taken back works so much longer
UNKNOWN_S = 1.0
MOST_KNOWN = 4_096
MARKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

DEVELOPER = Caller(id="dev", roles=EVERY_ROLE, markets=frozenset({"*"}), name=DEV_KEY)


def bearer(request: Request) -> str:
    """The key or token that a request carries. Raises Unauthorized."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized("send the header Authorization: Bearer <key>")
    return secret.strip()


class _Known(NamedTuple):
    caller: Caller | None
    until: float


class Doorkeeper:
    """Tells who calls. Keys are looked up by their digest and remembered for a few seconds of wall time."""

    def __init__(self, store: Store, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._dev = settings.dev
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}

    async def admit(self, request: Request, route: Route) -> Caller:
        """The caller, if he may make this call. Raises Unauthorized, NotFound (not his market) or Forbidden (role too small)."""
        caller = await self._caller(request)
        market = request.path_params.get("market")
        if market is not None and not (caller.may_enter(market) and MARKET.fullmatch(market)):
            raise NotFound("no such market among those of this key")
        if caller.roles.isdisjoint(route.roles):
            raise Forbidden(f"this call needs one of the roles {', '.join(sorted(route.roles))}")
        return caller

    async def _caller(self, request: Request) -> Caller:
        caller = await self._by_secret(bearer(request).encode())
        if caller is None:
            raise Unauthorized("nobody knows this key; `dispatch key new` makes one")
        return caller

    async def _by_secret(self, secret: bytes) -> Caller | None:
        if self._dev and hmac.compare_digest(secret, DEV_KEY.encode()):
            return DEVELOPER
        digest = hashlib.sha256(secret).hexdigest()
        known = self._known.get(digest)
        if known is None or known.until < self._monotonic():
            known = await self._look_up(digest)
        return known.caller

    async def _look_up(self, digest: str) -> _Known:
        found = await self._store.api_keys.find(digest)
        caller = Caller(id=found.id, roles=frozenset(found.roles), markets=frozenset(found.markets), name=found.name) if found else None
        known = _Known(caller, self._monotonic() + (KNOWN_S if caller else UNKNOWN_S))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()  # cheaper than an order of age, and only a flood of wrong keys ever gets here
        self._known[digest] = known
        return known
