"""Calls about who knows whom, and about bookings that have nobody left: personal links, known providers, bonus proposals, completion."""

from datetime import datetime

import msgspec

from dispatch.api.call import Call, Reply
from dispatch.engine import acquaintances, bonus
from dispatch.engine.requests import BonusRequest, LinkRequest
from dispatch.errors import Unprocessable
from dispatch.model import Span

QUERY = ("start", "end", "service")
MOST_WINDOWS, MOST_SERVICES = 5, 20


async def make_link(call: Call[LinkRequest]) -> Reply:
    """A personal link: whoever books with its code is offered to this provider first."""
    market = await call.desk.market(call.market)
    return Reply(201, await acquaintances.make_link(call.engine.store, market, call.path("provider_id"), call.rid))


async def get_links(call: Call[None]) -> Reply:
    """The codes of his personal links."""
    return Reply(200, await acquaintances.links(call.engine.store, await call.desk.market(call.market), call.path("provider_id")))


async def delete_link(call: Call[None]) -> Reply:
    """A personal link is worth nothing any more; bookings made with it stay."""
    await call.engine.store.acquaintances.drop_link(call.market, call.path("code"))
    return Reply(204)


async def known_providers(call: Call[None]) -> Reply:
    """Which of the providers who have served a client are free in the windows asked for, best first."""
    params = call.request.query_params
    strange = sorted(set(params) - set(QUERY))
    if strange:
        raise Unprocessable(f"{', '.join(strange)} is unknown; known there: {', '.join(QUERY)}", "unknown_field")
    starts, ends, services = params.getlist("start"), params.getlist("end"), params.getlist("service")
    if not 1 <= len(starts) <= MOST_WINDOWS or len(starts) != len(ends) or len(services) > MOST_SERVICES:
        raise Unprocessable(
            f"send 1 to {MOST_WINDOWS} windows, each as start and end, and at most {MOST_SERVICES} times service", "bad_window"
        )
    windows = [Span(_moment(start), _moment(end)) for start, end in zip(starts, ends, strict=True)]
    market = await call.desk.market(call.market)
    rows = await acquaintances.known_providers(call.engine.store, market, call.path("client_id"), windows, services)
    return Reply(200, {"client_id": call.path("client_id"), "providers": rows})


def _moment(text: str) -> int:
    """A moment in a query, ms. A plus sign that nobody escaped has become a space."""
    try:
        moment = msgspec.convert(text.replace(" ", "+"), datetime, strict=False)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Unprocessable(f'"{text[:40]}" is no moment; send RFC 3339 with offset, such as 2026-11-24T10:00:00+01:00', "bad_window")
    return round(moment.timestamp() * 1_000)


async def get_bonus(call: Call[None]) -> Reply:
    """Who would get a bonus proposal: those who fit but for one setting, with what is outside."""
    return Reply(200, await bonus.listing(call.engine.store, await call.desk.market(call.market), call.path("booking_id")))


async def approve_bonus(call: Call[BonusRequest]) -> Reply:
    """Ops confirm the list, or some of it."""
    market = await call.desk.market(call.market)
    said = await bonus.approve(call.engine.store, market, call.path("booking_id"), call.body, call.rid, call.caller.id, call.hand)
    return Reply(200, said)
