"""A provider's device over asyncio: one object that stays connected, whatever happens in between.

    async with DeviceClient("ws://127.0.0.1:8081/v1/device", token, device="phone-1") as client:
        async for message in client:
            if isinstance(message, Proposal):
                result = await client.accept(message.proposal, message.version)

Acknowledges, answers pings, resumes where it stopped, repeats commands that had no answer with the same id, hands a newer token to a server
that asks for one, and leaves a server that goes away only when it is live on another. ``client.open`` is the truth about what is open; the
messages only tell what changed (the oldest are dropped if nobody reads them).
"""

import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self

import anyio
from anyio.abc import TaskGroup
from msgspec import UNSET, UnsetType
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from dispatch.client.clock import device_ms
from dispatch.client.protocol import APP, Command, Conversation, State, Step, is_pending, pause_s, refusal, rejected, verdict
from dispatch.errors import BadRequest, DispatchError, Later, Refused, Unavailable
from dispatch.messages import (
    Accept,
    AuthNeeded,
    Cancel,
    Counter,
    Drain,
    Error,
    FollowUp,
    Item,
    Late,
    Live,
    PushAddress,
    QuietHours,
    Refreshed,
    Refuse,
    Report,
    Result,
    Settings,
    Status,
    Suggestion,
    ToDevice,
    Trial,
    Window,
)
from dispatch.wire import JSON, MSGPACK, OUTBOUND_LIMIT

UNREAD_LIMIT: Final = 1_000  # messages kept for the app
Token = str | Callable[[], Awaitable[str]]  # a token, or how to get a fresh one for each connection


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
        self._answers: dict[str, Result | Refreshed | Error] = {}
        self._asked: set[str] = set()
        self._socket: ClientConnection | None = None  # the one that is spoken on
        self._successor: ClientConnection | None = None  # opened, and about to take over
        self._hearing = anyio.CancelScope()
        self._leaving = anyio.CancelScope()  # of the connection that was taken over from
        self._tasks: TaskGroup
        self._ended: DispatchError | None = None
        self._closed, self._lives = False, 0

    @property
    def open(self) -> dict[str, Item]:
        """What is open now: proposals by proposal id, held bookings by booking id."""
        return self.conversation.open

    @property
    def pending(self) -> tuple[Command, ...]:
        """Commands without a final answer: what an app shows as "will be sent"."""
        return self.conversation.pending

    def server_ms(self) -> int:
        """The server's clock now, as far as it is known: ms since 1970. For countdowns."""
        return self.conversation.server_ms(device_ms())

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

    async def accept(self, proposal: str, version: int, window: int = 0, *, id: str | None = None, timeout: float | None = 30) -> Result:
        """Take a proposal; losing is a result too. Without a connection it is queued, and said as soon as there is one.

        Raises Unavailable after ``timeout`` s (None: never), and is not said again: ask again with the same ``id``.
        """
        return await self._ask(Accept(id=id or uuid.uuid4().hex, proposal=proposal, version=version, window=window), timeout)

    async def refuse(
        self, proposal: str, version: int, reason: str | None = None, *, id: str | None = None, timeout: float | None = 30
    ) -> Result:
        """Decline a proposal (costs nothing)."""
        return await self._ask(Refuse(id=id or uuid.uuid4().hex, proposal=proposal, version=version, reason=reason), timeout)

    async def counter(
        self, proposal: str, version: int, windows: Iterable[Window], note: str = "", *, id: str | None = None, timeout: float | None = 30
    ) -> Result:
        """Propose 1 to 5 other windows (R24)."""
        command = Counter(id=id or uuid.uuid4().hex, proposal=proposal, version=version, windows=tuple(windows), note=note)
        return await self._ask(command, timeout)

    async def report(self, proposal: str, reason: str, *, id: str | None = None, timeout: float | None = 30) -> Result:
        """Report a proposal or its client (R25)."""
        return await self._ask(Report(id=id or uuid.uuid4().hex, proposal=proposal, reason=reason), timeout)

    async def cancel(
        self, booking_id: str, reason: str | None = None, declares: str | None = None, *, id: str | None = None, timeout: float | None = 30
    ) -> Result:
        """Give a visit back (R35). ``declares``: ``illness`` or ``force_majeure``, if one of them is why."""
        return await self._ask(Cancel(id=id or uuid.uuid4().hex, booking_id=booking_id, reason=reason, declares=declares), timeout)

    async def late(self, booking_id: str, minutes: int, *, id: str | None = None, timeout: float | None = 30) -> Result:
        """Say that the provider comes so many minutes late (R37)."""
        return await self._ask(Late(id=id or uuid.uuid4().hex, booking_id=booking_id, minutes=minutes), timeout)

    async def status(self, *, available: bool | None = None, background: bool | None = None, timeout: float | None = 30) -> Result:
        """Say that the provider wants work or not, or that the app is on the screen or not."""
        return await self._ask(Status(id=uuid.uuid4().hex, available=available, background=background), timeout)

    async def test(self, *, id: str | None = None, timeout: float | None = 30) -> Result:
        """Test the notifications (R25b): a test proposal is ``sent``, and ``test`` messages tell what came back."""
        return await self._ask(Trial(id=id or uuid.uuid4().hex), timeout)

    async def settings(
        self, *, do_not_disturb: QuietHours | UnsetType | None = UNSET, suggestion: Suggestion | None = None, timeout: float | None = 30
    ) -> Result:
        """Set his do-not-disturb hours (None: none), or confirm a suggestion that came with the result of a refusal (R20)."""
        return await self._ask(Settings(id=uuid.uuid4().hex, do_not_disturb=do_not_disturb, suggestion=suggestion), timeout)

    async def follow_up(
        self, kind: Literal["service", "talk"], text: str = "", *, id: str | None = None, timeout: float | None = 30
    ) -> Result:
        """Suggest a service, or ask for a talk about the score (R25b)."""
        return await self._ask(FollowUp(id=id or uuid.uuid4().hex, kind=kind, text=text), timeout)

    async def seen(self, proposal: str) -> None:
        """This proposal is on the screen now: the clock of the answer starts (R22)."""
        await self._send(self.conversation.seen(proposal))

    async def sync(self) -> None:
        """Ask for everything that is open, and replace what is known."""
        await self._send(self.conversation.sync())

    async def refresh(self) -> None:
        """Fetch a token and hand it to the server, before the old one runs out. By itself when the server asks (``auth_needed``)."""
        if isinstance(self._token, str):
            raise BadRequest("no way to a newer token: `token` must be a function")
        token, command_id = await self._token(), uuid.uuid4().hex
        self._asked.add(command_id)
        try:
            frame = self.conversation.refresh(command_id, token)
            if frame is not None:  # else the next connection brings a fresh one anyway
                await self._send(frame)
                await self._refreshed(command_id)
        finally:
            self._asked.discard(command_id)
            self._answers.pop(command_id, None)

    def set_push(self, push: PushAddress | None) -> None:
        """Where the device is reached without a connection from now on. Said on a new connection, which takes over from the old one."""
        self.conversation.push = push
        if self._socket is not None:
            self._tasks.start_soon(self._take_over, self._socket, 0.0)

    async def drop(self) -> None:
        """Break the connection without a goodbye, as a tunnel would; the client reconnects by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _ask(self, command: Command, timeout: float | None) -> Result:
        self._asked.add(command.id)
        try:
            with anyio.fail_after(timeout):
                while True:
                    await self._send(self.conversation.command(command))
                    await self._until(lambda: command.id in self._answers)
                    answer = self._answers.pop(command.id)
                    if isinstance(answer, Result):
                        return answer
                    await self._excused(answer)
        except TimeoutError:
            raise Unavailable(f"no answer within {timeout:g} s; ask again with the same id: {command.id}") from None
        finally:
            self._asked.discard(command.id)
            self._answers.pop(command.id, None)
            self.conversation.forget(command.id)

    async def _excused(self, answer: Refreshed | Error) -> None:
        """Wait as long as an error asks for. Raises one that says that the same again would end the same way."""
        if isinstance(answer, Error):
            if not answer.retry:
                raise refusal(answer)
            await anyio.sleep((answer.after_ms or 500) / 1_000)

    async def _refreshed(self, command_id: str) -> None:
        lives = self._lives
        with anyio.move_on_after(30) as scope:
            await self._until(lambda: command_id in self._answers or self._lives > lives)  # a new connection has a fresh token
        answer = self._answers.get(command_id)
        if isinstance(answer, Error):
            raise refusal(answer)
        if scope.cancelled_caught:
            raise Unavailable("the newer token was not answered")

    async def _renew(self, by: int) -> None:
        """The server wants a newer token before ``by``. Without one it closes (4012), and the next connection brings one."""
        attempt, lives = 0, self._lives
        while self.server_ms() < by and self._lives == lives and not self._closed:
            try:
                await self.refresh()
                return
            except (DispatchError, OSError):
                await anyio.sleep(0.25 + self._pause(attempt, random.random(), ""))
                attempt += 1

    # -- the connection -----------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            lives, reason, code = self._lives, "", None
            try:
                await self._converse()
            except InvalidStatus as error:
                self._ended = rejected(error.response.status_code, error.response.body or b"")
            except ConnectionClosed as error:
                if error.rcvd is not None:
                    code, reason = error.rcvd.code, error.rcvd.reason
                    self._ended = verdict(code, reason)
            except Refused as error:
                self._ended = error  # no token for us
            except (OSError, TimeoutError, InvalidHandshake, Later):
                pass
            finally:
                self.conversation.lost(code)
                await self._give_up()
            self._wake()
            if self._ended is not None or self._closed:
                return
            attempt = 0 if self._lives > lives else attempt
            await anyio.sleep(self._pause(attempt, random.random(), reason))
            attempt += 1

    async def _converse(self) -> None:
        """One connection, and those that take over from it without a gap. Ends with an exception that says how."""
        self._successor = await self._open()
        while self._successor is not None:
            self._socket, self._successor = self._successor, None
            await self._send(self.conversation.hello(device_ms()))
            await self._listen(self._socket)
            self._leaving = anyio.CancelScope()
            self._tasks.start_soon(self._leave, self._socket, self._leaving)

    async def _give_up(self) -> None:
        """Nothing is spoken on any more: what the former connection would go on to say might not fit what the new one has told."""
        sockets, self._socket, self._successor = (self._socket, self._successor), None, None
        self._leaving.cancel()
        for socket in filter(None, sockets):
            await socket.close()

    async def _open(self) -> ClientConnection:
        talk = self.conversation
        talk.token = self._token if isinstance(self._token, str) else await self._token()
        return await connect(
            self._url, subprotocols=[Subprotocol(talk.codec.subprotocol)], compression=None, ping_interval=None, close_timeout=2,
            max_size=OUTBOUND_LIMIT, proxy=None, user_agent_header=APP,
        )  # fmt: skip

    async def _listen(self, socket: ClientConnection) -> None:
        """Take in what is said, until another connection is there to take over."""
        while self._successor is None:
            with anyio.fail_after(self.conversation.dead_ms / 1_000), anyio.CancelScope() as self._hearing:
                frame = await socket.recv(decode=False)
            if not self._hearing.cancelled_caught:
                await self._follow(self.conversation.receive(frame, device_ms()), socket)

    async def _leave(self, socket: ClientConnection, live: anyio.CancelScope) -> None:
        """Take in what the former connection still says until the new one is live; then say goodbye."""
        with live, suppress(ConnectionClosed, TimeoutError):
            while True:
                with anyio.fail_after(self.conversation.dead_ms / 1_000):
                    frame = await socket.recv(decode=False)
                await self._follow(self.conversation.overheard(frame, device_ms()), socket)
        await socket.close(1000, "left")

    async def _take_over(self, leaving: ClientConnection, after_s: float) -> None:
        """Open the connection that takes over, for as long as the one to be left is there."""
        await anyio.sleep(after_s)
        attempt = 0
        while self._socket is leaving and self._successor is None and not self._closed:
            try:
                successor = await self._open()
            except (OSError, TimeoutError, InvalidHandshake, DispatchError):
                await anyio.sleep(self._pause(attempt, random.random(), ""))
                attempt += 1
                continue
            if self._socket is not leaving or self._successor is not None or self._closed:
                await successor.close()
                return
            self._successor = successor
            self._hearing.cancel()

    async def _follow(self, step: Step, socket: ClientConnection) -> None:
        """What follows from a frame, for the app and for the server."""
        self._hand_out(step.messages)
        for message in step.messages:
            if isinstance(message, Drain):
                self._tasks.start_soon(self._take_over, socket, message.after_ms / 1_000)
            elif isinstance(message, AuthNeeded) and not isinstance(self._token, str):
                self._tasks.start_soon(self._renew, message.by)
        for out in step.frames:
            await self._send(out, socket)

    async def _send(self, frame: bytes | None, socket: ClientConnection | None = None) -> None:
        """Say it if there is someone to hear it; what carries an id is repeated on the next connection anyway."""
        socket = socket or self._socket
        if frame is not None and socket is not None:
            with suppress(ConnectionClosed):  # the receiving task learns it too, and acts
                await socket.send(frame, text=self.conversation.codec.text)

    def _hand_out(self, messages: tuple[ToDevice, ...]) -> None:
        self._unread.extend(messages)
        for message in messages:
            if isinstance(message, Result | Refreshed | Error) and message.id in self._asked and not is_pending(message):
                self._answers[message.id] = message
            if isinstance(message, Live):
                self._live_again()
        if messages:
            self._wake()

    def _live_again(self) -> None:
        self._lives += 1
        self._leaving.cancel()
        if self._lives > 1 and self._on_reconnect is not None:
            self._on_reconnect()

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
