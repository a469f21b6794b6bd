"""How a link comes in: the token is checked, the link registered, and what the device missed is read. In this order, so that nothing falls
between reading and listening: a message that arrives meanwhile finds the link registered, and waits for it.
"""

from dispatch.errors import Conflict, DispatchError, Forbidden, NotFound, Unauthorized, Unavailable
from dispatch.gateway.effects import Entered
from dispatch.gateway.foyer import Foyer
from dispatch.gateway.frames import Frame
from dispatch.gateway.link import Link
from dispatch.gateway.metrics import ADDRESSES, RESUMES
from dispatch.gateway.moments import Moments
from dispatch.gateway.registry import Registry
from dispatch.gateway.relay import Relay
from dispatch.gateway.session import Phase
from dispatch.identity import Claims, DeviceKeys
from dispatch.messages import Hello, PushAddress
from dispatch.push import KINDS, unfit
from dispatch.store import Linked, Resumed, Store, refusal_of
from dispatch.wire import encode_json

NO_ADDRESS = b""


class Entry:
    """The door of one gateway."""

    def __init__(
        self, store: Store, keys: DeviceKeys, registry: Registry, relay: Relay, moments: Moments, gateway: str, foyer: Foyer
    ) -> None:
        self._store, self._keys, self._registry, self._relay, self._gateway = store, keys, registry, relay, gateway
        self._moments, self._foyer = moments, foyer

    async def enter(self, link: Link, hello: Hello) -> Entered:
        """Let a device in. Raises Unauthorized, Forbidden (blocked, or ``too_many_devices``) or Unavailable."""
        claims = self._keys.verify(hello.token)
        if claims.device_id not in (None, hello.device):
            raise Unauthorized("the token names another device")
        wrong = _looked_at(hello.push) if hello.push else None
        async with self._foyer.greeting():
            if link.session.phase is Phase.CLOSED:  # in a storm many have given up by the time that it is their turn
                raise Unavailable("the device left while it waited")
            push = encode_json(hello.push) if hello.push and not wrong else NO_ADDRESS
            known = await self._register(link, hello, claims, push)
        link.epoch = known.epoch
        RESUMES.labels("resumed" if known.resumed else known.reason).inc()
        return Entered(
            session=f"{self._gateway}.{link.number}",
            pno=link.pno,
            expires_at=self._moments.at_wall(claims.expires_s * 1_000),
            epoch=known.epoch,
            seq=known.seq,
            resumed=known.resumed,
            reason=known.reason,
            items=[Frame(item) for item in known.items],
            had=[Frame(item) for item in known.had],
            missed=[Frame(message) for _, message in known.missed],
            unfit=wrong,
        )

    async def _register(self, link: Link, hello: Hello, claims: Claims, push: bytes) -> Resumed:
        """A token mostly knows its provider's number: then one round trip does it all."""
        pno = claims.number or await self._store.providers.number(claims.market, claims.provider_id)
        if pno is None:
            raise Unauthorized("no such provider")
        link.market, link.pno, link.name, link.background = claims.market, pno, hello.device, hello.background
        link.token_generation = claims.token_generation
        self._registry.add(link)
        await self._relay.follow(link.market)
        resume = hello.resume
        link.linked = True  # as far as we know: should the answer be lost, the link is taken off again all the same
        linked, known = await self._store.links.enter(
            link.market, pno, link.name, self._gateway, link.number, (resume.epoch, resume.seq) if resume else (None, None),
            provider_id=claims.provider_id, token_generation=link.token_generation, background=link.background, push=push,
        )  # fmt: skip
        self._settle(link, linked)
        return known

    async def link_up(self, link: Link) -> None:
        """Tell the store once more that this device has its socket here, after we were away. It keeps its generation. Raises Conflict when
        a newer socket of the device is there, Unauthorized, Forbidden, Unavailable, or NotFound (another store)."""
        link.linked = True
        linked = await self._store.links.connect(
            link.market, link.pno, link.name, self._gateway, link.number, token_generation=link.token_generation,
            background=link.background, again=(link.epoch, link.generation) if link.generation and link.epoch else None,
        )  # fmt: skip
        self._settle(link, linked)

    def _settle(self, link: Link, linked: Linked) -> None:
        """What the store said of a link."""
        if not linked.allowed:
            link.linked = False
            raise _refusal(linked)
        if not linked.generation:
            link.linked = False
            raise Conflict("a newer socket is there") if linked.epoch == link.epoch else NotFound("the store is another one")
        link.generation = linked.generation

    async def renew(self, link: Link, token: str) -> int:
        """A newer token for a link that stands; until when it is good (ms of our clock). Raises Unauthorized (it opens nothing), Forbidden
        (it opens something else) or Unavailable; the older token counts then, as before."""
        claims = self._keys.verify(token)
        if claims.market != link.market or claims.device_id not in (None, link.name):
            raise Forbidden("the token is another device's")
        if await self._store.providers.number(claims.market, claims.provider_id) != link.pno:
            raise Forbidden("the token is another provider's")
        (fault,) = await self._store.rights.faults(link.market, [(link.pno, link.name, claims.token_generation)])
        if fault is not None:
            raise refusal_of(fault)
        link.token_generation = claims.token_generation
        return self._moments.at_wall(claims.expires_s * 1_000)

    async def leave(self, link: Link) -> None:
        """The device has no socket here any more. Raises Unavailable: try again later."""
        if link.linked:
            await self._store.links.disconnect(link.market, link.pno, link.name, self._gateway, link.number)
            link.linked = False


def _looked_at(address: PushAddress) -> str | None:
    """What is wrong with a push address, if anything is; counted."""
    wrong = unfit(address)
    ADDRESSES.labels(address.kind if address.kind in KINDS else "other", "unfit" if wrong else "taken").inc()
    return wrong


def _refusal(linked: Linked) -> DispatchError:
    """Why the store did not take a link."""
    match linked.why:
        case "TOO_MANY":
            return Forbidden(f"{linked.devices} devices of this provider are connected; close one first", "too_many_devices")
        case "BLOCKED":
            return refusal_of("blocked")
        case "REVOKED":
            return refusal_of("revoked")
        case _:
            return Unauthorized("no such provider")
