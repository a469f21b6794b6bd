"""What devices do with proposals: accept, refuse, confirm. Each is one verb, safe to repeat under the same id (P1, P4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dispatch.errors import BadRequest
from dispatch.store.calls import Calls, text

NO_PROPOSAL = (0, 0)

Receipt = tuple[int, Iterable[str], Iterable[str]]  # a provider's number, what was received, what was seen (see ``mark``)


@dataclass(frozen=True, slots=True)
class Marks:
    """What the store noted first now: the delays (ms) from sending to receipt, and from receipt to display."""

    received: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)


def mark(proposal: str, device: str) -> str:
    """What a device confirms, and which: it needs no push any more, and of a test each shows whether it was reached (R25b)."""
    return f"{proposal} {device}"


class Claims:
    """Commands of devices; each answer is the body of a `result` message."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def accept(
        self, market: str, pno: int, command: str, proposal: str, version: int, window: int = 0, cause: str = "wave"
    ) -> dict[str, Any]:
        """The one claim; ``took``: ms by R22, in the first answer. Outcomes: won, lost, expired, cancelled, already_yours, overlap,
        version_conflict, not_asked, pending (with ``decides_at``, R16); of a test: done, expired, not_asked."""
        bno, round_ = parsed(proposal, pno)
        reply = await self._calls.verb(
            "accept", market, p=pno, id=command, proposal=proposal, bno=bno, round=round_, version=version, window=window, cause=cause
        )
        if reply["word"] == "BAD_WINDOW":
            raise BadRequest(f"window {window} is not one of those shown with the proposal; send the index of one that is, from 0")
        return result_of(command, proposal, reply)

    async def refuse(self, market: str, pno: int, command: str, proposal: str, version: int, reason: str | None = None) -> dict[str, Any]:
        """A no, which costs nothing (R20). Outcomes: done, not_asked, version_conflict."""
        bno, round_ = parsed(proposal, pno)
        reply = await self._calls.verb(
            "refuse", market, p=pno, id=command, proposal=proposal, bno=bno, round=round_, version=version, reason=reason
        )
        return result_of(command, proposal, reply)

    async def report(self, market: str, pno: int, command: str, proposal: str, reason: str) -> dict[str, Any]:
        """Something is wrong with a proposal of his, or its client (R25). Outcomes: done, not_asked."""
        bno, round_ = parsed(proposal, pno)
        reply = await self._calls.verb("report", market, p=pno, id=command, proposal=proposal, bno=bno, round=round_, reason=reason)
        return result_of(command, proposal, reply)

    async def receipts(self, market: str, receipts: Iterable[Receipt]) -> Marks:
        """Proposals that reached devices, or their screens."""
        rows = [(pno, [_marked(one, pno) for one in received], [_marked(one, pno) for one in seen]) for pno, received, seen in receipts]
        reply = await self._calls.verb("receipt", market, list=rows)
        return Marks(list(reply["received"] or ()), list(reply["seen"] or ()))


def _marked(one: str, pno: int) -> tuple[int, int, str]:
    proposal, _, device = one.partition(" ")
    return *parsed(proposal, pno), device


def parsed(proposal: str, pno: int) -> tuple[int, int]:
    """Booking and round of a proposal id; one that is another's, or none at all, names no booking."""
    parts = proposal.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts) or int(parts[2]) != pno:
        return NO_PROPOSAL
    return int(parts[0]), int(parts[1])


def result_of(command: str, proposal: str, reply: Any) -> dict[str, Any]:
    """The body of a `result`. Raises BadRequest for an id that came before with other content."""
    if reply["word"] == "MISMATCH":
        raise BadRequest("this id came before with other content; make a new id for a new command")
    body = {"type": "result", "id": command, "outcome": text(reply["word"]).lower(), "proposal": proposal}
    return body | {name: reply[name] for name in ("booking", "took", "decides_at") if name in reply}
