"""How bookings, proposals and events look from outside: numbers become ids, ms become RFC 3339 in the market's zone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.model import MarketSettings, Span
from dispatch.responses import Times, response_ms
from dispatch.store import Proposal, Record, Trial
from dispatch.waves import PlannedWave

Ids = Mapping[int, str]
MOMENTS = ("at", "due", "ready", "deadline", "answer_by")  # fields of events that are moments
LISTS = ("asked", "drawn")  # those that are providers


def clock_of(time_zone: str) -> Callable[[int | None], str | None]:
    """Turns ms into RFC 3339 with milliseconds in that zone; 0 and None (not yet) into None."""
    zone = ZoneInfo(time_zone)
    return lambda ms: datetime.fromtimestamp(ms / 1_000, zone).isoformat(timespec="milliseconds") if ms else None


def plan_face(planned: Sequence[PlannedWave], time_zone: str) -> list[dict[str, Any]]:
    """A plan of waves."""
    at = clock_of(time_zone)
    return [{"wave": wave.wave, "size": wave.size, "at": at(wave.at)} for wave in planned]


def window_face(window: Span, time_zone: str) -> dict[str, Any]:
    """A window."""
    at = clock_of(time_zone)
    return {"start": at(window.start), "end": at(window.end)}


def booking_face(record: Record, ids: Ids, settings: MarketSettings, next_wave_at: int | None) -> dict[str, Any]:
    """GET of a booking."""
    time_zone, cap_ms = settings.time_zone, settings.response_cap_s * 1_000
    at, who = clock_of(time_zone), record.who
    return {
        "booking_id": who.get("booking_id"),
        "client_id": who.get("client_id"),
        "place": _place(who),
        "services": list(record.services),
        "windows": [window_face(window, time_zone) for window in record.windows],
        "price_cents": record.price,
        "currency": record.currency,
        "preferred_provider_id": None,
        "link": None,
        "note": who.get("note", ""),
        "state": record.state,
        "urgency": record.urgency.value,
        "version": record.version,
        "opened_at": at(record.opened_at),
        "deadline": at(record.deadline),
        "provider_id": ids.get(record.winner) if record.winner is not None else None,
        "window": record.window,
        "wave": record.wave,
        "next_wave_at": at(next_wave_at),
        "seed": record.seed,
        "proposals": [proposal_face(record, pno, p, ids, at, cap_ms) for pno, p in sorted(record.proposals.items(), key=_sent)],
        "counteroffers": [],
    }


def _place(who: Mapping[str, str]) -> dict[str, Any] | None:
    """The exact place, unless it was erased."""
    if "lat" not in who:
        return None
    exact = {"lat": int(who["lat"]) / 1e6, "lng": int(who["lng"]) / 1e6}
    return {**exact, "address": who["address"]} if who.get("address") else exact


def _sent(item: tuple[int, Proposal]) -> tuple[int, int]:
    return item[1].sent_at, item[0]


def times_of(p: Proposal) -> Times:
    """A proposal's moments, for the clock of its answer (R22)."""
    return Times(
        sent_at=p.sent_at, answer_by=p.answer_by, received_at=p.received_at, seen_at=p.seen_at, answered_at=p.answered_at,
        stale=(p.state == "open" and not p.live) or p.ended_at > p.answer_by,
    )  # fmt: skip


def proposal_face(record: Record, pno: int, p: Proposal, ids: Ids, at: Callable[[int | None], str | None], cap_ms: int) -> dict[str, Any]:
    """A proposal within its booking."""
    return {
        "proposal": f"{record.no}.{p.round}.{pno}",
        "provider_id": ids.get(pno),
        "wave": p.wave,
        "kind": p.kind,
        "state": p.state,
        "reason": p.reason or record.who.get(f"no:{pno}"),
        "sent_at": at(p.sent_at),
        "answer_by": at(p.answer_by),
        "received_at": at(p.received_at),
        "seen_at": at(p.seen_at),
        "answered_at": at(p.answered_at),
        "response_ms": response_ms(times_of(p), cap_ms),
        "live": p.live == 1,
    }


def trial_face(pno: int, trial: Trial, time_zone: str) -> dict[str, Any]:
    """A test of a provider's notifications, and its receipts."""
    at = clock_of(time_zone)
    return {
        "proposal": f"0.{trial.round}.{pno}",
        "state": trial.state,
        "sent_at": at(trial.sent_at),
        "expires_at": at(trial.expires_at),
        "received_at": at(trial.received_at),
        "seen_at": at(trial.seen_at),
        "answered_at": at(trial.answered_at),
        "receipts": [
            {
                "way": one.way,
                "device": one.device or None,
                "received_at": at(one.received_at),
                "seen_at": at(one.seen_at),
                "outcome": one.outcome or None,
            }
            for one in trial.receipts
        ],
    }


def numbers_in(events: Sequence[Mapping[str, Any]]) -> list[int]:
    """Every provider number that events speak of."""
    found = {event["p"] for event in events if "p" in event}
    return sorted(found.union(*(event[name] for event in events for name in LISTS if name in event)))


def event_face(event: Mapping[str, Any], ids: Ids, time_zone: str) -> dict[str, Any]:
    """An event on a timeline."""
    at = clock_of(time_zone)
    face: dict[str, Any] = {"seq": event["seq"], "at": at(event["at"]), "type": event["type"]}
    for name, value in event.items():
        if name == "p":
            face["provider_id"] = ids.get(value)
        elif name in LISTS:
            face[name] = [ids.get(pno) for pno in value]
        elif name == "windows":
            face["windows"] = [window_face(Span(*window), time_zone) for window in value]
        elif name in MOMENTS:
            face[name] = at(value)
        elif name not in ("b", "client", "seq", "type"):
            face[name] = value
    return face
