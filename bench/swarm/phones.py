"""Many phones in one process: `python -m bench.swarm.phones COUNT URL KEY GATE...`; orders and answers as in held.py.

They work for the market of ``bench.push``: waves of five, and nothing that happens by itself for hours. Of a booking whose id begins with
"take" the last of five to hear accepts at once. Every moment that matters is noted on the clock that all processes of a machine share.
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import uvloop

from bench.peers.ours import IMPORTED, settings
from bench.peers.speech import SIZE, say
from bench.push import MARKET, providers
from bench.swarm.phone import Phone
from dispatch.client import BookingClient, Proposal
from dispatch.client.bookings import Catalogue, CircleZone, Service, Tier, Trade
from dispatch.client.device import MSGPACK
from dispatch.client.protocol import Conversation

AT_ONCE, TAKE, LOOK_S = 64, "take", 0.05


class Phones:
    """All of them, and what was noted: kind, number, moment, and further words."""

    def __init__(self, count: int, gates: Sequence[str]) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.live: set[int] = set()
        self._phones = [Phone(i, Conversation(MSGPACK, token="", device="d"), gates, self._note) for i in range(count)]
        self._holders: dict[str, int] = defaultdict(int)
        self._arrived: dict[int, asyncio.Future[None]] = {}
        self._cutting: asyncio.Task[None] | None = None

    def _note(self, kind: str, number: int, *words: Any) -> None:
        if kind == "live":
            self.live.add(number)
            if (waiting := self._arrived.pop(number, None)) is not None:
                waiting.set_result(None)
        elif kind == "lost":
            self.live.discard(number)
        elif kind == "proposal":
            *words, proposal = words
            self._hold(number, proposal)
        elif kind == "twice":
            words = words[:-1]
        self.notes.append((kind, number, time.perf_counter(), *words))

    def _hold(self, number: int, proposal: Proposal) -> None:
        booking = proposal.booking.booking_id
        self._holders[booking] += 1
        if self._holders[booking] == SIZE and booking.startswith(TAKE):
            self.notes.append(("accept", number, time.perf_counter(), proposal.proposal, booking))
            self._phones[number].accept(proposal)

    # -- coming -------------------------------------------------------------------------------------------------------

    async def prepare(self, bookings: BookingClient) -> None:
        """The market, its providers, and nobody connected yet."""
        await bookings.put_market(settings())
        await bookings.put_catalogue(Catalogue(trades=(Trade(code="hair"),), services=(Service(code="cut", trade="hair"),)))
        wide = CircleZone(lat=48.86, lng=2.34, radius_km=30)  # so that any five fit
        lines = [msgspec.structs.replace(one, zone=wide) for one in providers(len(self._phones), Random(1), [Tier.PREFERRED], 1)]
        for first in range(0, len(lines), IMPORTED):
            await bookings.import_providers(lines[first : first + IMPORTED])

    async def come(self, bookings: BookingClient) -> None:
        """Everybody connects, some at a time; returns when all are live."""
        waiting = iter(self._phones)

        async def some() -> None:
            for phone in waiting:
                phone.talk.token = (await bookings.device_token(f"p{phone.number}", "d")).token
                arrived = self._arrived[phone.number] = asyncio.get_running_loop().create_future()
                phone.come()
                await arrived

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(some())

    # -- orders -------------------------------------------------------------------------------------------------------

    async def look(self) -> dict[str, Any]:
        """Nothing but the state of things."""
        return {}

    async def until_live(self, count: int, seconds: float) -> dict[str, Any]:
        """Returns when so many are live at once, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.live) < count:  # noqa: ASYNC110 - one look each 50 ms is nothing beside thousands of sockets
                    await asyncio.sleep(LOOK_S)
        return {}

    async def cut(self, share: float) -> dict[str, Any]:
        """From now on so large a share of them loses its connection each minute, at moments of chance."""
        self._cutting = asyncio.create_task(self._cut(share))
        return {}

    async def _cut(self, share: float) -> None:
        chance = Random(1)
        while True:
            await asyncio.sleep(chance.expovariate(share * len(self._phones) / 60))
            if self.live:
                number = chance.randrange(len(self._phones))
                self.notes.append(("cut", number, time.perf_counter()))
                self._phones[number].cut()

    async def calm(self) -> dict[str, Any]:
        """No more cuts."""
        if self._cutting is not None:
            self._cutting.cancel()
            await asyncio.gather(self._cutting, return_exceptions=True)
        return {}

    async def report(self, path: str) -> dict[str, Any]:
        """Everything that was noted, and what each has on his screen, as a file."""
        shown = {phone.number: sorted(phone.talk.open) for phone in self._phones if phone.talk.open}
        await asyncio.to_thread(Path(path).write_bytes, msgspec.msgpack.encode({"notes": self.notes, "shown": shown}))
        return {"notes": len(self.notes)}


async def run(phones: Phones, url: str, key: str, count: int) -> None:
    """Connects everybody, then obeys until nobody orders any more."""
    async with BookingClient(url, key, MARKET) as bookings:
        await phones.prepare(bookings)
        coming = asyncio.create_task(phones.come(bookings))
        while not coming.done():
            say({"open": len(phones.live)})
            await asyncio.wait([coming], timeout=0.5)
        failed = repr(coming.exception()) if coming.exception() else ""
    gc.collect()
    gc.freeze()
    say({"open": len(phones.live), "ready": True, "failed": failed})
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        say({**await getattr(phones, name)(*arguments), "open": len(phones.live)})


def main(count: str, url: str, key: str, *gates: str) -> None:
    """``gates``: where devices connect; they begin with the first."""
    uvloop.run(_main(int(count), url, key, gates))


async def _main(count: int, url: str, key: str, gates: Sequence[str]) -> None:
    await run(Phones(count, gates), url, key, count)


if __name__ == "__main__":
    main(*sys.argv[1:])
