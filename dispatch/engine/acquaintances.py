"""Who knows whom: personal links, and the providers whom a client knows (R26, R27)."""

import secrets
from collections.abc import Sequence
from typing import Any

from dispatch.engine import checks, faces
from dispatch.engine.enrolment import number_of
from dispatch.matcher import bucket_of, works
from dispatch.model import Span
from dispatch.store import Market, Standing, Store

CODE_BYTES = 9  # of chance in a personal link: nobody guesses one


async def make_link(store: Store, market: Market, provider_id: str, rid: str) -> dict[str, Any]:
    """A new personal link of a provider. Raises NotFound, Conflict."""
    number = await number_of(store, market.id, provider_id)
    code = await store.acquaintances.make_link(market.id, number, secrets.token_urlsafe(CODE_BYTES), rid)
    return {"code": code, "provider_id": provider_id}


async def links(store: Store, market: Market, provider_id: str) -> dict[str, Any]:
    """The personal links of a provider. Raises NotFound."""
    number = await number_of(store, market.id, provider_id)
    return {"links": await store.acquaintances.links_of(market.id, number)}


async def known_providers(
    store: Store, market: Market, client_id: str, windows: Sequence[Span], services: Sequence[str]
) -> list[dict[str, Any]]:
    """Who of those who have served a client is free in some of the windows (indexes), in the order of R5."""
    if windows:
        checks.check_windows(market, tuple(windows))
    checks.check_services(market, tuple(services))
    client = await store.bookings.client_number(market.id, client_id)
    known = await store.acquaintances.known_to(market.id, client) if client is not None else {}
    people = await store.providers.standings(market.id, list(known))
    apart = await store.bookings.blocked(market.id, client) if client is not None else set()
    at = faces.clock_of(market.settings.time_zone)
    return [
        {
            "provider_id": one.id,
            "tier": one.tier.value,
            "windows": free,
            "reachable": one.reachable and one.available and not one.paused,
            "last_served_at": at(known[one.no]),
        }
        for one in sorted(people, key=lambda one: (bucket_of(one.tier, one.score), one.asked_at, one.no))
        if _willing(one, services) and one.no not in apart and (free := _free(one, market, windows))
    ]


def _willing(one: Standing, services: Sequence[str]) -> bool:
    return one.settings.status == "approved" and set(services) <= set(one.settings.catalogue)


def _free(one: Standing, market: Market, windows: Sequence[Span]) -> list[int]:
    """Indexes of the windows that his hours hold and that no visit of his comes near to."""
    gap = market.settings.travel_gap_s * 1_000
    return [
        index
        for index, window in enumerate(windows)
        if works(one.settings, market.settings.time_zone, window) and not any(window.overlaps(visit, gap) for visit in one.visits)
    ]
