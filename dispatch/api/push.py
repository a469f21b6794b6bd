"""Calls about push: what a browser needs before it can subscribe."""

from starlette.responses import Response

from dispatch.api.call import Call, Reply
from dispatch.api.endpoint import HEADERS, encoded
from dispatch.errors import NotFound

FOR_ANY_PAGE = {"access-control-allow-origin": "*"}  # it is public, and the pages of providers may be served from elsewhere


async def get_push_key(call: Call[None]) -> Reply:
    """The public VAPID key of this installation: `applicationServerKey` of a subscription."""
    if call.engine.push_key is None:
        raise NotFound("Web Push is not set up here; `dispatch vapid` makes the keys")
    body = encoded({"public_key": call.engine.push_key})
    return Reply(response=Response(body, headers=HEADERS | FOR_ANY_PAGE, media_type="application/json"))
