"""One run of the demo, from an empty folder to the verdict."""

import signal
import time
from datetime import UTC, datetime
from typing import Any

import anyio
from anyio.abc import TaskGroup
from rich.console import Console

from dispatch.client import BookingClient
from dispatch.client.bookings import DispatchError
from dispatch.demo.bookings import Wish, gap_s, wishes
from dispatch.demo.city import paris
from dispatch.demo.clock import zone_for
from dispatch.demo.devices import Fleet
from dispatch.demo.engine import KEY, Engine, running
from dispatch.demo.evidence import Evidence
from dispatch.demo.hooks import Listener
from dispatch.demo.numbers import count
from dispatch.demo.options import Options
from dispatch.demo.promises import judge
from dispatch.demo.providers import seat
from dispatch.demo.record import Record
from dispatch.demo.screen import Screen
from dispatch.demo.summary import Summary
from dispatch.demo.town import MARKET, NotReady, Town, settle
from dispatch.demo.watch import Watch

CONNECT_S = 60.0
REST_S = 5.0
OPENING_AT_ONCE = 64


async def run(options: Options, console: Console) -> Summary:
    """Starts the engine, lets the city live until the time is over or Ctrl-C, and judges what happened."""
    city, began, record = paris(), time.monotonic(), Record()
    ear = Listener(record)
    async with running(options) as engine, BookingClient(engine.http, KEY, MARKET) as client, ear.listening():
        console.print(f"The engine is ready: {engine.http}/", highlight=False)
        zone = zone_for(options.start_hour, datetime.now(UTC))
        town = await settle(
            client, city, ear.target, count=options.providers, seed=options.seed, speed=options.speed, zone=zone, devices_url=engine.devices
        )
        run_ = Run(options, console, engine, town, record)
        console.print(f"The city stands after {time.monotonic() - began:.1f} s: {len(town.providers)} professionals.", highlight=False)
        await run_.live()
        return run_.summary()


class Run:
    """A city while it lives: clients who book, professionals who answer, and somebody who watches."""

    def __init__(self, options: Options, console: Console, engine: Engine, town: Town, record: Record) -> None:
        self._options, self._engine, self._town, self._record = options, engine, town, record
        people, seat_ = {p.id: p for p in town.providers}, seat(town.providers)
        self._played = seat_.id if seat_ else None
        self._evidence = Evidence(record=record, providers=people, speed=town.clock.speed, zone=town.clock.zone, played=self._played)
        self._fleet = Fleet(record, town.clock)
        self._watch = Watch(self._evidence, town.client, town.clock)
        self._screen = Screen(console, f"{engine.http}/", self._evidence, self._fleet, town.clock)
        if seat_:
            self._screen.invite(seat_)
        self._began = town.clock.now_ms()

    async def live(self) -> None:
        """Connects the professionals, lets clients book for a while, and brings everything to rest."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fleet.carry, self._town, self._played)
            if not await self._fleet.everybody_online(self._options.providers - bool(self._played), CONNECT_S):
                raise NotReady(f"only {len(self._fleet.online)} devices could connect; {dict(self._record.failures)}")
            await self._open_for_business()
            await self._fleet.at_rest(REST_S)
            await self._watch.gather()
            await self._watch.close_shop()
            tasks.cancel_scope.cancel()

    def summary(self) -> Summary:
        """What it came to."""
        return Summary(count(self._evidence), judge(self._evidence), self._circumstances())

    async def _open_for_business(self) -> None:
        """Bookings come in until the time is over, Ctrl-C, or the engine dies."""
        with anyio.move_on_after(self._options.seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_interrupted, tasks.cancel_scope)
                tasks.start_soon(self._mind_the_engine)
                tasks.start_soon(self._watch.follow)
                tasks.start_soon(self._screen.lines if self._options.headless else self._screen.table)
                await self._book(tasks)

    async def _mind_the_engine(self) -> None:
        while True:
            self._engine.check()
            await anyio.sleep(0.5)

    async def _book(self, tasks: TaskGroup) -> None:
        """Opens bookings as clients wish them, without waiting for the answers."""
        town, chance = self._town, self._town.chance("clients")
        at_once = anyio.CapacityLimiter(OPENING_AT_ONCE)
        for wish in wishes(chance, town.city, town.clock):
            tasks.start_soon(self._open, wish, at_once)
            local = town.clock.local(town.clock.now_ms())
            await anyio.sleep(town.clock.wall(gap_s(chance, self._options.bookings_per_hour, local)))

    async def _open(self, wish: Wish, at_once: anyio.CapacityLimiter) -> None:
        booking, client = wish.booking, self._town.client
        self._record.asked[booking.booking_id] = booking
        try:
            with anyio.CancelScope(shield=True):
                async with at_once:
                    await client.open(booking)
            self._record.opened.add(booking.booking_id)
            if wish.cancels_after_s is not None:
                await anyio.sleep(self._town.clock.wall(wish.cancels_after_s))
                await client.cancel(booking.booking_id, "client", "changed my mind")
        except DispatchError as failed:
            self._record.refusals[failed.code] += 1

    def _circumstances(self) -> dict[str, Any]:
        options, record = self._options, self._record
        return {
            "providers": options.providers,
            "speed": options.speed,
            "seed": options.seed,
            "city_seconds": (self._town.clock.now_ms() - self._began) // 1000,
            "refusals": dict(record.refusals),
            "outcomes": dict(record.outcomes),
            "reconnects": record.reconnects,
            "webhooks": {"heard": len(record.hooks), "again": record.hooks_again, "false": record.hooks_false},
            "failures": dict(record.failures),
        }


async def _until_interrupted(scope: anyio.CancelScope) -> None:
    """Ctrl-C, or a kind kill, ends the day; the rest follows in good order."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
