"""A phone for the tests: the Python SDK, told what to do line by line. phone.mjs is the same with the JavaScript SDK."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from dispatch.client import DeviceClient, Stopped
from dispatch.client.protocol import State
from dispatch.errors import DispatchError
from dispatch.messages import PushAddress, QuietHours, Suggestion, Window

HEARD = {"proposal", "withdrawn", "booking", "counter", "notice", "result", "error", "live", "drain"}


def say(line: Any) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


class Phone:
    def __init__(self, options: dict[str, Any]) -> None:
        tokens, pause_ms = options.pop("tokens"), options.pop("pause_ms", 0)

        async def token() -> str:
            return str(tokens.pop(0) if len(tokens) > 1 else tokens[0])

        self.client = DeviceClient(token=token if len(tokens) > 1 else tokens[0], pause=lambda *_: pause_ms / 1_000, **options)
        self.stopped: int | None = None

    async def listen(self) -> None:
        try:
            async for message in self.client:
                if message.__struct_config__.tag in HEARD:
                    say({"heard": message})
        except Stopped as stopped:
            self.stopped = stopped.close_code

    async def do(self, n: int, deed: str, what: dict[str, Any]) -> None:
        try:
            say({"n": n, "said": await self.deeds()[deed](**what)})
        except DispatchError as error:
            say({"n": n, "failed": {"code": error.code, "message": error.detail}})

    def deeds(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        client = self.client
        return {name: getattr(client, name) for name in ("live", "status", "sync", "drop")} | {
            name: getattr(self, name)
            for name in ("accept", "refuse", "counter", "report", "cancel", "late", "settings", "follow_up", "seen", "set_push", "look")
        }

    async def accept(self, *, timeout_ms: int | None = None, **what: Any) -> Any:
        return await self.client.accept(**what, timeout=timeout_ms and timeout_ms / 1_000)

    async def refuse(self, *, timeout_ms: int | None = None, **what: Any) -> Any:
        return await self.client.refuse(**what, timeout=timeout_ms and timeout_ms / 1_000)

    async def counter(self, *, windows: list[Any], **what: Any) -> Any:
        return await self.client.counter(windows=msgspec.convert(windows, list[Window]), **what, timeout=None)

    async def report(self, **what: Any) -> Any:
        return await self.client.report(**what, timeout=None)

    async def cancel(self, **what: Any) -> Any:
        return await self.client.cancel(**what, timeout=None)

    async def late(self, **what: Any) -> Any:
        return await self.client.late(**what, timeout=None)

    async def settings(self, **what: Any) -> Any:
        if "suggestion" in what:
            what["suggestion"] = msgspec.convert(what["suggestion"], Suggestion)
        if what.get("do_not_disturb"):
            what["do_not_disturb"] = msgspec.convert(what["do_not_disturb"], QuietHours)
        return await self.client.settings(**what, timeout=None)

    async def follow_up(self, **what: Any) -> Any:
        return await self.client.follow_up(**what, timeout=None)

    async def seen(self, proposals: list[str]) -> None:
        for proposal in proposals:
            await self.client.seen(proposal)

    async def set_push(self, push: dict[str, str]) -> None:
        self.client.set_push(msgspec.convert(push, PushAddress))

    async def look(self) -> dict[str, Any]:
        talk = self.client.conversation
        return {
            "live": talk.state is State.LIVE,
            "open": sorted(talk.open),
            "pending": [command.id for command in talk.pending],
            "offset_ms": talk.offset_ms,
            "stopped": self.stopped,
        }


async def main() -> None:
    phone = Phone(json.loads(sys.argv[1]))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    doing: set[asyncio.Task[None]] = set()
    async with phone.client:
        doing.add(asyncio.create_task(phone.listen()))
        while line := await lines.readline():
            told = json.loads(line)
            if told["do"] == "close":
                break
            doing.add(task := asyncio.create_task(phone.do(told["n"], told["do"], told.get("with", {}))))
            task.add_done_callback(doing.discard)
    for task in doing:
        task.cancel()
    await asyncio.gather(*doing, return_exceptions=True)
    if line:
        say({"n": told["n"], "said": None})


asyncio.run(main())
