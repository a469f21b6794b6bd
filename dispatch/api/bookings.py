"""Calls about bookings: match, open, cancel, and what became of them."""

from dispatch.api import questions
from dispatch.api.call import OVERRIDE, Call, Reply
from dispatch.engine.requests import (
    CancelRequest,
    CompleteRequest,
    ExplainQuestion,
    LateRequest,
    MatchRequest,
    MoveRequest,
    NoShowRequest,
    SearchAgainRequest,
)
from dispatch.model import BookingRequest


async def match(call: Call[MatchRequest]) -> Reply:
    """Who would be asked, in which order and when; changes nothing."""
    return Reply(200, await call.desk.match(call.market, call.body))


async def open_booking(call: Call[BookingRequest]) -> Reply:
    """Opens a booking; the search begins."""
    return Reply(201, await call.desk.open(call.market, call.body, call.rid, call.has(OVERRIDE), call.as_read, call.hand))


async def cancel(call: Call[CancelRequest]) -> Reply:
    """Ends a booking; everyone who holds something of it is told."""
    return Reply(200, await call.desk.cancel(call.market, call.path("booking_id"), call.body, call.rid, call.as_read, call.hand))


async def move(call: Call[MoveRequest]) -> Reply:
    """Other windows for a booking: a new round of its search begins."""
    aftermath, may_override = call.desk.aftermath, call.has(OVERRIDE)
    return Reply(200, await aftermath.move(call.market, call.path("booking_id"), call.body, call.rid, may_override, call.as_read))


async def complete(call: Call[CompleteRequest]) -> Reply:
    """The visit took place."""
    return Reply(200, await call.desk.aftermath.complete(call.market, call.path("booking_id"), call.rid))


async def no_show(call: Call[NoShowRequest]) -> Reply:
    """The provider did not come: ops are called."""
    return Reply(200, await call.desk.aftermath.no_show(call.market, call.path("booking_id"), call.body, call.rid))


async def late(call: Call[LateRequest]) -> Reply:
    """The provider is late, or will be: ops are called."""
    return Reply(200, await call.desk.aftermath.late(call.market, call.path("booking_id"), call.body, call.rid))


async def search_again(call: Call[SearchAgainRequest]) -> Reply:
    """Ops want another provider in the place of one who did not come, or is late."""
    return Reply(200, await call.desk.aftermath.search_again(call.market, call.path("booking_id"), call.body, call.rid, call.as_read))


async def get_booking(call: Call[None]) -> Reply:
    """A booking as it stands."""
    return Reply(200, await call.desk.booking(call.market, call.path("booking_id")))


async def timeline(call: Call[None]) -> Reply:
    """Every event of a booking, oldest first."""
    return Reply(200, await call.desk.timeline(call.market, call.path("booking_id")))


async def explain(call: Call[None]) -> Reply:
    """Why a provider was asked, or which filter left him out (R8)."""
    return Reply(200, await call.desk.explain(call.market, call.path("booking_id"), call.path("provider_id")))


async def explain_booking(call: Call[None]) -> Reply:
    """What was decided for a booking, and who was left out of one decision (R8)."""
    question = questions.read(call.request, ExplainQuestion)
    market = await call.desk.market(call.market)
    return Reply(200, await call.desk.explaining.booking(market, call.path("booking_id"), question))
