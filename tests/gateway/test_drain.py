"""A gateway that ends, a link that grows old, and everybody at the door at once: devices move, and miss nothing. On a real store."""

from collections import Counter
from typing import Any

import anyio
import pytest
from websockets.exceptions import InvalidStatus

from dispatch.client import DeviceClient
from dispatch.gateway import Limits
from dispatch.messages import Accept, Ack, Drain, Proposal, Resume
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec
from tests.gateway.gate import PATIENCE_S, Gate, gate

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
LONG = Limits(drain_ms=60_000)  # nobody waits for its end: the test is over when everybody has left


async def received(running: Gate, booking: str) -> None:
    """Wait until the store knows that the first proposal of a booking has arrived."""
    with anyio.fail_after(PATIENCE_S):
        while not (await running.desk.booking(running.market, booking))["proposals"][0]["received_at"]:
            await anyio.lowlevel.checkpoint()


@CODECS
async def test_a_gateway_that_shall_end_asks_its_devices_to_move_and_serves_them_meanwhile(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market, LONG) as ending, gate(store, market) as other:
        await ending.provider()
        async with ending.device(codec=codec) as (older, (welcome, _)):
            ending.stop.set()
            drain = await older.hear()
            assert isinstance(drain, Drain)
            assert 0 <= drain.after_ms <= 45_000 < drain.deadline_ms <= 60_000
            booking = await ending.book()
            proposal = await older.hear()
            assert isinstance(proposal, Proposal)
            await older.say(Ack(seq=proposal.seq))
            await received(ending, booking)
            async with other.device(codec=codec, resume=Resume(epoch=welcome.epoch, seq=proposal.seq)) as (newer, (again, live)):
                assert (again.resumed, live.seq) == (True, proposal.seq)
                await newer.say(Accept(id="yes", proposal=proposal.proposal, version=proposal.version))
                assert (await newer.hear_until("result"))[-1].outcome == "won"
                assert (await older.end())[0] == 4503  # the newer one speaks for the device now
                assert (await store.providers.get(market, "p-1")).devices == 1


async def test_nobody_comes_in_any_more_while_a_gateway_drains(store: Store, market: str) -> None:
    async with gate(store, market, LONG) as running:
        await running.provider()
        async with running.device() as (bare, _):
            running.stop.set()
            assert isinstance(await bare.hear(), Drain)
            with pytest.raises(InvalidStatus) as raised:
                async with running.socket():
                    pass
            assert raised.value.response.status_code == 503


async def test_a_device_that_is_just_being_welcomed_is_asked_to_move_too(store: Store, market: str) -> None:
    async with gate(store, market, LONG) as running, running.socket() as bare:
        await running.provider()
        while not running.gateway._everyone:
            await anyio.lowlevel.checkpoint()
        running.stop.set()
        await anyio.lowlevel.checkpoint()
        await bare.say({"type": "hello", "token": running.token(), "device": "d-1"})
        heard = await bare.hear_until("drain")
        assert [message.__struct_config__.tag for message in heard] == ["welcome", "live", "drain"]


async def test_one_who_does_not_move_is_closed_at_the_deadline(store: Store, market: str) -> None:
    async with gate(store, market, Limits(drain_ms=300)) as running:
        await running.provider()
        async with running.device() as (bare, _), running.socket() as silent:
            running.stop.set()
            assert (await bare.end())[0] == 4013
            assert (await silent.end())[0] == 1012  # it never said who it is: there is nothing to resume
    assert not (await store.providers.get(market, "p-1")).reachable


async def test_devices_do_not_move_at_the_same_moment(store: Store, market: str) -> None:
    async with gate(store, market, LONG) as running, anyio.create_task_group() as tasks:
        for number in range(20):
            await running.provider(f"p-{number}")
        moments: list[int] = []
        everybody = anyio.Semaphore(0)

        async def one(provider: str) -> None:
            async with running.device(provider) as (bare, _):
                everybody.release()
                moments.append((await bare.hear()).after_ms)

        for number in range(20):
            tasks.start_soon(one, f"p-{number}")
        for _ in range(20):
            await everybody.acquire()
        running.stop.set()
    assert len(set(moments)) > 15
    assert max(moments) - min(moments) > 20_000


async def test_a_link_that_grows_old_is_asked_to_move_and_closed_when_it_does_not(store: Store, market: str) -> None:
    async with gate(store, market, Limits(age_ms=200, move_ms=300)) as running:
        await running.provider()
        async with running.device() as (bare, _):
            drain = await bare.hear()
            assert isinstance(drain, Drain)
            assert drain.deadline_ms == 300
            assert (await bare.end())[0] == 4013


async def test_the_clients_live_through_links_that_grow_old(store: Store, market: str) -> None:
    async with gate(store, market, Limits(age_ms=150, move_ms=50)) as running:
        await running.provider()
        lives: list[None] = []
        async with running.client(on_reconnect=lambda: lives.append(None)) as client:
            await client.live()
            booking = await running.book()
            with anyio.fail_after(PATIENCE_S):
                while len(lives) < 3:
                    await anyio.lowlevel.checkpoint()
                while [item.booking.booking_id for item in client.open.values() if isinstance(item, Proposal)] != [booking]:
                    await anyio.lowlevel.checkpoint()


# -- everybody at once ------------------------------------------------------------------------------------------------


async def test_when_everybody_comes_back_at_once_the_door_stays_narrow_and_all_get_in(store: Store, market: str) -> None:
    """As after a crash: each link is cut without a word, and each device comes back at once."""
    door, crowd = 12, 60
    async with gate(store, market, Limits(greeting=door, entering=4)) as running, anyio.create_task_group() as tasks:
        clients = [await enter(running, tasks, number) for number in range(crowd)]
        booking = await running.book()
        asked = await holders(running, booking)
        most: Counter[str] = Counter()
        tasks.start_soon(watch, running, most)
        lives = {client: client._lives for client in clients}
        for link in list(running.gateway.registry):
            link.abort()
        with anyio.fail_after(6 * PATIENCE_S):
            while any(client._lives == lives[client] for client in clients):
                await anyio.lowlevel.checkpoint()
        assert 0 < most["greeting"] <= door
        assert most["knocking"] > 0, "nobody had to wait: this proves nothing"
        for number, client in enumerate(clients):
            shown = [item.booking.booking_id for item in client.open.values() if isinstance(item, Proposal)]
            assert shown == ([booking] if f"p-{number}" in asked else [])
        tasks.cancel_scope.cancel()


async def enter(running: Gate, tasks: Any, number: int) -> DeviceClient:
    """One of the crowd, connected; it returns quickly, and a little later when it is told to."""
    await running.provider(f"p-{number}")
    client = DeviceClient(
        running.url, running.token(f"p-{number}"), device="phone", pause=lambda _, chance, reason: chance * (0.5 if reason else 0.02)
    )
    await tasks.start(stay, client)
    return client


async def stay(client: DeviceClient, *, task_status: Any) -> None:
    async with client:
        await client.live()
        task_status.started()
        await anyio.sleep_forever()


async def watch(running: Gate, most: "Counter[str]") -> None:
    while True:
        most["greeting"] = max(most["greeting"], running.gateway._greeting)
        most["knocking"] = max(most["knocking"], running.gateway._foyer.knocking)
        await anyio.lowlevel.checkpoint()


async def holders(running: Gate, booking: str) -> set[str]:
    return {proposal["provider_id"] for proposal in (await running.desk.booking(running.market, booking))["proposals"]}


async def test_a_gateway_wears_its_name_once(store: Store, market: str) -> None:
    """What a crash left under a name must not look like the links of the gateway's next life."""
    async with gate(store, market, gateway_id="paris-1") as one, gate(store, market, gateway_id="paris-1") as other:
        names = one.gateway.name, other.gateway.name
        assert names[0] != names[1]
        assert all(name.startswith("paris-1-") for name in names)
