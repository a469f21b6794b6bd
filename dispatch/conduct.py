"""Conduct: what the log says of how providers kept their word, as facts for later scores. Pure: from events to facts.

What was asked of them and refused is no fact here (R20). Lengths are ms; ``p`` and ``b`` are the numbers of a provider and a booking.
Source: SPEC.md R23, R29, R37, R38.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from dispatch import events
from dispatch.account_events import Event


class Fact(Struct, frozen=True, kw_only=True, tag=True):
    """Something a provider did, or left undone, with a booking that he held."""

    p: int
    b: int
    at: int


class Cancellation(Fact, frozen=True, kw_only=True):
    """He gave it back, ``early`` ms before the start (less than 0: after it). ``declared``: illness or force_majeure; several
    cancellations for one illness count once (R23). ``free``: its client was blacklisted, so that it costs nothing (R29)."""

    early: int
    declared: str | None = None
    free: bool = False


class Missed(Fact, frozen=True, kw_only=True):
    """He did not come: it counts as three cancellations (R23)."""


class Lateness(Fact, frozen=True, kw_only=True):
    """He came late: by so much, as far as it is known. ``warned``: he said so himself before the start."""

    late: int
    warned: bool = False


class Service(Fact, frozen=True, kw_only=True):
    """He came and served the client: what tiers, scores and payouts begin from (R38)."""

    client: int
    start: int
    end: int
    price: int
    currency: str


AnyFact = Cancellation | Missed | Lateness | Service


def facts_of(history: Iterable[Event]) -> Iterator[AnyFact]:
    """The facts in a history, in its order."""
    for event in history:
        match event:
            case events.Reopened() | events.Cancelled(by="provider") if event.p is not None:
                yield Cancellation(**_of(event), early=event.early or 0, declared=event.declared, free=event.free)
            case events.NoShow():
                yield Missed(**_of(event))
            case events.Late():
                yield Lateness(**_of(event), late=_lateness(event), warned=event.by == "provider" and event.after < 0)
            case events.Completed():
                start, end = event.visit
                yield Service(**_of(event), client=event.client, start=start, end=end, price=event.price, currency=event.currency)


def _of(event: events.Reopened | events.Cancelled | events.NoShow | events.Late | events.Completed) -> dict[str, int]:
    return {"p": event.p or 0, "b": event.b, "at": event.at}


def _lateness(event: events.Late) -> int:
    """What was said, or at least what had passed when it was said."""
    return max(0, event.after, (event.minutes or 0) * 60_000)
