"""Follow-ups: what providers ask of ops, until somebody has seen to it (R25b)."""

from hashlib import sha1
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.errors import BadRequest, NotFound
from dispatch.store.calls import Calls, text
from dispatch.store.keys import key

OPEN_EACH = 5  # open ones of a provider
OPEN_SHOWN, DONE_SHOWN = 200, 50  # in a list: those asked first, those done last
OUTCOMES = {"SENT": "sent", "TOO_MANY": "limit"}


class FollowUp(Struct, frozen=True, array_like=True):
    """One of them. ``done_at`` engine ms, 0: not yet; ``by``: id of the key that said so."""

    pno: int
    kind: str
    at: int
    done_at: int
    by: str


class Listed(Struct, frozen=True, kw_only=True):
    """One in a list, with its number and its words (erasable)."""

    number: int
    words: str
    one: FollowUp


class FollowUps:
    """The follow-ups of all markets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ask(self, market: str, pno: int, command: str, kind: str, words: str) -> str:
        """The verb `follow_up`, for a device; its outcome: ``sent``, or ``limit`` while so many of his are open. Raises BadRequest."""
        print_ = sha1(msgspec.json.encode((kind, words))).hexdigest()
        told: dict[str, Any] = {"p": pno, "id": command, "kind": kind, "text": words, "print": print_, "limit": OPEN_EACH}
        word = text((await self._calls.verb("follow_up", market, **told))["word"])
        if word == "MISMATCH":
            raise BadRequest("this id came before with other content; make a new id for a new command")
        return OUTCOMES[word]

    async def listed(self, market: str) -> tuple[list[Listed], list[Listed]]:
        """Those open, asked first first, and those done, done last first; both bounded."""
        waiting, done = await self._calls.pipeline(
            ("ZRANGE", key("follow_ups_open", market), 0, OPEN_SHOWN - 1),
            ("ZREVRANGE", key("follow_ups_done", market), 0, DONE_SHOWN - 1),
        )
        return await self._read(market, waiting), await self._read(market, done)

    async def _read(self, market: str, numbers: list[bytes]) -> list[Listed]:
        if not numbers:
            return []
        kept, words = await self._calls.pipeline(
            ("HMGET", key("follow_ups", market), *numbers), ("HMGET", key("follow_up_words", market), *numbers)
        )
        rows = zip(numbers, kept, words, strict=True)
        return [Listed(number=int(number), words=text(said or b""), one=_decoder.decode(raw)) for number, raw, said in rows]

    async def done(self, market: str, number: int, by: str) -> None:
        """Somebody of ops has seen to it. Raises NotFound."""
        if (await self._calls.verb("follow_up_done", market, number=number, by=by))["word"] == "UNKNOWN":
            raise NotFound(f"no follow-up {number} in this market")


_decoder = msgspec.msgpack.Decoder(FollowUp)
