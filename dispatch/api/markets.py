"""Calls about a market: its settings, its catalogue, its own areas."""

from typing import Any

from dispatch import webhooks
from dispatch.api import bodies
from dispatch.api.call import Call, Reply
from dispatch.engine.requests import AuditPage
from dispatch.errors import Unprocessable
from dispatch.model import Catalogue, MarketSettings, WebhookTarget
from dispatch.settings import Settings


async def put_market(call: Call[MarketSettings]) -> Reply:
    """Creates a market or replaces its settings."""
    if call.body.webhook is not None:
        await _check_webhook(call.body.webhook, call.engine.settings)
    return stored(await call.desk.put_market(call.market, call.body, call.hand, call.whose))


async def put_catalogue(call: Call[Catalogue]) -> Reply:
    """Replaces what can be booked."""
    return stored(await call.desk.put_catalogue(call.market, call.body, call.hand))


async def put_areas(call: Call[dict[str, Any]]) -> Reply:
    """Replaces the market's own areas."""
    return stored(await call.desk.put_areas(call.market, call.body, call.hand))


async def get_settings_history(call: Call[None]) -> Reply:
    """Who changed which setting, when, from what to what."""
    return Reply(200, await call.desk.ops.settings_history(call.market, bodies.asked(call.request, AuditPage)))


def stored(created: bool) -> Reply:
    """The answer to a PUT: 201 the first time, 200 later."""
    return Reply(201 if created else 200, {"created": created})


async def _check_webhook(target: WebhookTarget, settings: Settings) -> None:
    try:
        await webhooks.check_target(target, allow_private=settings.allow_private_webhooks)
    except ValueError as wrong:
        raise Unprocessable(f"webhook: {wrong}", "bad_webhook") from wrong
