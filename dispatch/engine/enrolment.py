"""Providers at the desk: one by one, and by the thousand."""

from collections.abc import AsyncIterable
from operator import itemgetter
from typing import Any

import anyio
import msgspec
from msgspec import UNSET

from dispatch import hours
from dispatch.engine.places import Places
from dispatch.errors import DispatchError, Forbidden, NotFound, Unprocessable
from dispatch.model import ProviderLine, ProviderSettings
from dispatch.store import Hand, Market, Standing, Store

Batch = dict[str, tuple[int, ProviderSettings]]  # by provider id: number of the line and what it says

BATCH = 4_096  # lines enrolled together
LINE_LIMIT = 64 * 1_024
_lines = msgspec.json.Decoder(ProviderLine)


class Enrolment:
    """Creates and replaces providers."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store, self._places = store, places

    async def put(self, market: Market, provider_id: str, settings: ProviderSettings, hand: Hand | None = None) -> bool:
        """Creates or replaces one; whether he is new. One who may not work any more loses his open proposals."""
        await self._check(market, settings)
        return await self._store.providers.put(market, provider_id, settings, hand)

    async def _check(self, market: Market, settings: ProviderSettings) -> None:
        unknown = sorted(set(settings.catalogue) - market.services)
        if unknown:
            raise Unprocessable(f"catalogue names services the market does not have: {', '.join(unknown)}", code="unknown_service")
        check_dates(settings)
        await self._places.check(market, settings)

    async def run(self, market: Market, lines: AsyncIterable[bytes], allow_rank: bool) -> dict[str, Any]:
        """Imports NDJSON. A bad line is refused with its number and reason, the rest goes in."""
        report: dict[str, Any] = {"accepted": 0, "refused": []}
        batch: Batch = {}
        number = 0
        async for line in lines:
            number += 1
            if line.strip():
                await self._take(market, line, number, batch, report, allow_rank)
            if len(batch) >= BATCH:
                await self._flush(market, batch, report)
        await self._flush(market, batch, report)
        report["refused"].sort(key=itemgetter("line"))
        return report

    async def _take(self, market: Market, line: bytes, number: int, batch: Batch, report: dict[str, Any], allow_rank: bool) -> None:
        try:
            parsed = read_line(line)
            if parsed.initial_rank is not UNSET and not allow_rank:
                raise Forbidden("initial_rank needs a key with an ops role; leave it out or use such a key")
            settings = settings_of(parsed)
            await self._check(market, settings)
            if parsed.provider_id in batch:  # the later line of the same provider replaces the earlier one
                await self._flush(market, batch, report)
            batch[parsed.provider_id] = number, settings
        except DispatchError as error:
            report["refused"].append(refusal(number, error))
        await anyio.sleep(0)

    async def _flush(self, market: Market, batch: Batch, report: dict[str, Any]) -> None:
        if not batch:
            return
        refused = await self._store.providers.enroll(market, [(provider_id, settings) for provider_id, (_, settings) in batch.items()])
        report["accepted"] += len(batch) - len(refused)
        report["refused"] += [refusal(batch[provider_id][0], error) for provider_id, error in refused.items()]
        batch.clear()


async def number_of(store: Store, market: str, provider_id: str) -> int:
    """The number of a provider. Raises NotFound."""
    number = await store.providers.number(market, provider_id)
    if number is None:
        raise NotFound(f"no provider {provider_id} in this market")
    return number


def refusal(line: int, error: DispatchError) -> dict[str, Any]:
    """A line of an import that was refused."""
    return {"line": line, "code": error.code, "detail": error.detail}


def read_line(line: bytes) -> ProviderLine:
    """A line of an import. Raises DispatchError that says what would be right."""
    if len(line) > LINE_LIMIT:
        raise Unprocessable(f"the line is longer than {LINE_LIMIT} bytes; one provider a line", code="too_large")
    try:
        return _lines.decode(line)
    except msgspec.ValidationError as error:
        code = "unknown_field" if "unknown field" in str(error) else "invalid"
        raise Unprocessable(f"{error}", code=code) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unprocessable(f"not JSON ({error}); one JSON object a line", code="bad_request") from None


def settings_of(line: ProviderLine) -> ProviderSettings:
    """The settings on a line."""
    return ProviderSettings(**{name: getattr(line, name) for name in ProviderSettings.__struct_fields__})


def check_dates(settings: ProviderSettings) -> None:
    """Hours in the grammar, and ranges of dates that run forwards. (Zones are checked where their footprint is made.)"""
    hours.parse(settings.hours)
    for opening in settings.extra_openings:
        hours.parse_extra(opening.hours)
    for name in ("absences", "extra_openings"):
        for index, span in enumerate(getattr(settings, name)):
            if span.to < span.from_:
                raise Unprocessable(f"{name}[{index}]: `to` is before `from`; both ends are included", code="bad_hours")


def provider_face(standing: Standing) -> dict[str, Any]:
    """GET of a provider: his settings and how he stands. His score is private (R65)."""
    settings: dict[str, Any] = msgspec.to_builtins(standing.settings)
    settings.pop("initial_rank", None)
    return {
        "provider_id": standing.id,
        **settings,
        "tier": standing.tier.value,
        "reachable": standing.reachable,
        "available": standing.available,
        "paused": standing.paused,
        "live_proposals": standing.live,
        "devices": standing.devices,
    }


def own_face(market: Market, standing: Standing) -> dict[str, Any]:
    """What a provider's own page shows of him, and needs in order to speak of the market: its time zone, and the names of his services."""
    settings: dict[str, Any] = msgspec.to_builtins(standing.settings)
    mine = set(standing.settings.catalogue)
    return {
        "market": market.id,
        "time_zone": market.settings.time_zone,
        "provider_id": standing.id,
        "name": standing.settings.name,
        "tier": standing.tier.value,
        "available": standing.available,
        "paused": standing.paused,
        "zone": settings["zone"],
        "do_not_disturb": settings["do_not_disturb"],
        "services": {each.code: {"fr": each.name.fr, "en": each.name.en} for each in market.catalogue.services if each.code in mine},
    }
