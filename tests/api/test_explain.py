"""Why, over HTTP: for one provider and for everybody (R8); and who wants whom apart (R2)."""

import re

import msgspec
import pytest

from dispatch.api import answers
from tests.api.town import PROVIDER, Town


@pytest.mark.proves("R8.a")
async def test_a_booking_is_explained_wave_by_wave_r8(town: Town) -> None:
    await town.call("PUT", "/providers/p-2", PROVIDER | {"catalogue": ["blow_dry"]})
    await town.post("/bookings", town.booking(booking_id="b-1"))
    said = msgspec.json.decode(
        (await town.call("GET", "/bookings/b-1/explain?provider_ids=p-0,p-2")).content, type=answers.BookingExplained
    )
    (decision,) = said.decisions
    assert (decision.wave, decision.kind, decision.seats, decision.asked, decision.first_wave_skipped) == (1, "wave", 1, ("p-0",), False)
    assert said.left_out is not None
    assert said.left_out.counts == {"asked": 1, "outranked": 1, "catalogue": 1}
    assert {one.provider_id: (one.verdict, one.reasons) for one in said.left_out.providers} == {
        "p-1": ("outranked", ()), "p-2": ("left_out", ("catalogue",)),
    }  # fmt: skip
    assert said.seed == (await town.call("GET", "/bookings/b-1")).json()["seed"]


@pytest.mark.proves("R8.a")
async def test_a_provider_is_told_of_each_decision_r8(town: Town) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"))
    told = {one: (await town.call("GET", f"/bookings/b-1/explain/{one}")).json() for one in ("p-0", "p-1")}
    found = {one: msgspec.convert(body, answers.Explanation, strict=False) for one, body in told.items()}
    assert [[row.verdict for row in one.decisions] for one in found.values()] == [["asked"], ["outranked"]]
    assert set(told["p-1"]["decisions"][0]) == {field.encode_name for field in msgspec.structs.fields(answers.DecisionFor)}


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("/bookings/b-1/explain?decision=0", "invalid", "decision"), ("/bookings/b-1/explain?decision=9", "invalid", "has 1"),
        ("/bookings/b-1/explain?wave=1", "unknown_field", "decision"), ("/bookings/b-1/explain?decision=1&decision=1", "invalid", "once"),
        ("/bookings/b-1/explain?provider_ids=%20", "invalid", "provider_ids"), ("/coverage?days=8", "invalid", "days"),
        ("/coverage?from=tomorrow", "invalid", "from"), ("/coverage?services=shave", "unknown_service", "shave"),
        ("/coverage?" + "zones=" + "x" * 9_000, "invalid", "8192"), ("/coverage/picture?hours=3", "unknown_field", "from_hour"),
    ],
)  # fmt: skip
async def test_a_question_that_is_wrong_is_told_what_would_be_right(town: Town, path: str, code: str, word: str) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"))
    answer = await town.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert word in answer.json()["detail"]


async def test_questions_stand_in_the_description(town: Town) -> None:
    paths = (await town.api.call("GET", "/openapi.json")).json()["paths"]
    asked = {one["name"] for one in paths["/v1/markets/{market}/coverage"]["get"]["parameters"] if one["in"] == "query"}
    assert asked == {"services", "zones", "from", "days", "from_hour", "until_hour"}
    block = paths["/v1/markets/{market}/providers/{provider_id}/blocks/{client_id}"]["delete"]["parameters"]
    assert [one["schema"]["enum"] for one in block if one["name"] == "by"] == [["client", "provider"]]


@pytest.mark.proves("R2.h")
async def test_either_side_may_want_the_other_away_and_only_he_takes_it_back_r2(town: Town) -> None:
    async def count() -> int:
        return int((await town.call("POST", "/match", town.booking(client_id="c-9"))).json()["count"])

    path = "/providers/p-0/blocks/c-9"
    assert [(await town.call("PUT", path + by)).status_code for by in ("?by=client", "?by=client", "", "?by=provider")] == [
        201,
        200,
        201,
        200,
    ]
    assert (await town.call("DELETE", path)).status_code == 204  # the provider's own
    assert await count() == 2
    assert (await town.call("DELETE", path)).status_code == 404
    assert (await town.call("DELETE", path + "?by=client")).status_code == 204
    assert await count() == 3
    assert (await town.call("PUT", path + "?by=ops")).json()["code"] == "invalid"


async def test_a_block_takes_back_what_is_open_between_them_r2(town: Town) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1", client_id="c-9"))
    assert (await town.call("PUT", "/providers/p-0/blocks/c-9?by=client")).status_code == 201
    (proposal,) = (await town.call("GET", "/bookings/b-1")).json()["proposals"]
    assert (proposal["provider_id"], proposal["state"], proposal["reason"]) == ("p-0", "withdrawn", "ops")
    assert (await town.call("GET", "/providers/p-0/inbox")).json()["items"] == []


@pytest.mark.proves("R9.a")
async def test_coverage_is_a_table_and_a_picture_r9(town: Town) -> None:
    question = "?services=haircut&days=2&from_hour=0&until_hour=24"
    said = msgspec.json.decode((await town.call("GET", "/coverage" + question)).content, type=answers.Coverage)
    assert said.services[0].most == 3
    assert said.threshold == 3
    shown = await town.call("GET", "/coverage/picture" + question)
    assert (shown.status_code, shown.headers["content-type"].partition(";")[0]) == (200, "image/svg+xml")
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert shown.text.count("<rect") == 1 + 4 + len(said.hours) * len(said.zones)
    assert "Coverage of haircut" in shown.text
    assert re.search(r"(src|href)=", shown.text) is None  # it asks nobody for anything
    every = (await town.call("GET", "/coverage/picture")).text
    assert [name for name in ("haircut", "blow_dry") if f">{name}</text>" not in every] == []


async def test_seeds_of_rank_are_for_ops_alone_r6_r7(town: Town) -> None:
    ranked = PROVIDER | {"initial_rank": {"tier": "premier", "score": 1.0, "orders": 12, "answered": 12}}
    assert (await town.call("PUT", "/providers/p-9", ranked)).status_code == 403
    assert (await town.call("PUT", "/providers/p-9", ranked, key=town.manager_key)).status_code == 201
    assert not {"orders", "answered", "initial_rank"} & set((await town.call("GET", "/providers/p-9")).json())
