"""What a provider leaves in the match index: the cells of his zone, the quarter-hours he works, and the facts that need exact looks.

Pure. The bitmaps themselves are written by the verbs; lua/lib/index.lua names the fields used here.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from h3.api import basic_str as h3  # type: ignore[import-untyped]

from dispatch.hours import QUARTER, Spans, quarters, spans
from dispatch.matcher import bucket_of, minute_of
from dispatch.model import AreasZone, InitialRank, ProviderSettings, Tier
from dispatch.zones import Areas, Circle, Cover, Polygon, Shape, cover, from_model, pack_ring

A_DAY = 96  # quarters
REGION = 3  # H3 resolution of the coarse map that tells whether a place can belong to the market at all
MARGIN_DAYS = 2  # indexed beyond the horizon, so that time zones and the daily extension have room


def first_quarter(now: int) -> int:
    """The quarter at which the current UTC day begins."""
    return now // QUARTER // A_DAY * A_DAY


def last_quarter(now: int, horizon_days: int) -> int:
    """The first quarter that a provider written now is not indexed for."""
    return first_quarter(now) + (horizon_days + MARGIN_DAYS) * A_DAY


def place_of(settings: ProviderSettings) -> dict[str, Any]:
    """The bits of zone and catalogue alone: what must be cleared when they change."""
    shape = from_model(settings.zone)
    net = Cover(frozenset(), frozenset()) if isinstance(shape, Areas) else cover(shape)
    areas = sorted(shape.codes) if isinstance(shape, Areas) else []
    return {"inside": list(net.inside), "rim": list(net.rim), "areas": areas, "services": list(dict.fromkeys(settings.catalogue))}


def facts_of(settings: ProviderSettings, time_zone: str, first: int, until: int) -> dict[str, Any]:
    """Everything the index needs of a provider, for the quarters [first, until). Raises Unprocessable for a bad zone or bad hours."""
    shape, place = from_model(settings.zone), place_of(settings)
    worked = work_of(settings, time_zone, first, until)
    dnd = settings.do_not_disturb
    return {
        **place,
        **worked,
        "zone": _zone(shape),
        "ring": pack_ring(shape) if isinstance(shape, Polygon) else None,
        "flags": int(dnd is not None),
        "dnd_from": minute_of(dnd.from_) if dnd else 0,
        "dnd_to": minute_of(dnd.to) if dnd else 0,
        "regions": sorted({_region(cell) for cell in (*place["inside"], *place["rim"])}),
    }


@lru_cache(maxsize=65_536)
def _region(cell: str) -> str:
    return str(h3.cell_to_parent(cell, REGION))


def work_of(settings: ProviderSettings, time_zone: str, first: int, until: int) -> dict[str, Any]:
    """His hours as the index wants them: the bitmap of quarters, ragged days, and exact spans when there are any of those."""
    exact = spans(settings.hours, settings.absences, settings.extra_openings, time_zone, first * QUARTER, until * QUARTER)
    found = quarters(exact, first, until - first)
    ragged = list(found.ragged_days)
    return {"first": first, "quarters": found.touched, "ragged": ragged, "spans": _minutes(exact) if ragged else None}


def _minutes(exact: Spans) -> bytes:
    return (np.array(exact, dtype=np.int64).reshape(-1) // 60_000).astype("<u4").tobytes()


def _zone(shape: Shape) -> dict[str, int]:
    if isinstance(shape, Circle):
        return {"kind": 1, "lat": shape.lat_e6, "lng": shape.lng_e6, "radius": shape.radius_m}
    if isinstance(shape, Polygon):
        lats, lngs = zip(*shape.ring, strict=True)
        return {"kind": 2, "lat": sum(lats) // len(lats), "lng": sum(lngs) // len(lngs), "radius": 0}
    return {"kind": 3, "lat": 0, "lng": 0, "radius": 0}


def rank_of(rank: InitialRank) -> dict[str, Any]:
    """A rank as the verbs want it."""
    return {"tier": rank.tier.value, "score": rank.score, "bucket": bucket_of(rank.tier, rank.score)}


NEWCOMER = InitialRank(tier=Tier.LIMITED, score=5.0)  # R50: everyone starts limited; in the middle of the scale until there are facts


def working_quarters(settings: ProviderSettings, time_zone: str, start: int, end: int) -> list[int]:
    """The quarters between two moments (ms) of which he works some part."""
    first, until = start // QUARTER, -(-end // QUARTER)
    found = work_of(settings, time_zone, first, until)["quarters"]
    bits = np.unpackbits(np.frombuffer(found, dtype=np.uint8))[: until - first]
    return [first + int(index) for index in np.flatnonzero(bits)]


def uses_areas(settings: ProviderSettings) -> tuple[str, ...]:
    """The area codes his zone names."""
    return tuple(settings.zone.codes) if isinstance(settings.zone, AreasZone) else ()

