"""Many open websockets in one process, and what reaches them: `python -m bench.peers.holding SPEECH COUNT KEY=VALUE...`.

Every contender is held by a process like this one, with one plain `websockets` connection a provider and the same loop around each, so what
differs is the contender. It publishes too: both moments are read from one clock, the first before anything is sent. Orders come line by
line (`WAY COUNT RATE FIRST`; `publish` is the way that all know), answers go back as JSON.
"""

import asyncio
import contextlib
import gc
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

SIZE, AT_ONCE, PATIENCE_S, GREETING_S, LARGEST = 5, 50, 10.0, 60.0, 1 << 20
MARK = re.compile(rb"wave-(\d+)-")  # in every message: which wave it belongs to
MESSAGE = 600  # bytes of a message, about what a proposal has


class Speech(Protocol):
    """How one contender is talked to. ``subprotocols`` of its websockets, or None."""

    subprotocols: Sequence[Subprotocol] | None

    async def begin(self, count: int) -> None:
        """Before the first socket."""

    async def url(self, i: int) -> str:
        """Where provider ``i`` connects."""

    async def greet(self, socket: ClientConnection, i: int) -> None:
        """Says who he is; returns when he would hear what is published."""

    def replies(self, i: int, frame: bytes) -> Sequence[bytes]:
        """What provider ``i`` says to a frame."""

    async def publish(self, wave: int, to: Sequence[int]) -> None:
        """One message to each of these."""


def message(wave: int) -> bytes:
    """What is published; letters and digits alone, so that it fits into every format."""
    return f"wave-{wave}-".encode().ljust(MESSAGE, b"x")


class Held:
    """The sockets of all providers."""

    def __init__(self, speech: Speech, count: int) -> None:
        self._speech, self._count = speech, count
        self._sent: dict[int, float] = {}
        self._heard: dict[int, list[float]] = defaultdict(list)
        self._door = asyncio.Semaphore(AT_ONCE)
        self._news = asyncio.Event()
        self.open = 0

    async def hold(self, i: int) -> None:
        """One socket, until it is cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._door:
                url = await self._speech.url(i)
                opening = connect(
                    url, subprotocols=self._speech.subprotocols, compression=None, ping_interval=None, proxy=None, max_size=LARGEST,
                    open_timeout=GREETING_S, close_timeout=1,
                )  # fmt: skip
                socket = await stack.enter_async_context(opening)
                async with asyncio.timeout(GREETING_S):
                    await self._speech.greet(socket, i)
            self.open += 1
            while True:
                frame = await socket.recv(decode=False)
                now = time.perf_counter()
                if (found := MARK.search(frame)) and (wave := int(found[1])) in self._sent:
                    self._heard[wave].append(now)
                    self._news.set()
                for reply in self._speech.replies(i, frame):
                    await socket.send(reply)

    async def round(self, way: str, waves: int, rate: float, first: int) -> dict[str, Any]:
        """An open loop of waves; ms from their beginning to each who heard, and of which waves how many did not."""
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
        ms = [(at - self._sent[wave]) * 1e3 for wave in numbers for at in self._heard[wave]]
        return {"ms": ms, "missing": {wave: SIZE - len(self._heard[wave]) for wave in numbers if len(self._heard[wave]) != SIZE}}

    async def _all_heard(self, numbers: range) -> None:
        for wave in numbers:
            while len(self._heard[wave]) < SIZE:
                self._news = asyncio.Event()
                await self._news.wait()


def say(what: dict[str, Any]) -> None:
    """One line to whom we belong."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def run(speech: Speech, count: int) -> None:
    """Connects everybody, then obeys until nobody orders any more."""
    held = Held(speech, count)
    await speech.begin(count)
    tasks = [asyncio.create_task(held.hold(i)) for i in range(count)]
    try:
        while held.open < count:
            say({"open": held.open, "failed": failure(tasks)})
            await asyncio.sleep(0.5)
        gc.collect()
        gc.freeze()  # a collection would look at every socket, and stop the clock meanwhile
        say({"open": count, "ready": True})
        while words := (await asyncio.to_thread(sys.stdin.readline)).split():
            say({**await held.round(words[0], int(words[1]), float(words[2]), int(words[3])), "failed": failure(tasks)})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def failure(tasks: Sequence["asyncio.Task[None]"]) -> str | None:
    """Why the first socket that is no longer there has gone."""
    return next((repr(task.exception()) for task in tasks if task.done()), None)


def main(name: str, count: str, *options: str) -> None:
    """``name``: module of this folder and class, with a dot between; ``options`` for its constructor."""
    module, _, kind = name.partition(".")
    speech = getattr(import_module(f"bench.peers.{module}"), kind)
    uvloop.run(run(speech(**dict(option.split("=", 1) for option in options)), int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
