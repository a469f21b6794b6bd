"""The sockets of one contender, in a process of their own: `python -m bench.swarm.held SPEECH COUNT KEY=VALUE...`.

The speeches of ``bench.peers`` on raw sockets: they take little of the machine, so that what is seen is the contender. Orders come
line by line, each a JSON list of a method's name and its arguments; answers go back as JSON. Both moments of every time are read from one
clock, the first before anything is sent.
"""

import asyncio
import contextlib
import gc
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import uvloop

from bench.peers.speech import GREETING_S, MARK, PATIENCE_S, SIZE, Speech, say
from bench.swarm.raw import Raw, connect

AT_ONCE = 64  # sockets that are being opened
TRIES = 6  # of each: a server that is short of the processor lets some wait longer than it should, and a device would knock again, too


class Held:
    """All sockets of a contender. ``lazy``: of how many from the first on, and every second, the kernel keeps next to nothing."""

    def __init__(self, speech: Speech, count: int, lazy: int = 0) -> None:
        self._speech, self._count, self._lazy = speech, count, 2 * lazy
        self._raws: list[Raw | None] = [None] * count
        self._sent: dict[int, float] = {}
        self._heard: dict[int, list[float]] = defaultdict(list)
        self._news = asyncio.Event()
        self._flooding: asyncio.Task[None] | None = None
        self._left: set[int] = set()  # those who may go: they were told to stall
        self.open, self.failed = 0, ""

    # -- sockets ------------------------------------------------------------------------------------------------------

    async def hold_all(self) -> None:
        """Opens them, some at a time; returns when all have greeted."""
        numbers = iter(range(self._count))

        async def some() -> None:
            for i in numbers:
                await self._hold(i)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(some())

    async def _hold(self, i: int) -> None:
        for attempt in range(TRIES):
            try:
                raw = await self._open(i)
                break
            except (OSError, TimeoutError):
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(1)
        self._raws[i] = raw
        raw.attend(partial(self._take, i, raw), partial(self._gone, i))
        self.open += 1

    async def _open(self, i: int) -> Raw:
        names, narrow = self._speech.subprotocols, i < self._lazy and i % 2 == 0
        async with asyncio.timeout(GREETING_S):
            raw = await connect(await self._speech.url(i), i, names[0] if names else None, narrow=narrow)
            await self._speech.greet(raw, i)
        return raw

    def _take(self, i: int, raw: Raw, frame: bytes) -> None:
        now = time.perf_counter()
        if (found := MARK.search(frame)) and (wave := int(found[1])) in self._sent:
            self._heard[wave].append(now)
            self._news.set()
        for reply in self._speech.replies(i, frame):
            raw.say(reply)

    def _gone(self, i: int, code: int | None, reason: str) -> None:
        self._raws[i] = None
        self.open -= 1
        if i not in self._left and not self.failed:
            self.failed = f"socket {i} has gone: {code} {reason}"

    # -- orders -------------------------------------------------------------------------------------------------------

    async def look(self) -> dict[str, Any]:
        """Nothing but the state of things."""
        return {}

    async def round(self, way: str, waves: int, rate: float, first: int) -> dict[str, Any]:
        """An open loop of waves; of each, ms from its beginning to each who heard."""
        chance, begun, send = random.Random(first), time.perf_counter(), getattr(self._speech, way)
        numbers = range(first, first + waves)
        async with asyncio.TaskGroup() as tasks:
            for n, wave in enumerate(numbers):
                await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
                to = chance.sample(range(self._count), SIZE)
                self._sent[wave] = time.perf_counter()
                tasks.create_task(send(wave, to))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._all_heard(numbers)
        return {"waves": [[(at - self._sent[wave]) * 1e3 for at in self._heard[wave]] for wave in numbers]}

    async def _all_heard(self, numbers: range) -> None:
        for wave in numbers:
            while len(self._heard[wave]) < SIZE:
                self._news = asyncio.Event()
                await self._news.wait()

    async def stall(self, first: int, count: int) -> dict[str, Any]:
        """So many, every second one from ``first`` on, read nothing any more."""
        for i in range(first, first + 2 * count, 2):
            self._left.add(i)
            if (raw := self._raws[i]) is not None:
                raw.stall()
        return {}

    async def flood(self, first: int, count: int, size: int, per_s: float, each: int) -> dict[str, Any]:
        """Each of these is sent ``each`` messages of so many bytes, so many a second; ``calm`` ends it sooner."""
        self._flooding = asyncio.create_task(self._flood(list(range(first, first + 2 * count, 2)), size, per_s, each))
        return {}

    async def _flood(self, to: Sequence[int], size: int, per_s: float, each: int) -> None:
        begun, slices = time.perf_counter(), 20  # a slice of them at a time, so that it is a stream and no drum
        for n in range(each * slices):
            await asyncio.sleep(max(0.0, begun + n / per_s / slices - time.perf_counter()))
            await self._speech.flood(to[n % slices :: slices], size)  # type: ignore[attr-defined]  # ours alone can be flooded

    async def calm(self) -> dict[str, Any]:
        """The flood ends."""
        if self._flooding is not None:
            self._flooding.cancel()
            await asyncio.gather(self._flooding, return_exceptions=True)
        return {}


async def run(speech: Speech, count: int, lazy: int) -> None:
    """Connects everybody, then obeys until nobody orders any more."""
    held = Held(speech, count, lazy)
    await speech.begin(count)
    opening = asyncio.create_task(held.hold_all())
    while not opening.done():
        say({"open": held.open, "failed": held.failed})
        await asyncio.wait([opening], timeout=0.5)
    failed = repr(opening.exception()) if opening.exception() else ""
    gc.collect()
    gc.freeze()  # a collection would look at every socket, and stop the clock meanwhile
    say({"open": held.open, "ready": True, "failed": failed})
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        answer = await getattr(held, name)(*arguments)
        say({**answer, "open": held.open, "failed": held.failed})


def main(name: str, count: str, lazy: str, *options: str) -> None:
    """``name``: module of ``bench.peers`` and class, with a dot between; ``options`` for its constructor."""
    module, _, kind = name.partition(".")
    speech = getattr(import_module(f"bench.peers.{module}"), kind)
    uvloop.run(run(speech(**dict(option.split("=", 1) for option in options)), int(count), int(lazy)))


if __name__ == "__main__":
    main(*sys.argv[1:])
