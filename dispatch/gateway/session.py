"""The gateway's half of the conversation with one device: no socket, no clock, no chance. Messages and moments go in, effects come out.

    SILENT --hello--> ENTERING --entered()--> LIVE --close--> CLOSED
       '- 4006 after 10 s    '- refused(): 45xx, 1013

The server (``server.py``) performs the effects: it writes, closes, asks the store, and hands the store's answers back in. Whoever calls a
method looks at ``due`` afterwards: at that moment ``tick`` wants to be called. ``now`` is ms of the gateway's steady wall clock; ``engine``
turns it into the store's time, in which proposals expire. Source: PROTOCOL.md section 2.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

import msgspec
from msgspec import Raw

from dispatch.errors import BadRequest, DispatchError, Forbidden, Unauthorized
from dispatch.gateway.effects import Ask, Close, Confirm, Delivery, Effect, Enter, Entered, Forward, Over, Question, Rest, Say
from dispatch.gateway.frames import Frame, paged
from dispatch.gateway.limits import NEVER, Bucket, Limits
from dispatch.gateway.rhythm import Rhythm
from dispatch.gateway.tenure import Tenure
from dispatch.gateway.written import Written, had
from dispatch.wire import (
    OUTBOUND_LIMIT,
    Accept,
    Ack,
    AuthNeeded,
    BadMessage,
    Cancel,
    CloseCode,
    Codec,
    Counter,
    Drain,
    Error,
    FollowUp,
    Heartbeat,
    Hello,
    Late,
    Live,
    Malformed,
    Ping,
    Pong,
    Refresh,
    Refreshed,
    Refuse,
    Report,
    Result,
    Settings,
    Snapshot,
    Status,
    Sync,
    ToServer,
    Trial,
    Welcome,
)

ENVELOPE: Final = 1_024  # bytes kept free beside the items of a ``welcome`` or ``snapshot``
REASON_LIMIT: Final = 123  # bytes; what a close frame has room for


class Phase(Enum):
    """How far the conversation is."""

    SILENT = auto()  # no hello yet
    ENTERING = auto()  # the store is being asked who he is and what he missed
    LIVE = auto()
    CLOSED = auto()


class Session:
    """One conversation. ``chance`` (0 to 1) sets its pings apart from those of the others."""

    def __init__(self, codec: Codec, limits: Limits, engine: Callable[[int], int], *, chance: float, now: int) -> None:
        self.codec = codec
        self.phase = Phase.SILENT
        self.heard = ""  # type of the last message: for the metrics
        self.told = 0  # the last message of the stream that was dealt with: written, or expired
        self._written = 0  # the last one written
        self.book = Written()
        self._limits, self._engine = limits, engine
        self._rhythm, self._tenure = Rhythm(limits, chance, now), Tenure()
        self._opened = now
        self._asking = False
        self._refused = 0
        self._commands = Bucket(limits.burst, limits.per_minute / 60, now)
        self._frames = Bucket(limits.frames_burst, limits.frames_per_s, now)
        self._resume_seq = 0
        self._acked = 0  # the highest that an ``ack`` has named: only a higher one says that he reads

    # -- time ---------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> int:
        """When ``tick`` has something to do, if nothing happens before."""
        match self.phase:
            case Phase.SILENT:
                return self._opened + self._limits.hello_ms
            case Phase.LIVE:
                return min(self._rhythm.next, self._tenure.due)
            case _:
                return NEVER

    def tick(self, now: int) -> list[Effect]:
        """What is due now: a ping, a move, a word that the token runs out, or an end."""
        rhythm = self._rhythm
        if now < self.due:
            return []
        if self.phase is Phase.SILENT:
            return self.close(CloseCode.NO_HELLO, f"no hello within {self._limits.hello_ms // 1_000} s")
        if now >= self._tenure.ends:
            return self.close(CloseCode.TOKEN_EXPIRED, "the token has run out; connect with a new one")
        if now >= rhythm.leave_at:
            return self.close(CloseCode.DRAINED, "drained; connect again and resume")
        if now >= rhythm.dead_at:
            if not self._asking:
                words = f"nothing heard for {now - rhythm.heard_at} ms, nothing read for {now - rhythm.read_at} ms"
                return self.close(CloseCode.NO_PONG, words)
            rhythm.heard_at = rhythm.read_at = now  # we are not listening: the store is slow, not he
        effects = self.drain(now, self._limits.move_ms) if now >= rhythm.drain_at else []
        if self._tenure.asks(now):
            effects.append(Say(AuthNeeded(by=self._engine(self._tenure.ends))))
        if now >= rhythm.ping_at:
            rhythm.schedule_ping(now)
            effects.append(Say(Ping(seq=self._written, now=self._engine(now))))
        return effects

    def drain(self, now: int, deadline_ms: int) -> list[Effect]:
        """The link is to move elsewhere before the deadline; until then it is served as ever."""
        if self.phase is not Phase.LIVE or now + deadline_ms >= self._rhythm.leave_at:
            return []
        return [Say(Drain(after_ms=self._rhythm.move_by(now, deadline_ms), deadline_ms=deadline_ms))]

    # -- what the device says -----------------------------------------------------------------------------------------

    def receive(self, data: bytes | str, now: int) -> list[Effect]:
        """Take in one frame."""
        if self.phase is Phase.CLOSED:
            return []
        self._rhythm.heard_at = now
        wait = self._frames.take(now)
        effects: list[Effect] = [Rest(wait)] if wait else []
        try:
            self.heard = "other"
            message = self._read(data)
            self.heard = str(message.__struct_config__.tag)
        except Malformed as error:
            return self.close(CloseCode.MALFORMED, error.detail)
        except BadMessage as error:
            return effects + self._misread(error, now)
        if self.phase is Phase.SILENT:
            return effects + self._greeted(message)
        return effects + self._heed(message, now)

    def _read(self, data: bytes | str) -> ToServer:
        if isinstance(data, str) is not self.codec.text:
            raise Malformed(f"{self.codec.subprotocol} has {'text' if self.codec.text else 'binary'} frames only")
        return self.codec.decode(data.encode() if isinstance(data, str) else data)

    def _greeted(self, message: ToServer) -> list[Effect]:
        if not isinstance(message, Hello):
            return self.close(CloseCode.NO_HELLO, "the first frame must be `hello`")
        self.phase = Phase.ENTERING
        self._resume_seq = message.resume.seq if message.resume else 0
        return [Enter(message)]

    def _misread(self, error: BadMessage, now: int) -> list[Effect]:
        if self.phase is Phase.SILENT:
            return self.close(CloseCode.MALFORMED, error.detail)
        return self._within(error.id, now, lambda: [Say(Error(id=error.id, code="bad_request", message=error.detail))])

    def _heed(self, message: ToServer, now: int) -> list[Effect]:
        match message:
            case Ack():
                self._reads(message.seq, now)
                return self._confirmed(message.seq, message.seen, now)
            case Pong():
                self._rhythm.read_at = now
                return self._confirmed(message.seq, (), now)
            case Ping():
                return [Say(Pong(seq=self._written, now=self._engine(now)))]
            case Hello():
                return [Say(Error(id=None, code="bad_request", message="`hello` comes once, as the first frame"))]
            case (
                Accept()
                | Refuse()
                | Counter()
                | Report()
                | Cancel()
                | Late()
                | Status()
                | Sync()
                | Trial()
                | Settings()
                | FollowUp()
                | Refresh()
            ):
                return self._within(message.id, now, lambda: self._question(message))

    def _reads(self, seq: int, now: int) -> None:
        """He acknowledges: something new, and no more than was written, is a sign that he reads."""
        if self._acked < seq <= self._written:
            self._acked, self._rhythm.read_at = seq, now

    def _question(self, question: Question) -> list[Effect]:
        self._asking = True
        return [Ask(question)]

    def _within(self, command_id: str | None, now: int, effects: Callable[[], list[Effect]]) -> list[Effect]:
        """The effects of a command while he keeps to the limits; an error beyond, and the end of the link far beyond. Limits that are only
        watched count and refuse nothing."""
        wait = self._commands.take(now)
        if not wait:
            self._refused = 0
            return effects()
        if not self._limits.enforced:
            return [Over("commands"), *effects()]
        self._refused += 1
        if self._refused > self._limits.patience:
            return [Over("commands"), *self.close(CloseCode.TOO_MANY_COMMANDS, f"{self._refused} commands over the limit in a row")]
        text = f"more than {self._limits.burst} commands at once or {self._limits.per_minute} a minute"
        return [Over("commands"), Say(Error(id=command_id, code="rate_limited", message=text, retry=True, after_ms=wait))]

    def _confirmed(self, seq: int, seen: tuple[str, ...], now: int) -> list[Effect]:
        arrived, shown = self.book.confirmed(seq, now), self.book.shown(seen)
        return [Confirm(arrived.proposals, shown, arrived.took)] if arrived.proposals or shown else []

    # -- what the store answers ---------------------------------------------------------------------------------------

    def entered(self, entered: Entered, now: int) -> list[Effect]:
        """He is known and registered: welcome him, tell what he missed or what is open, and that this was all."""
        if self.phase is not Phase.ENTERING:
            return []
        self.phase = Phase.LIVE
        self._rhythm.begin(now)
        self._tenure.begin(entered.expires_at, now, self._limits.renew_ms)
        self.told = self._written = min(self._resume_seq, entered.seq) if entered.resumed else entered.seq
        first, *rest = self._pages(entered.items, now)
        welcome = Welcome(
            session=entered.session, epoch=entered.epoch, seq=entered.seq, resumed=entered.resumed, reason=entered.reason,
            now=self._engine(now), heartbeat=Heartbeat(every_ms=self._limits.every_ms, dead_ms=self._limits.dead_ms), items=first,
        )  # fmt: skip
        effects: list[Effect] = [Say(welcome), *_continued(None, entered.epoch, entered.seq, rest)]
        effects += self.deliver(entered.missed, now).effects
        effects.append(Say(Live(seq=self.told)))
        if entered.unfit:
            effects.append(Say(Error(id=None, code="bad_request", message=f"the push address is not taken: {entered.unfit}")))
        before = tuple(self._had(entered.had, now))
        return [*effects, *([Confirm(before, ())] if before else ())]

    def _had(self, items: Sequence[Frame], now: int) -> Iterator[str]:
        """The open proposals that he took in before: whoever comes back while one is fresh is watched as closely as he was."""
        for frame in had(items, self._resume_seq):
            self._freshen(frame, now)
            if frame.head.proposal is not None:
                self.book.known(frame.head.proposal)
                yield frame.head.proposal

    def refused(self, error: DispatchError) -> list[Effect]:
        """He may not enter, or cannot now."""
        match error:
            case Unauthorized():
                return self.close(CloseCode.BAD_TOKEN, error.detail)
            case Forbidden():
                code = CloseCode.TOO_MANY_DEVICES if error.code == "too_many_devices" else CloseCode.BLOCKED
                return self.close(code, error.detail)
            case _ if error.retry:
                after_ms = 1_000 + round(4_000 * self._rhythm.draw())
                say = Say(Error(id=None, code="unavailable", message=error.detail, retry=True, after_ms=after_ms))
                return [say, *self.close(CloseCode.OVERLOADED, f"unavailable, after_ms={after_ms}")]
            case _:
                return self.close(CloseCode.INTERNAL, "internal error")

    def answered(self, question: Question, fields: Mapping[str, Any]) -> list[Effect]:
        """The outcome of a command."""
        self._asking = False
        return [Say(msgspec.convert({"id": question.id, **fields, "type": "result"}, Result))]

    def listed(self, question: Sync, epoch: str, seq: int, missed: Sequence[Frame], items: Sequence[Frame], now: int) -> list[Effect]:
        """Everything open. What came before that list was read goes out first, what came after must wait until it is told."""
        self._asking = False
        before = self.deliver([frame for frame in missed if frame.head.seq <= seq], now).effects
        self.told = self._written = max(self.told, seq)
        return [*before, *_continued(question.id, epoch, seq, self._pages(items, now))]

    def failed(self, question: Question, error: DispatchError) -> list[Effect]:
        """The store could not or would not decide; the same command with the same id may be sent again if ``retry``."""
        self._asking = False
        refused = isinstance(question, Refresh) and isinstance(error, (Unauthorized, Forbidden))
        code = "bad_request" if isinstance(error, BadRequest) else error.code if error.retry or refused else "internal"
        return [Say(Error(id=question.id, code=code, message=error.detail, retry=error.retry, after_ms=500 if error.retry else None))]

    def refreshed(self, question: Refresh, expires_at: int, now: int) -> list[Effect]:
        """The newer token is taken: the link ends with that one."""
        self._asking = False
        self._tenure.begin(expires_at, now, self._limits.renew_ms)
        return [Say(Refreshed(id=question.id, expires_at=self._engine(expires_at)))]

    # -- what the stream brings ---------------------------------------------------------------------------------------

    def deliver(self, frames: Sequence[Frame], now: int) -> Delivery:
        """Messages of the stream, in order: doubles are skipped, expired proposals too, and nothing goes out beyond a gap."""
        effects: list[Effect] = []
        for frame in frames:
            seq = frame.head.seq
            if seq <= self.told:
                continue
            if seq > self.told + 1:
                return Delivery(effects, gap=True)
            self.told = seq
            if not frame.expired(self._engine(now)):
                self._written = seq
                self._note(frame, now)
                effects.append(Forward(frame))
        return Delivery(effects, gap=False)

    def _note(self, frame: Frame, now: int) -> None:
        """A proposal goes out: it wants to be acknowledged, and a fresh one that the link is known to be alive."""
        if frame.head.type == "proposal":
            self.book.note(frame, now)
            self._freshen(frame, now)

    def _freshen(self, frame: Frame, now: int) -> None:
        self._rhythm.freshen(now, self._engine(now) - frame.head.at if frame.head.at else 0)

    def _pages(self, items: Sequence[Frame], now: int) -> list[tuple[Raw, ...]]:
        open_now = [item for item in items if not item.expired(self._engine(now))]
        for item in open_now:
            self._note(item, now)
        return [tuple(Raw(data) for data in page) for page in paged(open_now, self.codec, OUTBOUND_LIMIT - ENVELOPE)]

    def close(self, code: CloseCode, reason: str) -> list[Effect]:
        """The conversation is over."""
        self.phase = Phase.CLOSED
        return [Close(code, reason.encode()[:REASON_LIMIT].decode(errors="ignore"))]


def _continued(command_id: str | None, epoch: str, seq: int, pages: Sequence[tuple[Raw, ...]]) -> list[Say]:
    """Pages of items as ``snapshot`` messages."""
    last = len(pages) - 1
    return [Say(Snapshot(id=command_id, epoch=epoch, seq=seq, items=page, more=index < last)) for index, page in enumerate(pages)]
