"""How bookings, proposals and events look from outside: numbers become ids, ms become RFC 3339 in the market's zone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch import waves
from dispatch.model import Span
from dispatch.responses import Times, response_ms
from dispatch.store import Counteroffer, Listed, Market, Proposal, Record, Trial

Ids = Mapping[int, str]
REPORT = "report:"  # what the store puts before the number of a provider who reported something
OF_PROVIDERS = ("asked", "approved", "drawn")  # fields of events that are numbers of providers
MOMENTS = ("at", "due", "ready", "deadline", "answer_by", "decides_at", "expires")  # fields of events that are moments


def clock_of(time_zone: str) -> Callable[[int | None], str | None]:
    """Turns ms into RFC 3339 with milliseconds in that zone; 0 and None (not yet) into None."""
    zone = ZoneInfo(time_zone)
    return lambda ms: datetime.fromtimestamp(ms / 1_000, zone).isoformat(timespec="milliseconds") if ms else None


def plan_face(planned: Sequence[waves.PlannedWave], time_zone: str) -> list[dict[str, Any]]:
    """A plan of waves."""
    at = clock_of(time_zone)
    return [{"wave": wave.wave, "size": wave.size, "at": at(wave.at)} for wave in planned]


def window_face(window: Span, time_zone: str) -> dict[str, Any]:
    """A window."""
    at = clock_of(time_zone)
    return {"start": at(window.start), "end": at(window.end)}


def booking_face(
    record: Record, ids: Ids, market: Market, next_wave_at: int | None, offered: Sequence[Counteroffer] = ()
) -> dict[str, Any]:
    """GET of a booking."""
    time_zone, cap_ms = market.settings.time_zone, market.settings.response_cap_s * 1_000
    at, who = clock_of(time_zone), record.who
    return {
        "booking_id": who.get("booking_id"),
        "client_id": who.get("client_id"),
        "place": _place(who),
        "services": list(record.services),
        "windows": [window_face(window, time_zone) for window in record.windows],
        "price_cents": record.price,
        "currency": record.currency,
        "preferred_provider_id": who.get("preferred"),
        "link": who.get("link"),
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
        "counteroffers": [counteroffer_face(record, one, ids, market) for one in offered],
        "alarm": record.alarm,
        "reports": reports_face(record, ids, at),
        "taken_over": {"by": who.get("owner"), "at": at(record.taken_at), "reason": who.get("owner_why", "")} if record.owner else None,
        "offers": list(waves.choices(market.settings, (window.start for window in record.windows), market.now))
        if record.state == "unfilled"
        else [],
    }


def counteroffer_face(record: Record, one: Counteroffer, ids: Ids, market: Market) -> dict[str, Any]:
    """A counteroffer within its booking. One whose time is over has expired, though nobody may have come by yet to say so."""
    at, over = clock_of(market.settings.time_zone), one.state in ("held", "shown") and one.expires_at <= market.now
    return {
        "counteroffer_id": f"{record.no}.{one.number}",
        "provider_id": ids.get(one.pno),
        "windows": [window_face(window, market.settings.time_zone) for window in one.windows],
        "note": record.who.get(f"offer:{one.number}", ""),
        "state": "expired" if over else one.state,
        "made_at": at(one.made_at),
        "expires_at": at(one.expires_at),
        "closed_at": at(one.closed_at),
    }


def _place(who: Mapping[str, str]) -> dict[str, Any] | None:
    """The exact place, unless it was erased."""
    if "lat" not in who:
        return None
    exact = {"lat": int(who["lat"]) / 1e6, "lng": int(who["lng"]) / 1e6}
    return {**exact, "address": who["address"]} if who.get("address") else exact


def _sent(item: tuple[int, Proposal]) -> tuple[int, int]:
    return item[1].sent_at, item[0]


def reports_face(record: Record, ids: Ids, at: Callable[[int | None], str | None]) -> list[dict[str, Any]]:
    """What providers reported of their proposals, or of the client (R25), oldest first."""
    found = []
    for name, said in record.who.items():
        if name.startswith(REPORT):
            moment, _, reason = said.partition(" ")
            found.append((int(moment), int(name.removeprefix(REPORT)), reason))
    return [{"provider_id": ids.get(pno), "at": at(moment), "reason": reason} for moment, pno, reason in sorted(found)]


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
        "reason": p.reason or (record.who.get(f"no:{pno}") if p.state == "refused" else None),
        "reasons": list(record.reasons.get(pno, ())),
        "sent_at": at(p.sent_at),
        "answer_by": at(p.answer_by),
        "received_at": at(p.received_at),
        "seen_at": at(p.seen_at),
        "answered_at": at(p.answered_at),
        "response_ms": None if p.kind == "bonus" and p.state != "accepted" else response_ms(times_of(p), cap_ms),
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


def follow_up_face(listed: Listed, provider_id: str, time_zone: str) -> dict[str, Any]:
    """What a provider asked of ops."""
    at, one = clock_of(time_zone), listed.one
    return {
        "follow_up_id": str(listed.number),
        "kind": one.kind,
        "provider_id": provider_id,
        "text": listed.words,
        "state": "done" if one.done_at else "open",
        "asked_at": at(one.at),
        "done_at": at(one.done_at),
        "done_by": one.by or None,
    }


def numbers_in(events: Sequence[Mapping[str, Any]]) -> list[int]:
    """Every provider number that events speak of."""
    found = {event[name] for event in events for name in ("p", "instead") if event.get(name) is not None}
    return sorted(found.union(*(event[name] for event in events for name in OF_PROVIDERS if name in event)))


def event_face(event: Mapping[str, Any], ids: Ids, time_zone: str) -> dict[str, Any]:
    """An event on a timeline."""
    at = clock_of(time_zone)
    face: dict[str, Any] = {"seq": event["seq"], "at": at(event["at"]), "type": event["type"]}
    for name, value in event.items():
        if name == "p":
            face["provider_id"] = ids.get(value)
        elif name == "instead":
            face["instead"] = ids.get(value)
        elif name in OF_PROVIDERS:
            face[name] = [ids.get(pno) for pno in value]
        elif name == "visit":
            face["visit"] = window_face(Span(*value), time_zone)
        elif name == "windows":
            face["windows"] = [window_face(Span(*window), time_zone) for window in value]
        elif name == "offer":
            face["counteroffer_id"] = f"{event['b']}.{value}"
        elif name in MOMENTS:
            face[name] = at(value)
        elif name not in ("b", "client", "seq", "type"):
            face[name] = value
    return face
