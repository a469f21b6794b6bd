"""The description of what is answered is true: every field that comes is described, and every field described comes."""

from typing import Any

import msgspec
import pytest

from dispatch.api import answers
from tests.api.town import PLACE, Town


def described(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


async def test_answers_are_what_the_description_says(town: Town, subtests: pytest.Subtests) -> None:
    opened = await town.post("/bookings", town.booking(booking_id="b-1", place=PLACE | {"address": "1 rue de Rivoli"}))
    said: list[tuple[type[Any], Any]] = [
        (answers.Opened, opened.json()),
        (answers.BookingState, (await town.call("GET", "/bookings/b-1")).json()),
        (answers.Timeline, (await town.call("GET", "/bookings/b-1/timeline")).json()),
        (answers.Explanation, (await town.call("GET", "/bookings/b-1/explain/p-0")).json()),
        (answers.Match, (await town.call("POST", "/match", town.booking(explain=True, explain_ids=["p-0"]))).json()),
        (answers.ProviderState, (await town.call("GET", "/providers/p-0")).json() | {"initial_rank": {}}),
        (answers.Inbox, (await town.call("GET", "/providers/p-0/inbox")).json()),
        (answers.DeviceToken, (await town.call("POST", "/device-tokens", {"provider_id": "p-0", "device_id": "d"})).json()),
        (answers.Imported, (await town.call("POST", "/providers/import", b"")).json()),
        (answers.BookingExplained, (await town.call("GET", "/bookings/b-1/explain")).json()),
        (answers.Coverage, (await town.call("GET", "/coverage")).json()),
        (answers.Cancelled, (await town.post("/bookings/b-1/cancel", {"by": "ops"})).json()),
        (answers.Created, (await town.call("PUT", "", {})).json()),
        (answers.Readiness, (await town.api.call("GET", "/readyz")).json()),
        (answers.PushKey, (await town.api.call("GET", "/v1/push-key")).json()),
        (answers.Problem, (await town.api.call("GET", "/nothing")).json()),
    ]
    for kind, body in said:
        with subtests.test(kind.__name__):
            assert set(body) == described(kind)
            msgspec.convert(body, kind, strict=False)
    proposal = said[1][1]["proposals"][0]
    assert set(proposal) == described(answers.ProposalState)
    assert set(said[4][1]["candidates"][0]) == described(answers.Candidate)
