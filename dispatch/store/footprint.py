"""What a provider leaves in the match index: the cells of his zone, the quarter-hours he works, and the facts that need exact looks.

Pure. The bitmaps themselves are written by the verbs; lua/lib/index.lua names what is used here.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from dispatch.hours import QUARTER, Spans, quarters, spans
from dispatch.matcher import STEPS, bucket_of, minute_of, under_performing
from dispatch.model import TIERS, Absence, DailyRange, ExtraOpening, InitialRank, MarketSettings, ProviderSettings, Tier
from dispatch.zones import Areas, Circle, Grid, Net, Polygon, Shape, from_model, net_of, pack_ring

A_DAY = 96  # quarters
REGION = 3  # H3 resolution of the coarse map that tells whether a place can belong to the market at all
DIGITS = 3 * (15 - REGION)  # bits of an H3 index below those of the coarse cell
MARGIN_DAYS = 2  # indexed beyond the horizon, so that time zones and the daily extension have room
STEP = 480  # quarters by which an index reaches further at once
SHELVES = range(len(TIERS) + 1)  # one a tier, the best first; the last is that of the under-performing (R7)

Write = tuple[str, int, Sequence[Any]]  # template of bitmaps, bit, and in which of them
NOWHERE: Grid = np.array([], dtype=np.int64)


class Work(NamedTuple):
    """Hours over the quarters [first, first + 8 x len(touched)): ``touched`` bitmap, those worked only in part, exact spans when there are
    any of those (uint32 minute pairs).
    """

    first: int
    touched: bytes
    ragged: tuple[int, ...]
    spans: bytes | None


class Footprint(NamedTuple):
    """A provider's bits. ``parts``: by template, in which bitmaps he stands; zone and hours beside it. ``facts``: see lua/lib/index.lua."""

    parts: dict[str, tuple[Any, ...]]
    net: Net
    work: Work
    facts: dict[str, Any]


def first_quarter(now: int) -> int:
    """The quarter at which the current UTC day begins."""
    return now // QUARTER // A_DAY * A_DAY


def last_quarter(now: int, horizon_days: int) -> int:
    """The first quarter that a provider written now is not indexed for."""
    return first_quarter(now) + (horizon_days + MARGIN_DAYS) * A_DAY


def basis_of(settings: MarketSettings) -> int:
    """A number that changes when every provider has to be written anew: what of the market his place in the index depends on."""
    of_hours = f"{settings.time_zone} {settings.travel_gap_s} {settings.horizon_days} {settings.open_proposals_cap}"
    of_rank = f"{settings.newcomer_answers} {settings.under_performing_score} {settings.under_performing_orders}"
    return crc32(f"{of_hours} {of_rank}".encode())


def footprint_of(settings: ProviderSettings, time_zone: str, first: int, until: int) -> Footprint:
    """Everything the index needs of a provider, for the quarters [first, until). Raises Unprocessable for a bad zone or bad hours."""
    shape, work, quiet = from_model(settings.zone), work_of(settings, time_zone, first, until), settings.do_not_disturb
    net = Net(NOWHERE, NOWHERE) if isinstance(shape, Areas) else net_of(shape)
    disturb, stir = _quiet(quiet) if quiet else ((), ())
    parts = {
        "x_area": tuple(sorted(shape.codes)) if isinstance(shape, Areas) else (),
        "x_service": tuple(dict.fromkeys(settings.catalogue)),
        "x_disturb": disturb,
        "x_stir": stir,
        "x_ragged": work.ragged,
    }
    facts = {
        "zone": _zone(shape),
        "ring": pack_ring(shape) if isinstance(shape, Polygon) else None,
        "spans": work.spans,
        "flags": int(quiet is not None),
        "dnd_from": minute_of(quiet.from_) if quiet else 0,
        "dnd_to": minute_of(quiet.to) if quiet else 0,
        "regions": _regions(net.reach),
    }
    return Footprint(parts, net, work, facts)


@lru_cache(maxsize=1_024)
def _quiet(quiet: DailyRange) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Quarters of the local day that lie wholly in a daily range, and those that lie in it in part."""
    begin, end = minute_of(quiet.from_), minute_of(quiet.to)
    held = [minute for minute in range(1_440) if (begin <= minute < end if begin < end else minute >= begin or minute < end)]
    counts = np.bincount(np.array(held, dtype=np.int64) // 15, minlength=A_DAY)
    return tuple(np.flatnonzero(counts == 15).tolist()), tuple(np.flatnonzero((counts > 0) & (counts < 15)).tolist())


def _regions(cells: Grid) -> list[str]:
    """The coarse cells of a net."""
    return [_region(digits) for digits in set((cells >> DIGITS).tolist())]


@lru_cache(maxsize=4_096)
def _region(digits: int) -> str:
    """A coarse cell from the first digits of a finer one: in an H3 index the resolution is in bits 52 to 55, unused digits are ones."""
    return f"{digits << DIGITS & ~(15 << 52) | REGION << 52 | (1 << DIGITS) - 1:x}"


def work_of(settings: ProviderSettings, time_zone: str, first: int, until: int) -> Work:
    """His hours as the index wants them. Patterns of hours repeat, so they are kept."""
    return _work(settings.hours, settings.absences, settings.extra_openings, time_zone, first, until)


@lru_cache(maxsize=4_096)
def _work(hours: str, absences: tuple[Absence, ...], extras: tuple[ExtraOpening, ...], time_zone: str, first: int, until: int) -> Work:
    exact = spans(hours, absences, extras, time_zone, first * QUARTER, until * QUARTER)
    edges = np.array(exact, dtype=np.int64).reshape(-1)
    ragged = tuple(np.unique(edges[edges % QUARTER != 0] // QUARTER).tolist())
    return Work(first, quarters(exact, first, until - first).touched, ragged, _minutes(exact) if ragged else None)


def _minutes(exact: Spans) -> bytes:
    return (np.array(exact, dtype=np.int64).reshape(-1) // 60_000).astype("<u4").tobytes()


def _zone(shape: Shape) -> dict[str, int]:
    if isinstance(shape, Circle):
        return {"kind": 1, "lat": shape.lat_e6, "lng": shape.lng_e6, "radius": shape.radius_m}
    if isinstance(shape, Polygon):
        lats, lngs = zip(*shape.ring, strict=True)
        return {"kind": 2, "lat": sum(lats) // len(lats), "lng": sum(lngs) // len(lngs), "radius": 0}
    return {"kind": 3, "lat": 0, "lng": 0, "radius": 0}


# -- what must be written ---------------------------------------------------------------------------------------------


def names(cells: Grid) -> list[str]:
    """Cells as they stand in keys."""
    return [f"{cell:x}" for cell in cells.tolist()]


def _lists(footprint: Footprint) -> dict[str, Sequence[Any]]:
    cells = {"x_reach": names(footprint.net.reach), "x_rim": names(footprint.net.rim)}
    return {**footprint.parts, **cells, "x_quarter": worked(footprint.work)}


def worked(work: Work) -> list[int]:
    """The quarters of which he works some part."""
    bits = np.unpackbits(np.frombuffer(work.touched, dtype=np.uint8))
    return [work.first + index for index in np.flatnonzero(bits).tolist()]


def changes(old: Footprint | None, new: Footprint, unsure: range | None = None) -> list[Write]:
    """The writes that turn the bits of one footprint (None: of nobody) into those of another.

    ``unsure``: nobody knows which bits of the old one were written, nor those of these quarters.
    """
    before, after = _lists(old) if old else {}, _lists(new)
    kept = {} if unsure else before
    gone = [(name, 0, _without(parts, after[name])) for name, parts in before.items() if not (unsure and name == "x_quarter")]
    gone += [("x_quarter", 0, _without(unsure, after["x_quarter"]))] if unsure else []
    come = [(name, 1, _without(parts, kept.get(name, ()))) for name, parts in after.items()]
    return [write for write in (*gone, *come) if write[2]]


def _without(parts: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    apart = set(others)
    return [part for part in parts if part not in apart]


def clearing(old: Footprint, unsure: range) -> list[Write]:
    """The writes that leave nothing of a footprint, nor of any of these quarters."""
    return [(name, 0, list(parts)) for name, parts in {**_lists(old), "x_quarter": unsure}.items() if parts]


# -- ranks, and small questions ---------------------------------------------------------------------------------------


def shelf_of(bucket: int) -> int:
    """The shelf of the index in which a bucket has its slots."""
    return min(SHELVES[-1], bucket // STEPS)


def rank_of(rank: InitialRank, settings: MarketSettings) -> dict[str, Any]:
    """A rank as the verbs want it: the class of R7 is part of it."""
    behind = under_performing(settings, rank.score, rank.orders)
    bucket = bucket_of(rank.tier, rank.score, behind=behind)
    return {"tier": rank.tier.value, "score": rank.score, "bucket": bucket, "orders": rank.orders, "answered": rank.answered}


NEWCOMER = InitialRank(tier=Tier.LIMITED, score=5.0)  # R50: everyone starts limited; in the middle of the scale until there are facts


def working_quarters(settings: ProviderSettings, time_zone: str, start: int, end: int) -> list[int]:
    """The quarters between two moments (ms) of which he works some part."""
    first, until = start // QUARTER, -(-end // QUARTER)
    return [quarter for quarter in worked(work_of(settings, time_zone, first, until)) if quarter < until]
