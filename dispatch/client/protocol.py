"""A device's half of the conversation, without a socket and without a clock: frames go in, messages and frames come out.

One ``Conversation`` lives as long as the device does: it outlasts every connection. It knows what is open, where in the provider's stream
it stands (``epoch``, ``seq``) and which commands have no answer yet. The shells around it (``device``, ``blocking``) own the socket:

    connection opened  -> send hello()
    frame arrived      -> step = receive(frame, now): send step.frames, show step.messages
    connection lost    -> lost(code); a close code from 4500 on is final (``verdict``), else wait ``pause_s`` and connect again

While one connection takes over from another (``drain``), ``overheard`` takes in what the former still says. ``now`` is the device's own
clock, ms since 1970. Source: PROTOCOL.md section 2. The twin of this file is ``sdk/js/src/conversation.js``.
"""

import re
from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from dispatch import __version__
from dispatch.client.clock import ServerClock
from dispatch.errors import BadRequest, DispatchError, Forbidden, NotFound, RateLimited, Refused, Unauthorized, Unavailable
from dispatch.wire import (
    INBOUND_LIMIT,
    Accept,
    Ack,
    Booking,
    Cancel,
    CloseCode,
    Codec,
    Counter,
    CounterState,
    Error,
    FollowUp,
    Hello,
    Item,
    Late,
    Live,
    Notice,
    Ping,
    Pong,
    Proposal,
    PushAddress,
    Refresh,
    Refuse,
    Report,
    Result,
    Resume,
    Settings,
    Snapshot,
    Status,
    Sync,
    ToDevice,
    Trial,
    TrialState,
    Welcome,
    Withdrawn,
)

# what carries an id and is said until it is answered
Command = Accept | Refuse | Counter | Report | Cancel | Late | Status | Trial | Settings | FollowUp
Streamed = Proposal | Withdrawn | Booking | CounterState | Notice | TrialState  # what counts in the provider's stream

APP: Final = f"dispatch-python/{__version__}"
PENDING_LIMIT: Final = 256  # commands without an answer
SEEN_LIMIT: Final = 64  # proposals of one ``ack``
ANSWERED_LIMIT: Final = 256  # proposals answered here that are remembered
GREETING_MS: Final = 15_000  # patience until ``welcome`` says how patient to be
ENDED: Final = {"won", "lost", "expired", "cancelled", "already_yours", "not_asked", "done"}  # after these a proposal is gone
ERRORS: Final[dict[str, type[DispatchError]]] = {
    kind.default: kind for kind in (BadRequest, Unauthorized, Forbidden, NotFound, RateLimited, Unavailable)
}
STOPS: Final[dict[int, str]] = {
    CloseCode.BAD_TOKEN: "the token is bad, or not for this device",
    CloseCode.MALFORMED: "the server could not read what this device sent",
    CloseCode.VERSION: "the server does not speak this version of the protocol",
    CloseCode.REPLACED: "a newer socket of this device took over",
    CloseCode.TOO_MANY_DEVICES: "the provider has too many devices connected",
    CloseCode.BLOCKED: "the account is blocked",
}


class Stopped(Refused):
    """The server told this device to stop, and why: connecting again would end the same way."""

    status, default = 403, "stopped"

    def __init__(self, close_code: int, reason: str = "") -> None:
        known = STOPS.get(close_code, "refused for good")
        super().__init__(f"{close_code}: {known}" + (f" ({reason})" if reason else ""))
        self.close_code = close_code


class State(Enum):
    """How far the conversation is on the present connection."""

    CLOSED = auto()  # no connection
    GREETING = auto()  # hello sent; replay runs until ``live``
    LIVE = auto()


class Step(Struct, frozen=True):
    """What follows from a frame: ``messages`` for the app, ``frames`` for the server, in this order each."""

    messages: tuple[ToDevice, ...] = ()
    frames: tuple[bytes, ...] = ()


class Conversation:
    """What one device knows and must still say. Not safe for several threads at once."""

    def __init__(
        self, codec: Codec, *, token: str, device: str, app: str = "", background: bool = False, push: PushAddress | None = None
    ) -> None:
        self.codec = codec
        self.token = token
        self.state = State.CLOSED
        self.open: dict[str, Item] = {}
        self.epoch: str | None = None
        self.seq = 0
        self.welcome: Welcome | None = None
        self.push = push
        self._clock = ServerClock()
        self._hello_at: int | None = None
        self._device, self._app, self._background = device, app, background
        self._pending: dict[str, Command] = {}
        self._answered_here: dict[str, None] = {}  # proposals, oldest first
        self._seen: list[str] = []
        self._page: dict[str, Item] | None = None  # what will replace ``open`` once it is complete
        self._syncing: str | None = None
        self._syncs = 0
        self._owes_ack = False

    @property
    def dead_ms(self) -> int:
        """After so much silence the connection is dead."""
        return self.welcome.heartbeat.dead_ms if self.welcome and self.state is State.LIVE else GREETING_MS

    @property
    def offset_ms(self) -> int:
        """Server's clock minus this device's, ms."""
        return self._clock.offset_ms

    @property
    def pending(self) -> tuple[Command, ...]:
        """Commands without a final answer, in the order in which they were given."""
        return tuple(self._pending.values())

    def server_ms(self, now: int) -> int:
        """The server's clock, as far as it is known."""
        return now + self.offset_ms

    # -- the connection -----------------------------------------------------------------------------------------------

    def hello(self, now: int | None = None) -> bytes:
        """First frame of a new connection."""
        self.state, self._page, self._syncing, self._hello_at = State.GREETING, None, None, now
        resume = Resume(epoch=self.epoch, seq=self.seq) if self.epoch is not None else None
        return self.codec.encode(
            Hello(token=self.token, device=self._device, app=self._app, resume=resume, background=self._background, push=self.push)
        )

    def lost(self, close_code: int | None = None) -> None:
        """The connection is gone. Commands without an answer are repeated, with their ids, on the next one."""
        self.state = State.CLOSED
        if close_code == CloseCode.STATE_LOST:
            self.epoch = None  # what we stand on is no more: begin again from a snapshot

    # -- what the device says -----------------------------------------------------------------------------------------

    def command(self, command: Command) -> bytes | None:
        """Say this until it is answered. None: there is no live connection, it will be said on the next one.

        Raises BadRequest when it is longer than the server reads, RateLimited when too many wait.
        """
        frame = self.codec.encode(command)
        if len(frame) > INBOUND_LIMIT:
            raise BadRequest(f"a command of {len(frame)} bytes; at most {INBOUND_LIMIT} are allowed")
        if len(self._pending) >= PENDING_LIMIT and command.id not in self._pending:
            raise RateLimited(f"{PENDING_LIMIT} commands wait for an answer; let some be answered first")
        self._pending[command.id] = command
        if isinstance(command, Status) and command.background is not None:
            self._background = command.background
        if isinstance(command, Accept | Refuse):
            self._remember(command.proposal)
        return frame if self.state is State.LIVE else None

    def _remember(self, proposal: str) -> None:
        self._answered_here[proposal] = None
        if len(self._answered_here) > ANSWERED_LIMIT:
            del self._answered_here[next(iter(self._answered_here))]

    def forget(self, command_id: str) -> None:
        """Nobody waits for this answer any more: it is not repeated."""
        self._pending.pop(command_id, None)

    def seen(self, proposal: str) -> bytes | None:
        """This proposal is on the screen. None: said on the next connection."""
        if self.state is State.LIVE:
            return self._ack((proposal,))
        self._seen = [*self._seen[1 - SEEN_LIMIT :], proposal]
        return None

    def sync(self) -> bytes | None:
        """Ask for everything that is open. None: there is no live connection (the next one tells it anyway), or it was asked already."""
        if self.state is not State.LIVE or self._syncing is not None:
            return None
        self._syncs += 1
        self._syncing = f"sync-{self._syncs}"
        return self.codec.encode(Sync(id=self._syncing))

    def refresh(self, command_id: str, token: str) -> bytes | None:
        """A newer token. It is not repeated: the next connection brings one anyway."""
        return self.codec.encode(Refresh(id=command_id, token=token)) if self.state is State.LIVE else None

    def _ack(self, seen: tuple[str, ...] = ()) -> bytes:
        self._owes_ack = False
        return self.codec.encode(Ack(seq=self.seq, seen=seen))

    # -- what the server says -----------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now: int) -> Step:
        """Take in one frame. A message nobody here knows is dropped: the server may be newer."""
        return self._heard(frame, now, current=True)

    def overheard(self, frame: bytes, now: int) -> Step:
        """Take in a frame of the connection that is being left: its stream and its answers still count."""
        return self._heard(frame, now, current=False)

    def _heard(self, frame: bytes, now: int, *, current: bool) -> Step:
        try:
            message = self.codec.to_device(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Step()
        match message:
            case Proposal() | Withdrawn() | Booking() | CounterState() | Notice() | TrialState():
                return self._streamed(message)
            case Ping():
                return self._ping(message, now, current=current)
            case Result() | Error():
                return self._answered(message)
            case _:
                return self._of_current(message, now) if current else Step()

    def _of_current(self, message: ToDevice, now: int) -> Step:
        """What counts only on the connection that stays."""
        match message:
            case Pong():
                self._clock.heard(message.now, now)
                return Step()
            case Welcome():
                return self._welcomed(message, now)
            case Live():
                return self._live(message)
            case Snapshot():
                return self._snapshot(message)
            case _:
                return Step(messages=(message,))

    def _streamed(self, message: Streamed) -> Step:
        if message.seq <= self.seq:
            return Step()  # a double
        self.seq = message.seq
        _apply(message, self.open if self._page is None else self._page)
        self._owes_ack |= isinstance(message, Proposal)
        frames = (self._ack(),) if self._owes_ack and self.state is State.LIVE else ()
        return Step(messages=() if self._is_echo(message) else (message,), frames=frames)

    def _is_echo(self, message: Streamed) -> bool:
        """Whether it tells the other devices of the provider what was answered on this one."""
        return isinstance(message, Withdrawn) and message.reason == "answered_elsewhere" and message.proposal in self._answered_here

    def _ping(self, ping: Ping, now: int, *, current: bool) -> Step:
        self._clock.heard(ping.now, now)
        pong = self.codec.encode(Pong(seq=self.seq, now=now))
        sync = self.sync() if current and ping.seq > self.seq else None
        return Step(frames=(pong, sync) if sync else (pong,))

    def _answered(self, answer: Result | Error) -> Step:
        if answer.id is None:
            return Step(messages=(answer,))
        if isinstance(answer, Result) and answer.seq is not UNSET:  # what was pending is decided: this comes in the stream
            if answer.seq <= self.seq:
                return Step()  # a double
            self.seq = answer.seq
            if answer.id not in self._pending:
                return Step()  # it was asked on another device, or told already
        if answer.id == self._syncing:
            self._syncing = None
        command = self._pending.get(answer.id)
        if not is_pending(answer):  # after which one more result follows, if need be on another connection
            self._pending.pop(answer.id, None)
        if isinstance(answer, Result) and answer.proposal and _ends(command, answer.outcome):
            self.open.pop(answer.proposal, None)
        return Step(messages=(answer,))

    def _welcomed(self, welcome: Welcome, now: int) -> Step:
        self.welcome = welcome
        self._clock.answered(welcome.now, now if self._hello_at is None else self._hello_at, now)
        if not welcome.resumed:
            self.epoch, self.seq, self._page = None, welcome.seq, {}  # cut before ``live``: begin again from nothing
            self._turn(welcome.items)
        return Step()

    def _live(self, live: Live) -> Step:
        assert self.welcome is not None
        self.state, self.epoch, self.seq = State.LIVE, self.welcome.epoch, max(self.seq, live.seq)
        fresh = self._replace() if self._page is not None else ()
        frames = [self._ack(tuple(self._seen))] if self._owes_ack or self._seen else []
        self._seen = []
        frames += [self.codec.encode(command) for command in self._pending.values()]
        return Step(messages=(*fresh, live), frames=tuple(frames))

    def _snapshot(self, snapshot: Snapshot) -> Step:
        if self._page is None:
            self._page = {}
        self._turn(snapshot.items)
        if snapshot.id is None or snapshot.more:
            return Step()  # the rest of a welcome, which ``live`` completes; or more pages to come
        self._syncing = None
        self.epoch, self.seq = snapshot.epoch, snapshot.seq
        return Step(messages=(*self._replace(), msgspec.structs.replace(snapshot, items=())), frames=(self._ack(),))

    def _turn(self, items: tuple[Raw, ...]) -> None:
        """Add a page of items to what will replace ``open``. An item of a kind nobody here knows is dropped."""
        assert self._page is not None
        for raw in items:
            try:
                item = self.codec.item(raw)
            except msgspec.MsgspecError:
                continue
            _apply(item, self._page)
            self._owes_ack |= isinstance(item, Proposal)

    def _replace(self) -> tuple[Item, ...]:
        """``open`` becomes what the server said is open; returns what the app did not know yet."""
        assert self._page is not None
        former, self.open, self._page = self.open, self._page, None
        return tuple(item for key, item in self.open.items() if former.get(key) != item)


def _apply(message: Streamed, known: dict[str, Item]) -> None:
    """What a message of the stream changes in what is open."""
    match message:
        case Proposal():
            known[message.proposal] = message
        case Withdrawn():
            known.pop(message.proposal, None)
        case Booking() if message.state in ("accepted", "taken_over"):
            known[message.booking_id] = message
        case Booking():
            known.pop(message.booking_id, None)
        case CounterState() if message.state in ("held", "shown"):
            known[f"counter:{message.proposal}"] = message
        case CounterState():
            known.pop(f"counter:{message.proposal}", None)
        case Notice() | TrialState():
            pass


def is_pending(answer: ToDevice) -> bool:
    """Whether one more result follows: the winner is not decided yet."""
    return isinstance(answer, Result) and answer.outcome == "pending"


def _ends(command: Command | None, outcome: str) -> bool:
    """Whether a proposal is gone after this answer. Of a command that nobody remembers ``done`` says nothing: it may have been a report."""
    known = isinstance(command, Accept | Refuse) if command else outcome != "done"
    return known and outcome in ENDED


def verdict(close_code: int | None, reason: str = "") -> Stopped | None:
    """Whether a close code ends it all (45xx), and why; None: connect again."""
    return Stopped(close_code, reason) if close_code is not None and 4500 <= close_code < 4600 else None


def rejected(status: int, body: bytes | bytearray = b"") -> Stopped | None:
    """Whether an HTTP answer to the upgrade ends it all: it does, unless it speaks of the moment (408, 429, 5xx)."""
    final = 400 <= status < 500 and status not in (408, 429)
    return Stopped(status, body.decode("utf-8", "replace").strip()[:200]) if final else None


def refusal(error: Error) -> DispatchError:
    """The exception that says what an ``error`` message says."""
    return ERRORS.get(error.code, DispatchError)(error.message, error.code)


def pause_s(attempt: int, chance: float, reason: str = "") -> float:
    """Pause before connection attempt ``attempt`` (0, 1, ...), with full jitter: ``chance`` is uniform in [0, 1).

    A server that is overloaded names its own pause in the close reason (``after_ms``); it comes on top.
    """
    asked = re.search(r"after_ms\D{0,3}(\d{1,6})", reason)
    return chance * min(30.0, 0.5 * float(2 ** min(attempt, 10))) + (int(asked[1]) / 1_000 if asked else 0.0)
