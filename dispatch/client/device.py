"""A provider's device over asyncio: one object that stays connected, whatever happens in between.

    async with DeviceClient("ws://127.0.0.1:8081/v1/device", token, device="phone-1") as client:
        async for message in client:
            if isinstance(message, Proposal):
                result = await client.accept(message.proposal, message.version)

Acknowledges, answers pings, resumes where it stopped, repeats commands that had no answer with the same id. ``client.open`` is the truth
about what is open; the messages only tell what changed (the oldest are dropped if nobody reads them).
"""

import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from dispatch.client.protocol import APP, Command, Conversation, State, pause_s, refusal, rejected, verdict
from dispatch.errors import DispatchError, Later, Refused, Unavailable
from dispatch.messages import Accept, Error, Item, Live, PushAddress, Refuse, Result, Status, ToDevice
from dispatch.wire import JSON, MSGPACK, OUTBOUND_LIMIT

UNREAD_LIMIT: Final = 1_000  # messages kept for the app
Token = str | Callable[[], Awaitable[str]]  # a token, or how to get a fresh one for each connection


def wall_ms() -> int:
    """This device's clock."""
    return time.time_ns() // 1_000_000


class DeviceClient:
    """One device of one provider. ``token`` may be an async function that fetches a fresh one for every connection."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        device: str,
        encoding: str = "msgpack",
        app: str = APP,
        background: bool = False,
        push: PushAddress | None = None,
        on_reconnect: Callable[[], None] | None = None,
        pause: Callable[[int, float, str], float] = pause_s,
    ) -> None:
        codec = {"msgpack": MSGPACK, "json": JSON}[encoding]
        self.conversation = Conversation(codec, token="", device=device, app=app, background=background, push=push)
        self._url, self._token, self._on_reconnect, self._pause = url, token, on_reconnect, pause
        self._unread: deque[ToDevice] = deque(maxlen=UNREAD_LIMIT)
        self._changed = anyio.Event()
        self._answers: dict[str, Result | Error] = {}
        self._asked: set[str] = set()
        self._socket: ClientConnection | None = None
        self._tasks: TaskGroup
        self._ended: DispatchError | None = None
        self._closed = False
        self._lives = 0

    @property
    def open(self) -> dict[str, Item]:
        """What is open now: proposals by proposal id, held bookings by booking id."""
        return self.conversation.open

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._stay_connected)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        self._wake()
        if self._socket is not None:
            with anyio.move_on_after(2, shield=True):
                await self._socket.close(1000, "left")
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)  # an error of the block is its own: it leaves as it is, in no group

    # -- for the app --------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ToDevice:
        await self._until(lambda: bool(self._unread) or self._closed)
        if not self._unread:
            raise StopAsyncIteration
        return self._unread.popleft()

    async def live(self) -> None:
        """Wait until the device is connected and knows everything. Raises Stopped."""
        await self._until(lambda: self.conversation.state is State.LIVE)

    async def accept(self, proposal: str, version: int, window: int = 0, *, id: str | None = None, timeout: float = 30) -> Result:
        """Take a proposal; losing is a result too. Raises Unavailable after ``timeout`` s: ask again with the same ``id``."""
        return await self._ask(Accept(id=id or uuid.uuid4().hex, proposal=proposal, version=version, window=window), timeout)

    async def refuse(self, proposal: str, version: int, reason: str | None = None, *, id: str | None = None, timeout: float = 30) -> Result:
        """Decline a proposal (costs nothing)."""
        return await self._ask(Refuse(id=id or uuid.uuid4().hex, proposal=proposal, version=version, reason=reason), timeout)

    async def status(self, *, available: bool | None = None, background: bool | None = None, timeout: float = 30) -> Result:
        """Say that the provider wants work or not, or that the app is on the screen or not."""
        return await self._ask(Status(id=uuid.uuid4().hex, available=available, background=background), timeout)

    async def seen(self, proposal: str) -> None:
        """This proposal is on the screen now: the clock of the answer starts (R22)."""
        await self._send(self.conversation.seen(proposal))

    async def drop(self) -> None:
        """Break the connection without a goodbye, as a tunnel would; the client reconnects by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _ask(self, command: Command, timeout: float) -> Result:
        self._asked.add(command.id)
        try:
            with anyio.fail_after(timeout):
                while True:
                    await self._send(self.conversation.command(command))
                    await self._until(lambda: command.id in self._answers)
                    answer = self._answers.pop(command.id)
                    if isinstance(answer, Result):
                        return answer
                    if not answer.retry:
                        raise refusal(answer)
                    await anyio.sleep((answer.after_ms or 500) / 1_000)
        except TimeoutError:
            raise Unavailable(f"no answer within {timeout:g} s; ask again with the same id: {command.id}") from None
        finally:
            self._asked.discard(command.id)
            self._answers.pop(command.id, None)
            self.conversation.forget(command.id)

    # -- the connection -----------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            lives, reason = self._lives, ""
            try:
                await self._converse()
            except InvalidStatus as error:
                self._ended = rejected(error.response.status_code, error.response.body or b"")
            except ConnectionClosed as error:
                if error.rcvd is not None:
                    reason, self._ended = error.rcvd.reason, verdict(error.rcvd.code, error.rcvd.reason)
            except Refused as error:
                self._ended = error  # no token for us
            except (OSError, TimeoutError, InvalidHandshake, Later):
                pass
            finally:
                self._socket = None
                self.conversation.lost()
            self._wake()
            if self._ended is not None or self._closed:
                return
            attempt = 0 if self._lives > lives else attempt
            await anyio.sleep(self._pause(attempt, random.random(), reason))
            attempt += 1

    async def _converse(self) -> None:
        talk, codec = self.conversation, self.conversation.codec
        talk.token = self._token if isinstance(self._token, str) else await self._token()
        async with connect(
            self._url, subprotocols=[Subprotocol(codec.subprotocol)], compression=None, ping_interval=None, close_timeout=2,
            max_size=OUTBOUND_LIMIT, proxy=None, user_agent_header=APP,
        ) as socket:  # fmt: skip
            self._socket = socket
            await self._send(talk.hello())
            while True:
                with anyio.fail_after(talk.dead_ms / 1_000):
                    frame = await socket.recv(decode=False)
                step = talk.receive(frame, wall_ms())
                for out in step.frames:
                    await self._send(out)
                self._hand_out(step.messages)

    async def _send(self, frame: bytes | None) -> None:
        """Say it if there is someone to hear it; what carries an id is repeated on the next connection anyway."""
        if frame is not None and self._socket is not None:
            try:
                await self._socket.send(frame, text=self.conversation.codec.text)
            except ConnectionClosed:
                return  # the receiving task learns it too, and acts

    def _hand_out(self, messages: tuple[ToDevice, ...]) -> None:
        for message in messages:
            if isinstance(message, Result | Error) and message.id in self._asked:
                self._answers[message.id] = message
            if isinstance(message, Live):
                self._lives += 1
                if self._lives > 1 and self._on_reconnect is not None:
                    self._on_reconnect()
            self._unread.append(message)
        if messages:
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            if self._ended is not None:
                raise self._ended
            if self._closed:
                raise Unavailable("this client is closed")
            await self._changed.wait()
