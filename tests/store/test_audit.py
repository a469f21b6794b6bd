"""Everything done by hand is in the audit log: who, what, when, why (R84)."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgpack
import pytest

from dispatch.engine.requests import AuditPage, CancelRequest
from dispatch.store import Hand
from tests.store.by_hand import WHY, YAN, ZOE, assign, audit, extend, hand_back, reopen, take_over
from tests.store.scene import Scene


async def test_each_act_is_a_line_with_who_what_when_and_why_r84(scene: Scene) -> None:
    desk, market = scene.desk, scene.market
    await scene.open()
    await scene.refuse("ada")
    await reopen(scene, "ada")
    await take_over(scene)
    await hand_back(scene)
    await take_over(scene, hand=YAN)
    await assign(scene, "dan", hand=YAN)
    await desk.cancel(market, "b-1", CancelRequest(by="ops", reason="the client moved"), scene.fresh("c"), hand=ZOE)
    await desk.open(market, scene.request("b-2", lead=1, override={"reason": "in hospital"}), scene.fresh("o"), True, hand=ZOE)
    await desk.put_block(market, "c-9", "never at home", ZOE)
    await desk.delete_block(market, "c-9", YAN)
    await desk.put_provider_block(market, "ada", "c-9", hand=ZOE)
    await desk.delete_provider_block(market, "ada", "c-9", hand=ZOE)
    await desk.devices.revoke(market, "ben", None, YAN)
    lines = await audit(scene)
    assert [(line["who"], line["what"], line["why"], line["booking_id"], line["provider_id"]) for line in lines] == [
        ("Zoé", "reopen", "he called back", "b-1", "ada"),
        ("Zoé", "take_over", WHY, "b-1", None),
        ("Zoé", "hand_back", "done", "b-1", None),
        ("Yan", "take_over", WHY, "b-1", None),
        ("Yan", "assign", WHY, "b-1", "dan"),
        ("Zoé", "cancel", "the client moved", "b-1", None),
        ("Zoé", "override", "in hospital", "b-2", None),
        ("Zoé", "block", "never at home", None, None),
        ("Yan", "unblock", "", None, None),
        ("Zoé", "block", "", None, "ada"),
        ("Zoé", "unblock", "", None, "ada"),
        ("Yan", "revoke", "", None, "ben"),
    ]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert {datetime.fromisoformat(line["at"]).timestamp() * 1_000 for line in lines} == {scene.now}
    assert {line["key"] for line in lines} == {"k-zoe", "k-yan"}


async def test_what_is_set_up_by_hand_is_a_line_too_r84(scene: Scene) -> None:
    desk, market, settings = scene.desk, scene.market, await scene.settings_of("ada")
    await desk.put_market(market, (await desk.market(market)).settings, ZOE)
    await desk.put_catalogue(market, (await desk.market(market)).catalogue, ZOE)
    await desk.put_areas(market, {"type": "FeatureCollection", "features": []}, ZOE)
    await desk.put_provider(market, "ada", settings, ZOE)
    await desk.import_providers(market, _no_lines(), False, ZOE)
    assert [(line["who"], line["what"], line["provider_id"]) for line in await audit(scene)] == [
        ("Zoé", "settings", None),
        ("Zoé", "catalogue", None),
        ("Zoé", "areas", None),
        ("Zoé", "provider", "ada"),
        ("Zoé", "import", None),
    ]


async def _no_lines() -> AsyncIterator[bytes]:
    for line in ():
        yield line


async def test_what_the_booking_service_does_is_not_by_hand_r84(scene: Scene) -> None:
    await scene.open()
    await scene.cancel()
    await scene.desk.put_block(scene.market, "c-9", "never at home")
    assert await audit(scene) == []


async def test_what_was_refused_was_not_done_r84(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    for act in (lambda: take_over(scene, hand=YAN), lambda: assign(scene, "dan", window=4), lambda: extend(scene, hand=YAN)):
        with pytest.raises(Exception, match=r"Zoé|window"):
            await act()
    assert [line["what"] for line in await audit(scene)] == ["take_over"]


async def test_it_is_read_page_by_page_newest_first_and_nothing_is_missed_or_told_twice_r84(scene: Scene) -> None:
    for number in range(7):
        await scene.desk.put_block(scene.market, f"c-{number}", f"reason {number}", ZOE)
    told: list[str] = []
    before: int | None = None
    pages = 0
    while True:
        page: dict[str, Any] = await scene.desk.ops.audit(scene.market, AuditPage(before=before, limit=3))
        told += [line["why"] for line in page["entries"]]
        pages += 1
        if pages == 1:
            await scene.desk.put_block(scene.market, "c-late", "while somebody reads", ZOE)
        if page["next"] is None:
            break
        before = page["next"]
    assert told == [f"reason {number}" for number in reversed(range(7))]
    assert pages == 3


async def test_the_log_itself_holds_codes_and_numbers_and_words_stand_beside_p14b(scene: Scene) -> None:
    await scene.open()
    await take_over(scene, hand=Hand(key="k-1", name="Zoé Martin"))
    rows = await scene.redis.xrange(f"{{{scene.market}}}:audit")
    (entry,) = [msgpack.unpackb(pairs[1] if isinstance(pairs, list) else pairs[b"e"]) for _, pairs in rows]
    assert entry == {"at": scene.now, "by": "k-1", "what": "take_over", "b": 1}
    events = await scene.store.bookings.timeline(scene.market, 1)
    assert "Zoé" not in str(events)
    assert WHY not in str(events)
    await scene.redis.hdel(f"{{{scene.market}}}:auditw", 1)  # erased
    (line,) = await audit(scene)
    assert (line["who"], line["why"], line["what"]) == ("k-1", "", "take_over")


async def test_an_event_names_its_line_r84(scene: Scene) -> None:
    await scene.open()
    await take_over(scene)
    taken = (await scene.store.bookings.timeline(scene.market, 1))[-4]
    assert (taken["type"], taken["audit"]) == ("TakenOver", 1)


async def test_markets_have_their_own_logs_p13(scene: Scene) -> None:
    await scene.desk.put_block(scene.market, "c-1", "never at home", ZOE)
    other = scene.market + "-not"
    assert await scene.store.hands.audit(other, None, 10) == []
