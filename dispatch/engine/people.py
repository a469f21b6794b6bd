"""Providers as the pure matcher sees them."""

from dispatch.matcher import RANKS, Person
from dispatch.store import Standing
from dispatch.zones import from_model


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
