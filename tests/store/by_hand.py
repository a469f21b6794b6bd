"""Ops at work in a scene: two agents and a manager, as the desk hears them."""

from typing import Any

import msgspec

from dispatch.engine.requests import AssignRequest, AuditPage, ExtendRequest, HandBackRequest, ReopenRequest, TakeOverRequest
from dispatch.store import Hand
from tests.store.scene import Scene

ZOE, YAN = Hand(key="k-zoe", name="Zoé"), Hand(key="k-yan", name="Yan")
WHY = "the client called"


async def take_over(scene: Scene, booking_id: str = "b-1", hand: Hand = ZOE, rid: str | None = None) -> dict[str, Any]:
    return await scene.desk.ops.take_over(scene.market, booking_id, TakeOverRequest(reason=WHY), hand, rid or scene.fresh("take"))


async def hand_back(scene: Scene, booking_id: str = "b-1", hand: Hand = ZOE, *, manager: bool = False, rid: str | None = None) -> str:
    """The booking's state afterwards."""
    request = HandBackRequest(reason="done")
    done = await scene.desk.ops.hand_back(scene.market, booking_id, request, hand, rid or scene.fresh("back"), any_=manager)
    return str(done["state"])


async def assign(scene: Scene, name: str, booking_id: str = "b-1", hand: Hand = ZOE, rid: str | None = None, **more: Any) -> dict[str, Any]:
    request = msgspec.convert({"provider_id": name, "reason": WHY, **more}, AssignRequest)
    return await scene.desk.ops.assign(scene.market, booking_id, request, hand, rid or scene.fresh("assign"))


async def reopen(scene: Scene, name: str, booking_id: str = "b-1", rid: str | None = None, *, himself: bool = False) -> dict[str, Any]:
    """``himself``: it is the provider's own word, as the booking service hands it on."""
    request = ReopenRequest(provider_id=name, reason="he called back", by="provider" if himself else "ops")
    return await scene.desk.ops.reopen(scene.market, booking_id, request, None if himself else ZOE, rid or scene.fresh("reopen"))


async def extend(scene: Scene, booking_id: str = "b-1", hand: Hand | None = None, rid: str | None = None, **more: Any) -> dict[str, Any]:
    return await scene.desk.ops.extend(scene.market, booking_id, msgspec.convert(more, ExtendRequest), hand, rid or scene.fresh("extend"))


async def alarms(scene: Scene) -> list[tuple[str, str]]:
    """Kind and booking of each alarm, as HTTP tells them."""
    return [(one["kind"], one["booking_id"]) for one in (await scene.desk.ops.alarms(scene.market))["alarms"]]


async def audit(scene: Scene, **page: Any) -> list[dict[str, Any]]:
    """The audit log, oldest first."""
    found = await scene.desk.ops.audit(scene.market, AuditPage(**page))
    return list(reversed(found["entries"]))
