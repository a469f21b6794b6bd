"""The phones of the city's professionals: real websockets, one each, half of them speaking msgpack and half JSON.

A phone shows what comes, its owner looks at it, thinks, and answers (or not), as ``behaviour`` draws it. Some connections break and come
back; a few owners tap twice, and some answer a notification whose proposal has gone meanwhile.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import anyio
from anyio.abc import TaskGroup

from dispatch.client import BookingClient, DeviceClient, Notice, Proposal, Result, Stopped
from dispatch.client.bookings import DispatchError
from dispatch.demo.behaviour import Answer, Plan, plan, urgency_of
from dispatch.demo.clock import CityClock
from dispatch.demo.providers import Provider
from dispatch.demo.record import Record
from dispatch.demo.town import Town

TAPS_TWICE = 0.03
OLD_SCREEN = 0.25  # share of answers given from a notification, whether or not the proposal is still there
TOKEN_S = 12 * 3600
BACK_S = 1_800.0  # mean time until one who was paused opens the app
CONNECTING = 40  # devices that may be on their way in at once


@dataclass(frozen=True, slots=True)
class Phone:
    """One provider's device. ``chance`` is his own, so that the others' luck does not change his."""

    provider: Provider
    url: str
    service: BookingClient
    fleet: "Fleet"
    chance: Random

    async def carry(self, gate: anyio.CapacityLimiter) -> None:
        """Connects, and stays until cancelled or told to stop by the engine."""
        client = DeviceClient(
            self.url, self._token, device=f"{self.provider.id}-phone", encoding=self.provider.encoding, app="dispatch-demo",
            on_reconnect=self.fleet.came_back,
        )  # fmt: skip
        try:
            async with client, anyio.create_task_group() as tasks:
                async with gate:
                    await client.live()
                self.fleet.entered(self.provider.id)
                tasks.start_soon(self._lose_connection, client)
                await self._read(client, tasks)
        except* (Stopped, DispatchError) as ended:
            self.fleet.record.failures[f"device: {ended.exceptions[0]}"] += 1
        finally:
            self.fleet.online.discard(self.provider.id)

    async def _token(self) -> str:
        return (await self.service.device_token(self.provider.id, f"{self.provider.id}-phone", TOKEN_S)).token

    async def _read(self, client: DeviceClient, tasks: TaskGroup) -> None:
        record, clock = self.fleet.record, self.fleet.clock
        async for message in client:
            match message:
                case Proposal() if record.saw(self.provider.id, message, clock.now_ms()):
                    tasks.start_soon(self._decide, client, message)
                case Notice(kind="paused"):
                    tasks.start_soon(self._open_the_app, client)
                case Result():
                    record.answered(self.provider.id, message)
                    self.heard(client, tasks, message)

    async def _open_the_app(self, client: DeviceClient) -> None:
        """He was paused for his silence (R40): some time later he looks, and that ends it."""
        await anyio.sleep(self.fleet.clock.wall(self.chance.expovariate(1 / BACK_S)))
        with suppress(DispatchError):
            await client.status(available=True)

    def intent(self, proposal: Proposal) -> Plan:
        """What its owner will do with a proposal that has just come."""
        lead_s = (proposal.booking.windows[0].start - self.fleet.clock.now_ms()) / 1000
        return plan(self.chance, urgency_of(lead_s), self.provider.nature.pace)

    def heard(self, client: DeviceClient, tasks: TaskGroup, result: Result) -> None:
        """The outcome of something he asked. The demo does not follow him to his visits."""

    async def _decide(self, client: DeviceClient, proposal: Proposal) -> None:
        clock, intent = self.fleet.clock, self.intent(proposal)
        await anyio.sleep(clock.wall(intent.seen_s))
        if proposal.proposal in client.open:
            await client.seen(proposal.proposal)
        if intent.answer is Answer.NEVER:
            return
        await anyio.sleep(clock.wall(intent.after_s - intent.seen_s))
        if self.fleet.answering and (proposal.proposal in client.open or self.chance.random() < OLD_SCREEN):
            await self._answer(client, proposal, intent)

    async def _answer(self, client: DeviceClient, proposal: Proposal, intent: Plan) -> None:
        """A counteroffer is a refusal here: the client speaks of nothing else yet."""
        fleet = self.fleet
        fleet.in_flight += 1
        try:
            if intent.answer is Answer.ACCEPT:
                await client.accept(proposal.proposal, proposal.version)
                if self.chance.random() < TAPS_TWICE:
                    await client.accept(proposal.proposal, proposal.version)
            else:
                await client.refuse(proposal.proposal, proposal.version, intent.reason)
        except DispatchError as failed:
            fleet.record.failures[f"answer: {failed.code}"] += 1
        finally:
            fleet.answer_done()

    async def _lose_connection(self, client: DeviceClient) -> None:
        """Breaks the connection now and then; the client comes back by itself."""
        while True:
            await anyio.sleep(self.fleet.clock.wall(self.chance.expovariate(self.provider.nature.drops_per_hour) * 3600))
            await client.drop()


class Fleet:
    """All phones together. ``answering`` is turned off to let the city come to rest; ``in_flight`` answers are on their way then."""

    def __init__(self, record: Record, clock: CityClock, phone: type[Phone] = Phone) -> None:
        self.record, self.clock, self._phone = record, clock, phone
        self.online: set[str] = set()
        self.answering = True
        self.in_flight = 0
        self._changed = anyio.Event()

    def came_back(self) -> None:
        """A connection that had broken stands again."""
        self.record.reconnects += 1

    async def carry(self, town: Town, without: str | None = None) -> None:
        """Connects everybody, some at a time, and keeps them connected. ``without``: whose phone is in somebody else's hand."""
        gate = anyio.CapacityLimiter(CONNECTING)
        async with anyio.create_task_group() as tasks:
            for provider in (each for each in town.providers if each.id != without):
                phone = self._phone(provider, town.devices_url, town.client, self, town.chance(provider.id))
                tasks.start_soon(phone.carry, gate)

    def entered(self, provider_id: str) -> None:
        """A device is connected and knows everything."""
        self.online.add(provider_id)
        self._wake()

    def answer_done(self) -> None:
        """One of the answers on their way has arrived."""
        self.in_flight -= 1
        self._wake()

    async def everybody_online(self, count: int, patience_s: float) -> bool:
        """Waits until so many are connected, or patience ends; whether they are."""
        return await self._until(lambda: len(self.online) >= count, patience_s)

    async def at_rest(self, patience_s: float) -> bool:
        """Begins no new answers, and lets those on their way arrive; whether they all did."""
        self.answering = False
        return await self._until(lambda: self.in_flight == 0, patience_s)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _until(self, true: Callable[[], bool], patience_s: float) -> bool:
        with anyio.move_on_after(patience_s):
            while not true():
                await self._changed.wait()
        return true()
