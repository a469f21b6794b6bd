"""What a gateway tells whom, and what it writes down: nothing personal before the win, nothing personal in a log (P14b)."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import structlog

from dispatch.engine.requests import CancelRequest
from dispatch.gateway import Limits
from dispatch.messages import Accept, Hello, Refresh, Resume, Status, Sync
from dispatch.model import BookingRequest
from dispatch.processes.logs import SHARED
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec
from tests.gateway.gate import Bare, Gate, gate

LAT, LNG = 48.857123, 2.352987  # exact to the metre
SECRETS = {
    "client": "client-4711", "address": "3 rue des Lilas, code 19A", "latitude": "48857123", "longitude": "2352987",
    "latitude in degrees": "48.857", "longitude in degrees": "2.3529",
}  # fmt: skip


async def book(running: Gate, booking_id: str = "b-1") -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=4)
    body = {
        "booking_id": booking_id,
        "client_id": SECRETS["client"],
        "place": {"lat": LAT, "lng": LNG, "address": SECRETS["address"]},
        "services": ["cut"],
        "windows": [{"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}],
    }
    await running.desk.open(running.market, msgspec.convert(body, BookingRequest), rid=f"rid-{booking_id}", may_override=False)


class Ear:
    """Everything that a device is sent, as text that secrets can be looked for in."""

    def __init__(self, bare: Bare) -> None:
        self.bare, self.heard = bare, ""

    async def until(self, kind: str) -> Any:
        while True:
            frame = await self.bare.socket.recv(decode=False)
            plain = self.bare.codec.plain(frame)
            self.heard += json.dumps(plain, ensure_ascii=False)
            if plain["type"] == kind:
                return plain

    def knows(self) -> list[str]:
        return [name for name, secret in SECRETS.items() if secret in self.heard]


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_only_the_winner_learns_where_and_who(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        for provider in ("p-1", "p-2"):
            await running.provider(provider)
        async with running.device("p-1", codec=codec) as (one, _), running.device("p-2", codec=codec) as (two, (welcome, _)):
            winner, loser = Ear(one), Ear(two)
            await book(running)
            offer = await winner.until("proposal")
            lost = await loser.until("proposal")
            assert winner.knows() == loser.knows() == []
            await loser.bare.say(Sync(id="s"))
            await loser.until("snapshot")
            await winner.bare.say(Accept(id="a", proposal=offer["proposal"], version=offer["version"]))
            await winner.until("booking")
            await loser.until("withdrawn")
            await loser.bare.say(Accept(id="b", proposal=lost["proposal"], version=lost["version"]))
            assert (await loser.until("result"))["outcome"] == "lost"
            await loser.bare.say(Sync(id="s-2"))
            await loser.until("snapshot")
        assert winner.knows() == ["client", "address", "latitude", "longitude"]
        async with running.socket(codec) as bare:  # what is replayed is no other
            loser.bare = bare
            await bare.say(Hello(token=running.token("p-2"), device="d-1", resume=Resume(epoch=welcome.epoch, seq=0)))
            await loser.until("live")
        assert loser.knows() == []
        inbox = json.dumps(await running.desk.inbox(market, "p-2"))
        assert [name for name, secret in SECRETS.items() if secret in inbox] == []


# -- logs -------------------------------------------------------------------------------------------------------------


class Lines(logging.Handler):
    """Every line that is logged by anybody, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "websockets.client":  # the device's own, in the same process here
            self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged during a test, with debugging on, by us and by libraries."""
    renderer = structlog.processors.JSONRenderer()
    handler, root = Lines(), logging.getLogger()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=SHARED))
    level, former = root.level, structlog.get_config()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    def keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        handler.lines.append(json.dumps(event, default=str))
        raise structlog.DropEvent

    structlog.configure(processors=[*SHARED, keep], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    yield handler.lines
    structlog.configure(**former)
    root.removeHandler(handler)
    root.setLevel(level)


async def test_no_log_holds_a_token_a_name_or_an_address(
    store: Store, market: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that does all it can, rightly and wrongly, at a gateway where even the unforeseen happens."""
    person, device, address = "provider-of-the-test", "device-of-the-test", "push-address-of-the-test"
    async with gate(store, market, Limits(patience=30)) as running:
        await running.provider(person)
        token, worthless = running.token(person), running.token(person, ttl_s=-60)
        async with running.socket() as bare:
            await bare.say({"type": "hello", "token": worthless, "device": device, "push": {"kind": "web", "token": address}})
            assert (await bare.end())[0] == 4500
        async with running.device(person, device) as (bare, _):
            await book(running)
            offer = (await bare.hear_until("proposal"))[-1]
            await bare.say(Refresh(id="f", token=worthless))
            await bare.say(Refresh(id="g", token=token))
            await bare.say({"type": "accept", "id": device, "proposal": token})
            await bare.say(Accept(id="a", proposal=offer.proposal, version=offer.version))
            await bare.hear_until("booking")
            await break_down(running, bare, monkeypatch, token)
            await bare.socket.send(f"{token} {person}", text=True)
            await bare.end()
        await running.desk.cancel(market, "b-1", CancelRequest(by="client", reason=SECRETS["address"]), rid="c")
        await running.desk.devices.revoke(market, person, device)
    text = "\n".join(lines)
    assert "command_failed" in text, "what is logged is seen here"
    private = [*SECRETS.values(), person, device, address, token, token.split(".")[1], worthless, "Awa D.", "127.0.0.1"]
    assert [secret for secret in private if secret in text] == []


async def break_down(running: Gate, bare: Bare, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """The unforeseen: an exception of ours that quotes what must not be quoted."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"{token} {SECRETS['address']}")

    with monkeypatch.context() as patched:
        patched.setattr(running.store.links, "status", broken)
        await bare.say(Status(id="s", available=True))
        assert (await bare.hear_until("error"))[-1].code == "internal"
