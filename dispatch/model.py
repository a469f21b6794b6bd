"""The vocabulary: what a market, a provider and a booking are, as they cross our borders.

Source: SPEC.md (words and defaults), PROTOCOL.md section 1 (names of fields). Times inside the engine are integers, ms since
1970 UTC; lengths of time that end in ``_s`` are seconds; places are integers in millionths of a degree (``_e6``); money is integer cents.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType

from msgspec import UNSET, Meta, Struct, UnsetType, field

Ms = NewType("Ms", int)  # ms since 1970 UTC, on the store's clock
ProviderNo = NewType("ProviderNo", int)  # internal number of a provider in his market (1, 2, ...)
BookingNo = NewType("BookingNo", int)  # internal number of a booking in its market
ClientNo = NewType("ClientNo", int)  # internal number of a client in his market

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$(?!\n)")]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)")]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)")]
Lat = Annotated[float, Meta(ge=-90, le=90)]
Lng = Annotated[float, Meta(ge=-180, le=180)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Natural = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Tier(StrEnum):
    """Public access level, lowest first (R50)."""

    LIMITED = "limited"
    STANDARD = "standard"
    PREFERRED = "preferred"
    PREMIER = "premier"


TIERS: tuple[Tier, ...] = tuple(Tier)


class Urgency(StrEnum):
    """Class of a booking by its lead time (R12)."""

    LAST_MINUTE = "last_minute"
    SAME_DAY = "same_day"
    ADVANCE = "advance"
    FAR = "far"


class Reason(StrEnum):
    """Why a provider is left out of a booking (R2), in the order in which the filters are named there."""

    STATUS = "status"
    ZONE = "zone"
    CATALOGUE = "catalogue"
    HOURS = "hours"
    OVERLAP = "overlap"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    PAUSED = "paused"
    CAP = "cap"
    ASKED = "asked"
    DO_NOT_DISTURB = "do_not_disturb"


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something a caller sends: unknown fields are refused."""


# -- places ---------------------------------------------------------------------------------------------------------


class Place(Strict, frozen=True, kw_only=True):
    """Where a visit happens. ``address`` is shown to the winner only."""

    lat: Lat
    lng: Lng
    address: Annotated[str, Meta(max_length=300)] | None = None


class CircleZone(Strict, frozen=True, kw_only=True, tag="circle", tag_field="type"):
    """Everything within ``radius_km`` of a point, as the crow flies."""

    lat: Lat
    lng: Lng
    radius_km: Annotated[float, Meta(gt=0, le=200)]


class PolygonZone(Strict, frozen=True, kw_only=True, tag="polygon", tag_field="type"):
    """One GeoJSON ring: [[lng, lat], ...], closed (first point repeated) or not, at least three corners, no holes."""

    coordinates: Annotated[list[tuple[Lng, Lat]], Meta(min_length=3, max_length=500)]


class AreasZone(Strict, frozen=True, kw_only=True, tag="areas", tag_field="type"):
    """A list of areas by code: postcodes or commune codes."""

    codes: Annotated[list[Code], Meta(min_length=1, max_length=500)]


Zone = CircleZone | PolygonZone | AreasZone


# -- market ---------------------------------------------------------------------------------------------------------


class CadenceRow(Strict, frozen=True, kw_only=True):
    """Wave size and pause of one class (R12). ``lead_under_s`` is its upper lead time, exclusive; null for the last row."""

    class_: Urgency = field(name="class")
    lead_under_s: Positive | None
    size: Annotated[int, Meta(ge=1, le=50)]
    pause_s: Annotated[int, Meta(ge=1, le=86_400)]


def _cadence() -> tuple[CadenceRow, ...]:
    return (
        CadenceRow(class_=Urgency.LAST_MINUTE, lead_under_s=21_600, size=3, pause_s=180),
        CadenceRow(class_=Urgency.SAME_DAY, lead_under_s=86_400, size=2, pause_s=600),
        CadenceRow(class_=Urgency.ADVANCE, lead_under_s=259_200, size=1, pause_s=1_800),
        CadenceRow(class_=Urgency.FAR, lead_under_s=None, size=1, pause_s=3_600),
    )


class ByClass(Strict, frozen=True, kw_only=True):
    """Seconds for each class."""

    last_minute: Positive
    same_day: Positive
    advance: Positive
    far: Positive


class ByHaste(Strict, frozen=True, kw_only=True):
    """Seconds for last-minute bookings, and for all others."""

    last_minute: Natural
    other: Natural


class LongestSearch(Strict, frozen=True, kw_only=True):
    """Longest search in seconds, by class at opening (R17); last minute is bounded by the start alone."""

    same_day: Positive = 28_800
    advance: Positive = 86_400
    far: Positive = 259_200


class DailyRange(Strict, frozen=True, kw_only=True):
    """From a local time of day to another, past midnight when ``to`` is not after ``from``."""

    from_: Clock = field(name="from")
    to: Clock


class BonusStep(Strict, frozen=True, kw_only=True):
    """What one step of the bonus proposals stretches (R30): hours by so many minutes, the zone by so many kilometres; 0: not at all."""

    hours_min: Annotated[int, Meta(ge=0, le=240)] = 0
    zone_km: Annotated[float, Meta(ge=0, le=15)] = 0


class WebhookTarget(Strict, frozen=True, kw_only=True):
    """Where events of a market are sent, and the Standard Webhooks secret that signs them."""

    url: Annotated[str, Meta(max_length=2_000, pattern=r"^https?://")]
    secret: Annotated[str, Meta(pattern=r"^whsec_[A-Za-z0-9+/=]{16,}$(?!\n)")]


class Pacing(Strict, frozen=True, kw_only=True):
    """What the policy `paced` goes by: seconds over which a search asks everybody who fits, by class, and how fast it spends them."""

    over_s: ByClass = ByClass(last_minute=2_700, same_day=10_800, advance=28_800, far=57_600)
    speed: Annotated[float, Meta(ge=0.1, le=20)] = 1.0


class MarketSettings(Strict, frozen=True, kw_only=True):
    """Everything a market can choose (PROTOCOL.md, market settings). Defaults from SPEC.md."""

    time_zone: str = "Europe/Paris"
    booking_cutoff_s: Natural = 7_200
    travel_gap_s: Annotated[int, Meta(ge=0, le=14_400)] = 1_800
    open_proposals_cap: Annotated[int, Meta(ge=1, le=100)] = 5
    newcomer_share: Annotated[float, Meta(ge=0, le=1)] = 0.1
    newcomer_answers: Annotated[int, Meta(ge=0, le=1_000)] = 10
    under_performing_score: Annotated[float, Meta(ge=0, le=10)] = 3.0
    under_performing_orders: Annotated[int, Meta(ge=1, le=10_000)] = 10
    coverage_threshold: Annotated[int, Meta(ge=1, le=1_000)] = 3
    cadence: Annotated[tuple[CadenceRow, ...], Meta(min_length=1, max_length=4)] = field(default_factory=_cadence)
    answer_s: ByClass = ByClass(last_minute=600, same_day=1_800, advance=14_400, far=43_200)
    response_cap_s: Positive = 3_600
    search_deadline_s: Natural = 3_600
    reopened_deadline_s: Annotated[int, Meta(ge=0, le=86_400)] = 900
    longest_search_s: LongestSearch = LongestSearch()
    horizon_days: Annotated[int, Meta(ge=1, le=35)] = 35
    quiet_hours: DailyRange | None = field(default_factory=lambda: DailyRange(from_="22:00", to="07:00"))
    delivery_grace_s: ByHaste = ByHaste(last_minute=20, other=120)
    preferred_hold_s: ByHaste = ByHaste(last_minute=120, other=1_800)
    no_show_after_s: Annotated[int, Meta(ge=0, le=86_400)] = 300
    pause_after: Annotated[int, Meta(ge=1, le=100)] = 4
    counter_cutoff_s: Annotated[int, Meta(ge=0, le=86_400)] = 3_600
    counter_valid_s: Annotated[int, Meta(ge=60, le=86_400)] = 10_800
    counter_near_s: Annotated[int, Meta(ge=0, le=86_400)] = 1_800
    counter_limit: Annotated[int, Meta(ge=1, le=10)] = 3
    fair_window_s: Annotated[float, Meta(ge=0, le=5)] = 0
    bonus_mode: Literal["approve", "auto", "manual"] = "approve"
    bonus_steps: Annotated[tuple[BonusStep, ...], Meta(max_length=5)] = (
        BonusStep(hours_min=60),
        BonusStep(zone_km=5),
        BonusStep(hours_min=60, zone_km=5),
    )
    wave_policy: Literal["cadence", "paced"] = "cadence"
    wave_order: Literal["rank", "step", "tier"] = "rank"
    pacing: Pacing = Pacing()
    bounds: CircleZone | PolygonZone | None = None
    webhook: WebhookTarget | None = None

    @property
    def learns(self) -> bool:
        """Whether the market wants to know how keen and slow its providers are (habits.py)."""
        return self.wave_policy == "paced" or self.wave_order != "rank"


class Names(Strict, frozen=True, kw_only=True):
    """A name in French and English."""

    fr: Annotated[str, Meta(max_length=120)] = ""
    en: Annotated[str, Meta(max_length=120)] = ""


class Trade(Strict, frozen=True, kw_only=True):
    """A family of services."""

    code: Code
    name: Names = Names()


class Service(Strict, frozen=True, kw_only=True):
    """An entry of the catalogue."""

    code: Code
    trade: Code
    name: Names = Names()
    minutes: Annotated[int, Meta(ge=1, le=1_440)] = 60


class Catalogue(Strict, frozen=True, kw_only=True):
    """Trades and services of a market."""

    trades: Annotated[tuple[Trade, ...], Meta(max_length=200)] = ()
    services: Annotated[tuple[Service, ...], Meta(max_length=2_000)] = ()


# -- provider -------------------------------------------------------------------------------------------------------


class Absence(Strict, frozen=True, kw_only=True):
    """Days off, both ends included, in the market's local dates. Acts on the date of the visit (R3)."""

    from_: date = field(name="from")
    to: date


class ExtraOpening(Strict, frozen=True, kw_only=True):
    """Days with other hours than usual: ``hours`` (OSM grammar, times only) replace that day's."""

    from_: date = field(name="from")
    to: date
    hours: Annotated[str, Meta(max_length=200)]


class InitialRank(Strict, frozen=True, kw_only=True):
    """Seeds the cached rank of an imported provider until the first computation (ops key only).

    ``orders`` and ``answered``: what he has done elsewhere; so he may count as under-performing (R7), and not as a newcomer (R6).
    """

    tier: Tier = Tier.LIMITED
    score: Annotated[float, Meta(ge=0, le=10)] = 5.0
    orders: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    answered: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class ProviderSettings(Strict, frozen=True, kw_only=True):
    """What a provider, or the marketplace for him, sets (PROTOCOL.md, provider)."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    status: Literal["pending", "approved", "inactive"] = "approved"
    trade: Code
    catalogue: Annotated[tuple[Code, ...], Meta(max_length=200)]
    zone: Zone
    hours: Annotated[str, Meta(max_length=1_000)]
    absences: Annotated[tuple[Absence, ...], Meta(max_length=100)] = ()
    extra_openings: Annotated[tuple[ExtraOpening, ...], Meta(max_length=100)] = ()
    do_not_disturb: DailyRange | None = None
    instant_accept: dict[str, Any] | None = None
    initial_rank: InitialRank | UnsetType = UNSET


class ProviderLine(ProviderSettings, frozen=True, kw_only=True):
    """A line of the NDJSON import: a provider and his id."""

    provider_id: Id


# -- booking --------------------------------------------------------------------------------------------------------


class Window(Strict, frozen=True, kw_only=True):
    """Start and end of a visit, with offset."""

    start: Annotated[datetime, Meta(tz=True)]
    end: Annotated[datetime, Meta(tz=True)]


class BookingRequest(Strict, frozen=True, kw_only=True):
    """A booking as the booking service opens it (PROTOCOL.md, booking). Windows in order of preference."""

    booking_id: Id
    client_id: Id
    place: Place
    services: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=20)]
    windows: Annotated[tuple[Window, ...], Meta(min_length=1, max_length=5)]
    price_cents: Natural = 0
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "EUR"
    preferred_provider_id: Id | None = None
    link: Annotated[str, Meta(max_length=64)] | None = None
    note: Annotated[str, Meta(max_length=1_000)] = ""
    override: "Override | None" = None


class Override(Strict, frozen=True, kw_only=True):
    """Ops may book under the cut-off, with a reason (R10)."""

    reason: Annotated[str, Meta(min_length=3, max_length=300)]


class Span(Struct, frozen=True, array_like=True):
    """A half-open span of time [start, end), in ms."""

    start: int
    end: int

    def overlaps(self, other: "Span", gap: int = 0) -> bool:
        """Whether the two come closer than ``gap`` ms (0: whether they share an instant)."""
        return self.start < other.end + gap and other.start < self.end + gap
