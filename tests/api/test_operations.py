"""Metrics, logs, descriptions, limits."""

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

import dispatch
from dispatch.api import bodies, make_app
from dispatch.api.asyncapi import document as asyncapi
from dispatch.api.metrics import Families, of_market
from dispatch.api.openapi import document as openapi
from dispatch.api.problems import TITLES, known_fields, unreadable
from dispatch.api.table import CALLS
from dispatch.engine.desk import Desk
from dispatch.errors import DispatchError
from dispatch.model import BookingRequest, ProviderSettings
from dispatch.settings import Settings
from dispatch.store import Store
from tests.api.conftest import MakeKey
from tests.api.serving import Api, serving
from tests.api.town import Town

ENGINE = Path(dispatch.__file__).parent
PERSONAL = " of Awa D., 1 rue de Rivoli"


def refs(part: Any) -> list[str]:
    """Every reference in a description."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [ref for value in part.values() for ref in refs(value)]
    return [ref for value in part for ref in refs(value)] if isinstance(part, list) else []


def resolve(document: dict[str, Any], ref: str) -> Any:
    found: Any = document
    for step in ref.removeprefix("#/").split("/"):
        found = found[step]
    return found


class TestDescriptions:
    @pytest.mark.parametrize("document", [openapi(CALLS), asyncapi()], ids=["openapi", "asyncapi"])
    def test_every_reference_leads_somewhere_and_it_is_json(self, document: dict[str, Any]) -> None:
        assert len(refs(document)) > 20
        assert all(resolve(document, ref) for ref in refs(document))
        assert json.loads(json.dumps(document))["info"] == document["info"]

    def test_openapi_has_every_call_with_its_bodies_key_and_refusals(self) -> None:
        paths = openapi(CALLS)["paths"]
        assert {(method.upper(), path) for path, calls in paths.items() for method in calls} == {
            (route.method, route.path) for route in CALLS
        }
        for route in CALLS:
            operation = paths[route.path][route.method.lower()]
            assert {one["name"] for one in operation["parameters"] if one["in"] == "path"} == set(route.parameters)
            assert ("Idempotency-Key" in {one["name"] for one in operation["parameters"]}) is route.idempotent
            assert ("requestBody" in operation) is (route.takes is not None or route.streams is not None)
            assert {int(status) for status in operation["responses"] if status < "300"} == set(route.success)
            assert bool(operation["security"]) is bool(route.roles)
            assert ("401" in operation["responses"]) is bool(route.roles)

    def test_operation_ids_are_unique(self) -> None:
        ids = [call["operationId"] for calls in openapi(CALLS)["paths"].values() for call in calls.values()]
        assert len(set(ids)) == len(ids)

    async def test_both_are_served_without_a_key(self, api: Api) -> None:
        assert (await api.call("GET", "/openapi.json")).json()["openapi"] == "3.1.0"
        assert (await api.call("GET", "/asyncapi.json")).json()["asyncapi"] == "3.0.0"

    def test_asyncapi_has_both_directions(self) -> None:
        operations = asyncapi()["operations"]
        assert (operations["toServer"]["action"], operations["toDevice"]["action"]) == ("receive", "send")
        assert {"#/channels/device/messages/Hello"} <= {one["$ref"] for one in operations["toServer"]["messages"]}


class TestMetrics:
    async def test_markets_gauges_and_this_process_are_one_page_that_parses(self, town: Town, make_key: MakeKey) -> None:
        await town.post("/bookings", town.booking())
        text = (await town.api.call("GET", "/metrics", key=await make_key("metrics"))).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        opened = [sample.value for sample in families["dispatch_opened"].samples if sample.labels == {"market": town.name}]
        assert opened == [1.0]
        searching = {"market": town.name, "state": "searching"}
        assert [sample.value for sample in families["dispatch_bookings"].samples if sample.labels == searching] == [1.0]
        assert families["dispatch_http_requests"].samples
        names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
        assert len(set(names)) == len(names)

    def test_a_family_of_two_markets_is_named_once(self) -> None:
        families = Families()
        for market in ("paris", "lyon"):
            families.add(of_market(market, {"bookings.searching": 1, "bookings.accepted": 2, "count.waves": 3, "sum.accept_ms": 4}))
        assert {family.name: len(family.samples) for family in families.collect()} == {
            "dispatch_accept_ms": 2,
            "dispatch_bookings": 4,
            "dispatch_waves": 2,
        }

    async def test_labels_are_templates_and_never_ids(self, town: Town, make_key: MakeKey) -> None:
        await town.post("/bookings", town.booking(booking_id="b-secret"))
        await town.call("GET", "/bookings/b-secret")
        await town.api.call("GET", "/b-secret")
        text = (await town.api.call("GET", "/metrics", key=await make_key("metrics"))).text
        assert "b-secret" not in text


class TestLogs:
    async def test_a_line_a_request_with_the_template_and_nothing_personal(
        self, town: Town, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """P14b. The last request fails as nobody foresaw, with an exception that quotes what it was given."""

        async def forgetful(market: str, booking_id: str) -> None:
            raise KeyError(booking_id + PERSONAL)

        monkeypatch.setattr(desk, "timeline", forgetful)
        with structlog.testing.capture_logs() as lines:
            await town.post("/bookings", town.booking(booking_id="b-secret", client_id="c-secret", note="ring twice"))
            await town.call("GET", "/bookings/b-secret")
            await town.call("PUT", "/providers/p-secret", {"name": "Awa D."})
            broken = await town.call("GET", "/bookings/b-secret/timeline")
        assert (broken.status_code, broken.json()["code"], broken.json()["retry"]) == (500, "internal", True)
        requests = [(line["method"], line["route"], line["status"]) for line in lines if line["event"] == "request"]
        assert requests == [
            ("POST", "/v1/markets/{market}/bookings", 201),
            ("GET", "/v1/markets/{market}/bookings/{booking_id}", 200),
            ("PUT", "/v1/markets/{market}/providers/{provider_id}", 422),
            ("GET", "/v1/markets/{market}/bookings/{booking_id}/timeline", 500),
        ]
        assert all(line["ms"] >= 0 for line in lines if line["event"] == "request")
        written = json.dumps(lines)
        assert [word for word in ("secret", "Awa", "Rivoli", "ring twice", "48.85") if word in written] == []
        assert "forgetful" in written  # but where it happened is there


class TestLimits:
    async def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(self, town: Town) -> None:
        body = json.dumps(town.booking()).encode()
        for size, status in ((bodies.LIMIT, 201), (bodies.LIMIT + 1, 413)):
            answer = await town.post("/bookings", body.ljust(size), idempotency_key=str(size))
            assert answer.status_code == status

    async def test_a_body_that_does_not_say_its_size_is_counted(self, town: Town) -> None:
        async def parts() -> Any:
            for _ in range(300):
                yield b" " * 1_000

        headers = {"authorization": f"Bearer {town.booking_key}", "idempotency-key": "one"}
        answer = await town.api.http.post(f"{town.root}/bookings", content=parts(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_a_body_that_does_not_come_is_not_waited_for(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "PATIENCE_S", 0.2)
        head = f"POST {town.root}/match HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {town.booking_key}\r\ncontent-length: 9\r\n\r\n{{"
        async with await anyio.connect_tcp("127.0.0.1", town.api.port) as stream:
            await stream.send(head.encode())
            answer = await stream.receive()
        assert answer.startswith(b"HTTP/1.1 400 ")

    async def test_what_is_answered_is_neither_kept_by_caches_nor_guessed_by_browsers(self, api: Api) -> None:
        headers = (await api.call("GET", "/livez")).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")

    async def test_head_is_get_without_a_body(self, api: Api) -> None:
        answer = await api.call("HEAD", "/livez")
        assert (answer.status_code, answer.content) == (200, b"")


class TestProblems:
    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("$.place", ["lat", "lng", "address"]),
            ("$.windows[0]", ["start", "end"]),
            ("$.windows[...]", ["start", "end"]),
            ("$.override", ["reason"]),
            ("$.nothing", []),
        ],
    )
    def test_the_fields_of_an_object_are_found_by_its_path(self, path: str, fields: list[str]) -> None:
        assert known_fields(BookingRequest, path) == fields

    def test_of_a_union_all_fields_are_known(self) -> None:
        assert {"lat", "radius_km", "coordinates", "codes"} <= set(known_fields(ProviderSettings, "$.zone"))

    def test_a_field_is_named_by_what_the_caller_writes(self) -> None:
        assert known_fields(ProviderSettings, "$.do_not_disturb") == ["from", "to"]

    def test_every_code_of_the_tree_of_errors_has_a_title(self) -> None:
        assert {kind.default for kind in _tree(DispatchError) if kind.__module__ == "dispatch.errors"} <= set(TITLES)

    def test_every_code_that_the_engine_writes_has_a_title(self) -> None:
        sources = [
            path.read_text() for path in (*ENGINE.glob("*.py"), *(ENGINE / "engine").glob("*.py"), *(ENGINE / "gazetteer").glob("*.py"))
        ]
        codes = {code for source in sources for code in re.findall(r'code="(\w+)"', source)}
        assert len(codes) > 10
        assert codes <= set(TITLES)

    def test_a_detail_does_not_repeat_a_book(self) -> None:
        for body in (
            {"booking_id": ["x" * 9_000]},
            {"x" * 9_000: 1},
            {"windows": "x" * 9_000},
            {"place": {"lat": 1, "lng": 2, "y" * 9_000: 1}},
        ):
            with pytest.raises(DispatchError) as refusal:
                bodies.decode(json.dumps(body).encode(), BookingRequest)
            assert len(refusal.value.detail) < 700

    def test_what_is_no_json_is_a_bad_request(self) -> None:
        assert unreadable(RecursionError(), BookingRequest).code == "bad_request"


def _tree(kind: type[DispatchError]) -> list[type[DispatchError]]:
    return [kind, *(one for sub in kind.__subclasses__() for one in _tree(sub))]


async def test_the_console_is_served_when_it_is_there(
    desk: Desk, store: Store, settings: Settings, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("<h1>console</h1>")
    monkeypatch.setattr("dispatch.api.app.CONSOLE", tmp_path)
    async with serving(make_app(desk, store, settings)) as api:
        assert (await api.call("GET", "/")).text == "<h1>console</h1>"
        missing, written = await api.call("GET", "/nothing.js"), await api.call("POST", "/")
        unheard_of = await api.call("POST", "/v1/markets/m/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (written.status_code, written.json()["code"]) == (405, "method_not_allowed")
    assert (unheard_of.status_code, unheard_of.json()["code"]) == (404, "not_found")
