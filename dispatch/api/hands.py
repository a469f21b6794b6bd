"""Calls of ops: bookings in their hands, what they must see to, and what they did."""

from typing import Any

from dispatch.api import bodies
from dispatch.api.call import MANAGER, Call, Reply
from dispatch.engine.requests import AssignRequest, AuditPage, ExtendRequest, HandBackRequest, ReopenRequest, TakeOverRequest
from dispatch.errors import Forbidden
from dispatch.store import Hand


async def take_over(call: Call[TakeOverRequest]) -> Reply:
    """From now on nobody else moves the booking."""
    return Reply(200, await call.desk.ops.take_over(call.market, call.path("booking_id"), call.body, _hand(call), call.rid))


async def hand_back(call: Call[HandBackRequest]) -> Reply:
    """The engine goes on with it. A manager may give back what another has."""
    manager = call.has(frozenset({MANAGER}))
    return Reply(200, await call.desk.ops.hand_back(call.market, call.path("booking_id"), call.body, _hand(call), call.rid, any_=manager))


async def assign(call: Call[AssignRequest]) -> Reply:
    """A provider has it, on the word of ops."""
    return Reply(200, await call.desk.ops.assign(call.market, call.path("booking_id"), call.body, _hand(call), call.rid))


async def reopen(call: Call[ReopenRequest]) -> Reply:
    """Somebody who was asked is asked again. Without a role of ops: in the provider's own name alone."""
    hand = call.hand if call.body.by == "provider" else _hand(call)
    return Reply(200, await call.desk.ops.reopen(call.market, call.path("booking_id"), call.body, hand, call.rid))


async def extend(call: Call[ExtendRequest]) -> Reply:
    """The search goes on."""
    return Reply(200, await call.desk.ops.extend(call.market, call.path("booking_id"), call.body, call.hand, call.rid))


async def get_alarms(call: Call[None]) -> Reply:
    """What ops must see to."""
    return Reply(200, await call.desk.ops.alarms(call.market))


async def get_audit(call: Call[None]) -> Reply:
    """Who did what by hand, when, and why."""
    return Reply(200, await call.desk.ops.audit(call.market, bodies.asked(call.request, AuditPage)))


def _hand(call: Call[Any]) -> Hand:
    """Whose hand it is. The table lets in nobody without one."""
    if call.hand is None:
        raise Forbidden("this call needs a key with an ops role")
    return call.hand
