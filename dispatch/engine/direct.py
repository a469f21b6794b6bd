"""Direct bookings: whom a client has chosen, whether he can be asked now, and how he is asked before the waves (R26-R28)."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dispatch import direct, waves
from dispatch.engine.people import distance_of, person
from dispatch.errors import Unprocessable
from dispatch.matcher import Query
from dispatch.model import BookingRequest
from dispatch.store import Market, Named, Record, Store

STATES = {waves.OWED: "waiting", 0: "missed"}  # by what the waves hold for; until a moment: he was asked


class Choice(Struct, frozen=True, kw_only=True):
    """The provider whom a booking names: how he would be asked, or ``why`` that cannot be. ``fits``: waves would have asked him too."""

    no: int
    one: Named | None = None
    why: tuple[str, ...] = ()
    fits: bool = False

    def plan(self) -> dict[str, Any]:
        """What a direct release needs (lua/lib/chosen.lua)."""
        return {"one": self.one.plain()} if self.one else {"why": self.why}


async def choose(store: Store, market: Market, request: BookingRequest, query: Query) -> Choice | None:
    """Whom the booking names by a personal link or as preferred, judged; None: nobody. Raises Unprocessable."""
    if request.link is None and request.preferred_provider_id is None:
        return None
    client = await store.bookings.client_number(market.id, request.client_id)
    owner = await _owner(store, market.id, request.link) if request.link is not None else None
    if request.preferred_provider_id is not None:
        number = await _known(store, market.id, request.preferred_provider_id, client)
        if owner not in (None, number):
            raise Unprocessable("link and preferred_provider_id name two providers; send one of them", code="invalid")
        owner = number
    return await judged(store, market, query, owner, client) if owner is not None else None


async def _owner(store: Store, market: str, code: str) -> int:
    owner = await store.acquaintances.owner(market, code)
    if owner is None:
        raise Unprocessable("nobody knows this link, or it was revoked; leave link null to ask everybody", code="unknown_link")
    return owner


async def _known(store: Store, market: str, provider_id: str, client: int | None) -> int:
    number = await store.providers.number(market, provider_id)
    if number is None or client is None or not await store.acquaintances.served(market, number, client):
        words = (
            f"{provider_id} has not served this client yet; name one who has (GET .../clients/{{id}}/providers), or use his personal link"
        )
        raise Unprocessable(words, code="not_served")
    return number


async def judged(store: Store, market: Market, query: Query, number: int, client: int | None) -> Choice:
    """Whether he can be asked for this now, as of his settings of now."""
    standing = next(iter(await store.providers.standings(market.id, [number])), None)
    if standing is None:
        return Choice(no=number, why=("status",))
    blocked = client is not None and number in await store.bookings.blocked(market.id, client)
    one = person(standing, blocked=blocked)
    offer = direct.judge(query, one, market.settings, market.now)
    if not isinstance(offer, direct.Offer):
        return Choice(no=number, why=tuple(reason.value for reason in offer))
    far = distance_of(one.shape, query)
    named = Named(no=number, seen=standing.version, windows=offer.windows, far=far, reasons=offer.reasons)
    return Choice(no=number, one=named, fits=offer.fits)


def held(market: Market, search: waves.Search, choice: Choice | None) -> waves.Search:
    """A search that is opened now with a choice: it owes him the first word, unless that would be now and he cannot be asked."""
    if choice is None:
        return search
    owed = replace(search, chosen=choice.no, hold=waves.OWED)
    now = waves.next_step(market.settings, owed, market.now).release is not None
    return replace(owed, hold=0) if now and choice.one is None else owed


def opening(search: waves.Search, choice: Choice | None) -> dict[str, Any]:
    """The arguments of the verb `open` that a choice adds."""
    if choice is None:
        return {}
    missed = {"p": choice.no, "reasons": choice.why} if search.hold == 0 else None
    return {"chosen": ("chosen", choice.no, "hold", search.hold), "missed": missed}


async def face(store: Store, market: str, reply: Any) -> dict[str, Any] | None:
    """How it stands with the chosen one right after the opening, in the 201."""
    told = reply.get("direct")
    if not told:
        return None
    (provider_id,) = await store.providers.ids(market, [told["p"]])
    return {"provider_id": provider_id, "state": STATES.get(told["hold"], "asked"), "reasons": list(told.get("reasons") or ())}


async def turn(store: Store, market: Market, record: Record, query: Query) -> dict[str, Any]:
    """What the turn needs in which the chosen one is owed his proposal."""
    return (await judged(store, market, query, record.chosen, record.client)).plan()
