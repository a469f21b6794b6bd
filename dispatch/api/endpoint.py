"""From a request to a response: admit, read, run, answer, log. One path for every call of the table."""

import time
import traceback
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatch.api import bodies, idempotency
from dispatch.api.call import NOBODY, Call, Caller, Engine, Reply, Route
from dispatch.api.metrics import count_request
from dispatch.api.problems import from_error, problem
from dispatch.api.security import Doorkeeper
from dispatch.errors import DispatchError, NotFound, Refused
from dispatch.store import Market

log = structlog.get_logger("dispatch.api")

ANYBODY = Caller(id="", roles=NOBODY, markets=NOBODY)
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


class Endpoint:
    """All calls of one path (an ASGI app). Logs the path's template, never what stands in it."""

    def __init__(self, path: str, routes: Mapping[str, Route], engine: Engine, doorkeeper: Doorkeeper) -> None:
        self.path = path
        self._routes = dict(routes)
        if "GET" in routes:
            self._routes["HEAD"] = routes["GET"]
        self._engine = engine
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = Request(scope, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)
        spent = time.perf_counter() - began
        count_request(request.method, self.path, response.status_code, spent)
        log.info("request", method=request.method, route=self.path, status=response.status_code, ms=round(spent * 1_000, 1))

    async def _answer(self, request: Request) -> Response:
        """Whatever happens, a response."""
        route = self._routes.get(request.method)
        if route is None:
            allowed = ", ".join(sorted(self._routes))
            return problem(405, "method_not_allowed", f"this path answers {allowed}", headers={"allow": allowed})
        try:
            return await self._run(request, route)
        except DispatchError as error:
            return from_error(error)
        except ClientDisconnect:
            return Response(status_code=499)  # heard by nobody, but logged
        except Exception as mistake:
            log.error("request_failed", method=request.method, route=self.path, error=type(mistake).__name__, where=_frames(mistake))
            return problem(500, "internal", "something went wrong here; it was logged; the same key may be used again", retry=True)

    async def _run(self, request: Request, route: Route) -> Response:
        caller = await self._doorkeeper.admit(request, route) if route.roles else ANYBODY
        await self._market_is_there(request, route)
        if route.takes is None:
            return _response(await route.handler(Call(engine=self._engine, caller=caller, request=request, body=None)))
        return await self._with_body(request, route, caller)

    async def _market_is_there(self, request: Request, route: Route) -> None:
        market = request.path_params.get("market")
        if market is None or route.creates_market:
            return
        markets = self._engine.store.markets
        if markets.cached(market) is None and await markets.get(market) is None:
            raise NotFound("no such market among those of this key")

    async def _with_body(self, request: Request, route: Route, caller: Caller) -> Response:
        rid = idempotency.request_id(caller, request) if route.idempotent else ""
        raw = await bodies.read(request)

        async def run(market: Market | None = None) -> Response:
            call = Call(engine=self._engine, caller=caller, request=request, body=bodies.decode(raw, route.takes), rid=rid, as_read=market)
            return _response(await route.handler(call))

        async def run_or_refuse(market: Market | None) -> Response:
            try:
                return await run(market)
            except Refused as refusal:
                return from_error(refusal)

        if not route.idempotent:
            return await run()
        return await idempotency.once(self._engine.store, request.path_params["market"], rid, raw, run_or_refuse)


def _frames(mistake: Exception) -> str:
    """Where it happened. Not what it says: that may quote a name or an address (P14b)."""
    return "".join(traceback.format_tb(mistake.__traceback__))


def _response(reply: Reply) -> Response:
    if reply.response is not None:
        return reply.response
    if reply.body is None:
        return Response(status_code=reply.status, headers=HEADERS)
    return Response(encoded(reply.body), reply.status, HEADERS, "application/json")


def encoded(body: Any) -> bytes:
    """JSON of what the engine answers."""
    return orjson.dumps(body)
