"""What a sender of one push service takes and gives. There are several, so this is a seam."""

from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

ATTEMPT_S = 10  # for everything: connect, be let in, send, wait, read
LONGEST_PUT_OFF_S = 3_600  # of a Retry-After


class Kind(StrEnum):
    """What is told of a proposal."""

    PROPOSAL = "proposal"
    WITHDRAWN = "withdrawn"  # replaces the notification of the proposal
    TEST = "test"  # stands for no booking (R25b)


class Notification(Struct, frozen=True, kw_only=True):
    """One message. ``id``: of the proposal, and what later ones of it replace; ``expires_at``: engine ms, as in the message on a socket;
    ``until_s``: the same moment in seconds of wall time; ``left_s``: how long that is away."""

    id: str
    kind: Kind
    expires_at: int
    until_s: int
    left_s: int

    @property
    def facts(self) -> dict[str, str | int]:
        """All that travels."""
        return {"id": self.id, "kind": self.kind.value, "expires_at": self.expires_at}

    @property
    def body(self) -> bytes:
        """The same as JSON."""
        return msgspec.json.encode(self.facts)


class Verdict(StrEnum):
    """What an attempt came to."""

    SENT = "sent"
    RETRY = "retry"
    GONE = "gone"  # the address is none, or none any more
    FAILED = "failed"  # refused for what it is, or for who we are: the same again would be refused again


class Outcome(Struct, frozen=True):
    """An attempt's verdict, its HTTP status (None when there was no answer), and why, as a code without personal data."""

    verdict: Verdict
    status: int | None
    detail: str
    after_ms: int | None = None  # how long the service asked us to wait


class PushSender(Protocol):
    """Sends to the devices of one push service. ``name`` is a label of metrics and logs."""

    name: str

    async def send(self, token: str, notification: Notification) -> Outcome:
        """Sends one notification once. Never raises for what the service, the network or the address does."""

    async def close(self) -> None:
        """Gives its connections back."""


def put_off_ms(retry_after: str) -> int | None:
    """A Retry-After in seconds, in ms and bounded; one that is a date is not followed."""
    return min(int(retry_after), LONGEST_PUT_OFF_S) * 1_000 if retry_after.isascii() and retry_after.isdigit() else None


def passing(status: int) -> bool:
    """Whether another attempt may fare better."""
    return status in (408, 425, 429) or status >= 500
