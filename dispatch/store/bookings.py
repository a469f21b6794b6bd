"""Bookings: opening, their turns, their end, and what can be read of them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from dispatch.errors import NotFound
from dispatch.matcher import Query, tier_of
from dispatch.model import Span, Tier, Urgency
from dispatch.store.calls import Calls, answered, answering, decode, text
from dispatch.store.hands import Hand, plain_hand
from dispatch.store.keys import key
from dispatch.waves import Holder, Search, Step

TALLY = 400  # doubtful candidates looked at in one call
CENSUS = 400  # providers looked at in one call
WHOLE = ("rev", "round", "version", "opened_at", "paced_at", "deadline", "start", "wave", "price", "client")


class Proposal(Struct, frozen=True, array_like=True):
    """One provider's proposal. Moments are engine ms, 0: not yet. ``distance_m`` from the centre of his zone, -1 where it has none."""

    state: str
    wave: int
    kind: str
    round: int
    sent_at: int
    answer_by: int
    received_at: int
    seen_at: int
    answered_at: int
    reason: str | None
    seq: int
    live: int
    replaced: int
    distance_m: int
    windows: list[int]
    ended_at: int
    urgency: str = ""  # the class in which it was sent
    keen: float = 1.0  # how readily its provider accepts, as it was known then
    ease: float = 0.0  # with this and the next: habits.Yardstick
    usual_ms: float = 0.0


class Record(Struct, frozen=True, kw_only=True):
    """A booking as the store holds it. ``who``: what can be erased (outside ids, note, exact place). ``chosen`` and ``hold``: as in
    waves.Search. ``reasons``: what marks a provider's proposal; ``approved``: for whom ops have confirmed a bonus proposal;
    ``starving``: the last wave found nobody left.
    """

    no: int
    state: str
    rev: int
    round: int
    version: int
    urgency: Urgency
    opened_at: int
    paced_at: int
    tried: bool
    said_no: bool
    began_at: int
    deadline: int
    start: int
    wave: int
    windows: tuple[Span, ...]
    ends: tuple[int, ...]
    services: tuple[str, ...]
    area: Mapping[str, Any]
    price: int
    currency: str
    client: int
    query: Mapping[str, Any]
    winner: int | None
    window: int | None
    seed: int
    decides_at: int | None = None  # end of its fair window, while claims wait (R16)
    vacant: int = 0  # seats of its current wave that nobody could be asked for (R18)
    due: int | None
    alarm: str | None
    owner: str | None  # the key of whoever has it in his hands
    taken_at: int | None
    who: Mapping[str, str]
    proposals: Mapping[int, Proposal]
    chosen: int = 0
    hold: int = 0
    reasons: Mapping[int, tuple[str, ...]] = {}
    approved: frozenset[int] = frozenset()
    starving: bool = False

    def search(self) -> Search:
        """Its pacing state."""
        return Search(
            start=self.start,
            opened_at=self.opened_at,
            deadline=self.deadline,
            wave=self.wave,
            paced_at=self.paced_at,
            tried=self.tried,
            said_no=self.said_no,
            began_at=self.began_at,
            holders=tuple(_holder(pno, p) for pno, p in self.proposals.items() if p.round == self.round),
            chosen=self.chosen,
            hold=self.hold,
        )


class Found(Struct, frozen=True, kw_only=True):
    """The answer to a match: (number, tier, score, distance in m or None, windows) in order, how many fit, and how many of those come
    behind all others (R7)."""

    first: list[tuple[int, Tier, float, int | None, list[int]]]
    count: int
    behind: int


ByQuickness = tuple[str, float]  # within what (step, tier), and what a proposal earns in the time left
Place = Sequence[int]  # where a count goes on: what the verb said, its own affair
Turn = tuple[str, dict[str, Any]]  # a verb that moves a booking's plan on, and its arguments


def closing(bno: int, rev: int, lives: Sequence[tuple[int, int]] = (), offers: Sequence[str] = ()) -> Turn:
    """The deadline of a search has come. ``offers``: what is left to the client. CLOSED, NARROWED, STALE or EARLY."""
    return "close", {"bno": bno, "rev": rev, "lives": lives, "offers": offers}


def deciding(bno: int) -> Turn:
    """The fair window of a booking may be over (R16). DECIDED, EARLY or STALE."""
    return "decide", {"bno": bno}


def sending(record: Record, step: Step, *, minute: int, ready: int, chosen: Mapping[str, Any] | None = None) -> Turn:
    """What waves.py wants done now. SENT, RESTED, EMPTY or STALE. ``chosen``: what a direct release needs besides (engine/direct.py)."""
    plan = None
    if step.release is not None:
        plan = {**msgspec.structs.asdict(step.release), "minute": minute, "ready": ready, "urgency": step.urgency.value, **(chosen or {})}
    turn = {"fade": step.fade, "replace": step.replace, "plan": plan, "urgency": step.urgency.value, "due": step.due}
    return "send_wave", {"bno": record.no, "rev": record.rev, **turn}


class Bookings:
    """The bookings of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._reached: set[tuple[str, str]] = set()  # coarse cells known to be near some zone

    async def number(self, market: str, booking_id: str) -> int | None:
        """Its number, or None."""
        found = await self._calls.command("HGET", key("booking_ids", market), booking_id)
        return int(found) if found else None

    async def get(self, market: str, booking_id: str) -> Record:
        """A booking. Raises NotFound."""
        bno = await self.number(market, booking_id)
        found = await self.records(market, [bno]) if bno is not None else []
        if not found:
            raise NotFound(f"no booking {booking_id} in this market")
        return found[0]

    async def records(self, market: str, numbers: Sequence[int]) -> list[Record]:
        """Some bookings; unknown ones are left out. One round trip. A single one is as of one moment; of several, what a verb decides on
        is checked by ``rev``."""
        flat = await self._calls.pipeline(*(command for bno in numbers for command in _reads(market, bno)), transaction=len(numbers) == 1)
        rows = [flat[i * 4 : i * 4 + 4] for i in range(len(numbers))]
        return [_record(bno, *row) for bno, row in zip(numbers, rows, strict=True) if row[0]]

    async def open(self, market: str, **arguments: Any) -> Mapping[str, Any]:
        """The verb `open` (see lua/open.lua)."""
        return await self._calls.verb("open", market, **arguments)

    async def holder_version(self, market: str, pno: int) -> int:
        """The version of a provider's settings."""
        return int(await self._calls.command("HGET", key("provider", market, pno), "version") or 0)

    async def cancel(self, market: str, **arguments: Any) -> Mapping[str, Any]:
        """The verb `cancel` (see lua/cancel.lua)."""
        return await self._calls.verb("cancel", market, **arguments)

    async def answered(self, market: str, rid: str) -> Mapping[str, Any] | None:
        """What a verb answered to this request, when it was asked before."""
        raw = await self._calls.command("GET", key("request", market, rid))
        return cast("Mapping[str, Any]", decode(raw[1 + raw[0] :])) if raw else None

    async def take(self, market: str, turns: Sequence[Turn]) -> list[Mapping[str, Any] | Exception]:
        """Turns of some bookings' plans in one round trip, each a step of its own: the reply of its verb, or what went wrong with it alone.
        Raises Unavailable."""
        async with answering(), self._calls.redis.pipeline(transaction=False) as pipe:
            for verb, arguments in turns:
                pipe.execute_command(*self._calls.call(verb, market, **arguments))
            return [answered(raw) for raw in await pipe.execute(raise_on_error=False)]

    async def due(self, markets: Sequence[str], now: int, limit: int) -> tuple[list[tuple[str, int]], int | None]:
        """Bookings whose plan wants attention, (market, number), and when the next one will (ms; None: no timer is set)."""
        if not markets:
            return [], None
        ranges = [("ZRANGEBYSCORE", key("due", m), "-inf", now, "LIMIT", 0, limit) for m in markets]
        nexts = [("ZRANGEBYSCORE", key("due", m), f"({now}", "+inf", "WITHSCORES", "LIMIT", 0, 1) for m in markets]
        found = await self._calls.pipeline(*ranges, *nexts)
        due = [(m, int(bno)) for m, numbers in zip(markets, found, strict=False) for bno in numbers]
        later = [_score(entry) for entry in found[len(markets) :] if entry]
        return due, min(later, default=None)

    async def match(
        self,
        market: str,
        query: Query,
        *,
        minute: int,
        k: int,
        client_id: str | None,
        counting: bool = True,
        by: "ByQuickness | None" = None,
    ) -> Found:
        """Who would be asked, and how many fit exactly. Large counts take several bounded calls. ``by``: an order other than that of R5."""
        arguments = {"query": plain(query), "minute": minute, "client_id": client_id}
        reply = await self._calls.verb("match", market, **arguments, k=k, counting=counting, order=by and by[0], earned=by and by[1])
        flat = iter(reply["first"] or ())
        first = [_found(*entry) for entry in zip(flat, flat, flat, flat, flat, strict=True)]
        count, behind = await self.tally(market, arguments, reply)
        return Found(first=first, count=count, behind=behind)

    async def tally(self, market: str, arguments: dict[str, Any], begun: Mapping[str, Any]) -> tuple[int, int]:
        """Finishes a count that was too long for one call: how many fit, and how many of them come behind all others (R7)."""
        count, behind, at = begun.get("count", 0), begun.get("behind", 0), begun.get("from")
        while at is not None:
            reply = await self._calls.verb("tally", market, **arguments, **{"from": at, "limit": TALLY})
            count, behind, at = count + reply["count"], behind + reply["behind"], reply.get("from")
        return count, behind

    async def census(self, market: str, query: Query, *, minute: int, client_id: str | None) -> tuple[dict[str, int], list[int]]:
        """How many are left out under which filter first, and the 50 best-ranked of them."""
        counts: dict[str, int] = {}
        left: list[int] = []
        asked = {"query": plain(query), "minute": minute, "client_id": client_id, "limit": CENSUS}
        at: Place | None = (0, 0, 0)
        while at is not None:
            reply = await self._calls.verb("census", market, **asked, at=at)
            for name, n in (reply["counts"] or {}).items():
                counts[text(name)] = counts.get(text(name), 0) + n
            left += list(reply["left"] or ())[: 50 - len(left)]
            at = reply.get("at")
        return counts, left

    async def timeline(self, market: str, bno: int) -> list[dict[str, Any]]:
        """Every event of a booking, in order."""
        return [decode(raw) for raw in await self._calls.command("LRANGE", key("timeline", market, bno), 0, -1)]

    async def outside_ids(self, market: str, numbers: Sequence[int]) -> dict[int, str]:
        """What the booking service calls some bookings; those erased are left out. One round trip."""
        found = await self._calls.pipeline(*(("HGET", key("who", market, bno), "booking_id") for bno in numbers)) if numbers else []
        return {bno: text(booking_id) for bno, booking_id in zip(numbers, found, strict=True) if booking_id}

    async def blocked(self, market: str, client: int) -> set[int]:
        """Providers who are blocked with a client, either side."""
        return {int(pno) for pno in await self._calls.command("SMEMBERS", key("blocks", market, client))}

    async def client_number(self, market: str, client_id: str) -> int | None:
        """A client's number, or None."""
        found = await self._calls.command("HGET", key("client_ids", market), client_id)
        return int(found) if found else None

    async def block(
        self,
        market: str,
        client_id: str,
        *,
        pno: int | None,
        on: bool,
        reason: str | None = None,
        by: str | None = None,
        hand: Hand | None = None,
    ) -> str:
        """The verb `block`: CREATED, REPLACED, REMOVED or ABSENT. ``by``: who of the two wants it (provider, unless told)."""
        arguments = {"client_id": client_id, "p": pno, "on": on, "reason": reason, "by": by, "hand": plain_hand(hand)}
        return text((await self._calls.verb("block", market, **arguments))["word"])

    async def clear(self, market: str, client_id: str) -> None:
        """A blacklisted client's open bookings are called off, and those who hold visits of his are told (R29)."""
        while (await self._calls.verb("clear_bookings", market, client_id=client_id)).get("more"):
            pass

    async def in_reach(self, market: str, cells: Sequence[str]) -> bool:
        """Whether some zone comes near one of the coarse cells; True while no zone is known at all.

        Zones only ever add cells, so a yes is remembered.
        """
        if any((market, cell) in self._reached for cell in cells):
            return True
        size, *hits = await self._calls.pipeline(
            ("SCARD", key("regions", market)), *(("SISMEMBER", key("regions", market), cell) for cell in cells)
        )
        self._reached.update((market, cell) for cell, hit in zip(cells, hits, strict=True) if hit)
        return not size or any(hits)


def plain(query: Query) -> dict[str, Any]:
    """A query as the verbs read it."""
    return {**msgspec.structs.asdict(query), "windows": [(w.start, w.end) for w in query.windows]}


def _found(no: int, bucket: int, score: int, far: int, windows: int) -> tuple[int, Tier, float, int | None, list[int]]:
    fitting = [index for index in range(windows.bit_length()) if windows >> index & 1]
    return no, tier_of(bucket), score / 100, far if far >= 0 else None, fitting


def _score(entry: Sequence[Any]) -> int:
    """The score of a one-element reply WITHSCORES, in either protocol version."""
    return int(float(entry[1] if len(entry) == 2 else entry[0][1]))


def _reads(market: str, bno: int) -> tuple[tuple[Any, ...], ...]:
    return (
        ("HGETALL", key("booking", market, bno)),
        ("HGETALL", key("who", market, bno)),
        ("HGETALL", key("proposals", market, bno)),
        ("ZSCORE", key("due", market), bno),
    )


def _record(bno: int, raw: Any, who: Any, proposals: Any, due: Any) -> Record:
    fields, personal = _pairs(raw), _pairs(who)
    query, _ = personal.pop("query", None), personal.pop("face", None)
    whole = {name: int(float(fields[name])) for name in WHOLE}
    return Record(
        no=bno,
        state=fields["state"].decode(),
        urgency=Urgency(fields["urgency"].decode()),
        tried=fields["tried"] == b"1",
        said_no=fields["said_no"] == b"1",
        began_at=int(float(fields.get("began_at", 0))),
        windows=tuple(Span(*w) for w in decode(fields["windows"])),
        ends=tuple(decode(fields["ends"])),
        services=tuple(decode(fields["services"])),
        area=decode(fields["area"]) or {},
        currency=fields["currency"].decode(),
        query=decode(query) if query else {},
        winner=int(fields["winner"]) if "winner" in fields else None,
        window=int(fields["window"]) if "window" in fields else None,
        decides_at=int(fields["decides_at"]) if "decides_at" in fields else None,
        vacant=int(fields.get("vacant", 0)),
        seed=int(fields.get("seed", bno)),
        due=int(float(due)) if due is not None else None,
        alarm=fields["alarm"].decode() if "alarm" in fields else None,
        owner=text(fields["owner"]) if "owner" in fields else None,
        taken_at=int(fields["taken_at"]) if "taken_at" in fields else None,
        who={name: value.decode() for name, value in personal.items()},
        proposals={int(pno): _proposals.decode(value) for pno, value in _pairs(proposals).items()},
        chosen=int(fields.get("chosen", 0)),
        hold=int(fields.get("hold", 0)),
        reasons={int(name[5:]): tuple(decode(value) or ()) for name, value in fields.items() if name.startswith("mark:")},
        approved=frozenset(decode(fields["approved"])) if "approved" in fields else frozenset(),
        starving=fields.get("starving") == b"1",
        **whole,
    )


_proposals = msgspec.msgpack.Decoder(Proposal)


def _pairs(raw: Any) -> dict[str, bytes]:
    """HGETALL in either protocol version."""
    items = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {text(name): value for name, value in items}


def _holder(pno: int, p: Proposal) -> Holder:
    return Holder(
        no=pno,
        live=p.live == 1,
        replaced=p.replaced == 1,
        sent_at=p.sent_at,
        answer_by=p.answer_by,
        received_at=p.received_at,
        left_at=p.ended_at,
        keen=p.keen,
    )
