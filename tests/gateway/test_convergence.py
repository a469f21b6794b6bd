"""Phones as they are: they lose the network at any moment, come back at once or late, with two sockets or with several devices. Each time a
device is told that it knows everything, it knows exactly what is open (P8). On a real store.
"""

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import anyio
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from dispatch.engine.requests import CancelRequest
from dispatch.messages import Booking, Live, Proposal, Resume, Snapshot, Sync, Welcome, Withdrawn
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec, Hello
from tests.gateway.gate import PATIENCE_S, Bare, Gate, gate

TRIES = 5
AT_ONCE_S = 1.0  # within which P8 wants a device to know what is open
Known = dict[str, int]  # what is open, and the version


def taken_in(known: Known, message: Any) -> None:
    """What one message changes."""
    match message:
        case Proposal():
            known[message.proposal] = message.version
        case Withdrawn():
            known.pop(message.proposal, None)
        case Booking() if message.state == "accepted":
            known[message.booking_id] = message.version
        case Booking():
            known.pop(message.booking_id, None)


async def told(running: Gate, number: int, seq: int) -> Known:
    """What the whole stream of a provider comes to, up to ``seq``."""
    (stream,) = await running.store.inbox.missed([(running.market, number, 0)])
    known: Known = {}
    for at, frame in stream:
        if at <= seq:
            taken_in(known, MSGPACK.to_device(frame))
    return known


@dataclass
class Phone:
    """A device that keeps what it was told while it has no network. ``checked``: how often it was told that it knows everything."""

    running: Gate
    number: int
    provider: str
    device: str
    codec: Codec
    known: Known = field(default_factory=dict)
    at: Resume | None = None
    checked: int = 0
    resumed: int = 0
    listed: int = 0

    async def life(self, frames: int, patience_s: float = 0.6) -> None:
        """One connection, cut without a word after so many frames (0: as soon as it knows everything)."""
        async with self.running.socket(self.codec) as bare:
            await bare.say(Hello(token=self.running.token(self.provider), device=self.device, resume=self.at))
            try:
                with anyio.move_on_after(patience_s):
                    await self._listen(bare, frames)
            except ConnectionClosed:
                return  # a newer socket of ours is there
            bare.socket.transport.abort()

    async def _listen(self, bare: Bare, frames: int) -> None:
        epoch, page = "", None
        for _ in range(frames or 10**6):
            message = self.codec.to_device(await bare.socket.recv(decode=False))
            match message:
                case Welcome():
                    epoch, page = message.epoch, None if message.resumed else dict[str, int]()
                    self.resumed += message.resumed
                    self.listed += not message.resumed
                    self._turn(page, message.items)
                case Snapshot():
                    self._turn(page, message.items)
                case Live():
                    self.known = self.known if page is None else page
                    self.at = Resume(epoch=epoch, seq=message.seq)
                    assert self.known == await told(self.running, self.number, message.seq)
                    self.checked += 1
                    if not frames:
                        return
                case Proposal() | Withdrawn() | Booking() if self.at is not None and message.seq > self.at.seq:
                    taken_in(self.known, message)
                    self.at = Resume(epoch=self.at.epoch, seq=message.seq)

    def _turn(self, page: Known | None, items: tuple[msgspec.Raw, ...]) -> None:
        for raw in items:
            assert page is not None
            taken_in(page, self.codec.item(raw))


@pytest.mark.parametrize("seed", range(4))
async def test_whenever_a_phone_is_cut_off_it_comes_back_to_exactly_what_is_open_p8(store: Store, market: str, seed: int) -> None:
    chance = Random(seed)
    async with gate(store, market) as one, gate(store, market) as other:
        numbers = {f"p-{n}": await one.provider(f"p-{n}") for n in range(3)}
        phones = [
            Phone(chance.choice((one, other)), number, provider, device, chance.choice((MSGPACK, JSON)))
            for provider, number in numbers.items()
            for device in ("phone", "tablet")
        ]
        done = anyio.Event()

        async def live(phone: Phone, its: Random) -> None:
            while not done.is_set():
                phone.running = its.choice((one, other))
                await phone.life(its.randrange(1, 9))
            await phone.life(0, PATIENCE_S)

        async with anyio.create_task_group() as tasks:
            for number, phone in enumerate(phones):
                tasks.start_soon(live, phone, Random(10 * seed + number))
            await stir(one, numbers, phones, chance)
            done.set()
    for phone in phones:
        assert phone.known == await told(one, phone.number, 10**9)
    assert sum(phone.checked for phone in phones) > 20
    assert all(sum(getattr(phone, way) for phone in phones) > 0 for way in ("resumed", "listed")), "both ways back must have been taken"


async def stir(running: Gate, numbers: dict[str, int], phones: list[Phone], chance: Random) -> None:
    """Bookings come, are refused, won and cancelled; fewer messages than an inbox keeps, so that its story can be told from the start."""
    bookings: list[str] = []
    commands = count()
    for turn in range(18):
        bookings.append(await running.book(hours=3 + turn))
        holders = (await running.desk.booking(running.market, chance.choice(bookings)))["proposals"]
        for proposal in chance.sample(holders, min(1, len(holders))):
            act = running.store.claims.accept if chance.random() < 0.3 else running.store.claims.refuse
            await act(running.market, numbers[proposal["provider_id"]], f"x-{next(commands)}", proposal["proposal"], 1)
        if chance.random() < 0.4:
            gone = bookings.pop(chance.randrange(len(bookings)))
            state = (await running.desk.booking(running.market, gone))["state"]
            if state in ("searching", "accepted"):
                await running.desk.cancel(running.market, gone, CancelRequest(by="client"), rid=f"cancel-{gone}")
        with anyio.fail_after(PATIENCE_S):
            while sum(phone.checked for phone in phones) <= turn:  # the town waits for its phones, however slow the machine is
                await anyio.lowlevel.checkpoint()


async def test_a_phone_that_comes_back_knows_what_is_open_within_a_second_p8(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        number = await running.provider()
        phone = Phone(running, number, "p-1", "phone", MSGPACK)
        async with running.device(device="other"):
            await phone.life(0, PATIENCE_S)
            for _ in range(3):
                await running.book()
            left, spent = phone.at, []
            for _ in range(TRIES):
                phone.known, phone.at = {}, left
                began = anyio.current_time()
                await phone.life(0, PATIENCE_S)
                spent.append(anyio.current_time() - began)
                assert len(phone.known) == 3
            assert min(spent) < AT_ONCE_S  # others on the machine may make one slow, not all
            assert phone.resumed == TRIES


async def test_a_phone_moves_to_a_new_socket_before_it_leaves_the_old_one_p8(store: Store, market: str) -> None:
    """Make before break: between the two nothing is missed, and the older one ends only when the newer one is entered."""
    async with gate(store, market) as one, gate(store, market) as other:
        number = await one.provider()
        async with one.device() as (older, (welcome, _)):
            await one.book()
            first = await older.hear()
            async with other.device(resume=Resume(epoch=welcome.epoch, seq=0)) as (newer, (_, replayed, live)):
                assert (replayed, live.seq) == (first, 1)
                assert (await older.end())[0] == 4503
                await one.book()
                second = await newer.hear()
    assert sorted(await told(one, number, 10**9)) == sorted([first.proposal, second.proposal])


async def test_two_sockets_of_a_device_that_come_at_once_leave_one(store: Store, market: str) -> None:
    async with gate(store, market) as one, gate(store, market) as other:
        await one.provider()
        async with one.socket() as first, other.socket() as second, one.socket() as third:
            sockets, closed = (first, second, third), []

            async def enter(bare: Bare) -> None:
                try:
                    await bare.say(Hello(token=one.token(), device="d-1"))
                    await bare.hear_until("proposal")
                except ConnectionClosed as error:
                    closed.append(error.rcvd.code if error.rcvd else 1006)

            async with anyio.create_task_group() as tasks:
                for bare in sockets:
                    tasks.start_soon(enter, bare)
                with anyio.fail_after(PATIENCE_S):
                    while len(closed) < 2:
                        await anyio.lowlevel.checkpoint()
                await one.book()
        assert closed == [4503, 4503]


async def test_an_answer_on_one_device_ends_the_proposal_on_every_other(store: Store, market: str) -> None:
    async with gate(store, market) as one, gate(store, market) as other:
        await one.provider()
        async with one.device(device="a") as (a, _), one.device(device="b", codec=JSON) as (b, _), other.device(device="c") as (c, _):
            await one.book()
            offer = await a.hear()
            assert [await bare.hear() for bare in (b, c)] == [offer, offer]
            await a.say({"type": "refuse", "id": "no", "proposal": offer.proposal, "version": offer.version})
            heard = [await bare.hear_until("withdrawn") for bare in (a, b, c)]
            assert [messages[-1].reason for messages in heard] == ["answered_elsewhere"] * 3


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_more_than_a_frame_holds_comes_in_pages_and_is_complete_p8(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        await running.desk.put_market(market, msgspec.structs.replace((await running.desk.market(market)).settings, open_proposals_cap=50))
        await running.provider()
        async with running.device(device="other"):
            open_now = {await running.book(hours=3 + number, note="é" * 600) for number in range(40)}
            async with running.device(codec=codec) as (bare, (welcome, *pages, live)):
                assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
                items = [codec.item(raw) for page in (welcome, *pages) for raw in page.items]
                assert sorted(item.booking.booking_id for item in items if isinstance(item, Proposal)) == sorted(open_now)
                await bare.say(Sync(id="s"))
                heard = [await bare.hear()]
                while heard[-1].more:
                    heard.append(await bare.hear())
                assert (len(heard) > 1, {page.id for page in heard}, {page.seq for page in heard}) == (True, {"s"}, {live.seq})
                assert sorted(raw for page in heard for raw in map(bytes, page.items)) == sorted(
                    raw for page in (welcome, *pages) for raw in map(bytes, page.items)
                )
