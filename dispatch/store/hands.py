"""What is done by hand (R83, R84): bookings taken over, given back, given away; the alarms about them; and the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dispatch.store.calls import Calls, decode, text
from dispatch.store.keys import key

NEVER = float("inf")  # the score of one whose alarm was raised


class Hand(Struct, frozen=True, kw_only=True):
    """Who acts by hand: the id of his key, and its name."""

    key: str
    name: str


class Alarm(Struct, frozen=True, kw_only=True):
    """Something ops must see to, since a moment (engine ms)."""

    kind: str
    bno: int
    since: int


class Audited(Struct, frozen=True, kw_only=True):
    """A line of the audit log. ``by`` is a key's id, ``name`` what it was called then; ``facts``: codes and numbers (b, p, client...)."""

    number: int
    at: int
    by: str
    name: str
    what: str
    why: str
    facts: Mapping[str, Any]


def plain_hand(hand: Hand | None) -> dict[str, str] | None:
    """Who acts by hand, as verbs read it."""
    return None if hand is None else {"key": hand.key, "name": hand.name}


class Hands:
    """The acts of ops. Each is one verb (see lua/), safe to repeat with its ``rid``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def take_over(self, market: str, hand: Hand, **arguments: Any) -> Mapping[str, Any]:
        """The verb `take_over`."""
        return await self._calls.verb("take_over", market, hand=plain_hand(hand), **arguments)

    async def hand_back(self, market: str, hand: Hand, **arguments: Any) -> Mapping[str, Any]:
        """The verb `hand_back`."""
        return await self._calls.verb("hand_back", market, hand=plain_hand(hand), **arguments)

    async def assign(self, market: str, hand: Hand, **arguments: Any) -> Mapping[str, Any]:
        """The verb `assign`."""
        return await self._calls.verb("assign", market, hand=plain_hand(hand), **arguments)

    async def reopen(self, market: str, hand: Hand | None, **arguments: Any) -> Mapping[str, Any]:
        """The verb `reopen`."""
        return await self._calls.verb("reopen", market, hand=plain_hand(hand), **arguments)

    async def extend(self, market: str, hand: Hand | None, **arguments: Any) -> Mapping[str, Any]:
        """The verb `extend`."""
        return await self._calls.verb("extend", market, hand=plain_hand(hand), **arguments)

    async def note(self, market: str, hand: Hand, what: str, pno: int | None = None) -> None:
        """The verb `audit`: something that no other verb notes."""
        await self._calls.verb("audit", market, hand=plain_hand(hand), what=what, p=pno)

    # -- alarms ---------------------------------------------------------------------------------------------------

    async def overdue(self, markets: Sequence[str], now: int) -> list[str]:
        """Those markets in which the moment of some booking has come that ops have in their hands. One round trip."""
        counts = await self._calls.pipeline(*(("ZCOUNT", key("taken", market), "-inf", now) for market in markets)) if markets else []
        return [market for market, count in zip(markets, counts, strict=True) if count]

    async def alarm(self, market: str, limit: int) -> int:
        """The verb `alarm`: how many were raised."""
        return int((await self._calls.verb("alarm", market, limit=limit))["raised"])

    async def alarms(self, market: str, now: int, limit: int) -> list[Alarm]:
        """What ops must see to, longest first; one that is due is among them though nobody has raised it yet. One round trip."""
        raised, due = await self._calls.pipeline(
            ("ZRANGE", key("alarms", market), 0, limit - 1, "WITHSCORES"),
            ("ZRANGEBYSCORE", key("taken", market), "-inf", now, "WITHSCORES", "LIMIT", 0, limit),
        )
        found = [_alarm(name, since) for name, since in _pairs(raised)]
        found += [Alarm(kind="overdue", bno=int(bno), since=int(since)) for bno, since in _pairs(due)]
        return sorted(found, key=lambda one: (one.since, one.bno))[:limit]

    async def taken(self, market: str, limit: int) -> list[int]:
        """Bookings that ops have in their hands, those first that are overdue first."""
        return [int(bno) for bno in await self._calls.command("ZRANGE", key("taken", market), 0, limit - 1)]

    # -- the audit log --------------------------------------------------------------------------------------------

    async def audit(self, market: str, before: int | None, limit: int) -> list[Audited]:
        """Lines with numbers under ``before`` (None: the last ones), newest first. Two round trips, however long the log is."""
        end = "+" if before is None else f"({before}-0"
        rows = await self._calls.command("XREVRANGE", key("audit", market), end, "-", "COUNT", limit)
        numbers = [int(text(place).partition("-")[0]) for place, _ in rows]
        words = await self._calls.command("HMGET", key("audit_words", market), *numbers) if numbers else []
        entries = [decode(pairs[b"e"] if isinstance(pairs, dict) else pairs[1]) for _, pairs in rows]
        return [_audited(*line) for line in zip(numbers, entries, words, strict=True)]


def _alarm(name: bytes, since: float) -> Alarm:
    kind, _, bno = text(name).partition(":")
    return Alarm(kind=kind, bno=int(bno), since=int(since))


def _audited(number: int, entry: dict[str, Any], words: bytes | None) -> Audited:
    said = decode(words) if words else {}  # erased
    named = {name: entry.pop(name) for name in ("at", "by", "what")}
    return Audited(number=number, name=said.get("name", ""), why=said.get("why", ""), facts=entry, **named)


def _pairs(raw: Any) -> list[tuple[Any, float]]:
    """ZRANGE WITHSCORES in either protocol version."""
    pairs = raw if raw and isinstance(raw[0], list) else zip(raw[::2], raw[1::2], strict=True)
    return [(member, float(score)) for member, score in pairs]
