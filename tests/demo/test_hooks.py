"""The listener for webhooks: a real server on loopback."""

import json
from datetime import UTC, datetime

import httpx2
from standardwebhooks.webhooks import Webhook

from dispatch.demo.hooks import Listener
from dispatch.demo.record import Record

BODY = json.dumps({"type": "booking.accepted", "data": {"booking_id": "b-1", "provider_id": "p-1"}})


async def send(listener: Listener, identity: str, body: str = BODY, secret: str | None = None) -> int:
    now = datetime.now(UTC)
    signature = Webhook(secret or listener.target.secret).sign(identity, now, body)
    headers = {"webhook-id": identity, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    async with httpx2.AsyncClient(trust_env=False) as http:
        return (await http.post(listener.target.url, content=body, headers=headers)).status_code


async def test_a_signed_event_is_kept_once_however_often_it_comes() -> None:
    listener = Listener(record := Record())
    async with listener.listening():
        assert [await send(listener, name) for name in ("evt_1", "evt_1", "evt_2")] == [204, 204, 204]
    assert [(event.id, event.type) for event in record.hooks.values()] == [("evt_1", "booking.accepted"), ("evt_2", "booking.accepted")]
    assert (record.hooks_again, record.hooks_false) == (1, 0)


async def test_an_event_with_a_false_signature_is_refused_and_counted() -> None:
    listener = Listener(record := Record())
    async with listener.listening():
        assert await send(listener, "evt_1", secret="whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==") == 401
    assert (dict(record.hooks), record.hooks_false) == ({}, 1)
