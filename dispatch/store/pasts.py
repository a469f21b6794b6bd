"""What was decided for bookings, and what was true of providers when it was: the stored side of explanations (R8)."""

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from dispatch.explain import Decision, Past, decisions_of
from dispatch.store.calls import Calls, decode
from dispatch.store.keys import key
from dispatch.store.standing import Profile


class Pasts:
    """The records of decisions, and the pasts of providers, of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def decisions(self, market: str, bno: int, opened_at: int) -> list[Decision]:
        """What was decided for a booking, oldest first."""
        return decisions_of(await self._calls.command("GET", key("decisions", market, bno)) or b"", opened_at)

    async def of(self, market: str, numbers: Sequence[int]) -> list[Past]:
        """The pasts of some providers. One round trip."""
        flat = await self._calls.pipeline(*(command for pno in numbers for command in _reads(market, pno)))
        return [_past(*flat[i * 3 : i * 3 + 3]) for i in range(len(numbers))]


_profiles = msgspec.msgpack.Decoder(Profile)


def _reads(market: str, pno: int) -> tuple[tuple[Any, ...], ...]:
    return (
        ("HGET", key("provider", market, pno), "since"),
        ("LRANGE", key("past", market, pno), 0, -1),
        ("LRANGE", key("profiles_past", market, pno), 0, -1),
    )


def _past(since: bytes | None, entries: Sequence[bytes], settings: Sequence[bytes]) -> Past:
    return Past(
        since=int(since or 0),
        entries=tuple(tuple(decode(raw)) for raw in entries),
        settings=tuple((int(_until.unpack_from(raw)[0]), _profiles.decode(raw[_until.size :]).settings) for raw in settings),
    )


_until = struct.Struct(">d")
