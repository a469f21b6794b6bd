"""Providers as the pure parts see them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dispatch.matcher import RANKS, Person, Query
from dispatch.store import Standing
from dispatch.zones import Areas, Circle, Shape, distance_m, from_model


def person(standing: Standing, *, blocked: bool, asked: bool = False) -> Person:
    """A provider as the pure matcher sees him."""
    return Person(
        no=standing.no,
        settings=standing.settings,
        shape=from_model(standing.settings.zone),
        visits=standing.visits,
        blocked=blocked,
        reachable=standing.reachable,
        available=standing.available,
        paused=standing.paused,
        live=standing.live,
        asked=asked,
        tier=standing.tier,
        score=standing.score,
        asked_at=standing.asked_at,
        slot=standing.slot,
        behind=standing.bucket >= RANKS,
    )


def query_of(kept: Mapping[str, Any]) -> Query:
    """What a booking asks, as the store keeps it."""
    return msgspec.convert({name: value for name, value in kept.items() if name != "client"}, Query)


def distance_of(shape: Shape, query: Query) -> int:
    """Metres from the middle of a zone to the place; -1 where it has none."""
    if isinstance(shape, Areas):
        return -1
    lat, lng = (shape.lat_e6, shape.lng_e6) if isinstance(shape, Circle) else _middle(shape.ring)
    return round(distance_m(lat, lng, query.lat, query.lng))


def _middle(ring: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    lats, lngs = zip(*ring, strict=True)
    return sum(lats) // len(lats), sum(lngs) // len(lngs)
