"""Personal links, known providers, completion and bonus proposals over HTTP: bodies, codes, and who may (R26-R32)."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from dispatch.api import answers
from dispatch.store import functions
from dispatch.store.calls import Calls
from dispatch.store.visits import Visits
from tests.api.conftest import MakeKey
from tests.api.town import PLACE, PROVIDER, Town, window
from tests.store.scene import standing_at


async def served(town: Town, client_id: str = "c-77", provider_id: str = "p-0", hours: float = 80) -> None:
    """He has completed a visit for the client. (What a device does is done at the store.)"""
    booking = town.booking(client_id=client_id, windows=[window(hours=hours)])
    assert (await town.post("/bookings", booking)).status_code == 201
    record = await town.store.bookings.get(town.name, booking["booking_id"])
    number = await town.store.providers.number(town.name, provider_id)
    assert number in record.proposals
    said = await town.store.claims.accept(town.name, number, f"a-{record.no}", f"{record.no}.1.{number}", record.version)
    assert said["outcome"] == "won"
    redis = town.store._calls.redis
    clock = standing_at(record.start)  # when the visit begins
    await functions.install(redis, functions.library(clock))
    done = await Visits(Calls(redis, clock)).complete(town.name, bno=record.no, rid=f"done-{record.no}")
    assert done["word"] == "COMPLETED"


def asked(*windows: dict[str, str], **more: str) -> str:
    return urlencode([*(pair for one in windows for pair in one.items()), *more.items()])


async def test_what_is_answered_is_what_is_described(town: Town, subtests: pytest.Subtests) -> None:
    await served(town)
    await town.call("PUT", "/providers/near", PROVIDER | {"zone": {"type": "circle", "lat": 48.8566, "lng": 2.45, "radius_km": 5}})
    number = await town.store.providers.number(town.name, "near")
    assert number is not None
    await town.store.links.connect(town.name, number, "phone", "gw-test", 99, background=False, push=None)
    link = await town.post("/providers/p-0/links", {})
    opened = await town.post("/bookings", town.booking(booking_id="b-1", client_id="c-77", preferred_provider_id="p-0"))
    known = await town.call("GET", f"/clients/c-77/providers?{asked(window(hours=10), service='haircut')}")
    listed = await town.call("GET", "/bookings/b-1/bonus")
    said: list[tuple[type[Any], Any]] = [
        (answers.PersonalLink, link.json()),
        (answers.PersonalLinks, (await town.call("GET", "/providers/p-0/links")).json()),
        (answers.Direct, opened.json()["direct"]),
        (answers.KnownProviders, known.json()),
        (answers.KnownProvider, known.json()["providers"][0]),
        (answers.BonusList, listed.json()),
        (answers.NearMiss, listed.json()["providers"][0]),
        (answers.BonusApproved, (await town.post("/bookings/b-1/bonus/approve", {}, key=town.manager_key)).json()),
    ]
    for kind, body in said:
        with subtests.test(kind.__name__):
            assert set(body) == {field.encode_name for field in msgspec.structs.fields(kind)}
            msgspec.convert(body, kind, strict=False)
    assert opened.json()["direct"] == {"provider_id": "p-0", "state": "asked", "reasons": []}
    assert listed.json()["providers"][0]["reasons"] == ["2.2 km outside your zone"]


@pytest.mark.proves("R26.a")
async def test_a_link_lives_from_the_first_service_to_its_end_r26(town: Town) -> None:
    early = await town.post("/providers/p-0/links", {})
    assert (early.status_code, early.json()["code"]) == (409, "no_service_yet")
    assert (await town.post("/providers/p-none/links", {})).status_code == 404
    await served(town)
    code = (await town.post("/providers/p-0/links", {})).json()["code"]
    direct = (await town.post("/bookings", town.booking(link=code))).json()["direct"]
    assert (direct["provider_id"], direct["state"]) == ("p-0", "asked")
    assert (await town.call("DELETE", f"/links/{code}")).status_code == 204
    assert (await town.call("DELETE", f"/links/{code}")).status_code == 404
    refused = await town.post("/bookings", town.booking(link=code))
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_link")


@pytest.mark.proves("R27.a")
async def test_a_stranger_cannot_be_preferred_r27(town: Town) -> None:
    refused = await town.post("/bookings", town.booking(preferred_provider_id="p-0"))
    assert (refused.status_code, refused.json()["code"]) == (422, "not_served")
    tried = await town.call("POST", "/match", town.booking(preferred_provider_id="p-0"))
    assert tried.json()["code"] == "not_served"


@pytest.mark.proves("R11.b", "R28.b")
async def test_a_booking_shows_whom_it_named_and_what_marks_the_proposal_r28(town: Town) -> None:
    await served(town)
    code = (await town.post("/providers/p-0/links", {})).json()["code"]
    away = PLACE | {"lng": PLACE["lng"] + 0.1}
    await town.post("/bookings", town.booking(booking_id="b-1", client_id="c-77", place=away, preferred_provider_id="p-0", link=code))
    state = (await town.call("GET", "/bookings/b-1")).json()
    assert (state["preferred_provider_id"], state["link"]) == ("p-0", code)
    (proposal,) = state["proposals"]
    assert (proposal["kind"], proposal["wave"], proposal["reasons"]) == ("direct", 0, ["1.4 km outside your zone"])


async def test_the_dry_run_of_a_direct_booking_plans_with_the_hold_r19_r28(town: Town) -> None:
    await served(town)
    plain, direct = [
        (await town.call("POST", "/match", town.booking(client_id="c-77", preferred_provider_id=name))).json()["plan"][0]["at"]
        for name in (None, "p-0")
    ]
    assert direct > plain


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "bad_window"),
        ("start=2026-11-24T10:00:00Z", "bad_window"),
        ("start=soon&end=later", "bad_window"),
        ("start=2026-11-24T10:00:00&end=2026-11-24T11:00:00", "bad_window"),
        ("start=2020-11-24T10:00:00Z&end=2020-11-24T11:00:00Z", "bad_window"),
        ("&".join(["start=2026-11-24T10:00:00Z&end=2026-11-24T11:00:00Z"] * 6), "bad_window"),
        ("place=here", "unknown_field"),
    ],
)
async def test_a_question_without_sense_is_told_what_would_be_right_r27(town: Town, query: str, code: str) -> None:
    answer = await town.call("GET", f"/clients/c-77/providers?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_unescaped_plus_in_a_moment_is_understood(town: Town) -> None:
    await served(town)
    one = window(hours=10)
    query = f"start={one['start']}&end={one['end']}"
    assert "+" in query
    assert [row["provider_id"] for row in (await town.call("GET", f"/clients/c-77/providers?{query}")).json()["providers"]] == ["p-0"]


async def test_the_description_names_what_may_stand_in_a_query(town: Town) -> None:
    described = (await town.api.call("GET", "/openapi.json")).json()["paths"]["/v1/markets/{market}/clients/{client_id}/providers"]["get"]
    assert [one["name"] for one in described["parameters"] if one["in"] == "query"] == ["start", "end", "service"]


@pytest.mark.proves("R31.a")
async def test_only_ops_confirm_bonus_proposals_r31_r84(town: Town, make_key: MakeKey) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"))
    assert (await town.post("/bookings/b-1/bonus/approve", {})).status_code == 403
    viewer = await make_key("ops:viewer", town.name)
    assert (await town.post("/bookings/b-1/bonus/approve", {}, key=viewer)).status_code == 403
    assert (await town.call("GET", "/bookings/b-1/bonus", key=viewer)).status_code == 200
    stranger = await town.post("/bookings/b-1/bonus/approve", {"provider_ids": ["p-0"]}, key=town.manager_key)
    assert (stranger.status_code, stranger.json()["code"]) == (422, "not_nearly")
    await town.post("/bookings/b-1/cancel", {"by": "ops"})
    late = await town.post("/bookings/b-1/bonus/approve", {}, key=town.manager_key)
    assert (late.status_code, late.json()["code"]) == (409, "conflict")


async def test_only_what_was_accepted_is_completed(town: Town) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"))
    early = await town.post("/bookings/b-1/complete", {})
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    assert (await town.post("/bookings/b-none/complete", {})).status_code == 404


@pytest.mark.parametrize(
    "chosen",
    [{"bonus_steps": [{"hours_min": 241}]}, {"bonus_steps": [{"zone_km": 16}]}, {"bonus_steps": [{}] * 6}, {"bonus_mode": "never"}],
)
async def test_steps_have_bounds_r30(town: Town, chosen: dict[str, Any]) -> None:
    assert (await town.call("PUT", "", chosen)).json()["code"] == "invalid"
