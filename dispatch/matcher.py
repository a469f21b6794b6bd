"""Matching, pure: from a booking to a query, whether one provider fits it and why not, and in which order those who fit are asked.

The store's bitmaps answer the same questions for a whole market at once; this is the reference they must agree with.
Source: SPEC.md R1-R8.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from math import floor
from typing import Literal

from msgspec import Struct

from dispatch.habits import quickness
from dispatch.hours import local_minute, spans
from dispatch.model import TIERS, BookingRequest, DailyRange, MarketSettings, ProviderSettings, Reason, Span, Tier
from dispatch.zones import Shape, cells_of, covers

STEPS = 21  # score steps of 0.5 from 0 to 10
RANKS = len(TIERS) * STEPS  # buckets of those who perform; as many stand behind them (R7)
POOL = 64  # of each tier, the first so many are put in order by quickness where a market chose that
CROWD = 200  # inside a tier x score step the order by last asked is exact among this many (R5)


class Query(Struct, frozen=True, kw_only=True):
    """What a booking asks of a provider. ``cells`` and ``areas`` that hold the place; ``gap`` ms of travel around visits."""

    lat: int
    lng: int
    cells: tuple[str, ...]
    areas: tuple[str, ...]
    services: tuple[str, ...]
    windows: tuple[Span, ...]
    gap: int


class Person(Struct, frozen=True, kw_only=True):
    """A provider with everything that decides whether he fits. ``visits``: those he holds; ``slot``: his place in the index; ``behind``: he
    is classed as under-performing (R7); ``keen`` and ``slow``: see habits.py."""

    no: int
    settings: ProviderSettings
    shape: Shape
    visits: tuple[Span, ...] = ()
    blocked: bool = False
    reachable: bool = True
    available: bool = True
    paused: bool = False
    live: int = 0
    asked: bool = False
    tier: Tier = Tier.LIMITED
    score: float = 5.0
    asked_at: int = 0
    slot: int = 0
    behind: bool = False
    keen: float = 1.0
    slow: float = 1.0


class Fit(Struct, frozen=True):
    """Whether a provider fits: the windows that do (indexes), or every reason why not."""

    windows: tuple[int, ...]
    reasons: tuple[Reason, ...]

    def __bool__(self) -> bool:
        return not self.reasons


def to_query(booking: BookingRequest, areas: Iterable[str], settings: MarketSettings) -> Query:
    """The query of a booking."""
    lat, lng = round(booking.place.lat * 1e6), round(booking.place.lng * 1e6)
    windows = tuple(Span(round(w.start.timestamp() * 1_000), round(w.end.timestamp() * 1_000)) for w in booking.windows)
    return Query(
        lat=lat,
        lng=lng,
        cells=cells_of(lat, lng),
        areas=tuple(sorted(areas)),
        services=tuple(dict.fromkeys(booking.services)),
        windows=windows,
        gap=settings.travel_gap_s * 1_000,
    )


def fits(query: Query, person: Person, market: MarketSettings, now: int) -> Fit:
    """Whether ``person`` may be asked for ``query`` now (R2, R3), with every filter that leaves him out."""
    windows, reason = _windows(query, person, market)
    checks = (
        (Reason.STATUS, person.settings.status == "approved"),
        (Reason.ZONE, covers(person.shape, query.lat, query.lng, frozenset(query.areas))),
        (Reason.CATALOGUE, set(query.services) <= set(person.settings.catalogue)),
        (reason or Reason.HOURS, bool(windows)),
        (Reason.BLOCKED, not person.blocked),
        (Reason.UNREACHABLE, person.reachable and person.available),
        (Reason.PAUSED, not person.paused),
        (Reason.CAP, person.live < market.open_proposals_cap),
        (Reason.ASKED, not person.asked),
        (Reason.DO_NOT_DISTURB, not disturbed(person.settings.do_not_disturb, local_minute(market.time_zone, now))),
    )
    return Fit(windows, tuple(name for name, passed in checks if not passed))


def _windows(query: Query, person: Person, market: MarketSettings) -> tuple[tuple[int, ...], Reason | None]:
    """Indexes of the windows that fit his hours and visits, and when there is none the reason of the last one that failed."""
    fitting, reason = [], None
    for index, window in enumerate(query.windows):
        if any(window.overlaps(visit, query.gap) for visit in person.visits):
            reason = Reason.OVERLAP
        elif works(person.settings, market.time_zone, window):
            fitting.append(index)
    return tuple(fitting), reason


def works(settings: ProviderSettings, time_zone: str, window: Span) -> bool:
    """Whether his hours hold the whole window."""
    found = spans(settings.hours, settings.absences, settings.extra_openings, time_zone, window.start, window.end)
    return found == ((window.start, window.end),)


def disturbed(quiet: DailyRange | None, minute: int) -> bool:
    """Whether a local minute of the day falls into a provider's do-not-disturb hours."""
    if quiet is None:
        return False
    begin, end = minute_of(quiet.from_), minute_of(quiet.to)
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def minute_of(clock: str) -> int:
    """Minutes since midnight of ``HH:MM``."""
    return int(clock[:2]) * 60 + int(clock[3:])


def bucket_of(tier: Tier, score: float, *, behind: bool = False) -> int:
    """The place of a tier and score step among the buckets of the index: 0 comes first (premier, 10.0), 83 last (limited, 0.0).

    Those who come ``behind`` all others (R7) follow in the same order, from 84 on.
    """
    step = min(STEPS - 1, max(0, floor(score * 2)))
    return (len(TIERS) - 1 - TIERS.index(tier)) * STEPS + (STEPS - 1 - step) + (RANKS if behind else 0)


def tier_of(bucket: int) -> Tier:
    """The tier of a bucket."""
    return TIERS[len(TIERS) - 1 - bucket % RANKS // STEPS]


def under_performing(settings: MarketSettings, score: float, orders: int) -> bool:
    """Whether a trade's score is too low after enough orders: he comes after all others, and in no first wave (R7)."""
    return orders >= settings.under_performing_orders and score < settings.under_performing_score


def drawn(seed: int, number: int, among: int) -> int:
    """Which of ``among`` newcomers the ``number``-th draw (from 1) of a booking with this seed takes, counted in rank order from 0 (R6)."""
    return int(sha1(f"{seed}:{number}".encode()).hexdigest()[:8], 16) * among >> 32


def order(people: Sequence[Person], turns: dict[int, int] | None = None) -> list[Person]:
    """Those who fit, in the order in which they are asked (R5): tier, score step, longest since last asked, number.
    The under-performing come after all others (R7).

    Where a crowd is spread too thin over its step to be taken exactly, the order is exact among the first 200 from the step's turning
    start, and by rotation beyond (``turns``: bucket -> slot, of such steps alone).
    """
    buckets: dict[int, list[Person]] = {}
    for person in people:
        buckets.setdefault(bucket_of(person.tier, person.score, behind=person.behind), []).append(person)
    return [person for bucket in sorted(buckets) for person in _in_bucket(buckets[bucket], (turns or {}).get(bucket))]


def by_quickness(people: Sequence[Person], within: Literal["step", "tier"], earned: float) -> list[Person]:
    """Those in the order of R5 (its first ones at least), put in another one: in each tier, or in each tier x score step, who accepts
    likely and quickly comes first. ``earned``: what a proposal earns in the time left (habits.py).
    """

    def key(person: Person) -> tuple[int, float, int, int]:
        bucket = bucket_of(person.tier, person.score) if within == "step" else 0
        return bucket, -quickness(person.keen, person.slow, earned), person.asked_at, person.no

    tiers: dict[Tier, list[Person]] = {}
    for person in people:
        tiers.setdefault(person.tier, []).append(person)
    return [one for of_tier in tiers.values() for one in (*sorted(of_tier[:POOL], key=key), *of_tier[POOL:])]


def _in_bucket(people: list[Person], turn: int | None) -> list[Person]:
    crowd, rest = people, []
    if turn is not None:
        by_slot = sorted(people, key=lambda person: (person.slot < turn, person.slot))
        crowd, rest = by_slot[:CROWD], by_slot[CROWD:]
    return sorted(crowd, key=lambda person: (person.asked_at, person.no)) + rest
