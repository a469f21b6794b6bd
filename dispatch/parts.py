"""What messages between a device and the gateway are made of: the kinds of their fields, and the maps inside them.

Source: PROTOCOL.md section 2. They belong to ``messages``, which has them all under its own name.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from dispatch.model import Clock

Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # place in a provider's stream of messages
Time = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]  # ms since 1970 UTC
CommandId = Annotated[str, Meta(min_length=1, max_length=64, description="made by the device, unique")]
ProposalId = Annotated[str, Meta(min_length=1, max_length=64, description="as the server wrote it")]
ShortText = Annotated[str, Meta(max_length=300)]
Token = Annotated[str, Meta(min_length=1, max_length=3_000)]


def one_of(*words: str | None) -> Meta:
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

    way: Annotated[str, one_of("socket", "push")]
    device: str | None = None
    received_at: Time | None = None
    seen_at: Time | None = None
    outcome: str | None = None


class QuietHours(Part, frozen=True, kw_only=True):
    """A daily range of the market's local clock in which nothing new is sent to a provider; it may pass midnight."""

    from_: Annotated[Clock, Meta(max_length=5)] = field(name="from")
    to: Annotated[Clock, Meta(max_length=5)]


class Suggestion(Part, frozen=True, kw_only=True):
    """A change of his settings that follows from why he refused ``proposal``, for him to confirm or not (R20). ``zone``: a radius of
    ``radius_m``, or without ``areas``; ``hours``: those instead of his; ``catalogue``: without ``services``."""

    proposal: ProposalId
    kind: Annotated[str, Meta(max_length=16), one_of("zone", "hours", "catalogue")]
    radius_m: Annotated[int, Meta(ge=1, le=200_000)] | UnsetType = UNSET
    areas: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=20)] | UnsetType = UNSET
    hours: Annotated[str, Meta(max_length=1_000)] | UnsetType = UNSET
    services: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=20)] | UnsetType = UNSET


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
