"""What the link proves of a proposal: received, displayed, answered, each with its time, whatever is lost on the way. On a real store."""

from datetime import datetime
from typing import Any

import anyio
import pytest
from prometheus_client import REGISTRY

from dispatch.messages import Accept, Ack, Pong, Refuse, Resume
from dispatch.store import Store
from tests.gateway.gate import PATIENCE_S, Bare, Gate, gate

STEPS = ("written", "acked", "seen", "answered")


async def event(running: Gate, booking: str, kind: str) -> dict[str, Any]:
    """Wait for an event of a booking."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            events = (await running.desk.timeline(running.market, booking))["events"]
            found = [event for event in events if event["type"] == kind]
            if found:
                assert len(found) == 1
                return dict(found[0])
            await anyio.lowlevel.checkpoint()


def moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


def steps() -> dict[str, float]:
    name = "dispatch_gateway_proposal_step_seconds_count"
    return {step: REGISTRY.get_sample_value(name, {"step": step}) or 0.0 for step in STEPS}


async def say_and_see(running: Gate, bare: Bare, booking: str, message: Any, kind: str) -> dict[str, Any]:
    await bare.say(message)
    return await event(running, booking, kind)


@pytest.mark.proves("R21.a", "R21.b", "R22.a")
@pytest.mark.parametrize(("answer", "kind", "outcome"), [(Accept, "Accepted", "won"), (Refuse, "Refused", "done")])
async def test_every_receipt_stands_on_the_timeline_with_its_time_r22(
    store: Store, market: str, answer: Any, kind: str, outcome: str
) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            before = steps()
            booking = await running.book()
            offer = await bare.hear()
            received = await say_and_see(running, bare, booking, Ack(seq=offer.seq), "Received")
            seen = await say_and_see(running, bare, booking, Ack(seq=offer.seq, seen=(offer.proposal,)), "Seen")
            command = answer(id="x", proposal=offer.proposal, version=offer.version)
            answered = await say_and_see(running, bare, booking, command, kind)
            assert (await bare.hear_until("result"))[-1].outcome == outcome
            assert offer.at / 1_000 <= moment(received) <= moment(seen) <= moment(answered)
            assert answered["took"] == round((moment(answered) - moment(seen)) * 1_000)
            (proposal,) = (await running.desk.booking(market, booking))["proposals"]
            assert proposal["response_ms"] == answered["took"]
            for _ in range(2):  # a repeat of the command is no second answer
                await bare.say(command)
                await bare.hear_until("result")
            assert {step: steps()[step] - before[step] for step in STEPS} == dict.fromkeys(STEPS, 1.0)


@pytest.mark.proves("R22.a")
async def test_an_answer_before_any_receipt_has_no_clock_r22(store: Store, market: str) -> None:
    """Else a device that keeps its receipts to itself would answer in no time."""
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            before = steps()
            booking = await running.book()
            offer = await bare.hear()
            answered = await say_and_see(running, bare, booking, Refuse(id="x", proposal=offer.proposal, version=offer.version), "Refused")
            assert "took" not in answered
            (proposal,) = (await running.desk.booking(market, booking))["proposals"]
            assert (proposal["state"], proposal["response_ms"]) == ("refused", None)
            assert steps()["answered"] == before["answered"]


async def test_a_pong_acknowledges_too(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            booking = await running.book()
            offer = await bare.hear()
            await say_and_see(running, bare, booking, Pong(seq=offer.seq), "Received")


async def test_a_receipt_that_was_lost_with_its_link_is_made_good_by_the_next_hello_r14(store: Store, market: str) -> None:
    """The device took the proposal in, but its acknowledgement never arrived: where it resumes proves that it has it."""
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, (welcome, _)):
            kept, later = await running.book(), await running.book()
            offer = await bare.hear()
            bare.socket.transport.abort()
        async with running.device(resume=Resume(epoch=welcome.epoch, seq=offer.seq)) as (_, (again, missed, _)):
            assert again.resumed
            assert missed.booking.booking_id == later
            await event(running, kept, "Received")
            (proposal,) = (await running.desk.booking(market, later))["proposals"]
            assert proposal["received_at"] is None  # that one was only just written


async def test_what_comes_from_before_does_not_count_as_slowly_written(store: Store, market: str) -> None:
    """A phone that was off for an hour says nothing about how fast we write."""
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="other") as (other, (welcome, _)):
            await running.book()
            await other.hear()
            before = steps()
            async with running.device(resume=Resume(epoch=welcome.epoch, seq=0)) as (_, (_, missed, _)):
                assert missed.seq == 1
            async with running.device(device="new") as (_, (welcome, _)):
                assert len(welcome.items) == 1
            assert steps()["written"] == before["written"]
