"""Vacancies: what whoever appears may be asked for now, as a pure function of the settings and the time (R18).

A vacancy is a seat of a booking's current wave that nobody could be asked for: the wave found fewer than it wanted (after everybody refused
too, as then the next wave leaves at once), or a fill found nobody for the seat of somebody whom nothing reached. The store knows them
(lua/lib/vacancy.lua) and lets a provider who comes online, is freed or widens his settings take them, the most urgent booking first, as
many as his cap allows; who finds none waits for the next wave in his rank. What the store is told for it is decided here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dispatch.hours import in_range
from dispatch.matcher import Person, Query, fits
from dispatch.model import MarketSettings, Urgency
from dispatch.waves import FOREVER, grace_ms

SECOND_MS = 1_000


class Row(Struct, frozen=True, array_like=True):
    """What a class means to a seat taken now. ``lead_ms``: its upper lead time, exclusive, None for the last one; the others are lengths in
    ms: how long the proposal is live (R12b), and how long it may stay unconfirmed (R14)."""

    lead_ms: int | None
    urgency: Urgency
    live_ms: int
    grace_ms: int


class Terms(Struct, frozen=True, kw_only=True):
    """On which terms seats are taken now. ``latest``: the latest start of a booking for which somebody may be asked (R12: quiet hours)."""

    latest: int
    rows: tuple[Row, ...]


class Waiting(Struct, frozen=True, kw_only=True):
    """A booking with vacancies, as the reference of :func:`met` sees it. ``asked``: those who were asked in its round."""

    no: int
    start: int
    query: Query
    asked: frozenset[int] = frozenset()
    apart: frozenset[int] = frozenset()  # providers blocked with its client


def terms(settings: MarketSettings, now: int) -> Terms:
    """The terms of this moment. In quiet hours only a booking that is last-minute by now may ask anybody."""
    rows = tuple(
        Row(
            None if row.lead_under_s is None else row.lead_under_s * 1_000,
            row.class_,
            getattr(settings.answer_s, row.class_) * 1_000,
            grace_ms(settings, row.class_),
        )
        for row in settings.cadence
    )
    quiet = settings.quiet_hours is not None and in_range(settings.quiet_hours, settings.time_zone, now)
    return Terms(latest=_last_minute_until(settings, now) if quiet else FOREVER, rows=rows)


def _last_minute_until(settings: MarketSettings, now: int) -> int:
    """The latest start that is last-minute now; before now when no class is called so."""
    row = settings.cadence[0]
    if row.class_ is not Urgency.LAST_MINUTE:
        return now - 1
    return FOREVER if row.lead_under_s is None else now + row.lead_under_s * 1_000 - 1


def met(waiting: Iterable[Waiting], person: Person, settings: MarketSettings, now: int) -> Sequence[tuple[int, tuple[int, ...]]]:
    """Whom of the waiting he takes a seat of, in this order, with the windows that fit him: what the store must do, said plainly."""
    latest = terms(settings, now).latest
    found: list[tuple[int, tuple[int, ...]]] = []
    for booking in sorted(waiting, key=lambda one: (one.start // SECOND_MS, one.no)):
        room = settings.open_proposals_cap - person.live - len(found)
        if room <= 0 or booking.start > latest:
            break
        here = replace(person, asked=person.no in booking.asked, blocked=person.no in booking.apart)
        if fit := fits(booking.query, here, settings, now):
            found.append((booking.no, fit.windows))
    return found


def plain(terms: Terms) -> Mapping[str, Any]:
    """The terms as the store's verb reads them."""
    return {"latest": terms.latest, "rows": [(row.lead_ms, row.urgency.value, row.live_ms, row.grace_ms) for row in terms.rows]}
