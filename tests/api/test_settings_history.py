"""The history of a market's settings over HTTP: for ops, page by page, with who, when and what (R84); a mistake is told of its field."""

from typing import Any

import msgspec
import pytest

from dispatch.api import answers
from tests.api.conftest import MakeKey
from tests.api.test_answers import described
from tests.api.town import Town

HISTORY = "/ops/settings-history"


async def put(town: Town, body: dict[str, Any], key: str | None = None) -> Any:
    return await town.call("PUT", "", body, key=key or town.manager_key)


async def history(town: Town, query: str = "", key: str | None = None) -> Any:
    return await town.call("GET", HISTORY + query, key=key or town.manager_key)


async def test_a_change_is_told_with_who_when_and_what_r84(town: Town) -> None:
    before = (await history(town)).json()["entries"]
    assert (
        await put(town, {"travel_gap_s": 60, "answer_s": {"last_minute": 9, "same_day": 1800, "advance": 14400, "far": 43200}})
    ).status_code == 200
    answer = await history(town)
    assert answer.status_code == 200, answer.text
    msgspec.convert(answer.json(), answers.SettingsHistory, strict=False)
    assert set(answer.json()) == described(answers.SettingsHistory)
    first, *rest = answer.json()["entries"]
    assert rest == before
    assert set(first) == described(answers.SettingsChange)
    changes = {change["field"]: (change["old"], change["new"]) for change in first["changes"]}
    assert changes["travel_gap_s"] == (1800, 60)
    assert changes["answer_s.last_minute"] == (600, 9)
    assert (first["who"], first["created"], first["number"]) == ("test", False, len(before) + 1)
    line = (await town.call("GET", "/ops/audit", key=town.manager_key)).json()["entries"][0]
    assert (line["what"], line["number"], line["at"], line["key"]) == ("settings", first["audit"], first["at"], first["key"])


async def test_what_the_booking_service_changes_is_told_too_and_is_not_by_hand_r84(town: Town) -> None:
    assert (await put(town, {"pause_after": 7}, town.booking_key)).status_code == 200
    first = (await history(town)).json()["entries"][0]
    assert (first["audit"], first["key"][:1], first["changes"][-1]) == (None, "k", {"field": "pause_after", "old": 4, "new": 7})


async def test_it_is_for_ops_alone(town: Town, make_key: MakeKey) -> None:
    assert (await history(town, key=town.booking_key)).status_code == 403
    assert (await history(town, key=await make_key("ops:viewer", town.name))).status_code == 200
    assert (await history(town, key=await make_key("ops:viewer", "another"))).status_code == 404


async def test_it_is_read_page_by_page_and_a_page_has_a_bound(town: Town) -> None:
    for cap in range(10, 17):
        assert (await put(town, {"open_proposals_cap": cap})).status_code == 200
    told, query = [], "?limit=3"
    while query:
        page = (await history(town, query)).json()
        told += [entry["number"] for entry in page["entries"]]
        query = f"?limit=3&before={page['next']}" if page["next"] else ""
    assert told == list(range(told[0], 0, -1))
    assert len(told) >= 8
    for query in ("?limit=201", "?limit=0", "?before=0", "?after=1"):
        assert (await history(town, query)).status_code == 422


async def test_no_secret_is_ever_told(town: Town) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    hook = {"url": "https://93.184.216.34/hook?token=t0k", "secret": secret}
    assert (await put(town, {"webhook": hook})).status_code == 200
    assert (await put(town, {})).status_code == 200
    text = (await history(town)).text
    assert "webhook" in text
    assert secret not in text
    assert "t0k" not in text


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"time_zone": "Europe/Lutetia"}, "bad_time_zone", "time_zone: "),
        ({"cadence": []}, "invalid", "cadence: expected `array` of length >= 1"),
        ({"cadence": [{"class": "far", "lead_under_s": 60, "size": 1, "pause_s": 1}]}, "invalid", "cadence: lead_under_s must rise"),
        ({"cadence": [{"class": "soon", "lead_under_s": None, "size": 1, "pause_s": 1}]}, "invalid", "cadence[0].class: "),
        ({"quiet_hours": {"from": "22:00", "to": "21:30"}}, "invalid", "quiet_hours: they leave less than an hour"),
        ({"quiet_hours": {"from": "25:00", "to": "07:00"}}, "invalid", "quiet_hours.from: "),
        ({"horizon_days": 1, "booking_cutoff_s": 86_400}, "invalid", "booking_cutoff_s: nothing could be booked"),
        ({"bonus_steps": [{"zone_km": 1}, {}]}, "invalid", "bonus_steps[1]: it stretches nothing; send hours_min or zone_km"),
        ({"bounds": {"type": "polygon", "coordinates": [[2, 48], [2, 48], [2, 48]]}}, "bad_zone", "bounds: the ring has fewer than 3"),
        ({"bounds": {"type": "square"}}, "invalid", "bounds.type: "),
        ({"fair_window_s": 6}, "invalid", "fair_window_s: expected `float` <= 5"),
        ({"wave_policy": "fast"}, "invalid", "wave_policy: invalid enum value 'fast'; one of cadence, paced"),
        ({"webhook": {"url": "ftp://x", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, "invalid", "webhook.url: "),
        ({"answer_s": {"last_minute": 600}}, "invalid", "answer_s: "),
        ({"travel_gap": 60}, "unknown_field", "travel_gap is unknown; known there: time_zone, "),
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_wrong_is_told_of_its_field_and_changes_nothing(town: Town, body: dict[str, Any], code: str, told: str) -> None:
    before = (await history(town)).json()
    answer = await put(town, body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["detail"].startswith(told), answer.json()["detail"]
    assert (await history(town)).json() == before
