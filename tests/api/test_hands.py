"""The calls of ops over HTTP: who may make them, what they take, what they answer (R80b, R83, R84, R17)."""

from typing import Any

import msgspec
import pytest

from dispatch.api import answers
from tests.api.conftest import MakeKey
from tests.api.test_answers import described
from tests.api.town import Town, later, window

REASON = {"reason": "the client called"}


async def opened(town: Town, booking_id: str = "b-1", **changes: Any) -> None:
    assert (await town.post("/bookings", town.booking(booking_id=booking_id, **changes))).status_code == 201


async def act(town: Town, what: str, body: Any, key: str | None = None, booking_id: str = "b-1") -> Any:
    return await town.post(f"/bookings/{booking_id}/{what}", body, key=key or town.manager_key)


async def test_a_booking_goes_through_the_hands_of_ops_and_every_answer_is_as_described(town: Town) -> None:
    await opened(town)
    said = [
        (answers.TakeOver, await act(town, "take-over", REASON)),
        (answers.BookingState, await town.call("GET", "/bookings/b-1")),
        (answers.HandBack, await act(town, "hand-back", {})),
        (answers.TakeOver, await act(town, "take-over", REASON)),
        (answers.Assignment, await act(town, "assign", {"provider_id": "p-1", **REASON})),
        (answers.BookingState, await town.call("GET", "/bookings/b-1")),
        (answers.Audit, await town.call("GET", "/ops/audit", key=town.manager_key)),
        (answers.Alarms, await town.call("GET", "/ops/alarms", key=town.manager_key)),
    ]
    for kind, answer in said:
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == described(kind)
        msgspec.convert(answer.json(), kind, strict=False)
    assert said[1][1].json()["taken_over"] | {"at": 0} == {"by": "test", "at": 0, "reason": "the client called"}
    assert (said[5][1].json()["taken_over"], said[5][1].json()["provider_id"]) == (None, "p-1")
    first = said[6][1].json()["entries"][0]
    assert set(first) == described(answers.AuditEntry)
    assert (first["what"], first["who"], first["why"], first["provider_id"]) == ("assign", "test", REASON["reason"], "p-1")


async def test_somebody_is_asked_again(town: Town) -> None:
    await opened(town)
    asked = (await town.call("GET", "/bookings/b-1")).json()["proposals"][0]
    pno = await town.store.providers.number(town.name, asked["provider_id"])
    assert pno is not None
    await town.store.claims.refuse(town.name, pno, "no", asked["proposal"], 1)
    again = await act(town, "reopen", {"provider_id": asked["provider_id"]})
    assert (again.status_code, set(again.json())) == (200, described(answers.AskedAgain))


async def test_the_booking_service_asks_again_in_the_providers_name_alone_r2(town: Town) -> None:
    await opened(town)
    asked = (await town.call("GET", "/bookings/b-1")).json()["proposals"][0]
    pno = await town.store.providers.number(town.name, asked["provider_id"])
    assert pno is not None
    await town.store.claims.refuse(town.name, pno, "no", asked["proposal"], 1)
    again = {"provider_id": asked["provider_id"]}
    for by in ({}, {"by": "ops"}):
        assert (await act(town, "reopen", again | by, town.booking_key)).status_code == 403
    assert (await act(town, "reopen", again | {"by": "client"}, town.booking_key)).status_code == 422
    said = await act(town, "reopen", again | {"by": "provider"}, town.booking_key)
    assert (said.status_code, set(said.json())) == (200, described(answers.AskedAgain))


async def test_only_ops_take_over_and_only_looking_is_for_viewers(town: Town, make_key: MakeKey) -> None:
    await opened(town)
    viewer, agent = await make_key("ops:viewer", town.name), await make_key("ops:agent", town.name)
    for key in (town.booking_key, viewer):
        assert (await act(town, "take-over", REASON, key)).status_code == 403
    assert (await town.call("GET", "/ops/audit")).status_code == 403
    assert (await town.call("GET", "/ops/audit", key=viewer)).status_code == 200
    assert (await act(town, "take-over", REASON, agent)).status_code == 200


async def test_another_is_told_the_owners_name_and_only_a_manager_gives_it_back_r80b(town: Town, make_key: MakeKey) -> None:
    await opened(town)
    one, other = await make_key("ops:agent", town.name), await make_key("ops:agent", town.name)
    assert (await act(town, "take-over", REASON, one)).status_code == 200
    for what, body, key in (
        ("take-over", REASON, other),
        ("hand-back", {}, other),
        ("assign", {"provider_id": "p-0", **REASON}, town.manager_key),
        ("cancel", {"by": "client"}, town.booking_key),
    ):
        answer = await act(town, what, body, key)
        assert (answer.status_code, answer.json()["code"]) == (409, "taken_over"), what
        assert answer.json()["detail"].startswith("test has taken")
    assert (await act(town, "hand-back", {}, town.manager_key)).json()["state"] == "searching"


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("take-over", {}),
        ("take-over", {"reason": "x"}),
        ("assign", {"provider_id": "p-0"}),
        ("assign", {"provider_id": "p-0", **REASON, "override": "yes"}),
        ("assign", {"provider_id": "p-0", **REASON, "window": 5}),
        ("reopen", {}),
        ("extend", {"until": "tomorrow"}),
        ("extend", {"until": "2026-11-24T10:00:00"}),
        ("hand-back", {"why": "x"}),
    ],
)
async def test_what_is_not_as_it_should_be_is_refused_with_what_would_be_right(town: Town, what: str, body: Any) -> None:
    await opened(town)
    answer = await act(town, what, body)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("invalid", "unknown_field")


@pytest.mark.parametrize(
    ("query", "code"), [("limit=0", "invalid"), ("limit=201", "invalid"), ("before=x", "invalid"), ("page=2", "unknown_field")]
)
async def test_a_page_of_the_log_is_asked_for_rightly_or_refused(town: Town, query: str, code: str) -> None:
    answer = await town.call("GET", f"/ops/audit?{query}", key=town.manager_key)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_description_names_what_may_be_asked_for(town: Town) -> None:
    described_ = (await town.api.call("GET", "/openapi.json")).json()["paths"]["/v1/markets/{market}/ops/audit"]["get"]
    assert [(one["name"], one["in"]) for one in described_["parameters"]] == [("market", "path"), ("before", "query"), ("limit", "query")]


@pytest.mark.proves("R10.b")
async def test_ops_book_under_the_cut_off_and_the_log_says_who_and_why_r10_r84(town: Town) -> None:
    late = town.booking(booking_id="b-9", windows=[window(hours=1)], override={"reason": "in hospital"})
    assert (await town.post("/bookings", late)).status_code == 403
    assert (await town.post("/bookings", late, key=town.manager_key)).status_code == 201
    lines = (await town.call("GET", "/ops/audit", key=town.manager_key)).json()["entries"]
    assert [(line["what"], line["who"], line["why"], line["booking_id"]) for line in lines] == [("override", "test", "in hospital", "b-9")]


async def test_only_what_is_unfilled_is_extended_by_whoever_may_book_r17(town: Town) -> None:
    await opened(town)
    answer = await act(town, "extend", {"until": later(hours=2)}, town.booking_key)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "unfilled" in answer.json()["detail"]


async def test_a_booking_that_is_not_there_is_in_nobodys_hands(town: Town) -> None:
    for what, body in (("take-over", REASON), ("hand-back", {}), ("assign", {"provider_id": "p-0", **REASON}), ("extend", {})):
        assert (await act(town, what, body, booking_id="nothing")).status_code == 404


async def test_a_repeat_with_the_same_key_is_answered_as_before_p4(town: Town) -> None:
    await opened(town)
    first, again = [await town.call("POST", "/bookings/b-1/take-over", REASON, key=town.manager_key, idempotency_key="k") for _ in range(2)]
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = await town.call("POST", "/bookings/b-1/take-over", {"reason": "else"}, key=town.manager_key, idempotency_key="k")
    assert other.json()["code"] == "idempotency_mismatch"
