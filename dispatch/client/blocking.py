"""A provider's device for threads and greenlets (Locust): the same conversation as ``device``, one receiving thread.

    with BlockingDeviceClient("ws://127.0.0.1:8081/v1/device", token, device="phone-1") as client:
        for message in client.messages(timeout=60):
            if isinstance(message, Proposal):
                result = client.accept(message.proposal, message.version)

Works under gevent's monkey patching: threads, locks and sockets are then gevent's. On ``drain`` the receiving thread opens the new
connection, and leaves the old one once the new one is live.
"""

import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

from msgspec import UNSET, UnsetType
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dispatch.client.clock import device_ms
from dispatch.client.protocol import APP, Command, Conversation, State, Step, is_pending, pause_s, refusal, rejected, verdict
from dispatch.errors import DispatchError, Later, Refused, Unavailable
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

UNREAD_LIMIT = 1_000  # messages kept for the app


class BlockingDeviceClient:
    """One device of one provider. Its methods may be called from any thread; ``token`` may be a function that fetches a fresh one."""

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
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
        self._changed = threading.Condition()  # guards everything below, and the conversation
        self._unread: deque[ToDevice] = deque(maxlen=UNREAD_LIMIT)
        self._answers: dict[str, Result | Error] = {}
        self._asked: set[str] = set()
        self._socket: ClientConnection | None = None
        self._ended: DispatchError | None = None
        self._closed = False
        self._lives = 0
        self._leave_at: float | None = None  # monotonic; when the server that drains wants us to have gone
        self._receiver = threading.Thread(target=self._stay_connected, name=f"device {device}", daemon=True)

    @property
    def open(self) -> dict[str, Item]:
        """What is open now: proposals by proposal id, held bookings by booking id."""
        return self.conversation.open

    def __enter__(self) -> Self:
        self._receiver.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        with self._changed:
            self._closed, socket = True, self._socket
            self._changed.notify_all()
        if socket is not None:
            socket.close(1000, "left")
        if self._receiver.is_alive():
            self._receiver.join(timeout=5)

    def drop(self) -> None:
        """Break the connection without a goodbye, as a tunnel would; the client reconnects by itself."""
        if self._socket is not None:
            self._socket.close_socket()

    # -- for the app --------------------------------------------------------------------------------------------------

    def messages(self, timeout: float | None = None) -> Iterator[ToDevice]:
        """What changes, as it comes. Ends after ``timeout`` s without a message, or when the client is closed. Raises Stopped."""
        while self._until(lambda: bool(self._unread) or self._closed, timeout) and self._unread:
            yield self._unread.popleft()

    def live(self, timeout: float = 30) -> None:
        """Wait until the device is connected and knows everything. Raises Stopped, or Unavailable after ``timeout`` s."""
        if not self._until(lambda: self.conversation.state is State.LIVE, timeout):
            raise Unavailable(f"not connected within {timeout:g} s")

    def accept(self, proposal: str, version: int, window: int = 0, *, id: str | None = None, timeout: float = 30) -> Result:
        """Take a proposal; losing is a result too. Raises Unavailable after ``timeout`` s: ask again with the same ``id``."""
        return self._ask(Accept(id=id or uuid.uuid4().hex, proposal=proposal, version=version, window=window), timeout)

    def refuse(self, proposal: str, version: int, reason: str | None = None, *, id: str | None = None, timeout: float = 30) -> Result:
        """Decline a proposal (costs nothing)."""
        return self._ask(Refuse(id=id or uuid.uuid4().hex, proposal=proposal, version=version, reason=reason), timeout)

    def counter(
        self, proposal: str, version: int, windows: Iterable[Window], note: str = "", *, id: str | None = None, timeout: float = 30
    ) -> Result:
        """Propose 1 to 5 other windows (R24)."""
        command = Counter(id=id or uuid.uuid4().hex, proposal=proposal, version=version, windows=tuple(windows), note=note)
        return self._ask(command, timeout)

    def report(self, proposal: str, reason: str, *, id: str | None = None, timeout: float = 30) -> Result:
        """Report a proposal or its client (R25)."""
        return self._ask(Report(id=id or uuid.uuid4().hex, proposal=proposal, reason=reason), timeout)

    def cancel(
        self, booking_id: str, reason: str | None = None, declares: str | None = None, *, id: str | None = None, timeout: float = 30
    ) -> Result:
        """Give a visit back (R35). ``declares``: ``illness`` or ``force_majeure``, if one of them is why."""
        return self._ask(Cancel(id=id or uuid.uuid4().hex, booking_id=booking_id, reason=reason, declares=declares), timeout)

    def late(self, booking_id: str, minutes: int, *, id: str | None = None, timeout: float = 30) -> Result:
        """Say that the provider comes so many minutes late (R37)."""
        return self._ask(Late(id=id or uuid.uuid4().hex, booking_id=booking_id, minutes=minutes), timeout)

    def status(self, *, available: bool | None = None, background: bool | None = None, timeout: float = 30) -> Result:
        """Say that the provider wants work or not, or that the app is on the screen or not."""
        return self._ask(Status(id=uuid.uuid4().hex, available=available, background=background), timeout)

    def test(self, *, id: str | None = None, timeout: float = 30) -> Result:
        """Test the notifications (R25b): a test proposal is ``sent``, and ``test`` messages tell what came back."""
        return self._ask(Trial(id=id or uuid.uuid4().hex), timeout)

    def settings(
        self, *, do_not_disturb: QuietHours | UnsetType | None = UNSET, suggestion: Suggestion | None = None, timeout: float = 30
    ) -> Result:
        """Set his do-not-disturb hours (None: none), or confirm a suggestion that came with the result of a refusal (R20)."""
        return self._ask(Settings(id=uuid.uuid4().hex, do_not_disturb=do_not_disturb, suggestion=suggestion), timeout)

    def follow_up(self, kind: Literal["service", "talk"], text: str = "", *, id: str | None = None, timeout: float = 30) -> Result:
        """Suggest a service, or ask for a talk about the score (R25b)."""
        return self._ask(FollowUp(id=id or uuid.uuid4().hex, kind=kind, text=text), timeout)

    def seen(self, proposal: str) -> None:
        """This proposal is on the screen now: the clock of the answer starts (R22)."""
        with self._changed:
            frame = self.conversation.seen(proposal)
        self._send(frame)

    def _ask(self, command: Command, timeout: float) -> Result:
        deadline = time.monotonic() + timeout
        with self._changed:
            self._asked.add(command.id)
        try:
            while self._say_until_answered(command, deadline - time.monotonic()):
                answer = self._answers.pop(command.id)
                if isinstance(answer, Result):
                    return answer
                if not answer.retry:
                    raise refusal(answer)
                time.sleep(max(0.0, min((answer.after_ms or 500) / 1_000, deadline - time.monotonic())))
            raise Unavailable(f"no answer within {timeout:g} s; ask again with the same id: {command.id}")
        finally:
            with self._changed:
                self._asked.discard(command.id)
                self._answers.pop(command.id, None)
                self.conversation.forget(command.id)

    def _say_until_answered(self, command: Command, timeout: float) -> bool:
        with self._changed:
            frame = self.conversation.command(command)
        self._send(frame)
        return self._until(lambda: command.id in self._answers, timeout)

    # -- the connection -----------------------------------------------------------------------------------------------

    def _stay_connected(self) -> None:
        attempt = 0
        while True:
            lives, reason, code = self._lives, "", None
            ended: DispatchError | None = None
            try:
                self._converse()
            except InvalidStatus as error:
                ended = rejected(error.response.status_code, error.response.body or b"")
            except ConnectionClosed as error:
                if error.rcvd is not None:
                    code, reason = error.rcvd.code, error.rcvd.reason
                    ended = verdict(code, reason)
            except Refused as error:
                ended = error  # no token for us
            except (OSError, TimeoutError, InvalidHandshake, Later):
                pass
            with self._changed:
                self._socket, self._ended, self._leave_at = None, ended, None
                self.conversation.lost(code)
                self._changed.notify_all()
            attempt = 0 if self._lives > lives else attempt
            if ended is not None or self._rest(self._pause(attempt, random.random(), reason)):
                return
            attempt += 1

    def _rest(self, seconds: float) -> bool:
        """Wait before the next attempt; True when the client was closed meanwhile."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, seconds)

    def _converse(self) -> None:
        """One connection, and those that take over from it without a gap. Ends when the client is closed, or says how as an exception."""
        socket, former = self._open(), None
        try:
            self._greet(socket)
            while not self._closed:
                if former is not None and self.conversation.state is State.LIVE:
                    former.close(1000, "left")  # whatever it still had to say has been said on the new one
                    former = None
                successor = self._listen(socket)
                if successor is not None:
                    former, socket = socket, successor
                    self._greet(socket)
        finally:
            for each in (socket, former):
                if each is not None:
                    each.close()

    def _open(self) -> ClientConnection:
        talk = self.conversation
        talk.token = self._token if isinstance(self._token, str) else self._token()
        return connect(
            self._url, subprotocols=[Subprotocol(talk.codec.subprotocol)], compression=None, ping_interval=None, close_timeout=2,
            max_size=OUTBOUND_LIMIT, proxy=None, user_agent_header=APP, legacy=False,
        ).__enter__()  # fmt: skip  # no block: one connection is still read when the next is open

    def _greet(self, socket: ClientConnection) -> None:
        with self._changed:
            self._socket, self._leave_at = socket, None
            hello = self.conversation.hello(device_ms())
        self._send(hello)

    def _listen(self, socket: ClientConnection) -> ClientConnection | None:
        """Take in one frame; when it is time to leave a server that drains: the connection that takes over."""
        dead_s = self.conversation.dead_ms / 1_000
        rest_s = dead_s if self._leave_at is None else max(0.0, self._leave_at - time.monotonic())
        try:
            frame = socket.recv(timeout=min(dead_s, rest_s), decode=False)
        except TimeoutError:
            if rest_s >= dead_s:
                raise
            return self._successor()
        with self._changed:
            step = self.conversation.receive(frame, device_ms())
            self._hand_out(step.messages)
        self._follow(step, socket)
        return None

    def _successor(self) -> ClientConnection | None:
        """A connection to take over; None when there is none to be had yet."""
        try:
            return self._open()
        except (OSError, TimeoutError, InvalidHandshake, DispatchError):
            self._leave_at = time.monotonic() + self._pause(0, random.random(), "")
            return None

    def _follow(self, step: Step, socket: ClientConnection) -> None:
        """What follows from a frame, for the server."""
        for message in step.messages:
            if isinstance(message, Drain):
                self._leave_at = time.monotonic() + message.after_ms / 1_000
            elif isinstance(message, AuthNeeded) and not isinstance(self._token, str):
                self._refresh(self._token, socket)
        for out in step.frames:
            self._send(out, socket)

    def _refresh(self, fetch: Callable[[], str], socket: ClientConnection) -> None:
        """The server wants a newer token. Without one it closes (4012), and the next connection brings one."""
        with suppress(OSError, DispatchError):
            self._send(self.conversation.refresh(uuid.uuid4().hex, fetch()), socket)

    def _send(self, frame: bytes | None, socket: ClientConnection | None = None) -> None:
        """Say it if there is someone to hear it; what carries an id is repeated on the next connection anyway."""
        socket = socket or self._socket
        if frame is not None and socket is not None:
            try:
                socket.send(frame, text=self.conversation.codec.text)
            except (ConnectionClosed, OSError):
                return  # the receiving thread learns it too, and acts

    def _hand_out(self, messages: tuple[ToDevice, ...]) -> None:
        for message in messages:
            if isinstance(message, Result | Error) and message.id in self._asked and not is_pending(message):
                self._answers[message.id] = message
            if isinstance(message, Live):
                self._lives += 1
                if self._lives > 1 and self._on_reconnect is not None:
                    self._on_reconnect()
            self._unread.append(message)
        self._changed.notify_all()

    def _until(self, true: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until something is true: False when it took too long. Raises what ended the client."""
        with self._changed:
            self._changed.wait_for(lambda: true() or self._ended is not None or self._closed, timeout)
            if true():
                return True
            if self._ended is not None:
                raise self._ended
            if self._closed:
                raise Unavailable("this client is closed")
            return False
