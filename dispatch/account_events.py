"""Events that are of no booking: what happened to providers, clients and markets; and what every event is (see dispatch/events.py)."""

from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Something that happened."""

    at: int


class Paused(Event, frozen=True, kw_only=True, tag=True):
    """A provider left so many proposals in a row ``unanswered`` that he is not asked until he does something (R40)."""

    p: int
    unanswered: int


class Resumed(Event, frozen=True, kw_only=True, tag=True):
    """A provider who was paused did something."""

    p: int


class Freed(Event, frozen=True, kw_only=True, tag=True):
    """A visit has left a provider's diary before its time: bookings that wait may meet him (R18)."""

    p: int


class TestSent(Event, frozen=True, kw_only=True, tag=True):
    """A test proposal was sent to a provider (R25b)."""

    p: int


class FollowUpAsked(Event, frozen=True, kw_only=True, tag=True):
    """A provider suggests a service, or asks for a talk about his score (R25b). ``kind``: service or talk."""

    p: int
    number: int
    kind: str


class FollowUpDone(Event, frozen=True, kw_only=True, tag=True):
    """Somebody of ops has seen to what he asked."""

    p: int
    number: int


class ProviderPut(Event, frozen=True, kw_only=True, tag=True):
    """A provider was created or replaced."""

    p: int
    created: bool


class TokensRevoked(Event, frozen=True, kw_only=True, tag=True):
    """What a device of a provider was given to connect with is worth nothing any more; with ``all``: what each of them was given."""

    p: int
    all: bool


class LinkMade(Event, frozen=True, kw_only=True, tag=True):
    """A provider has a personal link (R26)."""

    p: int


class LinkRevoked(Event, frozen=True, kw_only=True, tag=True):
    """A personal link of a provider is worth nothing any more."""

    p: int


class Blocked(Event, frozen=True, kw_only=True, tag=True):
    """A client may not book any more; with ``p``: not with that provider, as one of the two wants it (``by``: provider or client)."""

    client: int
    p: int | None = None
    by: str | None = None


class Unblocked(Event, frozen=True, kw_only=True, tag=True):
    """The block of a client is over; with ``p``: the one between them, from one side."""

    client: int
    p: int | None = None
    by: str | None = None
