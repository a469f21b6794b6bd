"""The processes that claim: claims are dealt out among them, and one that was killed is started again with what it had left."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import msgspec

from campaign.claimant import LINE
from dispatch.store.child import with_parent

AGAIN_S = 0.2
Line = tuple[str, str, int, str, int]  # id, market, provider, proposal, version
Hear = Callable[[str, str, float, float], None]  # id, outcome, begun, ended


class Claimants:
    """Some claimants. ``hear`` is called with each answer; ``repeated`` counts claims that were handed out once more."""

    def __init__(self, count: int, url: str, speed: float, hear: Hear) -> None:
        self._command = [sys.executable, "-m", "campaign.claimant", url, str(speed)]
        self._hear = hear
        self._left: list[dict[str, Line]] = [{} for _ in range(count)]  # without an answer, by id
        self._processes: list[asyncio.subprocess.Process | None] = [None] * count
        self.repeated = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._left)

    async def give(self, number: int, lines: list[Line]) -> None:
        """Have one of them make some claims."""
        self._left[number].update((line[0], line) for line in lines)
        await self._say(number, lines)

    def kill(self, number: int) -> None:
        """kill -9 of one of them."""
        process = self._processes[number]
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)  # not by the process's own method, which would look for its end before its watcher

    async def crash(self, number: int) -> bool:
        """kill -9 of one of them; whether that is what ended it."""
        process = self._processes[number]
        if process is None or process.returncode is not None:
            return False
        self.kill(number)
        return await process.wait() == -signal.SIGKILL

    async def run(self) -> None:
        """Keeps all of them at work, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.count):
                tasks.create_task(self._keep(number))

    async def _keep(self, number: int) -> None:
        while True:
            process = self._processes[number] = await asyncio.create_subprocess_exec(
                *self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=LINE,
                start_new_session=True, preexec_fn=with_parent(signal.SIGKILL), env=os.environ,
            )  # fmt: skip
            if left := list(self._left[number].values()):
                self.repeated += len(left)
                await self._say(number, left)
            try:
                await self._listen(number, process)
            finally:
                self.kill(number)
                status = await process.wait()
            if status > 0:
                raise RuntimeError(f"a claimant ended by itself, with exit status {status}: its last words say why")
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Its answers, until it is gone. A line that was cut off is no answer."""
        assert process.stdout is not None
        while (line := await process.stdout.readline()).endswith(b"\n"):
            for id_, outcome, begun, ended in msgspec.json.decode(line):
                self._left[number].pop(id_, None)
                self._hear(id_, outcome, begun, ended)

    async def _say(self, number: int, lines: list[Line]) -> None:
        process = self._processes[number]
        if process is None or process.stdin is None:
            return  # it gets them when it has started
        try:
            process.stdin.write(msgspec.json.encode(lines) + b"\n")
            await process.stdin.drain()
        except OSError:
            return  # it is gone: its successor gets them
