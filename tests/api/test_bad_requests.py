"""What is wrong is refused with its own code, says where, and changes nothing in the store."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis

from tests.api.town import PLACE, PROVIDER, Town, later, window

Body = Callable[[Town], Any]
RING = [[2.0, 48.0], [2.1, 48.1], [2.1, 48.0], [2.0, 48.1]]  # crosses itself
TOO_DEEP = b'{"a":' * 100_000


@dataclass(frozen=True, slots=True)
class Bad:
    """A request that is wrong in one way."""

    what: str
    method: str
    path: str
    body: Body
    status: int
    code: str
    said: str = ""  # part of the detail


def booking(what: str, changes: dict[str, Any], status: int, code: str, said: str = "") -> Bad:
    return Bad(f"booking: {what}", "POST", "/bookings", lambda town: town.booking(**changes), status, code, said)


def without(what: str, field: str) -> Bad:
    def body(town: Town) -> Any:
        return {name: value for name, value in town.booking().items() if name != field}

    return Bad(f"booking: {what}", "POST", "/bookings", body, 422, "invalid", f"required field `{field}`")


def raw(what: str, method: str, path: str, body: bytes, status: int, code: str, said: str = "") -> Bad:
    return Bad(what, method, path, lambda town: body, status, code, said)


def provider(what: str, changes: dict[str, Any], status: int, code: str, said: str = "") -> Bad:
    return Bad(f"provider: {what}", "PUT", "/providers/p-0", lambda town: PROVIDER | changes, status, code, said)


def other(what: str, method: str, path: str, body: Any, status: int, code: str, said: str = "") -> Bad:
    return Bad(what, method, path, lambda town: body, status, code, said)


BAD = (
    raw("booking: not JSON", "POST", "/bookings", b"booking_id=1", 400, "bad_request", "not JSON"),
    raw("booking: nothing", "POST", "/bookings", b"", 400, "bad_request", "truncated"),
    raw("booking: cut off", "POST", "/bookings", b'{"booking_id": "b-', 400, "bad_request", "truncated"),
    Bad(
        "booking: two values", "POST", "/bookings", lambda town: json.dumps(town.booking()).encode() + b"{}", 400, "bad_request", "trailing"
    ),
    raw("booking: not UTF-8", "POST", "/bookings", b'{"booking_id": "\xff"}', 400, "bad_request", "UTF-8"),
    raw("booking: half a surrogate pair", "POST", "/bookings", b'{"booking_id": "\\ud800"}', 400, "bad_request"),
    raw("booking: NaN", "POST", "/bookings", b'{"place": {"lat": NaN, "lng": 2}}', 400, "bad_request"),
    raw("booking: a number no computer holds", "POST", "/bookings", b'{"place": {"lat": 1e999, "lng": 2}}', 422, "invalid", "place.lat"),
    raw("booking: a list", "POST", "/bookings", b"[]", 422, "invalid", "the body: expected `object`"),
    raw("booking: larger than 256 KiB", "POST", "/bookings", b'{"note": "' + b"x" * 262_144 + b'"}', 413, "too_large", "262144"),
    booking(
        "a field nobody knows", {"colour": "red"}, 422, "unknown_field", "colour is unknown; known there: booking_id, client_id, place"
    ),
    booking(
        "a field nobody knows, inside", {"place": PLACE | {"zip": "75004"}}, 422, "unknown_field", "place.zip is unknown; known there: lat"
    ),
    booking(
        "one inside a list",
        {"windows": [window() | {"tz": "x"}]},
        422,
        "unknown_field",
        "windows[0].tz is unknown; known there: start, end",
    ),
    without("no id", "booking_id"),
    without("no client", "client_id"),
    without("no place", "place"),
    booking("a number as id", {"booking_id": 7}, 422, "invalid", "booking_id: expected `str`, got `int`"),
    booking("an id with a space", {"booking_id": "b 1"}, 422, "invalid", "booking_id"),
    booking("an id and a line's end", {"booking_id": "b1\n"}, 422, "invalid", "booking_id"),
    booking("a client and a line's end", {"client_id": "c1\n"}, 422, "invalid", "client_id"),
    booking("a currency and a line's end", {"currency": "EUR\n"}, 422, "invalid", "currency"),
    booking("an id of 65 characters", {"booking_id": "b" * 65}, 422, "invalid", "booking_id: expected `str` of length <= 64"),
    booking("no services", {"services": []}, 422, "invalid", "services"),
    booking("21 services", {"services": ["haircut"] * 21}, 422, "invalid", "services"),
    booking("a service not in the catalogue", {"services": ["haircut", "tattoo"]}, 422, "unknown_service", "tattoo"),
    booking("no window", {"windows": []}, 422, "invalid", "windows"),
    booking("six windows", {"windows": [window(n) for n in range(30, 36)]}, 422, "invalid", "windows"),
    booking("a time without offset", {"windows": [{"start": "2026-11-24T10:00:00", "end": later(hours=31)}]}, 422, "invalid", "timezone"),
    booking("a day that is not there", {"windows": [{"start": "2026-02-30T10:00:00Z", "end": later(hours=31)}]}, 422, "invalid", "RFC3339"),
    booking("an end before the start", {"windows": [{"start": later(hours=31), "end": later(hours=30)}]}, 422, "bad_window", "ends before"),
    booking("a window in the past", {"windows": [window(-3)]}, 422, "bad_window", "past"),
    booking("a window of 25 hours", {"windows": [window(30, 25)]}, 422, "bad_window", "24 h"),
    booking("a window beyond the horizon", {"windows": [window(24 * 36)]}, 422, "bad_window", "horizon"),
    booking("the same window twice", {"windows": [{"start": later(hours=30), "end": later(hours=31)}] * 2}, 422, "bad_window", "same"),
    booking("under two hours ahead", {"windows": [{"start": later(hours=1.9), "end": later(hours=3)}]}, 422, "too_late", "7200"),
    booking("a latitude of 91", {"place": {"lat": 91, "lng": 2}}, 422, "invalid", "place.lat: expected `float` <= 90.0"),
    booking("an address as place", {"place": "1 rue de Rivoli"}, 422, "invalid", "place: expected `object`"),
    booking("a place where no zone reaches", {"place": {"lat": 35.68, "lng": 139.69}}, 422, "outside_market"),
    booking("a negative price", {"price_cents": -1}, 422, "invalid", "price_cents"),
    booking("a price with a fraction", {"price_cents": 45.5}, 422, "invalid", "price_cents: expected `int`, got `float`"),
    booking("a currency in small letters", {"currency": "eur"}, 422, "invalid", "currency"),
    booking("a note of 1001 characters", {"note": "x" * 1_001}, 422, "invalid", "note"),
    booking("a blacklisted client", {"client_id": "c-black"}, 422, "blocked"),
    booking("an id that exists", {"booking_id": "b-there"}, 409, "duplicate", "b-there"),
    Bad("match: no limit at all", "POST", "/match", lambda town: town.booking(limit=0), 422, "invalid", "limit"),
    Bad("match: a field nobody knows", "POST", "/match", lambda town: town.booking(max=3), 422, "unknown_field", "max"),
    other("cancel: a booking nobody knows", "POST", "/bookings/b-none/cancel", {"by": "client"}, 404, "not_found", "b-none"),
    other("cancel: by nobody", "POST", "/bookings/b-there/cancel", {"by": "me"}, 422, "invalid", "by"),
    other("explain: a provider nobody knows", "GET", "/bookings/b-there/explain/p-none", None, 404, "not_found", "p-none"),
    provider("a status nobody knows", {"status": "retired"}, 422, "invalid", "status"),
    provider("no name", {"name": ""}, 422, "invalid", "name"),
    provider("hours that nobody can read", {"hours": "from nine to five"}, 422, "bad_hours", "example"),
    provider("a zone of a shape nobody knows", {"zone": {"type": "square"}}, 422, "invalid", "zone.type: invalid value 'square'"),
    provider("a zone of no size", {"zone": {"type": "circle", **PLACE, "radius_km": 0}}, 422, "invalid", "zone.radius_km"),
    provider("a field nobody knows in a zone", {"zone": {"type": "circle", **PLACE, "km": 6}}, 422, "unknown_field", "zone.km"),
    provider("a ring of two corners", {"zone": {"type": "polygon", "coordinates": [[2, 48], [3, 48]]}}, 422, "invalid", "zone.coordinates"),
    provider("a ring that crosses itself", {"zone": {"type": "polygon", "coordinates": RING}}, 422, "bad_zone", "crosses"),
    provider("an area nobody knows", {"zone": {"type": "areas", "codes": ["99999"]}}, 422, "bad_zone", "99999"),
    provider("a service not in the catalogue", {"catalogue": ["tattoo"]}, 422, "unknown_service", "tattoo"),
    provider(
        "an absence that ends before it begins", {"absences": [{"from": "2026-12-26", "to": "2026-12-24"}]}, 422, "bad_hours", "absences[0]"
    ),
    provider("a rank from the booking service", {"initial_rank": {"tier": "premier", "score": 9}}, 403, "forbidden", "initial_rank"),
    other("provider: an id with a space", "PUT", "/providers/p%201", PROVIDER, 422, "invalid", "provider_id in the path"),
    other("provider: an id and a line's end", "PUT", "/providers/p1%0A", PROVIDER, 422, "invalid", "provider_id in the path"),
    other("provider: nobody has this id", "GET", "/providers/p-none", None, 404, "not_found", "p-none"),
    other("market: a time zone nobody knows", "PUT", "", {"time_zone": "Europe/Atlantis"}, 422, "bad_time_zone", "Atlantis"),
    other("market: an unknown wave policy", "PUT", "", {"wave_policy": "broadcast"}, 422, "invalid", "wave_policy"),
    other("market: an unknown order", "PUT", "", {"wave_order": "price"}, 422, "invalid", "wave_order"),
    other("market: a pace of nothing", "PUT", "", {"pacing": {"speed": 0}}, 422, "invalid", "pacing"),
    other("market: more newcomers than seats", "PUT", "", {"newcomer_share": 1.5}, 422, "invalid", "newcomer_share"),
    other(
        "market: a webhook to a private address",
        "PUT",
        "",
        {"webhook": {"url": "http://169.254.169.254/latest", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
        422,
        "bad_webhook",
        "169.254.169.254",
    ),
    other("market: areas that are none", "PUT", "/areas", {"type": "Feature"}, 422, "bad_areas", "FeatureCollection"),
    other(
        "market: a service without its trade", "PUT", "/catalogue", {"services": [{"code": "x", "trade": "y"}]}, 422, "unknown_trade", "y"
    ),
    other("token: a provider nobody knows", "POST", "/device-tokens", {"provider_id": "p-none", "device_id": "d"}, 404, "not_found"),
    other(
        "token: for no time at all", "POST", "/device-tokens", {"provider_id": "p-0", "device_id": "d", "ttl_s": 0}, 422, "invalid", "ttl_s"
    ),
    other("block: without a reason", "PUT", "/blocks/c-1", {}, 422, "invalid", "reason"),
    other("block: nobody to unblock", "DELETE", "/blocks/c-1", None, 404, "not_found"),
    raw("areas: nested without end", "PUT", "/areas", TOO_DEEP[:250_000], 400, "bad_request", "deep"),
    booking("a price beyond all numbers", {"price_cents": 10**30}, 422, "invalid", "price_cents"),
)


@pytest.mark.proves("R11.b")
async def test_each_is_refused_with_its_code_and_nothing_changes(town: Town, redis_url: str, subtests: pytest.Subtests) -> None:
    await _prepare(town)
    before = everything(redis_url, town.name)
    for bad in BAD:
        with subtests.test(bad.what):
            await _is_refused(bad, town)
            assert everything(redis_url, town.name) == before


async def test_the_state_is_compared_with_what_would_have_changed_it(town: Town, redis_url: str) -> None:
    """The control of the table above: a good booking is seen."""
    before = everything(redis_url, town.name)
    await town.post("/bookings", town.booking())
    assert everything(redis_url, town.name) != before


async def _prepare(town: Town) -> None:
    assert (await town.post("/bookings", town.booking(booking_id="b-there"))).status_code == 201
    assert (await town.call("PUT", "/blocks/c-black", {"reason": "never at home"})).status_code == 201


async def _is_refused(bad: Bad, town: Town) -> None:
    answer = await (town.post(bad.path, bad.body(town)) if bad.method == "POST" else town.call(bad.method, bad.path, bad.body(town)))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (bad.status, bad.code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "code", "detail", "retry"}
    assert (problem["status"], problem["retry"]) == (bad.status, False)
    assert bad.said in problem["detail"]


def everything(redis_url: str, market: str) -> dict[bytes, bytes]:
    """Every key of a market with its value, but for the kept answers of requests."""
    with Redis.from_url(redis_url) as client:
        keys = sorted(key for key in client.scan_iter(match=f"{{{market}}}:*", count=10_000) if b"}:r:h:" not in key)
        reading = client.pipeline(transaction=False)
        for key in keys:
            reading.dump(key)
        return dict(zip(keys, reading.execute(), strict=True))
