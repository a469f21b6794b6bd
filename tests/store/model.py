"""A market as the tables and the pure decisions say it should be: no store, no bytes, one thing after the other.

It is driven beside the real one (test_model.py). lifecycle.py says which moves there are, waves.py what is due and when, matcher.py who
fits and in which order; what happens to proposals in between is told here once more, in the words of the rules.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from dispatch import direct, waves
from dispatch.lifecycle import MOVES, BookingState, Move
from dispatch.matcher import Person, Query, fits, order, to_query
from dispatch.model import BookingRequest, MarketSettings, ProviderSettings, Reason, Span, Urgency
from dispatch.store import Record
from dispatch.zones import from_model

Moves = Mapping[BookingState, Mapping[Move, BookingState]]

# What a yes is told whose proposal was taken back, by the reason of that (PROTOCOL.md, result).
AFTER = {
    "taken": "lost",
    "cancelled": "cancelled",
    "expired": "expired",
    "overlap": "overlap",
    "ops": "not_asked",
    "changed": "version_conflict",
    "taken_over": "lost",
    "handed_back": "lost",
    "extended": "expired",
}
AGAIN = ("handed_back", "extended")  # who lost a proposal for that may be asked once more in the same round
BINDING = {Reason.STATUS, Reason.OVERLAP, Reason.BLOCKED}  # no word of ops goes against these
OF_BOOKING = (
    *("state", "version", "round", "urgency", "opened_at", "paced_at", "tried", "said_no", "deadline", "start", "wave", "windows", "ends"),
    *("winner", "window", "due", "owner", "chosen", "hold"),
)
OF_PROPOSAL = (
    *(
        "state",
        "wave",
        "round",
        "sent_at",
        "answer_by",
        "received_at",
        "seen_at",
        "answered_at",
        "ended_at",
        "reason",
        "live",
        "replaced",
        "windows",
    ),
)


@dataclass(slots=True)
class Asked:
    """One provider's proposal. ``windows``: indexes of those that fit him."""

    wave: int
    sent_at: int
    answer_by: int
    windows: list[int]
    round: int = 1
    state: str = "open"
    received_at: int = 0
    seen_at: int = 0
    answered_at: int = 0
    ended_at: int = 0
    reason: str | None = None
    live: bool = True
    replaced: bool = False


@dataclass(slots=True)
class Booking:
    """A booking, and everybody who was asked."""

    no: int
    client: str
    query: Query
    windows: tuple[Span, ...]
    ends: tuple[int, ...]
    opened_at: int
    paced_at: int
    deadline: int
    start: int
    urgency: Urgency
    due: int | None
    tried: bool
    state: BookingState = BookingState.SEARCHING
    version: int = 1
    wave: int = 0
    said_no: bool = False
    winner: int | None = None
    window: int | None = None
    round: int = 1
    late: bool = False
    owner: str | None = None
    chosen: int = 0
    hold: int = 0
    proposals: dict[int, Asked] = field(default_factory=dict)

    def search(self) -> waves.Search:
        """Its pacing state."""
        names = ("start", "opened_at", "deadline", "wave", "paced_at", "tried", "said_no", "chosen", "hold")
        told = {name: getattr(self, name) for name in names}
        return waves.Search(**told, holders=tuple(_holder(pno, p) for pno, p in self.proposals.items() if p.round == self.round))

    @property
    def seated(self) -> int:
        return sum(p.live and not p.replaced for p in self.proposals.values())


@dataclass(slots=True)
class Provider:
    """Somebody who may be asked."""

    no: int
    settings: ProviderSettings
    connected: bool = True
    available: bool = True
    asked_at: int = 0
    unanswered: int = 0
    paused: bool = False

    def acts(self) -> None:
        """Whatever he does ends a pause."""
        self.unanswered, self.paused = 0, False


def facts(booking: Booking | Record) -> dict[str, Any]:
    """All that both worlds say of a booking."""
    told = {name: getattr(booking, name) for name in OF_BOOKING}
    return told | {pno: {name: getattr(p, name) for name in OF_PROPOSAL} for pno, p in booking.proposals.items()}


def _holder(pno: int, p: Asked) -> waves.Holder:
    told = {name: getattr(p, name) for name in ("live", "replaced", "sent_at", "answer_by", "received_at")}
    return waves.Holder(no=pno, **told, left_at=p.ended_at)


@dataclass(slots=True)
class Model:
    """One market. Every command answers the word that its sender is told."""

    settings: MarketSettings
    now: int
    moves: Moves = field(default_factory=lambda: MOVES)
    people: dict[int, Provider] = field(default_factory=dict)
    bookings: dict[int, Booking] = field(default_factory=dict)
    apart: set[tuple[int, str]] = field(default_factory=set)  # providers and clients who are blocked with each other
    blacklist: set[str] = field(default_factory=set)
    answers: dict[str, tuple[Any, str]] = field(default_factory=dict)  # by request id: what was asked, what was told
    ids: dict[str, int] = field(default_factory=dict)

    # -- commands -----------------------------------------------------------------------------------------------------

    def open(self, rid: str, request: BookingRequest) -> str:
        """A client books."""
        if rid in self.answers:
            return self.answers[rid][1]
        query = to_query(request, (), self.settings)
        start = min(window.start for window in query.windows)
        if start <= self.now:
            return "bad_window"
        if waves.too_late(self.settings, start, self.now):
            return "too_late"
        if request.booking_id in self.ids:
            return "duplicate"
        if request.client_id in self.blacklist:
            return "blocked"
        self._enter(request, query, start)
        self.answers[rid] = request, "opened"
        return "opened"

    def _enter(self, request: BookingRequest, query: Query, start: int) -> None:
        ends = tuple(waves.deadline_of(self.settings, window.start, self.now) for window in query.windows)
        search = waves.Search(start=start, opened_at=self.now, deadline=min(ends), wave=0, paced_at=self.now, tried=False)
        step = waves.next_step(self.settings, search, self.now)
        no = self.ids[request.booking_id] = len(self.ids) + 1
        b = self.bookings[no] = Booking(
            no=no, client=request.client_id, query=query, windows=query.windows, ends=ends, opened_at=self.now, paced_at=self.now,
            deadline=min(ends), start=start, urgency=step.urgency, due=step.due, tried=step.release is not None,
        )  # fmt: skip
        if step.release is not None:
            self._ask(b, step.release)

    def accept(self, pno: int, id_: str, bno: int, version: int, window: int) -> str:
        """A provider says yes."""
        return self._once(f"{pno}:{id_}", ("yes", bno, version, window), lambda: self._claim(self.bookings[bno], pno, version, window), pno)

    def _claim(self, b: Booking, pno: int, version: int, window: int) -> str:
        p = b.proposals.get(pno)
        no = self._why_not(b, p, pno, version, window)
        if no is None and p is not None and self._move(b, Move.ACCEPT):
            self._win(b, p, pno, p.windows[window])
            return "won"
        return no or "lost"

    def _why_not(self, b: Booking, p: Asked | None, pno: int, version: int, window: int) -> str | None:
        if p is None or p.state == "refused":
            return "not_asked"
        if p.state == "accepted":
            return "already_yours" if b.state in ("accepted", "taken_over") else "cancelled"
        if p.state != "open":
            return AFTER[str(p.reason)]
        if b.version != version:
            return "version_conflict"
        if window not in range(len(p.windows)):
            return "bad_request"
        if self.now >= b.ends[p.windows[window]]:
            return "expired"
        return "overlap" if self._busy(pno, b.windows[p.windows[window]]) else None

    def _win(self, b: Booking, p: Asked, pno: int, index: int) -> None:
        b.winner, b.window, b.due, p.answered_at = pno, index, None, self.now
        self._received(p)
        self._end(b, p, "accepted")
        self._withdraw_all(b, "withdrawn", "taken")
        self._drop_overlapping(pno)

    def _drop_overlapping(self, pno: int) -> None:
        """His other proposals that no longer fit beside the visits he holds."""
        for other in self.bookings.values():
            mine = other.proposals.get(pno)
            if mine and mine.state == "open" and all(self._busy(pno, other.windows[i]) for i in mine.windows):
                self._end(other, mine, "withdrawn", "overlap")
                self._attend(other)

    def refuse(self, pno: int, id_: str, bno: int, version: int) -> str:
        """A provider says no."""
        return self._once(f"{pno}:{id_}", ("no", bno, version), lambda: self._refused(self.bookings[bno], pno, version), pno)

    def _refused(self, b: Booking, pno: int, version: int) -> str:
        p = b.proposals.get(pno)
        if p is None:
            return "not_asked"
        if b.version != version:
            return "version_conflict"
        if p.state == "open":
            p.answered_at = self.now
            self._received(p)
            self._end(b, p, "refused")
            if b.seated == 0:
                self._attend(b)
        return "not_asked" if p.state == "accepted" else "done"

    def receive(self, pno: int, bno: int, seen: bool) -> str:
        """A device of his confirms a proposal, whatever has become of it."""
        if p := self.bookings[bno].proposals.get(pno):
            self._received(p)
            p.seen_at = p.seen_at or (self.now if seen else 0)
        return "done"

    def cancel(self, bno: int, by: str, rid: str, agent: str | None = None) -> str:
        """Somebody ends a booking; its winner's own word opens the search again."""
        return self._once(rid, by, lambda: self._cancelled(self.bookings[bno], by, agent), mismatch="idempotency_mismatch")

    def _cancelled(self, b: Booking, by: str, agent: str | None = None) -> str:
        before = b.state
        again = by == "provider" and not (b.client in self.blacklist and self.moves[before].get(Move.REOPEN))
        if not self._may(b, Move.REOPEN if again else Move.CANCEL, agent):
            return self._not_now(b, agent)
        self._move(b, Move.REOPEN if again else Move.CANCEL)
        if again and b.winner is not None:
            self._reopen(b, b.winner)
        elif before == "searching":
            self._withdraw_all(b, "withdrawn", "cancelled")
        if b.state != "searching":
            b.due = None
        return str(b.state.value)

    def _reopen(self, b: Booking, pno: int) -> None:
        b.urgency = waves.urgency_of(self.settings, b.start, self.now)
        b.ends = tuple(waves.reopened_deadline(self.settings, window.start, self.now) for window in b.windows)
        b.deadline, b.paced_at, b.tried, b.winner, b.window, b.late = min(b.ends), self.now, False, None, None, False
        self._end(b, b.proposals[pno], "withdrawn", "cancelled")
        b.said_no, b.hold = False, min(b.hold, 0)
        self._attend(b)

    def move(self, bno: int, rid: str, windows: tuple[Span, ...]) -> str:
        """The client wants other windows."""
        if rid in self.answers:
            return self.answers[rid][1]
        start = min(window.start for window in windows)
        if start <= self.now:
            return "bad_window"
        if waves.too_late(self.settings, start, self.now):
            return "too_late"
        return self._once(rid, windows, lambda: self._moved(self.bookings[bno], windows))

    def _moved(self, b: Booking, windows: tuple[Span, ...]) -> str:
        if not self._may(b, Move.MOVE):
            return self._not_now(b)
        if b.client in self.blacklist:
            return "blocked"
        self._move(b, Move.MOVE)
        winner = b.winner
        self._withdraw_all(b, "withdrawn", "changed")
        if winner is not None:
            self._end(b, b.proposals[winner], "withdrawn", "changed")
        self._anew(b, windows, tuple(waves.deadline_of(self.settings, window.start, self.now) for window in windows))
        if winner is not None:
            b.chosen, b.hold = winner, waves.OWED
        return str(b.state.value)

    def search_again(self, bno: int, rid: str, windows: tuple[Span, ...]) -> str:
        """Ops want another in the place of one who did not come, or is late."""
        if rid in self.answers:
            return self.answers[rid][1]
        if min(window.start for window in windows) <= self.now:
            return "bad_window"
        return self._once(rid, windows, lambda: self._replaced(self.bookings[bno], windows))

    def _replaced(self, b: Booking, windows: tuple[Span, ...]) -> str:
        if not self._may(b, Move.SEARCH_AGAIN) or b.winner is None or (b.state == "accepted" and not b.late):
            return self._not_now(b)
        if b.client in self.blacklist:
            return "blocked"
        self._move(b, Move.SEARCH_AGAIN)
        p = b.proposals[b.winner]
        self._end(b, p, "withdrawn", "ops")
        self._anew(b, windows, tuple(window.start for window in windows))
        p.round = b.round
        return str(b.state.value)

    def _anew(self, b: Booking, windows: tuple[Span, ...], ends: tuple[int, ...]) -> None:
        """A new round, for other windows."""
        b.windows, b.ends, b.deadline, b.start = windows, ends, min(ends), min(window.start for window in windows)
        b.version, b.round, b.wave, b.winner, b.window, b.late = b.version + 1, b.round + 1, 0, None, None, False
        b.urgency, b.paced_at, b.tried, b.said_no = waves.urgency_of(self.settings, b.start, self.now), self.now, False, False
        b.hold = min(b.hold, 0)
        self._attend(b)

    def _ask_chosen(self, b: Booking, release: waves.Release) -> None:
        """Whoever held it has the first word, when he can be asked: zone and hours do not bind him. Else the waves begin."""
        one, query = self._person(self.people[b.chosen], b), replace(b.query, windows=b.windows, gap=self.settings.travel_gap_s * 1_000)
        offer = direct.judge(query, one, self.settings, self.now)
        if not isinstance(offer, direct.Offer):
            b.hold = 0
            return self._attend(b)
        b.proposals[one.no] = Asked(release.wave, self.now, release.answer_by, list(offer.windows), round=b.round)
        b.hold, self.people[one.no].asked_at = min(self.now + release.hold, b.deadline), self.now
        return None

    def fact(self, kind: str, bno: int, rid: str) -> str:
        """What became of a visit: complete, no_show or late."""
        return self._once(
            rid, kind, lambda: self._visited(self.bookings[bno], kind), mismatch="idempotency_mismatch", unkept=("too_early",)
        )

    def _visited(self, b: Booking, kind: str) -> str:
        begun = self.now - b.windows[b.window].start if b.window is not None else 0
        if (kind == "late" and b.state != "accepted") or (kind != "late" and not self._may(b, Move(kind))):
            return self._not_now(b)
        if begun < (0 if kind == "complete" else self.settings.no_show_after_s * 1_000):
            return "too_early"
        b.late = kind == "late"
        if kind != "late":
            self._move(b, Move(kind))
        return str(b.state.value)

    # -- ops --------------------------------------------------------------------------------------------------------------

    def take_over(self, bno: int, agent: str, rid: str) -> str:
        """From now on the booking is his."""
        return self._once(rid, "take over", lambda: self._taken(self.bookings[bno], agent), unkept=("taken_over by another", "conflict"))

    def _taken(self, b: Booking, agent: str) -> str:
        if b.state == "taken_over":
            return "taken_over" if b.owner == agent else "taken_over by another"
        if not self._move(b, Move.TAKE_OVER):
            return "conflict"
        b.owner, b.due = agent, None
        self._withdraw_all(b, "withdrawn", "taken_over")
        return "taken_over"

    def hand_back(self, bno: int, agent: str, rid: str) -> str:
        """The engine goes on with it."""
        return self._once(rid, "hand back", lambda: self._given_back(self.bookings[bno], agent), unkept=("taken_over", "conflict"))

    def _given_back(self, b: Booking, agent: str) -> str:
        if not self._may(b, Move.HAND_BACK, agent):
            return self._not_now(b, agent)
        if b.winner is not None:
            self._move(b, Move.ASSIGN)
        else:
            self._move(b, Move.HAND_BACK)
            self._search_on(b, "withdrawn", "taken_over", "handed_back")
        return str(b.state.value)

    def _search_on(self, b: Booking, state: str, reason: str, again: str) -> None:
        """Whose proposal had ended so may be asked once more."""
        b.paced_at, b.tried, b.said_no = self.now, False, False
        for p in b.proposals.values():
            if (p.round, p.state, p.reason) == (b.round, state, reason):
                p.reason = again
        self._attend(b)

    def extend(self, bno: int, rid: str) -> str:
        """The search of a booking that nobody took goes on."""
        return self._once(rid, "extend", lambda: self._extended(self.bookings[bno]), unkept=("taken_over", "conflict", "too_late"))

    def _extended(self, b: Booking) -> str:
        if b.state != "unfilled":
            return self._not_now(b)
        ends = tuple(waves.extended_deadline(self.settings, window.start, self.now, None) for window in b.windows)
        if max(ends) <= self.now:
            return "too_late"
        if not self._move(b, Move.EXTEND):
            return "conflict"
        b.ends, b.deadline = ends, min(ends)
        self._search_on(b, "expired", "expired", "extended")
        return "searching"

    def assign(self, bno: int, pno: int, agent: str, override: bool) -> str:
        """Ops give it to somebody by hand: he wins a proposal that nobody ever saw."""
        b = self.bookings[bno]
        if not self._may(b, Move.ASSIGN, agent):
            return self._not_now(b, agent)
        if b.winner == pno:
            return "conflict"
        index = self._window_for(b, pno, override)
        if index is None:
            return "unfit"
        if self.now >= b.windows[index].end:
            return "too_late"
        if b.winner is not None:
            self._end(b, b.proposals[b.winner], "withdrawn", "ops")
        given = Asked(b.wave, self.now, self.now, [index], round=b.round, state="accepted", ended_at=self.now, live=False)
        self._move(b, Move.ASSIGN)
        b.proposals[pno], b.winner, b.window, b.late = given, pno, index, False
        self._drop_overlapping(pno)
        return "accepted"

    def _window_for(self, b: Booking, pno: int, override: bool) -> int | None:
        """In which he is to come: one that fits, else one that ops may insist on."""
        p, one = b.proposals.get(pno), self._person(self.people[pno], b)
        one = replace(one, asked=p is not None and p.round == b.round and p.state == "refused")
        query = replace(b.query, gap=self.settings.travel_gap_s * 1_000)
        found = [fits(replace(query, windows=(window,)), one, self.settings, self.now).reasons for window in b.windows]
        allowed = [index for index, reasons in enumerate(found) if not reasons or (override and not BINDING.intersection(reasons))]
        return next((index for index in allowed if not found[index]), next(iter(allowed), None))

    def keep_apart(self, pno: int, client: str, on: bool) -> str:
        """A provider and a client are blocked with each other, or meet again."""
        if not on:
            known = (pno, client) in self.apart
            self.apart.discard((pno, client))
            return "off" if known else "not_found"
        self.apart.add((pno, client))
        self._recall(pno, lambda b: b.client == client)
        return "on"

    def bar(self, client: str, on: bool) -> str:
        """A client may not book any more, or may again."""
        known = client in self.blacklist
        (self.blacklist.add if on else self.blacklist.discard)(client)
        for b in self.bookings.values():
            if on and b.client == client and b.state == "searching":
                self._cancelled(b, "ops")
        return "on" if on else "off" if known else "not_found"

    def employ(self, pno: int, settings: ProviderSettings) -> str:
        """A provider's settings, anew."""
        self.people[pno].settings = settings
        if settings.status != "approved":
            self._recall(pno, lambda b: True)
        return settings.status

    def close_early(self, bno: int) -> str:
        """A worker wants to end a search whose deadline has not come, or that is none."""
        return "EARLY" if self.moves[self.bookings[bno].state].get(Move.CLOSE) else "STALE"

    # -- time ---------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Whatever is due now is done."""
        for _ in range(50):
            due = [b for b in self.bookings.values() if b.due is not None and b.due <= self.now]
            if not due:
                return
            for b in sorted(due, key=lambda b: (b.due, str(b.no))):  # as a sorted set has them
                self._turn(b)
        raise AssertionError("the plan would never come to rest")

    def _turn(self, b: Booking) -> None:
        step = waves.next_step(self.settings, b.search(), self.now)
        if step.close:
            return self._close(b)
        for pno in step.fade:
            b.proposals[pno].live = False
            one = self.people[pno]
            if b.proposals[pno].received_at > 0:
                one.unanswered += 1
                one.paused |= one.unanswered >= self.settings.pause_after
        for pno in step.replace:
            b.proposals[pno].replaced = True
        b.due, b.urgency = step.due, step.urgency
        if step.release is not None:
            if step.release.kind == "direct":
                self._ask_chosen(b, step.release)
            else:
                self._ask(b, step.release)
            if step.release.kind == "wave":
                b.paced_at, b.tried, b.said_no = self.now, True, False
        return None

    def _ask(self, b: Booking, release: waves.Release) -> None:
        """The first who fit."""
        query = replace(b.query, windows=b.windows, gap=self.settings.travel_gap_s * 1_000)
        found = {one.no: fits(query, one, self.settings, self.now) for one in (self._person(p, b) for p in self.people.values())}
        chosen = order([self._person(self.people[pno], b) for pno, fit in found.items() if fit])[: release.size]
        for one in chosen:
            b.proposals[one.no] = Asked(release.wave, self.now, release.answer_by, list(found[one.no].windows), round=b.round)
            self.people[one.no].asked_at = self.now
        b.wave = release.wave if chosen else b.wave

    def _person(self, one: Provider, b: Booking) -> Person:
        return Person(
            no=one.no, settings=one.settings, shape=from_model(one.settings.zone), visits=self._visits(one.no),
            blocked=(one.no, b.client) in self.apart, reachable=one.connected, available=one.available, paused=one.paused,
            live=self.live(one.no),
            asked=one.no in b.proposals and b.proposals[one.no].round == b.round and b.proposals[one.no].reason not in AGAIN,
            asked_at=one.asked_at,
        )  # fmt: skip

    def live(self, pno: int) -> int:
        """How many proposals hold a seat of his under the cap."""
        return sum(b.proposals[pno].live for b in self.bookings.values() if pno in b.proposals)

    def _close(self, b: Booking) -> None:
        """The deadline has come: windows that can no longer be met are dropped; without any, nobody took it."""
        kept = [index for index, end in enumerate(b.ends) if self.now < end]
        if kept:
            return self._narrow(b, kept)
        if self._move(b, Move.CLOSE):
            self._withdraw_all(b, "expired", "expired")
            b.due = None
        return None

    def _narrow(self, b: Booking, kept: list[int]) -> None:
        lives, place = dict(waves.lives(self.settings, b.search())), {old: new for new, old in enumerate(kept)}
        b.windows, b.ends = tuple(b.windows[i] for i in kept), tuple(b.ends[i] for i in kept)
        b.version, b.deadline, b.start = b.version + 1, min(b.ends), min(window.start for window in b.windows)
        for pno, p in b.proposals.items():
            if p.state != "open":
                continue
            p.windows = [place[i] for i in p.windows if i in place]
            p.answer_by = min(lives[pno], b.deadline) if p.live else p.answer_by
            if not p.windows:
                self._end(b, p, "expired", "expired")
        self._attend(b)

    # -- what they have in common -------------------------------------------------------------------------------------

    def _once(
        self, id_: str, asked: Any, decide: Callable[[], str], by: int = 0, mismatch: str = "bad_request", unkept: Container[str] = ()
    ) -> str:
        """A repeat is told what was told before; another thing under the same id is a mistake, and no answer is kept of one."""
        if id_ in self.answers:
            before, word = self.answers[id_]
            return word if before == asked else mismatch
        if by:
            self.people[by].acts()
        word = decide()
        if word != "bad_request" and word not in unkept:
            self.answers[id_] = asked, word
        return word

    def _may(self, b: Booking, move: Move, agent: str | None = None) -> bool:
        """While ops have it, it moves by its owner's word alone."""
        return move in self.moves[b.state] and (b.state != "taken_over" or b.owner == agent)

    def _not_now(self, b: Booking, agent: str | None = None) -> str:
        return "taken_over" if b.state == "taken_over" and b.owner != agent else "conflict"

    def _move(self, b: Booking, move: Move) -> bool:
        to = self.moves[b.state].get(move)
        b.owner = None if to else b.owner
        b.state = to or b.state
        return to is not None

    def _end(self, b: Booking, p: Asked, state: str, reason: str | None = None) -> None:
        p.state, p.reason, p.ended_at, p.live = state, reason, self.now, False
        b.said_no = b.said_no or state != "accepted"

    def _withdraw_all(self, b: Booking, state: str, reason: str) -> None:
        for p in b.proposals.values():
            if p.state == "open":
                self._end(b, p, state, reason)

    def _recall(self, pno: int, concerns: Callable[[Booking], bool]) -> None:
        for b in self.bookings.values():
            p = b.proposals.get(pno)
            if p and p.state == "open" and concerns(b):
                self._end(b, p, "withdrawn", "ops")
                self._attend(b)

    def _attend(self, b: Booking) -> None:
        b.due = self.now if b.due is None else min(b.due, self.now)

    def _received(self, p: Asked) -> None:
        p.received_at = p.received_at or self.now

    def _visits(self, pno: int) -> tuple[Span, ...]:
        held = [b for b in self.bookings.values() if b.state in ("accepted", "taken_over", "completed", "no_show") and b.winner == pno]
        return tuple(b.windows[b.window or 0] for b in held)

    def _busy(self, pno: int, window: Span) -> bool:
        return any(window.overlaps(visit, self.settings.travel_gap_s * 1_000) for visit in self._visits(pno))
