"""Suggestions: the change of his settings that follows from why a provider refused, for him to confirm or to leave (R20).

A refusal costs nothing, with or without a reason: nothing here is an input of matching, scores or tiers until he has confirmed it himself.
What is suggested keeps out what he refused, and as little else as can be. Times are ms, ``_m`` metres.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct
from msgspec.structs import replace

from dispatch import hours
from dispatch.errors import Unprocessable
from dispatch.messages import Suggestion
from dispatch.model import AreasZone, CircleZone, ProviderSettings, Span
from dispatch.zones import distance_m

STEP_M: Final = 500  # zones become smaller by steps, so that no radius tells where exactly a client lives
HOURS_LIMIT: Final = 1_000  # of the text (model.ProviderSettings)
DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
MIDNIGHT: Final = "24:00"


class Asked(Struct, frozen=True, kw_only=True):
    """What he refused: the proposal's id, where (millionths of a degree, and the codes of its areas), what, when."""

    proposal: str
    lat: int
    lng: int
    areas: frozenset[str]
    services: tuple[str, ...]
    window: Span


def suggest(reason: str, settings: ProviderSettings, asked: Asked, time_zone: str) -> Suggestion | None:
    """What follows from a reason (``too_far``, ``not_then`` or ``not_free``, ``not_my_service``); None: nothing does."""
    match reason:
        case "too_far":
            return _smaller_zone(settings, asked)
        case "not_then" | "not_free":
            return _other_hours(settings, asked, time_zone)
        case "not_my_service":
            return _shorter_catalogue(settings, asked)
    return None


def _smaller_zone(settings: ProviderSettings, asked: Asked) -> Suggestion | None:
    zone = settings.zone
    if isinstance(zone, CircleZone):
        away = distance_m(round(zone.lat * 1e6), round(zone.lng * 1e6), asked.lat, asked.lng)
        radius = int((away - 1) // STEP_M * STEP_M)
        return Suggestion(proposal=asked.proposal, kind="zone", radius_m=radius) if 0 < radius < zone.radius_km * 1_000 else None
    if isinstance(zone, AreasZone):
        there = tuple(code for code in zone.codes if code in asked.areas)
        return Suggestion(proposal=asked.proposal, kind="zone", areas=there) if 0 < len(there) < len(zone.codes) else None
    return None  # which corner of a polygon to move is his affair


def _other_hours(settings: ProviderSettings, asked: Asked, time_zone: str) -> Suggestion | None:
    """His hours without the day of the week and the time that he refused."""
    if not _works(settings.hours, asked.window, time_zone):
        return None
    start, end = (datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZoneInfo(time_zone)) for ms in (asked.window.start, asked.window.end))
    until = f"{end:%H:%M}" if end.date() == start.date() else MIDNIGHT
    wanted = f"{settings.hours}; {DAYS[start.weekday()]} {start:%H:%M}-{until} off"
    if len(wanted) > HOURS_LIMIT or _works(wanted, asked.window, time_zone):
        return None
    return Suggestion(proposal=asked.proposal, kind="hours", hours=wanted)


def _works(written: str, window: Span, time_zone: str) -> bool:
    """Whether hours hold a window. Those nobody can read hold none."""
    try:
        return hours.spans(written, (), (), time_zone, window.start, window.end) == ((window.start, window.end),)
    except Unprocessable:
        return False


def _shorter_catalogue(settings: ProviderSettings, asked: Asked) -> Suggestion | None:
    """Without the service, where there was one: of several nobody knows which he meant."""
    if len(asked.services) != 1 or asked.services[0] not in settings.catalogue or len(settings.catalogue) == 1:
        return None
    return Suggestion(proposal=asked.proposal, kind="catalogue", services=asked.services)


def applied(settings: ProviderSettings, suggestion: Suggestion) -> ProviderSettings:
    """His settings with it; the same when they hold it already."""
    zone, changes = settings.zone, dict[str, object]()
    if isinstance(zone, CircleZone) and suggestion.radius_m is not UNSET:
        changes["zone"] = replace(zone, radius_km=suggestion.radius_m / 1_000)
    if isinstance(zone, AreasZone) and suggestion.areas is not UNSET:
        changes["zone"] = replace(zone, codes=_without(zone.codes, suggestion.areas))
    if suggestion.hours is not UNSET:
        changes["hours"] = suggestion.hours
    if suggestion.services is not UNSET:
        changes["catalogue"] = tuple(_without(settings.catalogue, suggestion.services))
    return replace(settings, **changes)


def _without(codes: "tuple[str, ...] | list[str]", dropped: tuple[str, ...]) -> list[str]:
    return [code for code in codes if code not in dropped]


REASONS: Mapping[str, str] = {"too_far": "zone", "not_then": "hours", "not_free": "hours", "not_my_service": "catalogue"}
