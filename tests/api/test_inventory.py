"""The table of calls: complete against the protocol, and guarded, every line of it."""

import pytest

from dispatch.api.call import EVERY_ROLE, OPS, READ, Route
from dispatch.api.table import CALLS, ops_stream
from tests.api.conftest import MakeKey
from tests.api.serving import Api
from tests.api.town import Town

PROTOCOL = """
PUT /v1/markets/{market}
PUT /v1/markets/{market}/catalogue
PUT /v1/markets/{market}/areas
PUT /v1/markets/{market}/providers/{provider_id}
POST /v1/markets/{market}/providers/import
GET /v1/markets/{market}/providers/{provider_id}
GET /v1/markets/{market}/providers/{provider_id}/inbox
POST /v1/markets/{market}/providers/{provider_id}/test
GET /v1/markets/{market}/providers/{provider_id}/test
PUT /v1/markets/{market}/providers/{provider_id}/blocks/{client_id}
DELETE /v1/markets/{market}/providers/{provider_id}/blocks/{client_id}
POST /v1/markets/{market}/device-tokens
DELETE /v1/markets/{market}/providers/{provider_id}/devices/{device_id}
DELETE /v1/markets/{market}/providers/{provider_id}/devices
POST /v1/markets/{market}/match
POST /v1/markets/{market}/bookings
GET /v1/markets/{market}/bookings/{booking_id}
GET /v1/markets/{market}/bookings/{booking_id}/timeline
GET /v1/markets/{market}/bookings/{booking_id}/explain/{provider_id}
GET /v1/markets/{market}/coverage
GET /v1/markets/{market}/coverage/picture
GET /v1/markets/{market}/bookings/{booking_id}/explain
POST /v1/markets/{market}/bookings/{booking_id}/cancel
POST /v1/markets/{market}/bookings/{booking_id}/move
POST /v1/markets/{market}/bookings/{booking_id}/complete
POST /v1/markets/{market}/bookings/{booking_id}/no-show
POST /v1/markets/{market}/bookings/{booking_id}/late
POST /v1/markets/{market}/bookings/{booking_id}/search-again
POST /v1/markets/{market}/bookings/{booking_id}/take-over
POST /v1/markets/{market}/bookings/{booking_id}/hand-back
POST /v1/markets/{market}/bookings/{booking_id}/assign
POST /v1/markets/{market}/bookings/{booking_id}/reopen
POST /v1/markets/{market}/bookings/{booking_id}/extend
GET /v1/markets/{market}/ops/alarms
GET /v1/markets/{market}/ops/audit
GET /v1/markets/{market}/ops/settings-history
GET /v1/markets/{market}/bookings/{booking_id}/bonus
POST /v1/markets/{market}/bookings/{booking_id}/bonus/approve
POST /v1/markets/{market}/providers/{provider_id}/links
GET /v1/markets/{market}/providers/{provider_id}/links
DELETE /v1/markets/{market}/links/{code}
GET /v1/markets/{market}/clients/{client_id}/providers
POST /v1/markets/{market}/bookings/{booking_id}/counteroffers/{counteroffer_id}/accept
POST /v1/markets/{market}/bookings/{booking_id}/counteroffers/{counteroffer_id}/decline
PUT /v1/markets/{market}/blocks/{client_id}
DELETE /v1/markets/{market}/blocks/{client_id}
GET /v1/markets/{market}/ops/follow-ups
POST /v1/markets/{market}/ops/follow-ups/{follow_up_id}/done
GET /v1/push-key
GET /livez
GET /readyz
GET /metrics
GET /openapi.json
GET /asyncapi.json
GET /docs
GET /docs/assets/{name}
GET /docs/errors
"""
GUARDED = [route for route in CALLS if route.roles]
OF_A_MARKET = [route for route in GUARDED if "market" in route.parameters]
OF_A_BOOKING = ("cancel", "move", "complete", "no-show", "late", "search-again", "bonus/approve")
BY_HAND = ("take-over", "hand-back", "assign", "reopen", "extend")
OFFER = "counteroffers/{counteroffer_id}"
OTHERS = ("bookings", "providers/{provider_id}/links", "providers/{provider_id}/test", "ops/follow-ups/{follow_up_id}/done")
TAKES_A_KEY = {f"/v1/markets/{{market}}/{path}" for path in OTHERS} | {
    f"/v1/markets/{{market}}/bookings/{{booking_id}}/{path}" for path in (*OF_A_BOOKING, *BY_HAND, f"{OFFER}/accept", f"{OFFER}/decline")
}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route, market: str) -> str:
    return route.path.replace("{market}", market).replace("{", "").replace("}", "")


def test_the_table_is_the_protocols() -> None:
    assert [named(route) for route in CALLS] == PROTOCOL.split("\n")[1:-1]


def test_every_call_says_what_it_does_and_no_two_are_alike() -> None:
    assert all(route.summary and route.handler.__doc__ for route in CALLS)
    assert len({named(route) for route in CALLS}) == len(CALLS)
    assert len({route.handler.__name__ for route in CALLS}) == len(CALLS)


def test_the_posts_that_change_something_take_an_idempotency_key() -> None:
    assert {route.path for route in CALLS if route.idempotent} == TAKES_A_KEY


def test_every_role_opens_something_and_looking_is_for_all_but_scrapers() -> None:
    assert frozenset().union(*(route.roles for route in CALLS)) == EVERY_ROLE
    looks = [route for route in OF_A_MARKET if route.method == "GET"]
    assert all(route.roles >= READ for route in looks if "/ops/" not in route.path)
    assert all(route.roles == OPS for route in looks if "/ops/" in route.path)


async def test_without_a_key_nobody_gets_in(api: Api, subtests: pytest.Subtests) -> None:
    for route in GUARDED:
        with subtests.test(named(route)):
            for header in (None, "", "Bearer", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "dev-key", "Bearer dev-key"):
                sent = {} if header is None else {"authorization": header}
                answer = await api.call(route.method, path_of(route, "paris"), **sent)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_another_market_looks_like_one_that_is_not_there(town: Town, make_key: MakeKey, subtests: pytest.Subtests) -> None:
    """P13: the answers to a market of others, and to one that nobody has, are the same to the last byte."""
    for route in OF_A_MARKET:
        with subtests.test(named(route)):
            stranger = await make_key(sorted(route.roles)[0], "elsewhere")
            theirs, nobodys = [await town.api.call(route.method, path_of(route, name), key=stranger) for name in (town.name, "nowhere")]
            assert theirs.status_code == nobodys.status_code == 404
            assert theirs.content == nobodys.content


async def test_a_market_that_nobody_made_is_not_found_by_its_own_key(
    api: Api, make_key: MakeKey, market: str, subtests: pytest.Subtests
) -> None:
    for route in OF_A_MARKET:
        with subtests.test(named(route)):
            if not route.creates_market:
                answer = await api.call(route.method, path_of(route, market), key=await make_key(sorted(route.roles)[0], market))
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_role_that_is_too_small_is_refused(api: Api, make_key: MakeKey, subtests: pytest.Subtests) -> None:
    for route in GUARDED:
        with subtests.test(named(route)):
            for role in sorted(EVERY_ROLE - route.roles):
                answer = await api.call(route.method, path_of(route, "paris"), key=await make_key(role, "paris"))
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_method_that_a_path_does_not_have_is_told_which_it_has(api: Api, subtests: pytest.Subtests) -> None:
    for path in sorted({route.path for route in CALLS}):
        with subtests.test(path):
            answer = await api.call("PATCH", path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
            methods = {route.method for route in CALLS if route.path == path}
            assert set(answer.headers["allow"].split(", ")) == methods | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize("path", ["/v1", "/v1/markets", "/v2/markets/paris", "/v1/markets/paris/nothing", "/docs/", "/../etc/passwd"])
async def test_a_path_that_nobody_serves_is_a_problem_too(path: str, api: Api) -> None:
    answer = await api.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_ops_stream_is_a_call_only_when_there_is_something_to_show() -> None:
    assert "/ops/stream" not in "".join(route.path for route in CALLS)
    assert ops_stream.__doc__
