"""A process that claims for devices: claims come in on its input, a line each time, answers go out on its output.

A claim that the store does not answer is made again under the same id until it is. Lines are JSON: [[id, market, provider, proposal,
version], ...] in; [[id, outcome, begun, ended], ...] out, times in seconds of the machine's steady clock.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec

from dispatch.errors import Unavailable
from dispatch.settings import read
from dispatch.store import Store

HANDS = 24  # claims at once
AGAIN_S = 0.05
PUT_S = 0.01  # answers are gathered for so long
LINE = 16 * 1024 * 1024


class Claimant:
    """The hands, and what they have to say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._work: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._said: list[tuple[str, str, float, float]] = []

    async def run(self) -> None:
        """Until the input ends."""
        reader = asyncio.StreamReader(limit=LINE)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with asyncio.TaskGroup() as tasks:  # an error that nobody expects ends the process
            work = [*(tasks.create_task(self._hand()) for _ in range(HANDS)), tasks.create_task(self._speak())]
            while line := await reader.readline():
                for claim in msgspec.json.decode(line):
                    self._work.put_nowait(claim)
            for task in work:
                task.cancel()

    async def _hand(self) -> None:
        while True:
            id_, market, pno, proposal, version = await self._work.get()
            begun = time.monotonic()
            outcome = await self._claim(id_, market, pno, proposal, version)
            self._said.append((id_, outcome, begun, time.monotonic()))

    async def _claim(self, id_: str, market: str, pno: int, proposal: str, version: int) -> str:
        while True:
            try:
                return str((await self._store.claims.accept(market, pno, id_, proposal, version))["outcome"])
            except Unavailable:
                await asyncio.sleep(AGAIN_S)

    async def _speak(self) -> None:
        while True:
            await asyncio.sleep(PUT_S)
            if self._said:
                said, self._said = self._said, []
                await asyncio.to_thread(_put, msgspec.json.encode(said) + b"\n")


def _put(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def connected(url: str, speed: float) -> Store:
    """The store, waited for."""
    while True:
        try:
            return await Store.connect(read(redis_url=url, dev=True, clock_speed=speed))
        except Unavailable:
            await asyncio.sleep(AGAIN_S)


async def main(url: str, speed: float) -> None:
    """Claims until the input ends."""
    store = await connected(url, speed)
    await Claimant(store).run()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
