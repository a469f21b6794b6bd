"""From the store to the devices: waves, withdrawals, reconnections, snapshots, several devices and several gateways. On a real store."""

from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from dispatch.client import DeviceClient
from dispatch.engine.requests import CancelRequest
from dispatch.gateway import Limits
from dispatch.messages import Accept, Booking, Live, Proposal, Refuse, Result, Resume, Snapshot, Sync, Welcome, Withdrawn
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec
from tests.gateway.gate import PATIENCE_S, Gate, found, gate

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


async def cancel(running: Gate, booking: str) -> None:
    await running.desk.cancel(running.market, booking, CancelRequest(by="client"), rid=f"cancel-{booking}")


@CODECS
async def test_a_wave_reaches_the_device_and_its_accept_wins(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=codec) as (bare, _):
            booking = await running.book(note="sonnez à « Déjà vu »")
            proposal = await bare.hear()
            assert isinstance(proposal, Proposal)
            assert (proposal.seq, proposal.wave, proposal.booking.note) == (1, 1, "sonnez à « Déjà vu »")
            await bare.say(Accept(id="a-1", proposal=proposal.proposal, version=proposal.version))
            result, withdrawn, visit = [await bare.hear() for _ in range(3)]
            assert (result.outcome, result.booking.booking_id, result.booking.place.lat_e6) == ("won", booking, 48_856_600)
            assert (withdrawn.reason, withdrawn.seq) == ("answered_elsewhere", 2)
            assert (visit.booking_id, visit.state, visit.seq) == (booking, "accepted", 3)


@pytest.mark.proves("R15.a", "R15.b")
async def test_the_first_accept_wins_and_the_others_are_told_at_once(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        for provider in ("p-1", "p-2", "p-3"):
            await running.provider(provider)
        async with running.device("p-1") as (one, _), running.device("p-2") as (two, _), running.device("p-3") as (three, _):
            await running.book()
            offers = [await bare.hear() for bare in (one, two, three)]
            for bare, offer in zip((one, two, three), offers, strict=True):
                await bare.say(Accept(id="mine", proposal=offer.proposal, version=offer.version))
            heard = [await bare.hear_until("result") for bare in (one, two, three)]
            assert sorted(messages[-1].outcome for messages in heard) == ["lost", "lost", "won"]
            for bare, messages in zip((one, two, three), heard, strict=True):
                if messages[-1].outcome == "lost":
                    seen = messages[:-1] or [await bare.hear()]
                    assert [message.reason for message in seen] == ["taken"]


async def test_a_repeated_command_gets_the_same_answer_on_another_device_and_other_content_is_refused(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="d-1") as (one, _), running.device(device="d-2") as (two, _):
            await running.book()
            offer = await one.hear()
            assert await two.hear() == offer
            await one.say(accept := Accept(id="a-1", proposal=offer.proposal, version=offer.version))
            first = (await one.hear_until("result"))[-1]
            await two.say(accept)
            assert (await two.hear_until("result"))[-1] == first
            await two.say(Accept(id="a-1", proposal=offer.proposal, version=offer.version, window=1))
            error = (await two.hear_until("error"))[-1]
            assert (error.id, error.code) == ("a-1", "bad_request")


async def test_a_proposal_that_nobody_made_was_not_asked(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            for number, made_up in enumerate(("99.1.1", "1.1.2", "what?", "1.1", "9999999999999.1.1")):
                await bare.say(Accept(id=f"a-{number}", proposal=made_up, version=1))
                assert await bare.hear() == Result(id=f"a-{number}", outcome="not_asked", proposal=made_up)


async def test_a_refusal_is_done_and_tells_the_other_device(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="d-1") as (one, _), running.device(device="d-2") as (two, _):
            await running.book()
            offer = await one.hear()
            await one.say(Refuse(id="r", proposal=offer.proposal, version=offer.version))
            assert (await one.hear_until("result"))[-1].outcome == "done"
            assert [type(message) for message in await two.hear_until("withdrawn")] == [Proposal, Withdrawn]


@CODECS
async def test_a_device_that_comes_back_is_told_exactly_what_it_missed(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=codec) as (bare, (welcome, _)):
            await running.book()
            await bare.hear()
        async with running.device(device="other") as (_, _):
            second = await running.book()
            await cancel(running, second)
            third = await running.book()
        resume = Resume(epoch=welcome.epoch, seq=1)
        async with running.device(codec=codec, resume=resume) as (_, (again, *missed, live)):
            assert (again.resumed, again.reason, again.items) == (True, None, ())
            assert [message.seq for message in missed] == [2, 3, 4]
            assert [type(message) for message in missed] == [Proposal, Withdrawn, Proposal]
            assert missed[-1].booking.booking_id == third
            assert live == Live(seq=4)


@pytest.mark.parametrize(
    ("resume", "reason"),
    [(None, "new"), (Resume(epoch="another", seq=1), "epoch"), (Resume(epoch="", seq=10**6), "epoch")],
)
async def test_a_device_that_cannot_be_replayed_is_told_everything_open(
    store: Store, market: str, resume: Resume | None, reason: str
) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            gone, stays, held = await running.book(), await running.book(), await running.book(hours=8)
            await cancel(running, gone)
            offer = (await bare.hear_until("withdrawn"))[2]
            assert offer.booking.booking_id == held
            await bare.say(Accept(id="a", proposal=offer.proposal, version=offer.version))
            await bare.hear_until("booking")
        async with running.device(resume=resume) as (_, (welcome, live)):
            assert (welcome.resumed, welcome.reason) == (False, reason)
            items = [MSGPACK.item(raw) for raw in welcome.items]
            assert {(type(item), item.booking.booking_id if isinstance(item, Proposal) else item.booking_id) for item in items} == {
                (Proposal, stays),
                (Booking, held),
            }
            assert live.seq == welcome.seq


async def test_a_message_that_comes_while_a_device_is_welcomed_is_neither_lost_nor_told_twice(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(device="other"), anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(running.book)
            for number in range(8):
                async with running.device(device=f"d-{number % 4}") as (bare, heard):
                    seqs = [MSGPACK.item(raw).seq for raw in heard[0].items]
                    while len(seqs) < 4:
                        message = await bare.hear()
                        seqs.append(message.seq)
                    assert sorted(seqs) == [1, 2, 3, 4]


async def test_a_sync_is_answered_with_everything_open(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=JSON) as (bare, (welcome, _)):
            await running.book()
            offer = await bare.hear()
            await bare.say(Sync(id="s"))
            snapshot = await bare.hear()
            assert isinstance(snapshot, Snapshot)
            assert (snapshot.id, snapshot.epoch, snapshot.seq, snapshot.more) == ("s", welcome.epoch, 1, False)
            assert [JSON.item(raw) for raw in snapshot.items] == [offer]


async def test_whatever_happens_around_a_sync_the_device_ends_up_with_what_is_open(store: Store, market: str) -> None:
    async with gate(store, market, Limits(burst=1_000)) as running:
        await running.provider()
        async with running.device() as (bare, _):
            known: dict[str, object] = {}
            last = 0

            async def churn() -> None:
                for number in range(12):
                    booking = await running.book()
                    if number % 2:
                        await cancel(running, booking)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(churn)
                for number in range(20):
                    await bare.say(Sync(id=f"s-{number}"))
                    for message in await bare.hear_until("snapshot"):
                        last = follow(known, message, last)
            await bare.say(Sync(id="end"))
            for message in await bare.hear_until("snapshot"):
                before = dict(known)
                last = follow(known, message, last)
            assert known == before
            assert len(known) == 5  # of the six that were not cancelled: the cap


def follow(known: dict[str, object], message: object, last: int) -> int:
    """What a device that trusts the order of messages knows; each of the stream comes once and in order."""
    match message:
        case Snapshot():
            assert message.seq >= last
            known.clear()
            known.update({item.proposal: item for raw in message.items if isinstance(item := MSGPACK.item(raw), Proposal)})
            return message.seq
        case Proposal():
            assert message.seq == last + 1
            known[message.proposal] = message
            return message.seq
        case Withdrawn():
            assert message.seq == last + 1
            known.pop(message.proposal, None)
            return message.seq
    raise AssertionError(message)


async def test_devices_at_several_gateways_hear_the_same(store: Store, market: str) -> None:
    async with gate(store, market) as one, gate(store, market) as other:
        await one.provider()
        async with one.device(device="d-1") as (first, _), other.device(device="d-2", codec=JSON) as (second, _):
            await one.book()
            assert await first.hear() == await second.hear()


async def test_of_two_markets_at_one_gateway_each_hears_its_own_p13(store: Store, fresh_market: Callable[[], str]) -> None:
    """Their providers have the same number, and the same id; messages of the one are nothing to the other."""
    async with gate(store, fresh_market()) as here:
        there = replace(here, market=fresh_market())
        await found(there.desk, there.market)
        assert await here.provider() == await there.provider()
        async with here.device() as (one, _), there.device() as (other, _):
            mine, theirs = await here.book(), await there.book()
            assert [(await bare.hear()).booking.booking_id for bare in (one, other)] == [mine, theirs]
            await cancel(there, theirs)
            await cancel(here, mine)
            heard = [await bare.hear() for bare in (one, other)]
            assert [(message.reason, message.seq) for message in heard] == [("cancelled", 2)] * 2


async def test_a_client_survives_cut_connections_and_knows_exactly_what_is_open(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.client() as client, running.device(device="steady"):
            await client.live()
            kept = []
            for number in range(4):
                if number % 2:
                    await client.drop()
                booking = await running.book()
                if number == 2:
                    await cancel(running, booking)
                else:
                    kept.append(booking)
            await knows(client, *kept)
            offer = next(item for item in client.open.values() if isinstance(item, Proposal))
            await client.drop()
            result = await client.accept(offer.proposal, offer.version)
            assert result.outcome == "won"


async def knows(client: DeviceClient, *bookings: str) -> None:
    """Wait until these bookings, and no others, are open for a client."""
    with anyio.fail_after(PATIENCE_S):
        while {item.booking.booking_id for item in client.open.values() if isinstance(item, Proposal)} != set(bookings):
            await anyio.lowlevel.checkpoint()


async def test_a_restarted_gateway_is_found_again_and_replays(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, (welcome, _)):
            await running.book()
            await bare.hear()
    async with gate(store, market) as restarted, restarted.device(resume=Resume(epoch=welcome.epoch, seq=1)) as (bare, heard):
        assert [type(message) for message in heard] == [Welcome, Live]
        assert heard[0].resumed
        await restarted.book()
        assert isinstance(await bare.hear(), Proposal)
