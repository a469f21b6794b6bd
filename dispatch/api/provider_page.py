"""The provider's page at ``/app/``: its files and those of the JavaScript SDK, and the few facts that it asks for.

These calls belong to the page; others write no clients against them, so they stand beside the table of calls and not in it. A fact about a
provider is told to his own device token alone.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import orjson
from h3.api import basic_str as h3  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as PathRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dispatch.api.call import NOBODY, Call, Reply, Route
from dispatch.api.security import bearer
from dispatch.engine.reach import ring
from dispatch.errors import NotFound
from dispatch.settings import Settings

CONSOLE: Final = Path(__file__).parent.parent / "console"
APP: Final = CONSOLE / "app"
SHARED: Final = (CONSOLE / "dom.js",)  # what the page takes from the live page
SHOWN: Final = frozenset((".html", ".css", ".js", ".svg", ".png", ".webmanifest"))
CELL: Final = 7  # resolution of the cells that providers are told
AROUND: Final = 2  # rings of cells drawn around one, for the eye
LASTING: Final = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
FRESH: Final = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def sdk() -> Path:
    """Where the JavaScript SDK lies: in the package when it was built as a wheel, else in the source tree."""
    packed = CONSOLE / "sdk"
    return packed if packed.is_dir() else CONSOLE.parent.parent / "sdk" / "js"


# -- facts ----------------------------------------------------------------------------------------------------------------------------


async def page_settings(call: Call[None]) -> Reply:
    """What the page must know of this installation before it connects."""
    settings = call.engine.settings
    return Reply(
        200,
        {
            "device_url": settings.device_url,
            "device_port": settings.device_port,
            "token_url": settings.token_url,
            "speed": settings.clock_speed,
            "dev": settings.dev,
            "push_key": call.engine.push_key,
        },
    )


async def page_me(call: Call[None]) -> Reply:
    """The provider himself, by his device token."""
    return Reply(200, await call.desk.devices.own_face(bearer(call.request)))


async def page_cell(call: Call[None]) -> Reply:
    """The outline of a cell, and of those around it."""
    cell = call.path("cell")
    if not h3.is_valid_cell(cell) or h3.get_resolution(cell) != CELL:
        raise NotFound(f"no such cell; they are H3 cells of resolution {CELL}")
    around = sorted(near for near in h3.grid_disk(cell, AROUND) if near != cell)
    return Reply(response=_json({"ring": ring(cell), "around": [ring(near) for near in around]}, LASTING))


CALLS: Final = tuple(
    Route(method="GET", path=path, handler=handler, roles=NOBODY, summary=str(handler.__doc__))
    for path, handler in (("/app/settings", page_settings), ("/app/me", page_me), ("/app/cells/{cell}", page_cell))
)


def _json(body: Any, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), headers=headers, media_type="application/json")


# -- files ----------------------------------------------------------------------------------------------------------------------------


def files(settings: Settings) -> list[BaseRoute]:
    """Routes to all the page is made of."""
    headers = FRESH | {"content-security-policy": policy(settings)}
    return [
        PathRoute("/app", partial(_redirected, "/app/")),
        PathRoute("/app/shell.js", _shell),
        Mount("/app", Files(APP, headers)),
        Mount("/sdk", Files(sdk(), FRESH)),
    ]


def policy(settings: Settings) -> str:
    """The page loads from here alone, and speaks to here, to the gateway, and to where its tokens come from."""
    devices = [_origin(settings.device_url)] if settings.device_url else [f"{way}://*:{settings.device_port}" for way in ("ws", "wss")]
    tokens = [_origin(settings.token_url)] if settings.token_url else []
    there = " ".join(dict.fromkeys(("'self'", *devices, *tokens)))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            f"connect-src {there}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Files(StaticFiles):
    """A folder of the page, each answer with the same headers."""

    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._headers = headers

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response


async def _redirected(to: str, _: Request) -> Response:
    return RedirectResponse(to)


@dataclass(frozen=True, slots=True)
class Shell:
    """What the service worker keeps, so that the page opens without a network. ``version`` changes with any byte of it."""

    files: tuple[str, ...]
    version: str


def shell(app: Path = APP) -> Shell:
    """The shell as the files are now."""
    found = [(f"/app/{path.relative_to(app).as_posix()}", path) for path in sorted(app.rglob("*")) if path.suffix in SHOWN]
    found += [(f"/{path.name}", path) for path in SHARED]
    found += [(f"/sdk/{path.relative_to(sdk()).as_posix()}", path) for path in sorted(sdk().glob("**/*.js")) if _served(path)]
    digest = sha256()
    for name, path in found:
        digest.update(name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    kept = tuple("/app/" if name == "/app/index.html" else name for name, _ in found if name != "/app/sw.js")
    return Shell(kept, digest.hexdigest()[:16])


def _served(path: Path) -> bool:
    """Modules of the SDK, not its tests and tools."""
    return not {"test", "tests", "node_modules"} & set(path.relative_to(sdk()).parts)


async def _shell(_: Request) -> Response:
    """Read by the service worker's ``importScripts``: another version lets browsers install it anew."""
    now = await anyio.to_thread.run_sync(shell)
    told = orjson.dumps({"version": now.version, "files": now.files}).decode()
    return Response(f"self.SHELL = {told};\n", headers=FRESH, media_type="text/javascript")
