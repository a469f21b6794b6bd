"""Calls about counteroffers: the client's answers to other times that a provider proposed."""

from dispatch.api.call import Call, Reply
from dispatch.engine.requests import CounterofferAccept, CounterofferDecline


async def accept_counteroffer(call: Call[CounterofferAccept]) -> Reply:
    """The client takes one of its windows: the booking is accepted."""
    where = call.market, call.path("booking_id"), call.path("counteroffer_id")
    return Reply(200, await call.desk.counteroffers.accept(*where, call.body, call.rid))


async def decline_counteroffer(call: Call[CounterofferDecline]) -> Reply:
    """The client does not want it; its provider is told, and the search goes on."""
    where = call.market, call.path("booking_id"), call.path("counteroffer_id")
    return Reply(200, await call.desk.counteroffers.decline(*where, call.rid))
