"""Providers over HTTP: settings, what is open for them, tokens of their devices."""

import msgspec
import pytest

from dispatch.api import answers
from dispatch.engine.desk import Desk
from dispatch.identity import DeviceKeys
from dispatch.store import mark
from tests.api.town import CATALOGUE, PLACE, PROVIDER, Town


async def test_a_put_replaces_and_what_is_missing_returns_to_its_default(town: Town) -> None:
    full = PROVIDER | {"status": "inactive", "do_not_disturb": {"from": "22:00", "to": "07:00"}}
    assert (await town.call("PUT", "/providers/p-9", full)).status_code == 201
    assert (await town.call("GET", "/providers/p-9")).json()["do_not_disturb"] == {"from": "22:00", "to": "07:00"}
    assert (await town.call("PUT", "/providers/p-9", PROVIDER)).status_code == 200
    read = (await town.call("GET", "/providers/p-9")).json()
    assert (read["provider_id"], read["status"], read["do_not_disturb"]) == ("p-9", "approved", None)


async def test_created_is_said_in_the_body_too(town: Town) -> None:
    first, second = [await town.call("PUT", "/providers/p-9", PROVIDER) for _ in range(2)]
    assert [msgspec.json.decode(answer.content, type=answers.Created).created for answer in (first, second)] == [True, False]
    assert (await town.call("PUT", "", {"quiet_hours": None, "horizon_days": 4})).status_code == 200
    assert (await town.call("PUT", "/catalogue", CATALOGUE)).status_code == 200


async def test_an_ops_key_may_seed_a_rank(town: Town) -> None:
    ranked = PROVIDER | {"initial_rank": {"tier": "premier", "score": 8.7}}
    assert (await town.call("PUT", "/providers/p-9", ranked, key=town.manager_key)).status_code == 201
    read = (await town.call("GET", "/providers/p-9")).json()
    assert read["tier"] == "premier"
    assert "score" not in str(read)  # R65: private


async def test_the_inbox_shows_what_his_devices_show(town: Town) -> None:
    empty = msgspec.json.decode((await town.call("GET", "/providers/p-0/inbox")).content, type=answers.Inbox)
    assert empty.items == ()
    await town.post("/bookings", town.booking(booking_id="b-1"))
    inboxes = [(await town.call("GET", f"/providers/p-{number}/inbox")).json()["items"] for number in range(3)]
    assert [item["type"] for items in inboxes for item in items] == ["proposal"]


async def test_a_token_is_good_for_its_device_and_time(town: Town, desk: Desk) -> None:
    answer = await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "phone", "ttl_s": 600})
    assert answer.status_code == 201
    said = msgspec.json.decode(answer.content, type=answers.DeviceToken)
    keys: DeviceKeys = desk.devices._keys
    claims = keys.verify(said.token)
    assert (claims.market, claims.provider_id, claims.device_id) == (town.name, "p-0", "phone")
    assert claims.expires_s == int(said.expires_at.timestamp())


async def test_a_device_or_all_of_them_can_be_revoked(town: Town, desk: Desk) -> None:
    async def token_generation() -> int:
        answer = await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "phone"})
        return desk.devices._keys.verify(answer.json()["token"]).token_generation

    assert await token_generation() == 0
    for path, expected in (("/devices/phone", 1), ("/devices", 2), ("/devices/never-seen", 3)):
        answer = await town.call("DELETE", f"/providers/p-0{path}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert await token_generation() == expected


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/providers/nobody/devices", 404, "not_found"), ("/providers/nobody/devices/phone", 404, "not_found"),
     ("/providers/p-0/devices/no%20spaces", 422, "invalid"), ("/providers/p-0/devices/*", 422, "invalid")],
)  # fmt: skip
async def test_what_cannot_be_revoked_is_told_why(town: Town, path: str, status: int, code: str) -> None:
    answer = await town.call("DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.proves("R4.a")
async def test_a_markets_own_areas_name_its_zones(town: Town) -> None:
    around = [[PLACE["lng"] + dx, PLACE["lat"] + dy] for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    area = {
        "type": "Feature",
        "properties": {"code": "centre", "name": "Centre", "postcodes": ["99001"]},
        "geometry": {"type": "Polygon", "coordinates": [around]},
    }
    zoned = PROVIDER | {"zone": {"type": "areas", "codes": ["99001"]}}
    assert (await town.call("PUT", "/providers/p-9", zoned)).json()["code"] == "bad_zone"
    assert (await town.call("PUT", "/areas", {"type": "FeatureCollection", "features": [area]})).status_code == 201
    assert (await town.call("PUT", "/providers/p-9", zoned)).status_code == 201
    left_out = (await town.call("POST", "/match", town.booking(explain=True, explain_ids=["p-9"]))).json()["left_out"]
    assert left_out["providers"] == [{"provider_id": "p-9", "reasons": ["unreachable"]}]  # not zone


async def test_two_markets_may_use_the_same_ids(town: Town, make_key: object, fresh_market: object) -> None:
    """P13."""
    other = fresh_market()  # type: ignore[operator]
    key = await make_key("booking", other)  # type: ignore[operator]
    assert (await town.api.call("PUT", f"/v1/markets/{other}", {}, key=key)).status_code == 201
    assert (await town.api.call("GET", f"/v1/markets/{other}/providers/p-0", key=key)).status_code == 404


@pytest.mark.proves("R25b.c")
async def test_the_booking_service_tests_a_providers_notifications_r25b(town: Town) -> None:
    nothing = await town.call("GET", "/providers/p-0/test")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    sent = await town.post("/providers/p-0/test", {})
    assert sent.status_code == 201
    said = msgspec.json.decode(sent.content, type=answers.TrialState)
    assert (said.state, said.received_at, [one.device for one in said.receipts]) == ("open", None, ["phone"])
    assert (said.expires_at - said.sent_at).total_seconds() == 600
    assert [item["kind"] for item in (await town.call("GET", "/providers/p-0/inbox")).json()["items"]] == ["test"]
    pno = await town.store.providers.number(town.name, "p-0")
    assert pno is not None
    await town.store.claims.receipts(town.name, [(pno, [mark(said.proposal, "phone")], [])])
    shown = msgspec.json.decode((await town.call("GET", "/providers/p-0/test")).content, type=answers.TrialState)
    assert shown.receipts[0].received_at == shown.received_at
    assert shown.received_at is not None
    assert shown.receipts[0].seen_at is None


async def test_a_test_is_sent_once_for_a_key_and_not_too_often_p4(town: Town) -> None:
    first, again = [await town.post("/providers/p-0/test", {}, idempotency_key="one") for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)
    soon = await town.post("/providers/p-0/test", {})
    assert (soon.status_code, soon.json()["code"], soon.json()["retry"]) == (429, "rate_limited", True)
    assert (await town.post("/providers/p-1/test", {})).status_code == 201
    assert (await town.post("/providers/nobody/test", {})).status_code == 404
    assert (await town.post("/providers/p-2/test", {"loud": True})).json()["code"] == "unknown_field"
