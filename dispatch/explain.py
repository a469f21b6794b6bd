"""Explanations: why a provider was asked for a booking, or what left him out, as things were when each wave was decided (R8).

Of a decision the store keeps a row, of a provider what was true before it changed; from both follows what the filters said then. No score
of anybody appears: of those who came first only this is told, that they did, and whether their tier is higher.
"""

import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dispatch.matcher import RANKS, STEPS, Fit, Person, Query, fits
from dispatch.model import MarketSettings, ProviderSettings, Reason, Span
from dispatch.zones import from_model

ROW = struct.Struct("<IBBBBBBHB")  # lua/lib/decisions.lua
FILL, WITHOUT_BEHIND, SKIPPED, NOBODY = 1, 2, 4, 255
FLAGS, VISIT, FREED, RANK, BLOCK = 1, 2, 3, 4, 5  # kinds of entries of a past, lua/lib/past.lua
NOT_APPROVED, UNREACHABLE, OFF, PAUSED, CAP = 1, 2, 4, 8, 16
WORDS: Mapping[Reason, str] = {  # why a provider is left out, in words he can read
    Reason.STATUS: "your account is not approved or not active",
    Reason.ZONE: "the place is outside your zone",
    Reason.CATALOGUE: "a service asked for is not in your catalogue",
    Reason.HOURS: "the visit is outside your hours, or on a day you are absent",
    Reason.OVERLAP: "you hold another visit at that time, travel included",
    Reason.BLOCKED: "you and this client are not matched",
    Reason.UNREACHABLE: "none of your devices was connected, or you were switched off",
    Reason.PAUSED: "proposals to you are paused until you open the app: several in a row stayed without an answer",
    Reason.CAP: "you have as many open proposals as you can have at once",
    Reason.ASKED: "you were asked already",
    Reason.DO_NOT_DISTURB: "it is within your do-not-disturb hours",
}
BEHIND = "your score for this trade is below the market's minimum, so all others come first, and you are in no first wave"


class Decision(Struct, frozen=True, kw_only=True):
    """A wave as it was decided. ``last``: bucket of the last one who got a seat by rank; ``without_behind``: it looked at no
    under-performer (R7); ``skipped``: the first wave would have had nobody else, so this is the second."""

    at: int
    wave: int
    fill: bool
    without_behind: bool
    skipped: bool
    round: int
    size: int
    seats: int
    drawn: int
    gap: int
    last: int | None


class Past(Struct, frozen=True, kw_only=True):
    """What was true of a provider before it changed: entries (until when, kind, values), oldest first, and settings with their ends."""

    since: int
    entries: Sequence[tuple[int, ...]] = ()
    settings: Sequence[tuple[int, ProviderSettings]] = ()


class Asked(Struct, frozen=True):
    """When he was asked: in which round, at which moment, and whether he was drawn as a newcomer (R6)."""

    round: int
    at: int
    drawn: bool = False


class Verdict(Struct, frozen=True, kw_only=True):
    """What a decision was for one provider: asked, left_out (by ``reasons``), outranked, held_back (R7), not_there (he came later)."""

    what: str
    text: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    bucket: int = 0


def decisions_of(raw: bytes, opened_at: int) -> list[Decision]:
    """The rows of a booking's record."""
    return [
        Decision(
            at=opened_at + since, wave=wave, round=round_,
            fill=bool(what & FILL), without_behind=bool(what & WITHOUT_BEHIND), skipped=bool(what & SKIPPED),
            size=size, seats=seats, drawn=drawn, gap=gap * 1_000, last=None if last == NOBODY else last,
        )
        for since, wave, what, round_, size, seats, drawn, gap, last in ROW.iter_unpack(raw)
    ]  # fmt: skip


def as_of(person: Person, bucket: int, past: Past, moment: int, *, client: int, cap: int) -> tuple[Person, int] | None:
    """A provider, and his bucket, as he was at a moment; None: he was not there yet. ``person`` and ``bucket`` are what he is now."""
    if past.since > moment:
        return None
    later = [entry for entry in past.entries if entry[0] > moment]
    settings = next((one for until, one in past.settings if until > moment), person.settings)
    bucket = next((entry[2] for entry in later if entry[1] == RANK), bucket)
    blocked = next((entry[3] == 1 for entry in later if entry[1] == BLOCK and entry[2] == client), person.blocked)
    shape = from_model(settings.zone) if settings is not person.settings else person.shape
    known = replace(person, settings=settings, shape=shape, visits=_visits(person.visits, later), blocked=blocked, behind=bucket >= RANKS)
    flags = next((entry[2] for entry in later if entry[1] == FLAGS), None)
    return _flagged(known, flags, cap), bucket


def _visits(held: Sequence[Span], later: Sequence[tuple[int, ...]]) -> tuple[Span, ...]:
    """The visits he held before these entries."""
    visits = list(held)
    for _, kind, *values in reversed(later):
        if kind == VISIT and Span(values[0], values[1]) in visits:
            visits.remove(Span(values[0], values[1]))
        elif kind == FREED:
            visits.append(Span(values[0], values[1]))
    return tuple(visits)


def _flagged(person: Person, flags: int | None, cap: int) -> Person:
    """With the flags he had; None: those he has."""
    if flags is None:
        return person
    status = "approved" if not flags & NOT_APPROVED else "inactive"
    return replace(
        person, settings=replace(person.settings, status=status), reachable=not flags & UNREACHABLE, available=not flags & OFF,
        paused=bool(flags & PAUSED), live=cap if flags & CAP else 0,
    )  # fmt: skip


def judge(decision: Decision, query: Query, then: tuple[Person, int] | None, asked: Collection[Asked], settings: MarketSettings) -> Verdict:
    """What a decision was for a provider who was as ``then`` says. ``query``: what the booking asked at that moment."""
    mine = next((one for one in asked if one.round == decision.round and one.at == decision.at), None)
    if mine is not None:
        return Verdict(what="asked", text=(_asked(decision, mine),), bucket=then[1] if then else 0)
    if then is None:
        return Verdict(what="not_there", text=("you were not registered yet",), bucket=2 * RANKS)
    person, bucket = then
    before = any(one.round == decision.round and one.at < decision.at for one in asked)
    fit = fits(replace(query, gap=decision.gap), replace(person, asked=before), settings, decision.at)
    if not fit:
        return Verdict(what="left_out", text=tuple(WORDS[reason] for reason in fit.reasons), reasons=fit.reasons, bucket=bucket)
    if person.behind and decision.without_behind:
        return Verdict(what="held_back", text=(BEHIND,), bucket=bucket)
    return Verdict(what="outranked", text=(_outranked(decision, bucket),), bucket=bucket)


def _asked(decision: Decision, mine: Asked) -> str:
    begin = f"you were asked in wave {decision.wave}: you fitted, and "
    if mine.drawn:
        return begin + "one of the seats kept for newcomers was yours by lot"
    if decision.skipped:
        return begin + "nobody came before you, though all others do: your score for this trade is below the market's minimum"
    return begin + "it was your turn by tier, score and time since last asked"


def _outranked(decision: Decision, bucket: int) -> str:
    """Why one who fitted got no seat."""
    if decision.last is None:
        return "you fitted; the seats of this wave were kept for newcomers, and went to others by lot"
    kept = "; a seat of this wave was kept for newcomers, and went to another by lot" if decision.drawn else ""
    return f"you fitted; {_first(decision.last, bucket)}{kept}"


def _first(last: int, bucket: int) -> str:
    """Who came first, where the last seat by rank went to a bucket."""
    if bucket >= RANKS > last:
        return BEHIND
    if bucket // STEPS > last // STEPS:
        return "others come first: providers of a higher tier"
    if bucket >= last:
        return "others come first: those of your tier with a better score, or who had waited longer"
    return "among the many who did it was not your turn yet"


def windows_at(timeline: Sequence[Mapping[str, Any]], moment: int) -> tuple[Span, ...]:
    """The windows a booking had at a moment, from its events."""
    told = [event["windows"] for event in timeline if event["at"] <= moment and event.get("windows")]
    return tuple(Span(*window) for window in told[-1]) if told else ()


def asked_of(timeline: Sequence[Mapping[str, Any]], decisions: Sequence[Decision], pno: int) -> list[Asked]:
    """When a provider was asked, from the events of the booking. A wave belongs to the round of the last decision before it."""
    sent = [event for event in timeline if event["type"] == "WaveSent" and pno in event["asked"]]
    rounds = [next((one.round for one in reversed(decisions) if one.at <= event["at"]), 1) for event in sent]
    return [Asked(round_, event["at"], pno in (event.get("drawn") or ())) for round_, event in zip(rounds, sent, strict=True)]


def took_seat(events: Sequence[Mapping[str, Any]], pno: int) -> bool:
    """Whether he was asked because he came online, was freed, or widened his settings while a seat was free (R18), and not in his turn."""
    sent = [event["kind"] for event in events if event["type"] == "WaveSent" and pno in event["asked"]]
    return bool(sent) and sent[-1] == "seat"


OUT_OF_TURN = {  # why somebody was asked for whom no wave was decided, by the kind of his proposal
    "direct": "you were asked before all others: the client chose you",
    "bonus": "you were asked in wave {wave} although you do not quite fit, as nobody else was left; it costs nothing to say no",
}
APPEARED = "you were asked when you came online, were freed or widened your settings: wave {wave} had a seat that nobody held"


def _why_asked(asked: Mapping[str, Any], mine: Sequence[Verdict], marks: Sequence[str]) -> list[str]:
    if asked["kind"] in OUT_OF_TURN:
        return [OUT_OF_TURN[asked["kind"]].format(wave=asked["wave"]), *marks]
    if asked.get("appeared"):
        return [APPEARED.format(wave=asked["wave"])]
    return list(mine[-1].text) if mine else [f"you were asked in wave {asked['wave']}"]


def in_short(
    asked: Mapping[str, Any] | None, rows: Sequence[tuple[Decision, Verdict]], now: Fit, state: str, marks: Sequence[str] = ()
) -> dict[str, Any]:
    """The answer in short: how he was asked, else what the last decision was for him; as things are now where nothing was decided yet.
    ``marks``: what marked his proposal."""
    told = [verdict for _, verdict in rows if verdict.what != "not_there"]
    if asked:
        mine = [verdict for verdict in told if verdict.what == "asked"]
        return {"asked": asked, "reasons": [], "text": _why_asked(asked, mine, marks)}
    if told:
        return {"asked": None, "reasons": [reason.value for reason in told[-1].reasons], "text": list(told[-1].text)}
    if now:
        over = "the search is over; you were not asked, though as things are now you would fit"
        return {"asked": None, "reasons": [], "text": ["you fit; others come first" if state == "searching" else over]}
    return {"asked": None, "reasons": [reason.value for reason in now.reasons], "text": [WORDS[reason] for reason in now.reasons]}
