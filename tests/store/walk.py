"""A walk: random commands of everybody at once on a small market, the same for the same seed."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from dispatch.engine.requests import CounterofferAccept
from dispatch.errors import Refused
from dispatch.store import closing, sending
from dispatch.waves import next_step
from tests.store.scene import Scene

NAMES = ("ada", "ben", "cleo", "dan", "eve", "finn")
DEEDS = {
    "open": 6, "accept": 5, "refuse": 5, "receive": 6, "cancel": 3, "time": 6, "turn": 6, "link": 3, "status": 2, "put": 2, "block": 1,
    "again": 2, "dawdle": 3, "move": 2, "fact": 3, "instead": 1, "bar": 1, "report": 1, "meet": 4, "counter": 4, "client": 3,
}  # fmt: skip
HELD = ("open", "countered")
WAITS_S = (1, 5, 19, 20, 21, 60, 120, 180, 600, 1_800, 3_600, 4 * 3_600)


@dataclass(slots=True)
class Walk:
    """One walk. ``done`` counts what was done, and how it ended."""

    scene: Scene
    random: Random
    bookings: list[str] = field(default_factory=list)
    said: list[tuple[Any, ...]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def begin(self) -> None:
        for name in NAMES:
            if name not in self.scene.numbers:
                await self.scene.provider(name, reachable=self.random.random() < 0.8)

    async def step(self) -> str:
        """One deed; what it was and what came of it."""
        (deed,) = self.random.choices(list(DEEDS), list(DEEDS.values()))
        if (
            deed in ("accept", "refuse", "receive", "cancel", "move", "fact", "instead", "report", "counter", "client")
            and not self.bookings
        ):
            deed = "open"
        try:
            came = f"{deed} {await getattr(self, f'_{deed}')()}"
        except Refused as error:
            came = f"{deed} {error.code}"
        self.done[came] += 1
        return came

    async def _open(self) -> str:
        booking_id = f"b-{len(self.bookings) + 1}"
        leads = tuple(self.random.choice((2, 2.25, 3, 4, 5, 6.5, 25)) for _ in range(self.random.choice((1, 1, 2, 3))))
        await self.scene.open(booking_id, leads=tuple(dict.fromkeys(leads)), client_id=self.random.choice(("c-1", "c-2")))
        self.bookings.append(booking_id)
        return "opened"

    def _somebody(self) -> tuple[str, str]:
        """A provider and a booking: mostly one of the latest."""
        return self.random.choice(list(self.scene.numbers)), self.random.choice(self.bookings[-self.random.choice((2, 4, 50)) :])

    async def _accept(self) -> str:
        name, booking_id = await self._holder()
        id_ = self.scene.fresh("a")
        self.said.append(("accept", name, booking_id, id_, (await self.scene.record(booking_id)).version))
        return await self.scene.accept(name, booking_id, id=id_)

    async def _refuse(self) -> str:
        name, booking_id = await self._holder()
        return await self.scene.refuse(name, booking_id, reason=self.random.choice((None, "too far")))

    async def _holder(self) -> tuple[str, str]:
        """Somebody who holds an open proposal, when there is one, and mostly."""
        name, booking_id = self._somebody()
        record = await self.scene.record(booking_id)
        holders = [who for who, pno in self.scene.numbers.items() if pno in record.proposals and record.proposals[pno].state in HELD]
        return (self.random.choice(holders) if holders and self.random.random() < 0.85 else name), booking_id

    async def _again(self) -> str:
        """A command that was sent before arrives once more."""
        if not self.said:
            return "nothing"
        _, name, booking_id, id_, version = self.random.choice(self.said)
        return await self.scene.accept(name, booking_id, id=id_, version=version)

    async def _counter(self) -> str:
        """Somebody proposes other times; now and then those over are ended."""
        name, booking_id = await self._holder()
        await self.scene.store.counteroffers.end(self.scene.market)
        leads = tuple(self.random.sample((0.5, 2, 2.75, 4.25, 6, 9), self.random.choice((1, 2, 3))))
        return await self.scene.counter(name, leads, booking_id)

    async def _client(self) -> str:
        """A client answers one of the counteroffers of a booking."""
        booking_id = self._somebody()[1]
        offered = await self.scene.store.counteroffers.of(self.scene.market, (await self.scene.record(booking_id)).no)
        if not offered:
            return "nothing"
        at_desk, one = self.scene.desk.counteroffers, self.random.choice(offered)
        chosen = f"{(await self.scene.record(booking_id)).no}.{one.number}"
        if self.random.random() < 0.3:
            return str((await at_desk.decline(self.scene.market, booking_id, chosen, self.scene.fresh("d")))["state"])
        request = CounterofferAccept(window=self.random.randrange(len(one.windows)))
        return str((await at_desk.accept(self.scene.market, booking_id, chosen, request, self.scene.fresh("t")))["state"])

    async def _receive(self) -> str:
        await self.scene.receive(*await self._holder(), seen=self.random.random() < 0.5)
        return "done"

    async def _cancel(self) -> str:
        return await self.scene.cancel(self._somebody()[1], by=self.random.choice(("client", "provider", "provider", "ops")))

    async def _move(self) -> str:
        leads = self.random.choice(((2.5,), (4, 6.5), (30,)))
        return await self.scene.move(self._somebody()[1], leads=leads)

    async def _fact(self) -> str:
        booking_id = await self._held()
        return await getattr(self.scene, self.random.choice(("complete", "no_show", "late", "complete")))(booking_id)

    async def _held(self) -> str:
        """A booking that somebody holds, when there is one; then its visit may have begun."""
        for booking_id in self.bookings[::-1]:
            record = await self.scene.record(booking_id)
            if record.state in ("accepted", "no_show") and record.window is not None:
                if self.random.random() < 0.7:
                    await self.scene.at(max(self.scene.now, record.windows[record.window].start + 400_000))
                return booking_id
        return self.bookings[-1]

    async def _instead(self) -> str:
        return await self.scene.search_again(await self._held(), lead=self.random.choice((1, 3)))

    async def _bar(self) -> str:
        client_id = self.random.choice(("c-1", "c-2"))
        if self.random.random() < 0.4:
            await self.scene.desk.put_block(self.scene.market, client_id, "rude")
            return "on"
        await self.scene.desk.delete_block(self.scene.market, client_id)
        return "off"

    async def _report(self) -> str:
        return await self.scene.report(*await self._holder())

    async def _time(self) -> str:
        await self.scene.later(seconds=self.random.choice(WAITS_S))
        return "passed"

    async def _turn(self) -> str:
        return "more" if await self.scene.turn() == self.scene.now else "done"

    async def _meet(self) -> str:
        """A worker looks after those who were freed."""
        await self.scene.meet()
        return "done"

    async def _dawdle(self) -> str:
        """A worker reads and decides, something happens, and then he acts on what he knew."""
        due = await self.scene.timers()
        if not due:
            return "nothing"
        (record,) = await self.scene.store.bookings.records(self.scene.market, [self.random.choice(list(due))])
        market = await self.scene.desk.market(self.scene.market)
        step = next_step(market.settings, record.search(), market.now)
        meanwhile = await self._meanwhile()
        turn = closing(record.no, record.rev) if step.close else sending(record, step, minute=0, ready=0)
        return f"{meanwhile} {(await self.scene.take(turn))['word']}"

    async def _meanwhile(self) -> str:
        deed = (
            self.random.choice(("accept", "refuse", "counter", "client", "receive", "cancel", "turn", "put", "nothing"))
            if self.bookings
            else "nothing"
        )
        with suppress(Refused):
            await getattr(self, f"_{deed}")() if deed != "nothing" else None
        return deed

    async def _link(self) -> str:
        name = self.random.choice(list(self.scene.numbers))
        if self.random.random() < 0.5:
            await self.scene.connect(name)
            return "up"
        await self.scene.disconnect(name)
        return "down"

    async def _status(self) -> str:
        number = self.random.choice(list(self.scene.numbers.values()))
        available = self.random.choice((True, True, False, None))
        await self.scene.store.links.status(self.scene.market, number, available, None, "phone")
        return str(available)

    async def _put(self) -> str:
        name, status = self.random.choice(list(self.scene.numbers)), self.random.choice(("approved", "approved", "inactive", "pending"))
        rank = self.random.choice(({}, {"initial_rank": {"tier": "preferred", "score": 7}}))
        hours = self.random.choice(("24/7", "Mo-Su 06:00-23:10"))
        await self.scene.provider(name, reachable=False, status=status, hours=hours, **rank)
        return status

    async def _block(self) -> str:
        name, client_id = self.random.choice(list(self.scene.numbers)), self.random.choice(("c-1", "c-2"))
        if self.random.random() < 0.5:
            await self.scene.desk.put_provider_block(self.scene.market, name, client_id)
            return "on"
        await self.scene.desk.delete_provider_block(self.scene.market, name, client_id)
        return "off"
