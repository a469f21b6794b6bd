"""P4: the same Idempotency-Key with the same body gives the same answer and one effect; with another body, 422."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from redis import Redis
from starlette.requests import Request
from starlette.responses import Response

from dispatch.api import idempotency, make_app
from dispatch.api.call import Caller
from dispatch.engine.desk import Desk
from dispatch.errors import BadRequest, InProgress, Unavailable, Unprocessable
from dispatch.settings import Settings
from dispatch.store import Store
from tests.api.conftest import MakeKey
from tests.api.serving import serving
from tests.api.town import Town, build

CALLER = Caller(id="k1", roles=frozenset(), markets=frozenset())


async def test_a_repeat_gets_the_same_answer_and_opens_nothing_more(town: Town) -> None:
    body = json.dumps(town.booking()).encode()
    first = await town.post("/bookings", body, idempotency_key="one")
    again = [await town.post("/bookings", body, idempotency_key="one") for _ in range(3)]
    assert first.status_code == 201
    assert {(answer.status_code, answer.content) for answer in again} == {(201, first.content)}
    assert all(answer.headers["idempotency-replayed"] == "true" for answer in again)
    assert "idempotency-replayed" not in first.headers
    assert (await town.store.gauges.read(town.name))["count.opened"] == 1


async def test_the_same_key_with_another_body_is_a_mismatch(town: Town) -> None:
    await town.post("/bookings", town.booking(booking_id="b-1"), idempotency_key="one")
    other = await town.post("/bookings", town.booking(booking_id="b-2"), idempotency_key="one")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert (await town.call("GET", "/bookings/b-2")).status_code == 404


async def test_a_refusal_is_kept_too(town: Town) -> None:
    """What was refused stays refused under its key, even when it would be right by now."""
    body = json.dumps(town.booking(client_id="c-9")).encode()
    await town.call("PUT", "/blocks/c-9", {"reason": "never at home"})
    first = await town.post("/bookings", body, idempotency_key="one")
    await town.call("DELETE", "/blocks/c-9")
    again = await town.post("/bookings", body, idempotency_key="one")
    assert (first.status_code, again.status_code, again.content) == (422, 422, first.content)
    assert again.headers["content-type"] == "application/problem+json"
    assert (await town.post("/bookings", body, idempotency_key="two")).status_code == 201


async def test_a_body_that_cannot_be_read_is_kept_too(town: Town) -> None:
    first = await town.post("/bookings", b"{", idempotency_key="one")
    again = await town.post("/bookings", b"{", idempotency_key="one")
    assert (first.status_code, again.headers.get("idempotency-replayed")) == (400, "true")


async def test_without_a_key_a_change_is_refused_and_a_question_is_not(town: Town) -> None:
    for path in ("/bookings", "/bookings/b-1/cancel"):
        answer = await town.call("POST", path, town.booking())
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert (await town.call("POST", "/match", town.booking())).status_code == 200
    assert (await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "d"})).status_code == 201


async def test_keys_are_scoped_by_caller_and_path(town: Town) -> None:
    first = await town.post("/bookings", town.booking(booking_id="b-1"), idempotency_key="one")
    by_another = await town.post("/bookings", town.booking(booking_id="b-2"), idempotency_key="one", key=town.manager_key)
    elsewhere = await town.post("/bookings/b-1/cancel", {"by": "client"}, idempotency_key="one")
    assert [answer.status_code for answer in (first, by_another, elsewhere)] == [201, 201, 200]


async def test_of_many_at_once_one_runs_and_all_agree(town: Town) -> None:
    body = json.dumps(town.booking()).encode()
    answers: list[tuple[int, bytes]] = []

    async def ask() -> None:
        while True:
            answer = await town.post("/bookings", body, idempotency_key="one")
            if answer.status_code != 409:
                answers.append((answer.status_code, answer.content))
                return
            assert (answer.json()["code"], answer.json()["retry"], answer.headers["retry-after"]) == ("in_progress", True, "1")

    async with anyio.create_task_group() as askers:
        for _ in range(20):
            askers.start_soon(ask)
    assert len(answers) == 20
    assert len(set(answers)) == 1
    assert answers[0][0] == 201
    assert (await town.store.gauges.read(town.name))["count.opened"] == 1


async def test_a_repeat_while_the_first_still_runs_is_told_so_and_runs_nothing(
    town: Town, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, opening = json.dumps(town.booking()).encode(), desk.open
    begun, go_on = anyio.Event(), anyio.Event()
    first: list[int] = []

    async def slow(*where: Any, **how: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await opening(*where, **how)

    async def ask() -> None:
        first.append((await town.post("/bookings", body, idempotency_key="one")).status_code)

    monkeypatch.setattr(desk, "open", slow)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as askers:
            askers.start_soon(ask)
            await begun.wait()
            again = await town.post("/bookings", body, idempotency_key="one")
            go_on.set()
    assert (again.status_code, again.json()["code"], first) == (409, "in_progress", [201])


async def test_answers_survive_a_restart_of_the_interface(
    desk: Desk, store: Store, settings: Settings, market: str, make_key: MakeKey
) -> None:
    booking, manager = await make_key("booking", market), await make_key("ops:manager", market)
    async with serving(make_app(desk, store, settings)) as before:
        town = await build(before, store, market, booking=booking, manager=manager)
        body = json.dumps(town.booking()).encode()
        first = await town.post("/bookings", body, idempotency_key="one")
    async with serving(make_app(desk, store, settings)) as after:
        again = await after.call("POST", f"{town.root}/bookings", body, key=booking, idempotency_key="one")
    assert (again.status_code, again.content) == (201, first.content)


async def test_after_a_crash_between_the_verb_and_its_answer_a_repeat_finds_the_effect(town: Town, redis_url: str) -> None:
    """The kept answer is taken away, as if we had died before it was written: the verb itself knows its repeat."""
    body = json.dumps(town.booking()).encode()
    first = await town.post("/bookings", body, idempotency_key="one")
    with Redis.from_url(redis_url) as client:
        assert client.delete(*client.scan_iter(match=f"{{{town.name}}}:r:h:*", count=10_000)) == 1
    again = await town.post("/bookings", body, idempotency_key="one")
    assert (again.status_code, again.json()["booking_id"]) == (201, first.json()["booking_id"])
    assert (await town.store.gauges.read(town.name))["count.opened"] == 1


class TestOnce:
    """The bookkeeping itself, on the real ledger."""

    @staticmethod
    def runner(*turns: Response | Exception) -> tuple[Callable[[], Awaitable[Response]], list[int]]:
        left, ran = list(turns), []

        async def run(_: object) -> Response:
            ran.append(1)
            turn = left.pop(0)
            if isinstance(turn, Exception):
                raise turn
            return turn

        return run, ran

    @pytest.mark.parametrize("failure", [Unavailable("down"), RuntimeError("a mistake")])
    async def test_what_was_not_decided_is_not_kept(self, store: Store, market: str, failure: Exception) -> None:
        run, ran = self.runner(failure, Response(b"{}", 201))
        with pytest.raises(type(failure)):
            await idempotency.once(store, market, "rid", b"body", run)
        assert (await idempotency.once(store, market, "rid", b"body", run)).status_code == 201
        assert len(ran) == 2

    async def test_while_it_runs_a_repeat_is_told_to_wait(self, store: Store, market: str) -> None:
        began, go_on = anyio.Event(), anyio.Event()

        async def run(_: object) -> Response:
            began.set()
            await go_on.wait()
            return Response(b"{}", 201)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(idempotency.once, store, market, "rid", b"body", run)
            await began.wait()
            with pytest.raises(InProgress):
                await idempotency.once(store, market, "rid", b"body", run)
            go_on.set()
        assert (await idempotency.once(store, market, "rid", b"body", run)).headers["idempotency-replayed"] == "true"

    async def test_whoever_is_cancelled_leaves_the_way_free(self, store: Store, market: str) -> None:
        run, ran = self.runner(Response(b"{}", 201))
        began = anyio.Event()

        async def never(_: object) -> Response:
            began.set()
            await anyio.sleep_forever()
            raise AssertionError

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(idempotency.once, store, market, "rid", b"body", never)
            await began.wait()
            tasks.cancel_scope.cancel()
        assert (await idempotency.once(store, market, "rid", b"body", run)).status_code == 201
        assert ran == [1]

    async def test_another_body_is_seen_by_its_digest(self, store: Store, market: str) -> None:
        run, _ = self.runner(Response(b"{}", 201))
        await idempotency.once(store, market, "rid", b"body", run)
        with pytest.raises(Unprocessable, match="another body"):
            await idempotency.once(store, market, "rid", b"other", run)


def request(key: str | None, path: str = "/v1/markets/paris/bookings") -> Request:
    headers = [] if key is None else [(b"idempotency-key", key.encode("latin-1"))]
    return Request(
        {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "server": ("x", 80), "scheme": "http"}
    )


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_missing"),
        ("x" * 256, "bad_request"),
        ("é", "bad_request"),
        ("a\tb", "bad_request"),
    ],
)
def test_a_key_must_be_there_and_printable(key: Any, code: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        idempotency.request_id(CALLER, request(key))
    assert refusal.value.code == code


def test_the_digest_differs_by_caller_path_and_key() -> None:
    other = Caller(id="k2", roles=frozenset(), markets=frozenset())
    asked = [(CALLER, request("a")), (CALLER, request("b")), (other, request("a")), (CALLER, request("a", "/v1/markets/lyon/bookings"))]
    assert len({idempotency.request_id(caller, one) for caller, one in asked}) == 4
    assert idempotency.request_id(CALLER, request("a")) == idempotency.request_id(CALLER, request("a"))
