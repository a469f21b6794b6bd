"""A device tests its notifications (R25b): over the real link, with every step that a proposal goes. On a real store."""

import pytest

from dispatch.messages import Accept, Ack, Error, Proposal, Result, Resume, Trial, TrialState, Withdrawn
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec
from tests.gateway.gate import Bare, gate
from tests.gateway.test_receipts import steps

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


async def asked(bare: Bare, command: str = "t-1") -> tuple[Result, Proposal]:
    """The device asks for a test; the answer and the proposal, whichever comes first."""
    await bare.say(Trial(id=command))
    heard = [await bare.hear() for _ in range(2)]
    (result,) = (message for message in heard if isinstance(message, Result))
    (proposal,) = (message for message in heard if isinstance(message, Proposal))
    return result, proposal


@pytest.mark.proves("R25b.c")
@CODECS
async def test_a_device_tests_every_step_and_each_receipt_is_shown_r25b(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running, gate(store, market) as other:
        await running.provider()
        async with running.device(device="phone", codec=codec) as (phone, _), other.device(device="tablet", codec=codec) as (tablet, _):
            before = steps()
            result, proposal = await asked(phone)
            assert (result.outcome, result.proposal, proposal.kind) == ("sent", proposal.proposal, "test")
            assert await tablet.hear() == proposal
            await tablet.say(Ack(seq=proposal.seq, seen=(proposal.proposal,)))
            shown = await phone.hear_until("test")
            while not shown[-1].receipts[0].seen_at and not shown[-1].receipts[-1].seen_at:
                shown += await phone.hear_until("test")
            by_device = {one.device: (one.received_at is not None, one.seen_at is not None) for one in shown[-1].receipts}
            assert by_device == {"phone": (False, False), "tablet": (True, True)}
            await phone.say(Accept(id="yes", proposal=proposal.proposal, version=proposal.version))
            heard = await phone.hear_until("result")
            assert heard[-1] == Result(id="yes", outcome="done", proposal=proposal.proposal)
            told = [message for message in heard if isinstance(message, Withdrawn)] or await tablet.hear_until("withdrawn")
            assert told[-1].reason == "answered_elsewhere"
            after = steps()
            assert after["written"] > before["written"]  # it went the real way,
            assert [after[step] for step in ("seen", "answered")] == [before[step] for step in ("seen", "answered")]  # and nobody answered
    assert (await running.desk.devices.tested(market, "p-1"))["state"] == "accepted"


async def test_a_test_is_told_to_a_device_that_resumes_and_to_one_that_is_new_p8(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="other"), running.device(device="phone") as (phone, (welcome, _)):
            _, proposal = await asked(phone)
            async with running.device(device="tablet", resume=Resume(epoch=welcome.epoch, seq=0)) as (_, (_, replayed, _)):
                assert replayed == proposal
            async with running.device(device="new") as (_, (anew, _)):
                assert [MSGPACK.item(raw) for raw in anew.items] == [proposal]


async def test_a_second_test_at_once_is_told_to_wait(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (phone, _):
            first, _ = await asked(phone)
            await phone.say(Trial(id="t-2"))
            error = (await phone.hear_until("error"))[-1]
            assert isinstance(error, Error)
            assert (error.id, error.code, error.retry) == ("t-2", "rate_limited", True)
            await phone.say(Trial(id="t-1"))
            assert (await phone.hear_until("result"))[-1] == first


async def test_the_clients_know_a_test_while_it_is_open_and_forget_it_p8(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client() as client:
            await client.live()
            await running.desk.devices.test(market, "p-1", "rid")
            heard: list[object] = []
            async for message in client:
                heard.append(message)
                if isinstance(message, Proposal):
                    assert list(client.open) == [message.proposal]
                    assert (await client.refuse(message.proposal, message.version)).outcome == "done"
                if isinstance(message, TrialState) and message.state == "refused":
                    break
            assert client.open == {}
            assert any(isinstance(message, TrialState) and message.receipts[0].received_at for message in heard)
