"""The HTTP application: the table of calls, the console's files, and a problem for everything else."""

from collections import defaultdict
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as PathRoute
from starlette.staticfiles import StaticFiles

from dispatch.api import provider_page
from dispatch.api.call import METRICS, NOBODY, Engine, Route
from dispatch.api.endpoint import Endpoint
from dispatch.api.problems import problem
from dispatch.api.security import Doorkeeper
from dispatch.api.stream import Feed, Streams
from dispatch.api.table import CALLS, ops_stream
from dispatch.engine.desk import Desk
from dispatch.push.services import public_key
from dispatch.settings import Settings
from dispatch.store import Store

CONSOLE = provider_page.CONSOLE


def make_app(desk: Desk, store: Store, settings: Settings, feed: Feed | None = None) -> Starlette:
    """The application over a desk. ``feed``: what the ops stream shows; without one there is no such call.

    ``app.state.table`` is the table it serves; ``app.state.streams`` (if there is a feed) ends all streams with ``close()`` before a stop.
    """
    streams = Streams(feed) if feed else None
    table = tuple(_open_in_development(route) if settings.dev else route for route in CALLS) + ((ops_stream(streams),) if streams else ())
    app = Starlette(
        routes=_routes(table, Engine(desk=desk, store=store, settings=settings, push_key=public_key(settings))),
        exception_handlers={HTTPException: _elsewhere},
    )
    app.router.redirect_slashes = False  # a redirect would repeat whatever name the caller gave us in Host
    app.state.table, app.state.streams = table, streams
    return app


def _open_in_development(route: Route) -> Route:
    """A scraper on the developer's own machine needs no key."""
    return replace(route, roles=NOBODY) if route.roles == {METRICS} else route


def _routes(table: tuple[Route, ...], engine: Engine) -> list[BaseRoute]:
    """One endpoint a path, longest fixed beginnings first, so that `/providers/import` is not taken for a provider's id."""
    doorkeeper = Doorkeeper(engine.store, engine.settings)
    by_path: dict[str, dict[str, Route]] = defaultdict(dict)
    for route in (*table, *provider_page.CALLS):
        by_path[route.path][route.method] = route
    paths = sorted(by_path, key=lambda path: [part.startswith("{") for part in path.split("/")])
    routes: list[BaseRoute] = [PathRoute(path, Endpoint(path, by_path[path], engine, doorkeeper), methods=None) for path in paths]
    if CONSOLE.is_dir():
        routes += provider_page.files(engine.settings)
        routes.append(Mount("/", StaticFiles(directory=CONSOLE, html=True)))
    return routes


async def _elsewhere(request: Request, error: Exception) -> Response:
    """A path that nobody serves. (The console answers for all that are left: it says 405 to whatever is no GET.)"""
    if isinstance(error, HTTPException) and error.status_code == 405 and not request.url.path.startswith("/v1/"):
        return problem(405, "method_not_allowed", "the pages of the console can only be read: GET")
    return problem(404, "not_found", "no such path; /docs lists them all")
