"""One booking as the rules say, without a store: what each verb answers, what it changes, and who is told what.

People are called by their parts: ``A`` and ``B`` hold a proposal from the first wave, ``C`` too where a wave asks three, else he is asked
by the next one. What is said to somebody is a word or two, as :mod:`tests.races.views` reads it off the wire.
Source: SPEC.md R12, R13, R15, R17, R24, R26, R35, R36, R83; PROTOCOL.md sections 1 and 2.
"""

from collections import defaultdict
from dataclasses import dataclass, field

PEOPLE = ("A", "B", "C")
STANDS = ("open", "countered")  # states in which a proposal can still be accepted
ECHO = "withdrawn answered_elsewhere"
GONE = {  # what an accept is told of a proposal that was taken back, by the reason
    "taken": "lost", "cancelled": "cancelled", "expired": "expired", "changed": "version_conflict", "taken_over": "lost",
}  # fmt: skip
LATE = ("lost", "cancelled", "expired")  # answers that are noted as an accept that came too late


@dataclass(slots=True)
class Held:
    """One provider's proposal."""

    round: int
    state: str = "open"
    reason: str | None = None


@dataclass(slots=True)
class Booking:
    """A booking, and all that anybody was ever told of it. ``size``: of a wave; ``over``: its deadline has passed; ``owed``: what the
    engine is about to do by itself."""

    size: int = 3
    state: str = "searching"
    winner: str | None = None
    owner: str | None = None
    round: int = 1
    version: int = 1
    over: bool = False
    original: bool = True  # the deadline is the one with which it was opened
    alarmed: bool = False
    chosen: str | None = None  # who is owed the first word
    wave_owed: bool = False
    proposals: dict[str, Held] = field(default_factory=dict)
    offers: dict[str, tuple[int, str]] = field(default_factory=dict)  # round, state
    story: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hooks: list[str] = field(default_factory=list)

    # -- what the engine does by itself -----------------------------------------------------------------------------------

    def opened(self) -> None:
        """It enters, and its first wave leaves with it."""
        self.story.append("Opened")
        self._ask(PEOPLE[: self.size])

    @property
    def owed(self) -> str:
        """What the engine will do next: ``close``, ``alarm``, ``wave``; empty: nothing."""
        if self.state == "searching" and self.over:
            return "close"
        if self.state == "taken_over" and self.over and not self.alarmed and self.winner is None:
            return "alarm"
        return "wave" if self.state == "searching" and self.wave_owed else ""

    def do(self, duty: str) -> None:
        """That."""
        getattr(self, f"_{duty}")()

    def _close(self) -> None:
        self.state, self.wave_owed = "unfilled", False
        self.story.append("Unfilled")
        self._withdraw_all("expired", "expired", "expired")
        self.hooks.append("booking.unfilled")

    def _alarm(self) -> None:
        self.alarmed = True
        self.story.append("Overdue")

    def _wave(self) -> None:
        self.wave_owed = False
        if self.chosen is not None:
            self._ask((self.chosen,), "direct")
            self.chosen = None
            return
        out = {who for who, p in self.proposals.items() if p.round == self.round}
        size = self.size if self.round == 1 else len(PEOPLE)  # who moves a booking here moves it to where three are asked
        self._ask(tuple(who for who in PEOPLE if who not in out)[:size])

    def _ask(self, people: tuple[str, ...], kind: str = "wave") -> None:
        if not people:
            return
        self.story.append(f"WaveSent {kind} {' '.join(people)}")
        for who in people:
            self.proposals[who] = Held(self.round)
            self.told[who].append(f"proposal {self.round}")

    # -- the two moments ----------------------------------------------------------------------------------------------------

    def expiry(self) -> str:
        """The deadline with which it was opened passes."""
        self.over = self.over or self.original
        return ""

    def next_wave(self) -> str:
        """The pause after the first wave is over."""
        self.wave_owed = self.wave_owed or (self.state == "searching" and self.round == 1 and "C" not in self.proposals)
        return ""

    # -- providers ----------------------------------------------------------------------------------------------------------

    def accept(self, who: str, seen: int = 1) -> str:
        """``seen``: the version that he knows, which here is the round too."""
        no = self._refusal(who, seen)
        if no in LATE:
            self.story.append(f"AcceptedTooLate {who} {no.upper()}")
        if not no:
            self._win(who, "wave")
        return no or "won"

    def _refusal(self, who: str, seen: int) -> str:
        p = self.proposals.get(who)
        if p is not None and p.round > seen:
            return "version_conflict"
        if p is None or p.round != seen or p.state == "refused":
            return "not_asked"
        if p.state == "accepted":
            return "already_yours" if self.state == "accepted" else "cancelled"
        if p.state not in STANDS:
            return GONE.get(p.reason or "", "not_asked")
        if self.version != seen:
            return "version_conflict"
        return "expired" if self.over else ""

    def refuse(self, who: str, seen: int = 1) -> str:
        p = self.proposals.get(who)
        if p is None or p.round != seen:
            return "not_asked"
        if self.version != seen:
            return "version_conflict"
        if p.state not in STANDS:
            return "not_asked" if p.state == "accepted" else "done"
        p.state = "refused"
        self.story.append(f"Refused {who}")
        self.told[who].append(ECHO)
        self._close_offer(who, "withdrawn")
        self.wave_owed = self.wave_owed or not any(each.state == "open" for each in self.proposals.values())
        return "done"

    def counter(self, who: str) -> str:
        """Other times, near enough to be shown at once."""
        self.proposals[who].state = "countered"
        self.offers[who] = (self.round, "shown")
        self.story.append(f"Countered {who}")
        self.told[who].append("counter shown")
        self.hooks.append("booking.counteroffered")
        return "sent"

    def give_back(self, who: str) -> str:
        """The provider cancels."""
        if self.state != "accepted" or self.winner != who:
            return "not_yours"
        self.told[who].append("booking cancelled")
        self.proposals[who].state, self.proposals[who].reason = "withdrawn", "cancelled"
        self._again()
        self.story.append(f"Reopened {who}")
        self.hooks.append("booking.reopened")
        return "done"

    # -- the client ---------------------------------------------------------------------------------------------------------

    def take_offer(self, who: str) -> str:
        """He takes a counteroffer; one outlives a search that ended in vain."""
        round_, state = self.offers[who]
        if round_ != self.round or self.state not in ("searching", "unfilled") or state != "shown":
            return "conflict"
        self.version += 1
        self.story.append(f"CounterofferAccepted {who}")
        self._close_offer(who, "accepted")
        self._win(who, "counteroffer")
        return "ok"

    def cancel(self, hand: str = "") -> str:
        """By the client, or (``hand``) somebody of ops."""
        if self.state == "taken_over" and hand != self.owner:
            return "taken_over"
        if self.state == "cancelled":
            return "conflict"
        self.owner = None
        self.state, self.wave_owed = "cancelled", False
        by = "ops" if hand else "client"
        self.story.append(f"Cancelled {by} {self.winner}" if self.winner else f"Cancelled {by}")
        if self.winner:
            self.told[self.winner].append("booking cancelled")
        self._withdraw_all("withdrawn", "cancelled", "cancelled")
        self.hooks.append("booking.cancelled")
        return "ok"

    def move(self, to: str) -> str:
        """Other windows, far ahead: so many hours from now."""
        if self.state == "taken_over":
            return "taken_over"
        if self.state == "cancelled":
            return "conflict"
        was = self.winner
        self._withdraw_all("withdrawn", "changed", "changed")
        if was:
            self.told[was].append("booking searching")
            self.proposals[was].state, self.proposals[was].reason = "withdrawn", "changed"
        self._again()
        self.round, self.version, self.chosen = self.round + 1, self.version + 1, was
        self.story.append(f"Moved {to} {was}" if was else f"Moved {to}")
        self.hooks += ["booking.reopened"] if was else []
        return "ok"

    # -- ops ----------------------------------------------------------------------------------------------------------------

    def take_over(self, hand: str) -> str:
        if self.state == "taken_over":
            return "ok" if hand == self.owner else "taken_over"
        if self.state == "cancelled":
            return "conflict"
        self.state, self.owner, self.wave_owed, self.alarmed = "taken_over", hand, False, False
        self.story.append("TakenOver")
        self._withdraw_all("withdrawn", "taken_over", "ops")
        if self.winner:
            self.told[self.winner].append("booking taken_over")
        return "ok"

    def assign(self, who: str, hand: str) -> str:
        if self.state != "taken_over" or hand != self.owner:
            return "taken_over" if self.state == "taken_over" else "conflict"
        if self.winner == who:
            return "conflict"
        if (p := self.proposals.get(who)) is not None and p.round == self.round and p.state == "refused":
            return "unfit"
        was, self.owner = self.winner, None
        self.proposals[who] = Held(self.round)
        self._win(who, "ops")
        if was:
            self.told[was].append("booking cancelled")
            self.proposals[was].state, self.proposals[was].reason = "withdrawn", "ops"
        self.story.append(f"Assigned {who} {was}" if was else f"Assigned {who}")
        return "ok"

    # -- what several of them do --------------------------------------------------------------------------------------------

    def _win(self, who: str, cause: str) -> None:
        """The one claim: everybody else is told, then the winner."""
        self.state, self.winner, self.wave_owed = "accepted", who, False
        self.proposals[who].state, self.proposals[who].reason = "accepted", None
        self.story.append(f"Accepted {who} {cause}")
        self._withdraw_all("withdrawn", "taken", "taken")
        self.told[who] += [ECHO, "booking accepted"] if cause != "ops" else ["booking accepted"]
        self.hooks.append("booking.accepted")

    def _again(self) -> None:
        """The search is on again, with another deadline."""
        self.state, self.winner, self.over, self.original, self.wave_owed = "searching", None, False, False, True

    def _withdraw_all(self, state: str, reason: str, told: str) -> None:
        for who, p in self.proposals.items():
            if p.state in STANDS:
                p.state, p.reason = state, reason
                self.told[who].append(f"withdrawn {told}")
                self.story.append(f"Withdrawn {who} {told}")
        for who in self.offers if reason != "expired" else ():
            self._close_offer(who, "withdrawn")

    def _close_offer(self, who: str, state: str) -> None:
        if who not in self.offers or self.offers[who][1] != "shown":
            return
        self.offers[who] = (self.offers[who][0], state)
        self.told[who].append(f"counter {state}")
        if state != "accepted":
            self.story.append(f"CounterofferClosed {who} {state}")
        self.hooks.append(f"booking.counteroffer_closed {state}")
