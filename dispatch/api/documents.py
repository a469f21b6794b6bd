"""Pages about the interface, for people. Nothing is loaded from elsewhere: the viewer's files come from the package ``offapi``."""

import html
import importlib.util
from functools import cache
from pathlib import Path

from starlette.responses import HTMLResponse, Response

from dispatch.api.problems import TITLES
from dispatch.errors import NotFound

ASSETS = {"swagger_bundle.js": "text/javascript", "swagger_style.css": "text/css"}
ONLY_OURS = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
HEADERS = {"content-security-policy": ONLY_OURS, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
KEPT = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>dispatch: the HTTP interface</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/assets/swagger_style.css">
</head>
<body>
<div id="viewer"></div>
<noscript>This page needs JavaScript; the description itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/assets/swagger_bundle.js"></script>
<script src="/docs/assets/viewer.js"></script>
</body>
</html>
"""

VIEWER = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""

ERRORS = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>dispatch: problem codes</title>
<link rel="icon" href="data:,"></head>
<body>
<h1>Problem codes</h1>
<p>Every answer that is not a success is <code>application/problem+json</code> with one of these codes, a <code>detail</code> that says
what was wrong and what would be right, and <code>retry</code>: whether the same request (with the same Idempotency-Key) may work later.</p>
<dl>
{rows}
</dl>
</body>
</html>
"""


def page() -> Response:
    """The viewer of the description."""
    return HTMLResponse(PAGE, headers=HEADERS)


def errors() -> Response:
    """All codes."""
    rows = "\n".join(f'<dt id="{code}"><code>{code}</code></dt><dd>{html.escape(title)}</dd>' for code, title in sorted(TITLES.items()))
    return HTMLResponse(ERRORS.format(rows=rows), headers=HEADERS)


def asset(name: str) -> Response:
    """A file of the viewer. Raises NotFound."""
    if name == "viewer.js":
        return Response(VIEWER, headers=KEPT, media_type="text/javascript")
    if name not in ASSETS:
        raise NotFound("the viewer has no such file")
    return Response(_file(name), headers=KEPT, media_type=ASSETS[name])


@cache
def _file(name: str) -> bytes:
    """Read beside the package and not through it: importing it would unpack three viewers into memory."""
    found = importlib.util.find_spec("offapi")
    if found is None or found.origin is None:
        raise NotFound("the package offapi is not installed")
    return (Path(found.origin).parent / name).read_bytes()
