"""What must be true of a market at any moment, whatever has happened to it. Each check names what it found wrong."""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha1
from itertools import combinations
from typing import Any

import msgspec
from redis import Redis

from dispatch import events, history
from dispatch.engine.desk import Desk
from dispatch.engine.requests import MatchRequest
from dispatch.model import BookingRequest, Span
from dispatch.store import Counteroffer, Record, Store
from dispatch.store.footprint import shelf_of
from dispatch.store.keys import key
from tests.store.recount import askable, recount, said

ENTRY = struct.Struct(">Iii")  # of a list of vacancies: booking, and where it is
KEPT = ("accepted", "completed", "no_show")  # states in which a visit stands in its holder's diary


async def faults(store: Store, market: str, redis_url: str) -> list[str]:
    """Everything that is wrong with a market; nothing when it is sound."""
    gauges = said(await store.gauges.read(market))
    with Redis.from_url(redis_url) as client:
        numbers = {name.decode(): int(value) for name, value in client.hgetall(key("numbers", market)).items()}
        bookings = range(1, numbers.get("booking", 0) + 1)
        records = await store.bookings.records(market, bookings) if bookings else []
        people = range(1, numbers.get("provider", 0) + 1)
        found = [
            *_differences("gauge", gauges, await recount(store, market, redis_url)),
            *(f"gauge {name} is {value}" for name, value in gauges.items() if value < 0),
            *(fault for record in records for fault in _of_booking(client, market, record)),
            *(fault for pno in people for fault in _of_provider(client, market, pno, records)),
            *_of_timers(client, market, records),
            *_of_alarms(client, market, records),
            *_of_hands(client, market, records),
            *_of_vacancies(client, market, records),
            *_of_counteroffers(client, market, records),
            *_of_queues(client, market, people),
            *_of_pushes(client, market, people, records),
        ]
        streamed = _streamed(client, market)
        for record in records:
            found += _of_history(
                record,
                await store.bookings.timeline(market, record.no),
                streamed[record.no],
                await store.counteroffers.of(market, record.no),
            )
    return found


def _differences(what: str, left: dict[Any, Any], right: dict[Any, Any]) -> Iterator[str]:
    for name in sorted(left.keys() | right.keys(), key=str):
        if left.get(name, 0) != right.get(name, 0):
            yield f"{what} {name}: said {left.get(name, 0)}, counted {right.get(name, 0)}"


def _of_booking(client: "Redis", market: str, record: Record) -> Iterator[str]:
    """Its seats, its winner, and who may still hold a proposal."""
    name = f"booking {record.no} ({record.state})"
    states = Counter(p.state for p in record.proposals.values())
    seated = sum(1 for p in record.proposals.values() if p.live and not p.replaced)
    live = int(client.hget(key("booking", market, record.no), "live") or 0)
    if live != seated:
        yield f"{name}: says {live} live, {seated} hold a seat"
    if record.state != "searching" and states["open"] + states["countered"]:
        yield f"{name}: {states['open']} open proposals, {states['countered']} countered"
    if states["accepted"] != (record.winner is not None):
        yield f"{name}: {states['accepted']} accepted, winner {record.winner}"
    if (record.state == "taken_over") != (record.owner is not None):
        yield f"{name}: owner {record.owner}"
    if (record.state in KEPT and record.winner is None) or (record.state in ("searching", "unfilled") and record.winner is not None):
        yield f"{name}: winner {record.winner}"
    if (record.decides_at is not None) != bool(client.exists(key("claims", market, record.no))):
        yield f"{name}: decides at {record.decides_at}, its claims say otherwise"
    if record.decides_at is not None and record.state != "searching":
        yield f"{name}: waits for a decision"
    if any(p.live and p.state != "open" for p in record.proposals.values()):
        yield f"{name}: a closed proposal is live"


def _of_alarms(client: "Redis", market: str, records: list[Record]) -> Iterator[str]:
    """Ops are called to what wants them, and to nothing else; a client's bookings are known until they are over."""
    listed = [name.decode() for name in client.zrange(key("alarms", market), 0, -1) if not name.startswith(b"overdue:")]
    wanted = {f"{record.alarm}:{record.no}": 1 for record in records if record.alarm}
    yield from _differences("alarm", dict.fromkeys(listed, 1), wanted)
    for record in records:
        if record.alarm and record.state not in (("no_show",) if record.alarm == "no_show" else ("accepted", "taken_over")):
            yield f"booking {record.no} ({record.state}): its alarm is {record.alarm}"
        known = bool(client.sismember(key("bookings_of", market, record.client), record.no))
        if known != (record.state not in ("cancelled", "completed")):
            yield f"booking {record.no} ({record.state}): its client's list says {known}"


def _of_timers(client: "Redis", market: str, records: list[Record]) -> Iterator[str]:
    """A booking that searches is looked at by its deadline, and no other one is."""
    timers = {int(bno): score for bno, score in client.zrange(key("due", market), 0, -1, withscores=True)}
    searching = {record.no: record.deadline for record in records if record.state == "searching"}
    yield from (f"booking {bno}: a timer of nothing" for bno in timers.keys() - searching.keys())
    yield from (f"booking {bno}: nobody looks at it" for bno in searching.keys() - timers.keys())
    yield from (f"booking {bno}: looked at after its deadline" for bno, due in searching.items() if timers.get(bno, due) > due)


def _of_hands(client: "Redis", market: str, records: list[Record]) -> Iterator[str]:
    """What ops have in their hands has its moment, and an alarm when that was told."""
    taken = {int(bno): score for bno, score in client.zrange(key("taken", market), 0, -1, withscores=True)}
    alarmed = {int(name.partition(b":")[2]) for name in client.zrange(key("alarms", market), 0, -1) if name.startswith(b"overdue:")}
    if taken.keys() != {record.no for record in records if record.state == "taken_over"}:
        yield f"bookings {sorted(taken)} are in the hands of ops, as it is said"
    if alarmed != {bno for bno, score in taken.items() if score == float("inf")}:
        yield f"alarms for {sorted(alarmed)}, moments {taken}"


def _of_vacancies(client: "Redis", market: str, records: list[Record]) -> Iterator[str]:
    """The lists name each booking that searches and has vacancies, at each of its places, and nothing else."""
    there = {record.no for record in records if record.state == "searching" and record.vacant > 0}
    yield from (f"booking {r.no} ({r.state}): {r.vacant} vacant" for r in records if r.vacant < 0 or (r.vacant and r.no not in there))
    briefs = {int(no): msgspec.msgpack.decode(raw) for no, raw in client.hgetall(key("v_briefs", market)).items()}
    yield from _differences("brief of booking", dict.fromkeys(briefs, 1), dict.fromkeys(there, 1))
    right = Counter((brief[4][0], place, (no, *brief[1:3])) for no, brief in briefs.items() for place in brief[0])
    services = [service.decode() for service in client.smembers(key("v_services", market))]
    places = [(service, place.decode()) for service in services for place in client.smembers(key("v_places", market, service))]
    found = Counter((*where, ENTRY.unpack(one)) for where in places for one in client.zrange(key("v_list", market, *where), 0, -1))
    yield from _differences("vacancy", found, right)
    for record in records:
        if record.no in briefs and [tuple(window) for window in briefs[record.no][5]] != [(w.start, w.end) for w in record.windows]:
            yield f"booking {record.no}: the brief of its vacancies has other windows"


OPEN = ("held", "shown")  # a counteroffer that can still come to something


def counteroffers(client: "Redis", market: str, bno: int) -> list[Counteroffer]:
    """Those of a booking."""
    return [msgspec.msgpack.decode(raw, type=Counteroffer) for raw in client.hvals(key("counteroffers", market, bno))]


def offered_by(client: "Redis", market: str, pno: int, records: Iterable[Record]) -> set[str]:
    """The counteroffers that are open for a provider, as his list names them."""
    return {
        f"c{record.no}" for record in records for one in counteroffers(client, market, record.no) if one.pno == pno and one.state in OPEN
    }


def _of_counteroffers(client: "Redis", market: str, records: Iterable[Record]) -> Iterator[str]:
    """One of a provider at most is open, of a booking that nobody has; it is counted, and ended in time."""
    timers = {member.decode(): score for member, score in client.zrange(key("counter_due", market), 0, -1, withscores=True)}
    right: dict[str, int] = {}
    for record in records:
        offered = [one for one in counteroffers(client, market, record.no) if one.state in OPEN]
        right |= {f"{record.no}.{one.number}": one.expires_at for one in offered}
        if len({one.pno for one in offered}) < len(offered):
            yield f"booking {record.no}: somebody has two open counteroffers"
        if offered and record.state not in ("searching", "unfilled"):
            yield f"booking {record.no} ({record.state}): {len(offered)} open counteroffers"
        said = [int(client.hget(key("booking", market, record.no), name) or 0) for name in ("offers", "held")]
        if said != [len(offered), sum(one.state == "held" for one in offered)]:
            yield f"booking {record.no}: says {said} counteroffers open and held, has {offered}"
        if any(one.state == "held" for one in offered) and not any(p.live for p in record.proposals.values()):
            yield f"booking {record.no}: a counteroffer is held back for nobody"
    yield from _differences("end of the counteroffer", timers, right)


def _of_provider(client: "Redis", market: str, pno: int, records: list[Record]) -> Iterator[str]:
    """His cap, his diary, what he sees, and his bit in the index."""
    facts = client.hgetall(key("provider", market, pno))
    gap, cap = (int(value) for value in client.hmget(key("market", market), "gap", "cap"))
    mine = [(record, record.proposals[pno]) for record in records if pno in record.proposals]
    live = sum(p.live for _, p in mine)
    bound = sum(p.live for _, p in mine if p.kind != "direct")  # who is chosen is asked beyond his cap (R28)
    if live != int(facts[b"live"]) or bound > cap:
        yield f"provider {pno}: says {int(facts[b'live'])} live of {cap}, has {live}"
    mine_to_keep = [record for record in records if record.state in (*KEPT, "taken_over") and record.winner == pno]
    kept = {record.no: record.windows[record.window or 0] for record in mine_to_keep}
    if diary(client, market, pno) != kept:
        yield f"provider {pno}: his diary says {diary(client, market, pno)}, he holds {kept}"
    held = {record.no: kept[record.no] for record in mine_to_keep if record.state in ("accepted", "taken_over")}
    yield from (f"provider {pno}: visits {one} and {two}" for one, two in combinations(held.values(), 2) if one.overlaps(two, gap))
    shown = {name.decode() for name in client.hkeys(key("open", market, pno))}
    right = (
        {f"p{record.no}" for record, p in mine if p.state in ("open", "countered")}
        | offered_by(client, market, pno, records)
        | {f"b{bno}" for bno in held}
    )
    right |= {"t"} if client.zscore(key("trials", market), pno) is not None else set()
    if shown != right:
        yield f"provider {pno}: sees {sorted(shown)}, should see {sorted(right)}"
    slot, bucket = int(facts[b"slot"]), int(facts[b"bucket"])
    record = key("x_records", market, shelf_of(bucket), slot // 4096)
    (asked,) = struct.unpack("<d", client.getrange(record, slot % 4096 * 32 + 4, slot % 4096 * 32 + 11))
    waiting = client.zscore(key("x_waiting", market, bucket), struct.pack(">II", pno, slot))
    if waiting != asked:
        yield f"provider {pno}: was asked at {asked}, waits since {waiting}"
    bit = bool(client.getbit(key("x_askable", market, shelf_of(bucket)), slot))
    should = askable(facts, bool(client.exists(key("links", market, pno))), cap)
    if bit != should or (facts[b"askable"] == b"1") != should:
        yield f"provider {pno}: askable is {bit}, should be {should}"


def _of_queues(client: "Redis", market: str, people: Sequence[int]) -> Iterator[str]:
    """Everybody waits in one step."""
    queues = client.keys(key("x_waiting", market, "*"))
    waiting = Counter(struct.unpack(">II", member)[0] for name in queues for member in client.zrange(name, 0, -1))
    yield from _differences("places in a queue of", waiting, dict.fromkeys(people, 1))


def _state_of_test(client: "Redis", market: str, pno: int) -> str:
    state: str = msgspec.msgpack.decode(client.hget(key("proposals", market, 0), pno))[0]
    return state


def _of_pushes(client: "Redis", market: str, people: Sequence[int], records: list[Record]) -> Iterator[str]:
    """What is owed by push is looked at in time, and is of a proposal that is open or has just ended; who has an address is reachable."""
    looked_at = {member.decode(): score for member, score in client.zrange(key("push_due", market), 0, -1, withscores=True)}
    owed: dict[str, int] = {}
    owners: dict[bytes, bytes] = {}
    for pno in people:
        addresses = client.hgetall(key("addresses", market, pno))
        owners |= {
            sha1(msgspec.msgpack.decode(kept)[1].encode()).hexdigest().encode(): f"{pno}:{device.decode()}".encode()
            for device, kept in addresses.items()
        }
        if bool(addresses) != (client.hget(key("provider", market, pno), "push") == b"1"):
            yield f"provider {pno}: has {len(addresses)} push addresses, his flag says otherwise"
        for bno, raw in client.hgetall(key("pushes", market, pno)).items():
            kept = msgspec.msgpack.decode(raw)
            state = records[int(bno) - 1].proposals[pno].state if int(bno) else _state_of_test(client, market, pno)
            if (state in ("open", "countered")) != (not kept.get("gone")):
                yield f"provider {pno}: a push of a proposal that is {state}: {kept}"
            if waiting := [one["due"] for one in kept["to"].values() if one["state"] != "sent"]:
                owed[f"{pno}.{int(bno)}"] = min(waiting)
            elif kept.get("gone"):
                yield f"provider {pno}: a push of booking {int(bno)} is remembered for nothing"
    yield from _differences("push due", looked_at, owed)
    yield from _differences("owner of the address", client.hgetall(key("address_owners", market)), owners)


def diary(client: "Redis", market: str, pno: int) -> dict[int, Span]:
    """The visits a provider holds, by booking."""
    parts = [[int(part) for part in visit.split(b":")] for visit in client.zrange(key("visits", market, pno), 0, -1)]
    return {bno: Span(start, end) for bno, start, end in parts}


def _streamed(client: "Redis", market: str) -> dict[int | None, list[events.AnyEvent]]:
    """The market's stream by booking, in order; read once, as it is long."""
    found: dict[int | None, list[events.AnyEvent]] = defaultdict(list)
    for _, fields in client.xrange(key("events", market)):
        event = events.decode(fields[b"e"])
        found[getattr(event, "b", None)].append(event)
    return found


def _of_history(
    record: Record, timeline: list[dict[str, Any]], streamed: list[events.AnyEvent], offered: Sequence[Counteroffer]
) -> Iterator[str]:
    """The events of a booking fold into its state (P9), and are those of the market's stream."""
    story = [events.decode(msgspec.msgpack.encode(event)) for event in timeline]
    if story != streamed:
        yield f"booking {record.no}: its timeline is not what the stream says"
    told, stored = history.state_of(story), view_of(record, offered)
    for name in told.__struct_fields__:
        if getattr(told, name) != getattr(stored, name):
            yield f"booking {record.no}: {name} is {getattr(stored, name)}, its history says {getattr(told, name)}"


async def strangers(desk: Desk, market: str, ids: Iterable[str], request: BookingRequest) -> list[str]:
    """Those of whom the match index and the pure filters disagree whether they fit; visits, held or given back, bits and all."""
    asked = msgspec.structs.asdict(request) | {"explain": True, "explain_ids": tuple(ids)}
    found = await desk.match(market, MatchRequest(**asked))
    fitting = {one["provider_id"] for one in found["candidates"]}
    left_out = {one["provider_id"] for one in found["left_out"]["providers"]}
    return sorted(set(ids) ^ fitting ^ left_out)


def view_of(record: Record, offered: Sequence[Counteroffer] = ()) -> history.BookingView:
    """A stored booking, as far as a history tells it. The winner of a cancelled one is remembered, as in its history."""
    return history.BookingView(
        state=record.state,
        deadline=record.deadline,
        windows=tuple((window.start, window.end) for window in record.windows),
        version=record.version,
        wave=record.wave,
        winner=record.winner,
        window=record.window,
        counteroffers={one.number: one.state for one in offered},
        proposals={
            pno: history.ProposalView(
                state=p.state, wave=p.wave, live=p.live == 1, seated=p.live == 1 and not p.replaced,
                received=p.received_at > 0, seen=p.seen_at > 0,
            )
            for pno, p in record.proposals.items()
        },
    )  # fmt: skip
