"""Phones of either SDK, as processes: what one can be told, and what it has heard."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE_S = 20.0
Sdk = Literal["python", "javascript"]


@cache
def node() -> list[str]:
    """How Node is started. Node 20 has a WebSocket behind a flag. Without Node tests are skipped on a desk, and fail in CI."""
    program = shutil.which("node") or shutil.which("nodejs")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Node is missing. On Debian and Ubuntu: apt-get install nodejs")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    major = int(version.removeprefix("v").split(".")[0])
    assert major >= 20, f"Node {version} is too old for the SDK; it needs 20 or later"
    return [program, "--no-warnings", *([] if major >= 22 else ["--experimental-websocket"])]


def command(sdk: Sdk) -> list[str]:
    """What is run as a phone."""
    return [*node(), str(HERE / "phone.mjs")] if sdk == "javascript" else [sys.executable, "-m", "tests.sdk.phone"]


class Phone:
    """A phone that runs. ``heard`` is everything it was told, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._read = 0
        self.heard: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Take in what the phone prints, until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "heard" in said:
                self.heard.append(said["heard"])
            else:
                self._replies[said["n"]].set_result(said)
            self._news.set()

    async def begin(self, deed: str, **what: Any) -> "asyncio.Future[Any]":
        """Tell it to do something, without waiting for the end of it."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        self._replies[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"n": number, "do": deed, "with": what}).encode() + b"\n")
        await self._process.stdin.drain()
        return self._replies[number]

    async def do(self, deed: str, **what: Any) -> Any:
        """Tell it to do something, and wait: what it says, or an AssertionError with what went wrong."""
        return told(await asyncio.wait_for(await self.begin(deed, **what), PATIENCE_S))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of this type that was not looked at yet; those before it count as looked at."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self._read < len(self.heard):
                    self._read += 1
                    if self.heard[self._read - 1]["type"] == kind:
                        return self.heard[self._read - 1]
                self._news.clear()
                await self._news.wait()

    async def until(self, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Look at it again and again until something is true of it."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not true(look := await self.do("look")):
            late = asyncio.get_running_loop().time() > deadline
            assert not late, f"not within {PATIENCE_S:.0f} s; at last: {look}, heard: {self.heard[-5:]}"
            await asyncio.sleep(0.02)
        return dict(look)


def told(reply: dict[str, Any]) -> Any:
    """What was said; an error of the client is an AssertionError."""
    assert "failed" not in reply, reply["failed"]
    return reply["said"]


@asynccontextmanager
async def phone(
    sdk: Sdk, url: str, *tokens: str, device: str = "phone-1", encoding: str = "msgpack", **options: Any
) -> AsyncIterator[Phone]:
    """A phone that connects to ``url``. Of several tokens each connection takes the next one."""
    settings = {"url": url, "tokens": tokens, "device": device, "encoding": encoding, **options}
    process = await asyncio.create_subprocess_exec(
        *command(sdk), json.dumps(settings), cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    running = Phone(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
        await running.do("close")
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.wait_for(listening, PATIENCE_S)
    assert process.returncode == 0
