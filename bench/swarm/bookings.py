"""Bookings while a crowd has its troubles: some stay open, some are taken, some cancelled; and what the engine says of them afterwards."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from bench.push import MARKET, booking
from bench.serving import Served
from bench.swarm.truth import Note, Sent, of
from dispatch.client import BookingClient
from dispatch.client.bookings import DispatchError, Window

KINDS = ("keep", "take", "drop")  # stays open, is taken by whom it is offered to, is cancelled after a while
READERS, LATER_S = 8, 60.0


@dataclass(slots=True)
class Book:
    """The bookings of a run. ``ending`` and ``ended``: just before and just after each was ended by its client, on the shared clock."""

    served: Served
    kinds: tuple[str, ...] = KINDS
    cancel_after_s: float = 3.0
    opened: list[str] = field(default_factory=list)
    failed: int = 0
    ending: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def client(self) -> BookingClient:
        """Who books."""
        return BookingClient(self.served.url, self.served.key, MARKET)

    async def some(self, count: int, rate: float) -> None:
        """So many, so many a second; returns when all are opened, and those that shall be are cancelled."""
        begun, first = time.perf_counter(), len(self.opened) + self.failed
        async with self.client() as client, asyncio.TaskGroup() as tasks:
            for n in range(count):
                await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
                tasks.create_task(self._one(client, first + n))

    async def until(self, stop: asyncio.Event, rate: float) -> None:
        """The same until somebody says stop."""
        while not stop.is_set():
            await self.some(max(1, round(rate)), rate)

    async def _one(self, client: BookingClient, number: int) -> None:
        kind = self.kinds[number % len(self.kinds)]
        start = datetime.now(UTC) + timedelta(hours=3, minutes=number * 7 % 160)
        request = msgspec.structs.replace(
            booking(number, Random(number)),
            booking_id=f"{kind}-{number}",
            windows=(Window(start=start, end=start + timedelta(minutes=45)),),
        )
        try:
            await client.open(request)
        except DispatchError:
            self.failed += 1
            return
        self.opened.append(request.booking_id)
        if kind == "drop":
            await asyncio.sleep(self.cancel_after_s)
            await self._cancel(client, request.booking_id)

    async def _cancel(self, client: BookingClient, name: str) -> None:
        self.ending[name] = time.perf_counter()
        with contextlib.suppress(DispatchError):
            await client.cancel(name, "client", "the measurement")
            self.ended[name] = time.perf_counter()

    async def sent(self, notes: list[Note]) -> list[Sent]:
        """Every proposal of every booking, as the engine has them now. ``notes`` tell when somebody took one."""
        ending = self.ending | {note[4]: note[2] for note in of(notes, "accept")}
        won = {note[3]: note[2] for note in of(notes, "won")}
        door, away = asyncio.Semaphore(READERS), time.time() - time.perf_counter()

        async with self.client() as client:

            async def read(name: str) -> list[Sent]:
                async with door:
                    now = await client.booking(name)
                taken = next((won[p.proposal] for p in now.proposals if p.proposal in won), None)
                ends = (ending.get(name), self.ended.get(name) or taken)
                return [
                    Sent(
                        number=int(p.provider_id[1:]), proposal=p.proposal, at=(p.sent_at.timestamp() if p.sent_at else 0.0) - away,
                        open=p.state == "open", ending=ends[0], ended=ends[1],
                    )
                    for p in now.proposals
                ]  # fmt: skip

            lists = await asyncio.gather(*(read(name) for name in self.opened))
        return [one for some in lists for one in some]


def per_kind(names: list[str]) -> Mapping[str, int]:
    """How many of each."""
    return {kind: sum(name.startswith(kind) for name in names) for kind in KINDS}
