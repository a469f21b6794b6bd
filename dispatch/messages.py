"""What a device and the gateway say to each other: one struct a message.

Source: PROTOCOL.md section 2. Times are ms since 1970 UTC, places millionths of a degree, money cents, distances metres. The key ``type``
of a message names it. What a device sends is bounded here to the letter; what a server sends is not: a new word in ``reason`` or ``state``
must not break an old device.
"""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from dispatch.closes import CloseCode as CloseCode
from dispatch.model import Id

Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # place in a provider's stream of messages
Time = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]  # ms since 1970 UTC
CommandId = Annotated[str, Meta(min_length=1, max_length=64, description="made by the device, unique")]
ProposalId = Annotated[str, Meta(min_length=1, max_length=64, description="as the server wrote it")]
ShortText = Annotated[str, Meta(max_length=300)]
Hindrance = Annotated[str, Meta(max_length=20, pattern=r"^(illness|force_majeure)$(?!\n)")]
Token = Annotated[str, Meta(min_length=1, max_length=3_000)]


def _one_of(*words: str | None) -> Meta:
    """The words known today, for the schema; others are let through."""
    return Meta(extra_json_schema={"enum": list(words)})


class Message(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Anything that travels; its key ``type`` says what it is."""


# -- parts of messages ----------------------------------------------------------------------------------------------


class Part(Struct, frozen=True, kw_only=True):
    """A map inside a message."""


class Window(Part, frozen=True, kw_only=True):
    """Start and end of a visit."""

    start: Time
    end: Time


class Resume(Part, frozen=True, kw_only=True):
    """Where a device stopped listening: the store's epoch and the last seq it took in."""

    epoch: Annotated[str, Meta(max_length=64)]
    seq: Seq


class PushAddress(Part, frozen=True, kw_only=True):
    """Where a device is reached without a socket. ``kind`` names the push service: webpush, fcm or apns; ``token`` is what that gave the
    device: of webpush the browser's subscription as JSON. A hello without an address says that there is none (any more)."""

    kind: Annotated[str, Meta(min_length=1, max_length=16)]
    token: Annotated[str, Meta(min_length=1, max_length=2_048)]


class Heartbeat(Part, frozen=True, kw_only=True):
    """How often the server asks for a sign of life, and after how much silence it gives up (a device should do the same)."""

    every_ms: int
    dead_ms: int


class TrialReceipt(Part, frozen=True, kw_only=True):
    """What came back of a test by one way: ``socket`` of a device, or ``push``, where ``outcome`` is the push service's. Null: not yet."""

    way: Annotated[str, _one_of("socket", "push")]
    device: str | None = None
    received_at: Time | None = None
    seen_at: Time | None = None
    outcome: str | None = None


class Area(Part, frozen=True, kw_only=True):
    """Roughly where: commune or arrondissement, and the H3 cell of resolution 7 in hex. Never coordinates."""

    name: str | None = None
    h3: str | None = None


class Outline(Part, frozen=True, kw_only=True):
    """What a provider may know of a booking before he has won it. ``distance_m`` is rounded to 100 m."""

    booking_id: str
    services: tuple[str, ...]
    windows: tuple[Window, ...]
    area: Area | None = None
    distance_m: int | None = None
    price_cents: int = 0
    currency: str = "EUR"
    known_client: bool = False
    note: str = ""


class Address(Part, frozen=True, kw_only=True):
    """Exactly where: for the winner only."""

    lat_e6: int
    lng_e6: int
    address: str | None = None


class Client(Part, frozen=True, kw_only=True):
    """Who is visited: for the winner only."""

    client_id: str | None = None
    name: str | None = None


class Visit(Part, frozen=True, kw_only=True):
    """A booking as its holder sees it. ``window`` is the index of the agreed one in ``windows``."""

    booking_id: str
    version: int
    state: str
    place: Address | None = None
    client: Client | None = None
    services: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    window: int | None = None
    area: Area | None = None
    price_cents: int = 0
    currency: str = "EUR"
    note: str = ""


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
    reason: Annotated[str | None, _one_of("new", "epoch", "too_old", "too_many", None)] = None
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
    kind: Annotated[str, _one_of("ordinary", "bonus", "direct", "test")] = "ordinary"
    reasons: tuple[str, ...] = ()
    booking: Outline


class Withdrawn(Message, frozen=True, kw_only=True, tag="withdrawn"):
    """No longer available; removed by id, known or not (R15)."""

    seq: int = 0
    proposal: str
    version: int = 0
    reason: Annotated[str, _one_of("taken", "cancelled", "expired", "changed", "overlap", "answered_elsewhere", "ops")]


class CounterState(Message, frozen=True, kw_only=True, tag="counter"):
    """What became of a counteroffer."""

    seq: int = 0
    proposal: str
    state: Annotated[str, _one_of("held", "shown", "accepted", "declined", "expired", "withdrawn")]


class Booking(Visit, Message, frozen=True, kw_only=True, tag="booking"):
    """A booking he holds: won, changed, cancelled, taken over."""

    seq: int = 0


class Result(Message, frozen=True, kw_only=True, tag="result"):
    """The answer to a command. Losing is a result, not an error. ``decides_at`` comes with ``pending`` only; the one more result after it
    is a message of the stream and has a ``seq``: it reaches every device of the provider, and one that was away when it resumes (R16)."""

    id: str
    outcome: Annotated[
        str, Meta(description="won, lost, pending, expired, cancelled, already_yours, overlap, version_conflict, not_asked, done, ...")
    ]
    proposal: str | None = None
    booking: Visit | None = None
    decides_at: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET


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
    state: Annotated[str, _one_of("open", "accepted", "refused", "expired")]
    sent_at: Time
    answered_at: Time | None = None
    receipts: tuple[TrialReceipt, ...] = ()


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """A command that could not be judged, or a message nobody understood (``id`` null)."""

    id: str | None
    code: Annotated[str, _one_of("bad_request", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable", "internal")]
    message: str
    retry: bool = False
    after_ms: int | None = None


ToServer = Hello | Ack | Accept | Refuse | Counter | Report | Cancel | Late | Status | Trial | Ping | Pong | Sync | Refresh
Item = Proposal | Booking | CounterState
ToDevice = (
    Welcome | Live | Proposal | Withdrawn | CounterState | Booking | Result | Ping | Pong
    | Snapshot | Refreshed | AuthNeeded | Drain | Notice | TrialState | Error
)  # fmt: skip
COMMANDS: Final = {kind.__struct_config__.tag: kind for kind in ToServer.__args__}
