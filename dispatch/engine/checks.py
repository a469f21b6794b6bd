"""What a booking must be before it may enter: each check refuses with its own code and says what would be right."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

from h3.api import basic_str as h3  # type: ignore[import-untyped]

from dispatch import waves
from dispatch.errors import Unprocessable
from dispatch.hours import check_time_zone
from dispatch.matcher import minute_of
from dispatch.model import Catalogue, MarketSettings, Span, Urgency
from dispatch.store import Market
from dispatch.store.footprint import REGION
from dispatch.zones import covers, from_model

LONGEST_MS = 86_400_000
DAY_MS = 86_400_000
DAY_MINUTES, LEAST_LOUD_MINUTES = 1_440, 60


def check_services(market: Market, services: tuple[str, ...]) -> None:
    """Every service must be in the market's catalogue."""
    unknown = sorted(set(services) - market.services)
    if unknown:
        raise Unprocessable(f"services not in the catalogue of {market.id}: {', '.join(unknown)}", code="unknown_service")


def check_windows(market: Market, windows: tuple[Span, ...]) -> None:
    """Windows must lie ahead, within the horizon, and be visits: over before they are a day long."""
    horizon = market.now + market.settings.horizon_days * DAY_MS
    for index, window in enumerate(windows):
        if window.end <= window.start:
            raise Unprocessable(f"windows[{index}] ends before it starts; end must be after start", code="bad_window")
        if window.end - window.start > LONGEST_MS:
            raise Unprocessable(f"windows[{index}] is longer than 24 h; a window is the visit itself", code="bad_window")
        if window.start <= market.now:
            raise Unprocessable(f"windows[{index}] starts in the past (now is {_iso(market.now)})", code="bad_window")
        if window.end > horizon:
            raise Unprocessable(f"windows[{index}] ends after the horizon; windows until {_iso(horizon)} can be booked", code="bad_window")
    if len(set(windows)) < len(windows):
        raise Unprocessable("two windows are the same; send each once", code="bad_window")


def check_lead(market: Market, start: int, overridden: bool) -> None:
    """A client books in time (R10)."""
    settings = market.settings
    if not overridden and waves.too_late(settings, start, market.now):
        first = _iso(market.now + settings.booking_cutoff_s * 1_000)
        raise Unprocessable(f"a visit can be booked until {settings.booking_cutoff_s} s before its start: from {first} on", code="too_late")


def check_place(settings: MarketSettings, lat: int, lng: int) -> None:
    """The place lies within the market's bounds, when it has some."""
    if settings.bounds is not None and not covers(from_model(settings.bounds), lat, lng, frozenset()):
        raise _outside()


def regions_around(lat: float, lng: float) -> list[str]:
    """The coarse cells (H3 resolution 3, some 70 km across) at a place and next to it."""
    return sorted(h3.grid_disk(h3.latlng_to_cell(lat, lng, REGION), 1))


def _outside() -> Unprocessable:
    return Unprocessable("the place is not in this market: no zone comes near it; check lat and lng, or the market", code="outside_market")


def refuse_outside(in_reach: bool) -> None:
    """Without bounds, a market reaches as far as its providers' zones, and a coarse cell further."""
    if not in_reach:
        raise _outside()


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_settings(settings: MarketSettings) -> None:
    """What settings must be, as a whole."""
    _of_field("time_zone", lambda: check_time_zone(settings.time_zone))
    check_cadence(settings)
    check_quiet_hours(settings)
    check_cutoff(settings)
    check_bonus_steps(settings)
    check_bounds(settings)


def check_cutoff(settings: MarketSettings) -> None:
    """Something can be booked (R10)."""
    if settings.booking_cutoff_s >= settings.horizon_days * DAY_MS // 1_000:
        most = settings.horizon_days * DAY_MS // 1_000 - 1
        words = f"nothing could be booked within horizon_days {settings.horizon_days}; send at most {most}, or a longer horizon"
        raise Unprocessable(f"booking_cutoff_s: {words}", code="invalid")


def check_bonus_steps(settings: MarketSettings) -> None:
    """Each step stretches something (R30)."""
    for index, step in enumerate(settings.bonus_steps):
        if not step.hours_min and not step.zone_km:
            raise Unprocessable(
                f"bonus_steps[{index}]: it stretches nothing; send hours_min or zone_km, or leave the step out", code="invalid"
            )


def check_bounds(settings: MarketSettings) -> None:
    """They enclose some ground (R4)."""
    if (bounds := settings.bounds) is not None:
        _of_field("bounds", lambda: from_model(bounds))


def _of_field(name: str, check: Callable[[], object]) -> None:
    """What is wrong is told of this field. Raises Unprocessable."""
    try:
        check()
    except Unprocessable as wrong:
        raise Unprocessable(f"{name}: {wrong.detail.removeprefix('zone: ')}", code=wrong.code) from None


def check_cadence(settings: MarketSettings) -> None:
    """Rows must rise in lead time, each class once and from the most urgent on, and the last row must have no upper bound."""
    leads = [row.lead_under_s for row in settings.cadence]
    classes = [list(Urgency).index(row.class_) for row in settings.cadence]
    rising = all(low is not None and (high is None or low < high) for low, high in pairwise(leads))
    if not rising or leads[-1] is not None or any(low >= high for low, high in pairwise(classes)):
        words = "lead_under_s must rise from row to row, be null in the last one, and classes stand once, from last_minute to far"
        raise Unprocessable(f"cadence: {words}", code="invalid")


def check_quiet_hours(settings: MarketSettings) -> None:
    """Quiet hours leave at least an hour of the day."""
    quiet = settings.quiet_hours
    if quiet is not None and (minute_of(quiet.from_) - minute_of(quiet.to)) % DAY_MINUTES < LEAST_LOUD_MINUTES:
        raise Unprocessable("quiet_hours: they leave less than an hour of the day; shorten them, or send null for none", code="invalid")


def check_catalogue(catalogue: Catalogue) -> None:
    """Codes are unique, and every service belongs to a trade that is listed."""
    for name, codes in (("trades", [t.code for t in catalogue.trades]), ("services", [s.code for s in catalogue.services])):
        if len(set(codes)) < len(codes):
            raise Unprocessable(f"{name}: a code stands twice; give each its own", code="invalid")
    strays = sorted({service.trade for service in catalogue.services} - {trade.code for trade in catalogue.trades})
    if strays:
        raise Unprocessable(f"services name trades that are not listed: {', '.join(strays)}", code="unknown_trade")
