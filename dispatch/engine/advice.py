"""What a provider changes himself from his device: a suggestion that follows from a refusal of his (R20), his do-not-disturb hours (R3)."""

from collections.abc import Callable

import structlog
from msgspec import UNSET
from msgspec.structs import replace

from dispatch.errors import DispatchError, NotFound
from dispatch.messages import Settings, Suggestion
from dispatch.model import DailyRange, ProviderSettings
from dispatch.store import Market, Standing, Store
from dispatch.suggestions import REASONS, Asked, applied, suggest

log = structlog.get_logger("dispatch.advice")


class Advice:
    """Suggestions to providers, and what they make of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_refusal(self, market: str, pno: int, proposal: str, reason: str | None) -> Suggestion | None:
        """What follows from a refusal that was just taken in. Whatever goes wrong here, the refusal stands, without one."""
        if reason is None or reason not in REASONS:
            return None
        try:
            found = await self._found(market, pno, proposal)
            return found and suggest(reason, found[1].settings, found[2], found[0].settings.time_zone)
        except DispatchError as error:
            log.warning("no_suggestion", market=market, code=error.code)
            return None

    async def take(self, market: str, pno: int, wanted: Settings) -> str:
        """Does what he says; the outcome: ``done``, or ``expired`` for a suggestion that does not follow from anything any more."""
        if wanted.suggestion is not None and not await self._follows(market, pno, wanted.suggestion):
            return "expired"
        await self._change(market, pno, _changed(wanted))
        return "done"

    async def _follows(self, market: str, pno: int, suggestion: Suggestion) -> bool:
        """Whether it is what his refusal suggests now, or was confirmed already."""
        found = await self._found(market, pno, suggestion.proposal)
        if found is None:
            return False
        where, standing, asked, reason = found
        if suggest(reason, standing.settings, asked, where.settings.time_zone) == suggestion:
            return True
        return REASONS.get(reason) == suggestion.kind and applied(standing.settings, suggestion) == standing.settings

    async def _found(self, name: str, pno: int, proposal: str) -> tuple[Market, Standing, Asked, str] | None:
        """The market, the provider, what he refused, and why; None: he refused no such thing."""
        market, bno = await self._store.markets.get(name), proposal.partition(".")[0]
        known = bno.isascii() and bno.isdigit() and len(bno) < 12
        records = await self._store.bookings.records(name, [int(bno)]) if known and market is not None else []
        p = records[0].proposals.get(pno) if records else None
        people = await self._store.providers.standings(name, [pno]) if p is not None else []
        if market is None or p is None or not people or p.state != "refused" or proposal != f"{bno}.{p.round}.{pno}":
            return None
        record, shown = records[0], [index for index in p.windows if index < len(records[0].windows)]
        if not record.query or not shown:
            return None
        asked = Asked(
            proposal=proposal,
            lat=record.query["lat"],
            lng=record.query["lng"],
            areas=frozenset(record.query["areas"]),
            services=record.services,
            window=record.windows[shown[0]],
        )
        return market, people[0], asked, record.who.get(f"no:{pno}", "")

    async def _change(self, name: str, pno: int, act: Callable[[ProviderSettings], ProviderSettings]) -> None:
        market = await self._store.markets.get(name)
        (provider_id,) = await self._store.providers.ids(name, [pno])
        if market is None:
            raise NotFound("there is no such market any more")
        await self._store.providers.change(market, provider_id, act)


def _changed(wanted: Settings) -> Callable[[ProviderSettings], ProviderSettings]:
    def act(settings: ProviderSettings) -> ProviderSettings:
        after = settings if wanted.suggestion is None else applied(settings, wanted.suggestion)
        if wanted.do_not_disturb is UNSET:
            return after
        quiet = wanted.do_not_disturb
        return replace(after, do_not_disturb=DailyRange(from_=quiet.from_, to=quiet.to) if quiet else None)

    return act
