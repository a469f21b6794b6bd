"""What ops see of a market live (R80): one picture, made of small facts, and how two pictures differ. Nothing here waits or reads.

Places are rounded to about 100 m; events carry numbers and codes only (P14b). Moments are engine ms.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dispatch import waves
from dispatch.habits import NONE_YET, Habits
from dispatch.store import Market, Record
from dispatch.store.gauges import Event

EVENTS = 40  # shown
ACCEPTS = 200  # of which the time is taken
BINS, BIN_S = 60, 5  # the flow of the last minutes; wall seconds a bin
ENDED, ENDED_S = 60, 15  # bookings that just ended stay so long (wall seconds), and at most so many
OPENINGS = 5_000  # moments of opening that are remembered
BARS_MS = tuple(minutes * 60_000 for minutes in (1, 2, 5, 10, 20, 60))  # upper ends; the last bar is all that took longer

BY_HAND = ("TakenOver", "HandedBack", "Assigned", "AskedAgain", "Extended", "Overdue")
TOLD = frozenset(
    (
        *(
            "Opened",
            "WaveSent",
            "Accepted",
            "AcceptedTooLate",
            "Refused",
            "Faded",
            "Unfilled",
            "Cancelled",
            "Reopened",
            "Blocked",
            "Unblocked",
        ),
        *("Moved", "Completed", "NoShow", "Late", "SearchedAgain", "Reported", "Paused", "Resumed"),
        *BY_HAND,
    )
)
ENDS = frozenset(("Accepted", "Unfilled", "Cancelled"))
ANEW = frozenset(("Reopened", "Moved", "SearchedAgain", "HandedBack", "Extended"))
FLOW = {"count.opened": "Opened", "count.accepted": "Accepted", "count.unfilled": "Unfilled", "count.waves": "WaveSent"}
FIELDS = ("b", "p", "wave", "kind", "urgency", "outcome", "by", "late", "minutes", "declared")  # of an event, as they are

Picture = dict[str, Any]


class Cockpit:
    """The facts behind the picture of one market. ``speed``: engine seconds in a second of wall time."""

    def __init__(self, speed: float) -> None:
        self.faces: dict[int, dict[str, Any]] = {}
        self.ended: dict[int, int] = {}
        self.taken: dict[int, dict[str, Any]] = {}
        self._speed = speed
        self._width = round(BIN_S * 1_000 * speed)
        self._opened: dict[int, int] = {}
        self._delays: deque[int] = deque(maxlen=ACCEPTS)
        self._events: deque[tuple[str, dict[str, Any]]] = deque(maxlen=EVENTS)
        self._flow: dict[int, list[int]] = {}
        self._gauges: dict[str, int] = {}
        self.alarms: dict[str, dict[str, Any]] = {}
        self._described: tuple[int, dict[str, Any]] = (-1, {})

    def hear(self, events: Iterable[Event]) -> None:
        """What happened since last time, oldest first."""
        for place, event in events:
            bno = event.get("b")
            if bno is not None:
                self._follow(bno, event)
            if event["type"] in TOLD:
                self._events.append((place, self._event_face(event)))

    def _follow(self, bno: int, event: Mapping[str, Any]) -> None:
        if event["type"] == "Opened":
            if len(self._opened) >= OPENINGS:
                del self._opened[next(iter(self._opened))]
            self._opened[bno] = event["at"]
        elif event["type"] in ENDS:
            self.ended[bno] = event["at"]
            if event["type"] == "Accepted" and bno in self._opened:
                self._delays.append(event["at"] - self._opened[bno])
        elif event["type"] in ANEW:
            self.ended.pop(bno, None)

    def _event_face(self, event: Mapping[str, Any]) -> dict[str, Any]:
        face = {name: event[name] for name in FIELDS if event.get(name) is not None}
        if "asked" in event:
            face["asked"] = len(event["asked"])
        if event["type"] == "Accepted" and event["b"] in self._opened:
            face["took"] = event["at"] - self._opened[event["b"]]
        return {"type": event["type"], "at": event["at"], **face}

    def remember_flow(self, events: Iterable[Event]) -> None:
        """The flow before anybody looked, as far as events tell it."""
        columns = {kind: column for column, kind in enumerate(FLOW.values())}
        for _, event in events:
            if event["type"] in columns and event.get("kind", "wave") == "wave":
                self._bin(event["at"])[columns[event["type"]]] += 1

    def count(self, gauges: dict[str, int], now: int) -> None:
        """The gauges now. What counters gained since last time flows into the current bin."""
        bin_ = self._bin(now)
        for column, name in enumerate(FLOW):
            bin_[column] += max(0, gauges.get(name, 0) - self._gauges.get(name, 0)) if self._gauges else 0
        self._gauges = gauges
        self._flow = {index: counts for index, counts in self._flow.items() if index > now // self._width - BINS}

    def flow(self) -> dict[int, list[int]]:
        """By bin: opened, accepted, unfilled, waves. Bins in which nothing happened are left out."""
        return {index: list(counts) for index, counts in self._flow.items() if any(counts)}

    def _bin(self, at: int) -> list[int]:
        return self._flow.setdefault(at // self._width, [0] * len(FLOW))

    def learn(self, records: Iterable[Record], market: Market, habits: Habits = NONE_YET) -> None:
        """How some bookings stand."""
        for record in records:
            self._opened.setdefault(record.no, record.opened_at)
            face = booking_face(record, market, self.ended.get(record.no), habits)
            if face != self.faces.get(record.no):
                self.faces[record.no] = face

    def alarmed(self, records: Iterable[Record], since: Mapping[str, int]) -> None:
        """What wants a human (R37, P3), by ``kind:booking``, and since when; ``records``: those of which that is news."""
        read = {record.no: record for record in records}
        self.alarms = {
            name: face
            for name, at in since.items()
            if (face := known if (known := self.alarms.get(name)) and known["at"] == at else _alarm_face(name, read, at))
        }

    def hold(self, taken: Sequence[int], records: Iterable[Record]) -> None:
        """The bookings that ops have in their hands, as far as they were read again."""
        read = {record.no: taken_face(record) for record in records if record.state == "taken_over"}
        self.taken = {bno: face for bno in taken if (face := read.get(bno) or self.taken.get(bno))}

    def keep(self, waiting: Iterable[int], now: int) -> None:
        """Forgets bookings that neither search nor ended just now."""
        oldest = now - ENDED_S * 1_000 * self._speed
        recent = sorted((at, bno) for bno, at in self.ended.items() if at >= oldest)[-ENDED:]
        self.ended = {bno: at for at, bno in recent}
        shown = self.ended.keys() | set(waiting)
        self.faces = {bno: face for bno, face in self.faces.items() if bno in shown}

    def picture(self, market: Market, cells: Mapping[str, Any]) -> Picture:
        """Everything, as the page gets it first."""
        if self._described[0] != market.version:
            self._described = market.version, description(market)
        return {
            "now": market.now,
            "speed": self._speed,
            "answering": True,
            "market": self._described[1],
            "gauges": self._gauges,
            "bookings": {str(bno): face for bno, face in self.faces.items()},
            "alarms": {str(bno): face for bno, face in sorted(self.alarms.items())},
            "events": dict(self._events),
            "accepts": times(self._delays),
            "flow": {"width_ms": self._width, "bins": {str(index): counts for index, counts in self.flow().items()}},
            "cells": cells,
            "taken_over": {str(bno): face for bno, face in self.taken.items()},
        }


def booking_face(record: Record, market: Market, ended: int | None, habits: Habits = NONE_YET) -> dict[str, Any]:
    """One booking. ``seats``: a word for each wave of this round, a letter for each provider asked (see ``letter``)."""
    face: dict[str, Any] = {
        "id": record.who.get("booking_id"),
        "state": record.state,
        "class": waves.urgency_of(market.settings, record.start, market.now).value if record.state == "searching" else record.urgency.value,
        "services": list(record.services),
        "area": record.area.get("name") or None,
        "h3": record.area.get("h3"),
        "place": place(record.who),
        "opened": record.opened_at,
        "start": record.start,
        "deadline": record.deadline,
        "wave": record.wave,
        "next": next_wave(record, market, habits),
        "price": record.price,
        "currency": record.currency,
        "seats": seats(record),
        "ended": ended if record.state != "searching" else None,
    }
    return {name: value for name, value in face.items() if value is not None}


def alarm_face(kind: str, record: Record, at: int) -> dict[str, Any]:
    """A booking that wants a human: what for, since when, who held it, and whose it is."""
    face = {
        "id": record.who.get("booking_id"),
        "kind": kind,
        "state": record.state,
        "p": record.winner,
        "at": at,
        "start": record.start,
        "owner": record.who.get("owner"),
    }
    return {name: value for name, value in face.items() if value is not None}


def _alarm_face(name: str, read: Mapping[int, Record], at: int) -> dict[str, Any] | None:
    kind, _, bno = name.partition(":")
    record = read.get(int(bno))
    return None if record is None else alarm_face(kind, record, at)


def taken_face(record: Record) -> dict[str, Any]:
    """One that ops have in their hands: whose it is, and since when."""
    face = {
        "id": record.who.get("booking_id"),
        "owner": record.who.get("owner"),
        "since": record.taken_at,
        "class": record.urgency.value,
        "services": list(record.services),
        "start": record.start,
        "p": record.winner,
    }
    return {name: value for name, value in face.items() if value is not None}


def place(who: Mapping[str, str]) -> list[float] | None:
    """Where it is, to about 100 m; None when that was erased."""
    return [round(int(who[name]) / 1e6, 3) for name in ("lat", "lng")] if "lat" in who else None


def next_wave(record: Record, market: Market, habits: Habits = NONE_YET) -> int | None:
    """When the next wave is owed, unless the search ends before."""
    if record.state != "searching":
        return None
    due = waves.next_wave_at(market.settings, record.search(), market.now, habits)
    return due if due < record.deadline else None


def seats(record: Record) -> list[str]:
    """The proposals of this round by wave, in the order in which they were sent."""
    words = [""] * record.wave
    for _, p in sorted(record.proposals.items(), key=lambda item: (item[1].sent_at, item[0])):
        if p.round == record.round and 0 < p.wave <= record.wave:
            words[p.wave - 1] += letter(p.state, live=p.live == 1, received=p.received_at > 0, seen=p.seen_at > 0)
    return words


def letter(state: str, *, live: bool, received: bool, seen: bool) -> str:
    """A proposal in a letter: s sent, r received, v viewed, f faded (stale); a accepted, x refused, w withdrawn, e expired."""
    if state == "open":
        return ("v" if seen else "r" if received else "s") if live else "f"
    return {"accepted": "a", "refused": "x", "withdrawn": "w", "expired": "e"}.get(state, "w")


def times(delays: Sequence[int]) -> dict[str, Any]:
    """Time from opening to accept (ms): how many were taken, median, ninth decile, and how many in each bar of ``BARS_MS``."""
    ordered, bars = sorted(delays), [0] * (len(BARS_MS) + 1)
    for delay in ordered:
        bars[next((bar for bar, end in enumerate(BARS_MS) if delay < end), len(BARS_MS))] += 1
    known = {"p50": ordered[len(ordered) // 2], "p90": ordered[len(ordered) * 9 // 10]} if ordered else {}
    return {"count": len(ordered), "ends_ms": list(BARS_MS), "bars": bars, **known}


def description(market: Market) -> dict[str, Any]:
    """What a page must know of a market to speak of it."""
    settings, catalogue = market.settings, market.catalogue
    return {
        "id": market.id,
        "time_zone": settings.time_zone,
        "classes": [{"class": row.class_.value, "size": row.size, "pause_s": row.pause_s} for row in settings.cadence],
        "services": {each.code: {"trade": each.trade, "fr": each.name.fr, "en": each.name.en} for each in catalogue.services},
        "trades": {trade.code: {"fr": trade.name.fr, "en": trade.name.en} for trade in catalogue.trades},
    }


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that turns one picture into the other; neither holds a null."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        old = before.get(name)
        if old is value or old == value:
            continue
        patch[name] = difference(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return patch
