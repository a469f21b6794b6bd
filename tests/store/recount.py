"""What the gauges of a market should say, counted anew from its bookings, proposals, providers and events (P12)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from redis import Redis

from dispatch import events
from dispatch.model import MarketSettings
from dispatch.store import Record, Store
from dispatch.store.keys import key

BY_TYPE = {
    events.Opened: "count.opened",
    events.Accepted: "count.accepted",
    events.AcceptedTooLate: "count.accepts_late",
    events.Refused: "count.refused",
    events.Received: "count.received",
    events.Seen: "count.seen",
    events.Unfilled: "count.unfilled",
    events.Cancelled: "count.cancelled",
    events.Reopened: "count.reopened",
    events.TestSent: "count.tests",
    events.Moved: "count.moved",
    events.Completed: "count.completed",
    events.NoShow: "count.no_shows",
    events.Late: "count.late",
    events.SearchedAgain: "count.replacements",
    events.Reported: "count.reports",
    events.Paused: "count.paused",
    events.TakenOver: "count.taken_over",
    events.HandedBack: "count.handed_back",
    events.AskedAgain: "count.asked_again",
    events.Extended: "count.extended",
    events.Overdue: "count.overdue",
    events.Countered: "count.countered",
    events.CounterofferAccepted: "count.counteroffers_accepted",
}
SENT = {
    "wave": "count.waves",
    "fill": "count.fills",
    "seat": "count.fills",
    "direct": "count.directs",
    "bonus": "count.bonuses",
}
PUSHED = {outcome: f"count.pushes_{outcome}" for outcome in ("sent", "failed", "gone", "expired")}


async def recount(store: Store, market: str, redis_url: str) -> dict[str, int]:
    """Every gauge and counter that is not zero, by name."""
    with Redis.from_url(redis_url) as client:
        numbers = {name.decode(): int(value) for name, value in client.hgetall(key("numbers", market)).items()}
        records = await store.bookings.records(market, range(1, numbers.get("booking", 0) + 1)) if numbers.get("booking") else []
        found = of_events(happened(client, market)) + of_bookings(records) + of_providers(client, market, numbers.get("provider", 0))
        found += of_webhooks(client, market, records) + of_alarms(client, market)
        found["count.alarms"] += rung(client, market)
        found["follow_ups.open"] = client.zcard(key("follow_ups_open", market))
    return {name: count for name, count in found.items() if count}


def happened(client: "Redis", market: str) -> list[events.AnyEvent]:
    """All events of the market, in order."""
    return [events.decode(fields[b"e"]) for _, fields in client.xrange(key("events", market))]


def of_events(story: Iterable[events.AnyEvent]) -> Counter[str]:
    """The counters, and the time to accept."""
    counts: Counter[str] = Counter()
    opened: dict[int, int] = {}
    for event in story:
        if type(event) in BY_TYPE:
            counts[BY_TYPE[type(event)]] += 1
        match event:
            case events.Opened():
                opened[event.b] = event.at
            case events.WaveSent():
                counts[SENT[event.kind]] += 1
                counts["count.proposals"] += len(event.asked)
            case events.AskedAgain():
                counts["count.proposals"] += 1
            case events.Pushed():
                counts[PUSHED[event.outcome]] += 1
            case events.Accepted():
                counts["sum.accept_ms"] += event.at - opened[event.b]
    return counts


def rung(client: "Redis", market: str) -> int:
    """How often ops were called: by every no-show, and by those late enough."""
    settings = msgspec.json.decode(client.hget(key("market", market), "settings") or b"{}", type=MarketSettings)
    wait = settings.no_show_after_s * 1_000
    story = happened(client, market)
    late = [each for each in story if isinstance(each, events.Late) and max(each.after, (each.minutes or 0) * 60_000) >= wait]
    return len(late) + sum(isinstance(each, events.NoShow) for each in story)


def of_bookings(records: Iterable[Record]) -> Counter[str]:
    """Bookings and proposals by state."""
    counts: Counter[str] = Counter()
    for record in records:
        counts[f"bookings.{record.state}"] += 1
        if record.state == "searching":
            counts[f"searching.{record.urgency}"] += 1
        for proposal in record.proposals.values():
            counts[f"proposals.{proposal.state}"] += proposal.round == record.round
            counts["proposals.live"] += proposal.live
    return counts


def of_providers(client: "Redis", market: str, highest: int) -> Counter[str]:
    """Providers who are known, have a socket, can be asked."""
    cap = int(client.hget(key("market", market), "cap") or 0)
    counts: Counter[str] = Counter()
    for pno in range(1, highest + 1):
        facts = client.hgetall(key("provider", market, pno))
        online = bool(client.exists(key("links", market, pno)))
        counts["providers.known"] += bool(facts)
        counts["providers.online"] += online
        counts["providers.askable"] += askable(facts, online, cap)
    return counts


def askable(facts: dict[bytes, bytes], online: bool, cap: int) -> bool:
    """Whether somebody can be asked at all (R2)."""
    on = b"1"
    reachable = online or facts.get(b"push") == on
    willing = facts.get(b"off") != on and facts.get(b"paused") != on
    return facts.get(b"status") == b"approved" and reachable and willing and int(facts.get(b"live", 0)) < cap


def of_webhooks(client: "Redis", market: str, records: Iterable[Record]) -> Counter[str]:
    """Webhooks that are done with: those made, but those that wait; the dead ones stand aside."""
    made = sum(int(client.hget(key("booking", market, record.no), "hooks") or 0) for record in records)
    waiting = sum(client.llen(key("outbox", market, record.no)) for record in records)
    dead = client.xlen(key("dead", market))
    return Counter({"count.webhooks": made - waiting - dead, "count.webhooks_dead": dead})


def of_alarms(client: "Redis", market: str) -> Counter[str]:
    """Alarms by kind."""
    return Counter(f"alarms.{name.partition(b':')[0].decode()}" for name in client.zrange(key("alarms", market), 0, -1))


def said(gauges: dict[str, int]) -> dict[str, Any]:
    """What the gauges say, without those that stand at zero."""
    return {name: value for name, value in gauges.items() if value}
