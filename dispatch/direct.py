"""Direct bookings, pure: whether the provider whom a client has chosen can be asked now, and what only marks the proposal (R26-R28).

Of the filters of R2 all bind him but zone and hours: those are his own settings, and he may decide otherwise for a client who wants him.
"""

from msgspec import Struct

from dispatch.marks import metres_outside, minutes_outside, words
from dispatch.matcher import Person, Query, fits
from dispatch.model import MarketSettings, Reason

MARKED = frozenset({Reason.ZONE, Reason.HOURS, Reason.OVERLAP})  # overlap is judged window by window


class Offer(Struct, frozen=True, kw_only=True):
    """What he is shown: the windows (indexes) in which he is free, and the reasons that mark it. ``fits``: waves would ask him too."""

    windows: tuple[int, ...]
    reasons: tuple[str, ...]
    fits: bool


def judge(query: Query, person: Person, market: MarketSettings, now: int) -> Offer | tuple[Reason, ...]:
    """The offer, or every filter that binds against it."""
    found = fits(query, person, market, now)
    free = free_windows(query, person)
    binding = tuple(reason for reason in found.reasons if reason not in MARKED) + (() if free else (Reason.OVERLAP,))
    if binding:
        return binding
    minutes = [minutes_outside(person.settings, market.time_zone, query.windows[index]) for index in free]
    metres = metres_outside(person.shape, query.lat, query.lng, frozenset(query.areas))
    return Offer(windows=free, reasons=words(minutes, metres), fits=bool(found))


def free_windows(query: Query, person: Person) -> tuple[int, ...]:
    """Indexes of the windows that come too near to no visit he holds."""
    return tuple(
        index for index, window in enumerate(query.windows) if not any(window.overlaps(visit, query.gap) for visit in person.visits)
    )
