"""The pages about the interface: in a real browser that can reach nothing but us."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatch.api.problems import TITLES
from dispatch.api.table import CALLS
from tests.api.serving import Api

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
ALONE = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


async def test_the_page_names_nothing_outside(api: Api) -> None:
    page = await api.call("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        if not link.startswith("data:"):
            assert (await api.call("GET", link)).status_code == 200, link


async def test_the_viewers_files_are_served_with_their_types_and_nothing_else_is(api: Api) -> None:
    for name, kind in (("swagger_bundle.js", "text/javascript"), ("swagger_style.css", "text/css"), ("viewer.js", "text/javascript")):
        answer = await api.call("GET", f"/docs/assets/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert len(answer.content) > 100
    for name in ("scalar.js", "__init__.py", "..%2f__init__.py", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"):
        assert (await api.call("GET", f"/docs/assets/{name}")).status_code == 404


async def test_every_problem_code_has_a_place_to_link_to(api: Api) -> None:
    page = (await api.call("GET", "/docs/errors")).text
    assert set(re.findall(r'<dt id="(\w+)">', page)) == set(TITLES)
    problem = (await api.call("GET", "/nothing")).json()
    assert problem["type"] == "/docs/errors#not_found"


@pytest.mark.skipif(BROWSER is None, reason="no browser here")
async def test_a_browser_without_a_network_shows_every_call(api: Api, tmp_path: Path) -> None:
    """The page as it stands once its scripts have run: every call of the table, with its summary."""
    assert BROWSER is not None
    command = [
        BROWSER,
        *ALONE,
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=20000",
        "--dump-dom",
        f"http://127.0.0.1:{api.port}/docs",
    ]
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=90, check=True)
    page = shown.stdout.decode()
    assert "Failed to load" not in page
    assert page.count('class="opblock-summary ') == len(CALLS)
    assert all(route.summary in page for route in CALLS)
