"""Providers' devices that answer what they get, over a network that repeats, overtakes and delays their frames.

Each is the SDK's client; what it says goes through ``_send``, where frames with an accept suffer. What a provider does with a proposal is
drawn from the seed: mostly he takes it at once, as do all others who hold it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from websockets.asyncio.client import ClientConnection

from dispatch.client import BookingClient, DeviceClient
from dispatch.errors import DispatchError, Later
from dispatch.messages import Accept, Live, Proposal, Result, ToDevice
from tests.faults.counts import Fired
from tests.faults.watched import Watched

TROUBLE = 0.4  # share of the frames with an accept to which something happens
OVERTAKEN_S = 0.5  # how long a frame waits to be overtaken
LATE_S = (0.2, 3.0)
ANSWER_S = 60.0
HANDS_S = 0.15  # within so long all who want a booking take it
PAUSE_S = 0.4  # longest before a device connects again
IGNORED = "quiet"  # in the id of a booking that nobody takes before its deadline
LAST_MOMENT_S = (-0.2, 0.6)


class FaultyDevice(DeviceClient):
    """A device whose accepts are sent twice, after what came after them, or much later."""

    def __init__(self, url: str, bookings: BookingClient, who: str, *, fired: Fired, chance: Random) -> None:
        async def token() -> str:
            return (await bookings.device_token(who, "phone", 36_000)).token

        super().__init__(
            url, token, device="phone", encoding=chance.choice(["msgpack", "json"]), pause=lambda *_: chance.random() * PAUSE_S
        )
        self.who, self.fired, self.chance = who, fired, chance
        self.faults = True
        self.entered = asyncio.Event()
        self._held: list[bytes] = []  # waits to be overtaken
        self._said: list[bytes] = []  # accepts said before
        self._tasks_of_ours: set[asyncio.Task[None]] = set()

    async def connected_again(self) -> None:
        """The connection breaks; returns when there is a new one and everything is known."""
        self.entered.clear()
        await self.drop()
        await self.entered.wait()

    def _hand_out(self, messages: tuple[ToDevice, ...]) -> None:
        super()._hand_out(messages)
        if any(isinstance(message, Live) for message in messages):
            self.entered.set()

    async def _send(self, frame: bytes | None, socket: ClientConnection | None = None) -> None:
        if frame is None or not self.faults or not self._is_accept(frame):
            await self._pass(frame, socket=socket)
            return
        self._said.append(frame)
        match self.chance.choice(["repeated", "overtaken", "late", "stale"]) if self.chance.random() < TROUBLE else "":
            case "repeated":
                await self._pass(frame, socket=socket)
                await self._pass(frame, "frame repeated", socket)
            case "overtaken":
                self._held.append(frame)
                self._later(self._let_go(frame, OVERTAKEN_S))
            case "late":
                self._later(self._say_late(frame))
            case "stale":
                await self._pass(frame, socket=socket)
                self._later(self._say_late(self.chance.choice(self._said)))
            case _:
                await self._pass(frame, socket=socket)

    async def _pass(self, frame: bytes | None, fault: str = "", socket: ClientConnection | None = None) -> None:
        """Out it goes, and what waited to be overtaken after it."""
        there = frame is not None and self._socket is not None
        await super()._send(frame, socket)
        if there and fault:
            self.fired.note(fault)
        while there and self._held:
            await super()._send(self._held.pop())
            self.fired.note("frame overtaken")

    def _is_accept(self, frame: bytes) -> bool:
        return isinstance(self.conversation.codec.decode(frame), Accept)

    def _later(self, saying: Coroutine[Any, Any, None]) -> None:
        self._tasks_of_ours.add(task := asyncio.create_task(saying))
        task.add_done_callback(self._tasks_of_ours.discard)

    async def _let_go(self, frame: bytes, seconds: float) -> None:
        """Nothing overtook it: out it goes."""
        await asyncio.sleep(seconds)
        if frame in self._held:
            self._held.remove(frame)
            await super()._send(frame)

    async def _say_late(self, frame: bytes) -> None:
        await asyncio.sleep(self.chance.uniform(*LATE_S))
        await self._pass(frame, "frame late")

    async def calm(self) -> None:
        """From now on nothing happens to its frames."""
        self.faults = False
        for task in list(self._tasks_of_ours):
            task.cancel()
        await asyncio.gather(*self._tasks_of_ours, return_exceptions=True)
        self._held.clear()


class Provider:
    """One who answers what his device shows him. ``left_s``: wall seconds until a moment of the engine (ms)."""

    def __init__(self, device: FaultyDevice, watched: Watched, left_s: Callable[[int], float], seed: str) -> None:
        self.device, self.watched, self._left_s, self._seed = device, watched, left_s, seed
        self.who = device.who
        self._known: set[str] = set()

    async def work(self) -> None:
        """Until he is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            async for message in self.device:
                if isinstance(message, Result) and message.id is not None and self.watched.knows(message.id):
                    self.watched.tell(message.id, message.outcome)
                if isinstance(message, Proposal) and message.proposal not in self._known:
                    self._known.add(message.proposal)
                    tasks.create_task(self._decide(message))

    async def _decide(self, proposal: Proposal) -> None:
        """What he does with a proposal, the same for the same seed."""
        booking = proposal.booking.booking_id
        chance = Random(f"{self._seed} {self.who} {booking}")
        await asyncio.sleep(chance.uniform(0, HANDS_S))
        kind = chance.random()
        if IGNORED in booking:
            if kind < 0.2:
                await self._refuse(proposal, booking)
            elif kind < 0.4:  # in the last moment, or just too late
                await asyncio.sleep(self._left_s(proposal.expires_at) + chance.uniform(*LAST_MOMENT_S))
                await self._accept(proposal, booking, "a")
        elif kind < 0.75:
            await self._accept(proposal, booking, "a")
        elif kind < 0.82:
            await asyncio.gather(self._accept(proposal, booking, "a"), self._accept(proposal, booking, "b"))
        elif kind < 0.87:
            await self._refuse(proposal, booking)
            await self._accept(proposal, booking, "a")
        elif kind < 0.95:
            await self._refuse(proposal, booking)

    async def _accept(self, proposal: Proposal, booking: str, tap: str) -> None:
        id_ = f"{booking}-{self.who}-{tap}"
        self.watched.ask(booking, "accept", self.who, id_)
        await self._answered(id_, self.device.accept(proposal.proposal, proposal.version, id=id_, timeout=ANSWER_S))

    async def _refuse(self, proposal: Proposal, booking: str) -> None:
        """The SDK makes the id of a refusal itself unless it is told one."""
        id_ = f"{booking}-{self.who}-no"
        self.watched.ask(booking, "refuse", self.who, id_)
        await self._answered(id_, self.device.refuse(proposal.proposal, proposal.version, id=id_, timeout=ANSWER_S))

    async def _answered(self, id_: str, asking: Coroutine[Any, Any, Result]) -> None:
        """Results are noted where all messages arrive; here it is noted when an error was the last word. No word at all stays unknown."""
        try:
            await asking
        except Later:
            return
        except DispatchError as error:
            self.watched.tell(id_, f"error {error.code}")
