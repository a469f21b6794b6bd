"""Calls about follow-ups: what providers ask of ops."""

from dispatch.api.call import Call, Reply
from dispatch.engine.requests import FollowUpDone


async def get_follow_ups(call: Call[None]) -> Reply:
    """What is to be seen to, and what was."""
    return Reply(200, await call.desk.follow_ups.listed(call.market))


async def finish_follow_up(call: Call[FollowUpDone]) -> Reply:
    """Somebody of ops has seen to it."""
    return Reply(200, await call.desk.follow_ups.done(call.market, call.path("follow_up_id"), call.caller.id))
