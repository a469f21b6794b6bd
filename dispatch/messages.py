"""What a device and the gateway say to each other: one struct a message.

Source: PROTOCOL.md section 2. Times are ms since 1970 UTC, places millionths of a degree, money cents, distances metres. The key ``type``
of a message names it. What a device sends is bounded here to the letter; what a server sends is not: a new word in ``reason`` or ``state``
must not break an old device.
"""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Raw, UnsetType

from dispatch.closes import CloseCode as CloseCode
from dispatch.model import Id
from dispatch.parts import *  # noqa: F403  (one name to import: messages and what they are made of belong together)
from dispatch.parts import (
    CommandId,
    Heartbeat,
    Message,
    Outline,
    ProposalId,
    PushAddress,
    QuietHours,
    Resume,
    Seq,
    ShortText,
    Suggestion,
    Time,
    Token,
    TrialReceipt,
    Visit,
    Window,
    one_of,
)

Hindrance = Annotated[str, Meta(max_length=20, pattern=r"^(illness|force_majeure)$(?!\n)")]

# -- device to server -----------------------------------------------------------------------------------------------


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """First frame of a device, within 10 s: who it is, and where it stopped listening."""

    token: Token
    device: Id
    app: Annotated[str, Meta(max_length=120)] = ""
    resume: Resume | None = None
    background: bool = False
    push: PushAddress | None = None


class Ack(Message, frozen=True, kw_only=True, tag="ack"):
    """Everything up to ``seq`` has arrived; the proposals in ``seen`` are on the screen (R22)."""

    seq: Seq
    seen: Annotated[tuple[ProposalId, ...], Meta(max_length=64)] = ()


class Accept(Message, frozen=True, kw_only=True, tag="accept"):
    """I take it. ``window`` is an index into the windows shown; a repeat of ``id`` gets the same answer."""

    id: CommandId
    proposal: ProposalId
    version: Seq
    window: Annotated[int, Meta(ge=0, le=4)] = 0


class Refuse(Message, frozen=True, kw_only=True, tag="refuse"):
    """Not me. Costs nothing (R20)."""

    id: CommandId
    proposal: ProposalId
    version: Seq
    reason: ShortText | None = None


class Counter(Message, frozen=True, kw_only=True, tag="counter"):
    """At another time (R24)."""

    id: CommandId
    proposal: ProposalId
    version: Seq
    windows: Annotated[tuple[Window, ...], Meta(min_length=1, max_length=5)]
    note: ShortText = ""


class Report(Message, frozen=True, kw_only=True, tag="report"):
    """Something is wrong with this proposal or its client (R25)."""

    id: CommandId
    proposal: ProposalId
    reason: Annotated[str, Meta(min_length=1, max_length=300)]


class Cancel(Message, frozen=True, kw_only=True, tag="cancel"):
    """I cannot keep this visit (R35); ``declares``: what hinders me (R23). Answered by ``result`` ``done``, or ``not_yours``."""

    id: CommandId
    booking_id: Id
    reason: ShortText | None = None
    declares: Hindrance | None = None


class Late(Message, frozen=True, kw_only=True, tag="late"):
    """I come so many minutes late to this visit (R37); it may be said before its start. Answered as ``cancel``."""

    id: CommandId
    booking_id: Id
    minutes: Annotated[int, Meta(ge=1, le=1_440)]


class Status(Message, frozen=True, kw_only=True, tag="status"):
    """The provider wants work or not, the app is on the screen or not; null leaves it as it is. Answered by ``result`` ``done``."""

    id: CommandId
    available: bool | None = None
    background: bool | None = None


class Settings(Message, frozen=True, kw_only=True, tag="settings"):
    """What a provider sets himself: his do-not-disturb hours (null: none; left out: as they are), and a suggestion that he confirms as it
    was made. Answered by ``result``: ``done``, or ``expired`` for a suggestion that does not follow any more."""

    id: CommandId
    do_not_disturb: QuietHours | UnsetType | None = UNSET
    suggestion: Suggestion | None = None


class FollowUp(Message, frozen=True, kw_only=True, tag="follow_up"):
    """He suggests a service that the market does not have, or asks for a talk about his score (R25b): somebody of ops sees to it."""

    id: CommandId
    kind: Annotated[str, Meta(max_length=16, pattern=r"^(service|talk)$(?!\n)")]
    text: Annotated[str, Meta(max_length=300)] = ""


class Sync(Message, frozen=True, kw_only=True, tag="sync"):
    """Tell me everything that is open: answered by ``snapshot``."""

    id: CommandId


class Trial(Message, frozen=True, kw_only=True, tag="test"):
    """Test my notifications (R25b): a test proposal goes the way of all. Answered by ``result`` ``sent`` with its id; ``test`` messages
    then tell what came back."""

    id: CommandId


class Refresh(Message, frozen=True, kw_only=True, tag="refresh"):
    """A newer token for the same device."""

    id: CommandId
    token: Token


# -- both ways ------------------------------------------------------------------------------------------------------


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Are you there? ``seq``: the last one I wrote or took in."""

    seq: Seq = 0
    now: Time = 0


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """I am. From a device ``seq`` acknowledges like ``ack``."""

    seq: Seq = 0
    now: Time = 0


# -- server to device -----------------------------------------------------------------------------------------------


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """The link stands. ``resumed``: the missed messages follow; else ``items`` begins the list of everything open (more may follow as
    ``snapshot`` with a null id). ``live`` ends both. Items are complete messages in the encoding of the frame."""

    session: str
    epoch: str
    seq: int
    resumed: bool
    reason: Annotated[str | None, one_of("new", "epoch", "too_old", "too_many", None)] = None
    now: int
    heartbeat: Heartbeat
    items: tuple[Raw, ...] = ()


class Live(Message, frozen=True, kw_only=True, tag="live"):
    """Replay is over: everything up to ``seq`` has been told."""

    seq: int


class Proposal(Message, frozen=True, kw_only=True, tag="proposal"):
    """A booking shown to one provider. ``at``: when this message was made; ``answer_by``: end of its live time; ``expires_at``: end of the
    search (R12b). Of kind ``test`` (R25b) it stands for no booking: taking or refusing it is ``done``, and nothing else."""

    seq: int = 0
    proposal: str
    version: int
    at: int | UnsetType = UNSET
    expires_at: int
    answer_by: int
    wave: int = 1
    kind: Annotated[str, one_of("ordinary", "bonus", "direct", "test")] = "ordinary"
    reasons: tuple[str, ...] = ()
    booking: Outline


class Withdrawn(Message, frozen=True, kw_only=True, tag="withdrawn"):
    """No longer available; removed by id, known or not (R15)."""

    seq: int = 0
    proposal: str
    version: int = 0
    reason: Annotated[str, one_of("taken", "cancelled", "expired", "changed", "overlap", "answered_elsewhere", "ops")]


class CounterState(Message, frozen=True, kw_only=True, tag="counter"):
    """How a counteroffer of his stands: number ``counteroffer``, for a booking with these ``services``. ``held``: the client sees it when
    the others have answered."""

    seq: int = 0
    proposal: str
    state: Annotated[str, one_of("held", "shown", "accepted", "declined", "expired", "withdrawn")]
    counteroffer: str | UnsetType = UNSET
    booking_id: str | UnsetType | None = UNSET
    services: tuple[str, ...] | UnsetType = UNSET
    windows: tuple[Window, ...] | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET


class Booking(Visit, Message, frozen=True, kw_only=True, tag="booking"):
    """A booking he holds: won, changed, cancelled, taken over."""

    seq: int = 0


class Result(Message, frozen=True, kw_only=True, tag="result"):
    """The answer to a command. Losing is a result, not an error. ``decides_at`` comes with ``pending`` only; the one more result after it
    is a message of the stream and has a ``seq``: it reaches every device of the provider, and one that was away when it resumes (R16).
    ``suggestion`` comes with ``done`` of a refusal whose reason has one."""

    id: str
    outcome: Annotated[
        str, Meta(description="won, lost, pending, expired, cancelled, already_yours, overlap, version_conflict, not_asked, done, ...")
    ]
    proposal: str | None = None
    booking: Visit | None = None
    decides_at: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    suggestion: Suggestion | UnsetType = UNSET


class Snapshot(Message, frozen=True, kw_only=True, tag="snapshot"):
    """Everything open, in pages of 32 KiB. With ``id`` it answers a ``sync`` and replaces what the device knew; with a null id it continues
    the ``welcome`` before it."""

    id: str | None
    epoch: str
    seq: int
    items: tuple[Raw, ...] = ()
    more: bool = False


class Refreshed(Message, frozen=True, kw_only=True, tag="refreshed"):
    """The newer token is taken."""

    id: str
    expires_at: int


class AuthNeeded(Message, frozen=True, kw_only=True, tag="auth_needed"):
    """Send a ``refresh`` before ``by``."""

    by: int


class Drain(Message, frozen=True, kw_only=True, tag="drain"):
    """This server goes away: open the new socket after ``after_ms``, resume there, then close this one."""

    after_ms: int
    deadline_ms: int


class Notice(Message, frozen=True, kw_only=True, tag="notice"):
    """Something to tell the provider: ``paused`` (R40), ``client_blocked`` (R29, with the booking it is about)..."""

    seq: int = 0
    kind: str
    text: str = ""
    booking_id: str | UnsetType = UNSET


class TrialState(Message, frozen=True, kw_only=True, tag="test"):
    """How a test of the notifications stands (R25b): one receipt for each device that was there, and for the push service."""

    seq: int = 0
    proposal: str
    state: Annotated[str, one_of("open", "accepted", "refused", "expired")]
    sent_at: Time
    answered_at: Time | None = None
    receipts: tuple[TrialReceipt, ...] = ()


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """A command that could not be judged, or a message nobody understood (``id`` null)."""

    id: str | None
    code: Annotated[str, one_of("bad_request", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable", "internal")]
    message: str
    retry: bool = False
    after_ms: int | None = None


ToServer = (
    Hello | Ack | Accept | Refuse | Counter | Report | Cancel | Late | Status | Trial | Settings | FollowUp | Ping | Pong | Sync | Refresh
)
Item = Proposal | Booking | CounterState
ToDevice = (
    Welcome | Live | Proposal | Withdrawn | CounterState | Booking | Result | Ping | Pong
    | Snapshot | Refreshed | AuthNeeded | Drain | Notice | TrialState | Error
)  # fmt: skip
COMMANDS: Final = {kind.__struct_config__.tag: kind for kind in ToServer.__args__}
