"""Calls about coverage: how many could serve, as numbers and as a picture (R9)."""

from typing import Any

from starlette.responses import Response

from dispatch.api import questions
from dispatch.api.call import Call, Reply
from dispatch.api.coverage_picture import drawn
from dispatch.engine.requests import CoverageQuestion

# A picture that brings nothing along and asks nobody for anything, even when a browser opens it as a page.
ALONE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


async def get_coverage(call: Call[None]) -> Reply:
    """Service by zone by hour, how many providers could serve; what is below the market's threshold."""
    return Reply(200, await _report(call))


async def get_coverage_picture(call: Call[None]) -> Reply:
    """The same as a picture."""
    picture = drawn(await _report(call))
    return Reply(200, response=Response(picture, headers=ALONE, media_type="image/svg+xml"))


async def _report(call: Call[None]) -> dict[str, Any]:
    question = questions.read(call.request, CoverageQuestion)
    return await call.desk.coverage.report(await call.desk.market(call.market), question)
