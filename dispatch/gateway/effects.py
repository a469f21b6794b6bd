"""What a conversation wants done: the effects that a session returns, and what the store knows of a link that has just come in."""

from collections.abc import Sequence

from msgspec import Struct

from dispatch.gateway.frames import Frame
from dispatch.messages import (
    Accept,
    Cancel,
    CloseCode,
    Counter,
    FollowUp,
    Hello,
    Late,
    Refresh,
    Refuse,
    Report,
    Settings,
    Status,
    Sync,
    ToDevice,
    Trial,
)

# what the store must answer
Question = Accept | Refuse | Counter | Report | Cancel | Late | Status | Sync | Trial | Settings | FollowUp | Refresh


class Say(Struct, frozen=True):
    """Write a message made here."""

    message: ToDevice


class Forward(Struct, frozen=True):
    """Write a stored message as it is."""

    frame: Frame


class Close(Struct, frozen=True):
    """End the link."""

    code: CloseCode
    reason: str


class Enter(Struct, frozen=True):
    """Check the token, register the link, read what he missed; then ``entered`` or ``refused``."""

    hello: Hello


class Ask(Struct, frozen=True):
    """Ask the store; then ``answered``, ``listed``, ``refreshed`` or ``failed``."""

    question: Question


class Confirm(Struct, frozen=True):
    """Tell the store which proposals have arrived, and which were on the screen. ``took``: ms from writing to the acknowledgement."""

    received: tuple[str, ...]
    seen: tuple[str, ...]
    took: tuple[int, ...] = ()


class Rest(Struct, frozen=True):
    """Read no further frame for so long: he writes faster than anybody needs to."""

    ms: int


class Over(Struct, frozen=True):
    """Count that he went over a limit, whether it is enforced or only watched."""

    limit: str


Effect = Say | Forward | Close | Enter | Ask | Confirm | Rest | Over


class Entered(Struct, frozen=True, kw_only=True):
    """What the store knows of a link that has just been registered. ``expires_at``: when its token runs out; ``unfit``: what is wrong with
    its push address, if anything is."""

    session: str
    pno: int
    expires_at: int
    epoch: str
    seq: int
    resumed: bool
    reason: str | None
    items: Sequence[Frame]
    missed: Sequence[Frame]
    had: Sequence[Frame] = ()
    unfit: str | None = None


class Delivery(Struct, frozen=True):
    """What a link gets of the messages of its provider's stream. ``gap``: some before them are missing."""

    effects: list[Effect]
    gap: bool
