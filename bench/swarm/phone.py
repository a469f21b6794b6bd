"""One device that comes back, whatever happens: the SDK's conversation on raw sockets, with the pauses of the protocol.

It may hold two sockets for a moment: asked to drain it opens the new one first, and closes the old one when the new one is live. ``gates``
are addresses behind one name: who is refused or sent away at one goes to the next, as behind a load balancer.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import msgspec

from bench.swarm.frames import Refused
from bench.swarm.raw import Raw, connect
from dispatch.client import Live, Proposal, Result, Withdrawn
from dispatch.client.protocol import GREETING_MS, Accept, Conversation, State, pause_s

OPENING_S: Final = 15.0
GO_ELSEWHERE: Final = {1012, 1013, 4013}  # sent away: another address may do
STOPS: Final = range(4500, 4600)
Note = Callable[..., None]  # kind, number, further words; the crowd adds the time


class Phone:
    """A device. What it does is noted: try, live, lost, stopped, proposal, twice, withdrawn, won."""

    __slots__ = ("_attempt", "_chance", "_coming", "_gate", "_gates", "_known", "_new", "_note", "_raw", "_reason", "number", "talk")

    def __init__(self, number: int, talk: Conversation, gates: Sequence[str], note: Note) -> None:
        self.number, self.talk, self._gates, self._note = number, talk, gates, note
        self._gate, self._attempt, self._reason = 0, 0, ""
        self._chance = Random(f"phone {number}")
        self._raw: Raw | None = None  # the one that counts
        self._new: Raw | None = None  # the one that will, during a change
        self._coming: asyncio.Task[None] | None = None
        self._known: dict[str, int] = {}  # proposal -> version, as told by the stream

    def come(self, pause: float = 0.0) -> None:
        """Connect, after a pause."""
        if self._coming is None or self._coming.done():
            self._coming = asyncio.get_running_loop().create_task(self._come(pause))

    def cut(self) -> None:
        """The network is gone."""
        if self._raw is not None:
            self._raw.cut()

    def leave(self) -> None:
        """For good."""
        if self._coming is not None:
            self._coming.cancel()
        for raw in filter(None, (self._raw, self._new)):
            raw.attend(lambda frame: None, lambda code, reason: None)
            raw.cut()

    def accept(self, proposal: Proposal) -> None:
        """Take it, at once."""
        frame = self.talk.command(Accept(id=f"a-{proposal.proposal}", proposal=proposal.proposal, version=proposal.version))
        if frame is not None and self._raw is not None:
            self._raw.say(frame)

    # -- coming -------------------------------------------------------------------------------------------------------

    async def _come(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            self._note("try", self.number)
            try:
                async with asyncio.timeout(OPENING_S):
                    raw = await connect(self._gates[self._gate], self.number, self.talk.codec.subprotocol)
                break
            except (OSError, Refused, TimeoutError):
                self._gate = (self._gate + 1) % len(self._gates)
                pause = self._pause("")
        if self._raw is None:
            self._raw = raw
        else:
            self._new = raw
        raw.attend(partial(self._heard, raw), partial(self._gone, raw))
        raw.say(self.talk.hello())
        asyncio.get_running_loop().call_later(GREETING_MS / 1_000, self._impatient, raw)

    def _impatient(self, raw: Raw) -> None:
        """Nobody has said all that there is to say within the SDK's patience: perhaps elsewhere, or later."""
        if raw is self._new or (raw is self._raw and self.talk.state is not State.LIVE):
            raw.cut()

    def _pause(self, reason: str) -> float:
        self._attempt += 1
        return pause_s(self._attempt - 1, self._chance.random(), reason)

    # -- hearing ------------------------------------------------------------------------------------------------------

    def _heard(self, raw: Raw, frame: bytes) -> None:
        current = raw is (self._new or self._raw)  # the one that said hello last
        if current and b"drain" in frame[:24] and (after := _drain(frame)) is not None:
            self._drained(after)
            return
        step = (self.talk.receive if current else self.talk.overheard)(frame, time.time_ns() // 1_000_000)
        for reply in step.frames:
            raw.say(reply)
        for message in step.messages:
            match message:
                case Proposal():
                    self._told(message)
                case Withdrawn():
                    self._note("withdrawn", self.number, message.proposal, message.reason)
                case Result() if message.outcome == "won":
                    self._note("won", self.number, message.proposal)
                case Live():
                    self._lively(raw)

    def _told(self, proposal: Proposal) -> None:
        twice = self._known.get(proposal.proposal) == proposal.version
        self._known[proposal.proposal] = proposal.version
        self._note("twice" if twice else "proposal", self.number, proposal.proposal, proposal.booking.booking_id, proposal)

    def _lively(self, raw: Raw) -> None:
        self._attempt = 0
        if raw is self._new and self._raw is not None:
            old, self._raw, self._new = self._raw, raw, None
            old.leave()
        self._note("live", self.number, list(self.talk.open))

    def _drained(self, after_ms: int) -> None:
        self._note("drain", self.number)
        self._gate = (self._gate + 1) % len(self._gates)
        self.come(after_ms / 1_000)

    def _gone(self, raw: Raw, code: int | None, reason: str) -> None:
        if raw is self._new:
            self._new = None
            self._attempted(reason, code)
        elif raw is self._raw:
            self._raw = None
            self._note("lost", self.number, code or 0)
            if self._new is not None:  # the old one left before the new one was live: that one counts now
                self._raw, self._new = self._new, None
                return
            self.talk.lost()
            self._attempted(reason, code)

    def _attempted(self, reason: str, code: int | None) -> None:
        if code in STOPS:
            self._note("stopped", self.number, code)
            return
        if code in GO_ELSEWHERE:
            self._gate = (self._gate + 1) % len(self._gates)
        asyncio.get_running_loop().call_soon(self.come, self._pause(reason))  # whoever is coming just now has then come


def _drain(frame: bytes) -> int | None:
    """After how many ms to change over, when this is a `drain`."""
    message = msgspec.msgpack.decode(frame)
    return int(message.get("after_ms", 0)) if message.get("type") == "drain" else None
