"""How a link comes in: the token is checked, the link registered, and what the device missed is read. In this order, so that nothing falls
between reading and listening: a message that arrives meanwhile finds the link registered, and waits for it.
"""

import anyio

from dispatch.errors import Forbidden, Unauthorized, Unavailable
from dispatch.gateway.frames import Frame
from dispatch.gateway.limits import Limits
from dispatch.gateway.link import Link
from dispatch.gateway.metrics import RESUMES
from dispatch.gateway.registry import Registry
from dispatch.gateway.relay import Relay
from dispatch.gateway.session import Entered, Phase
from dispatch.identity import Claims, DeviceKeys
from dispatch.messages import Hello, PushAddress
from dispatch.store import Resumed, Store
from dispatch.wire import encode_msgpack


class Entry:
    """The door of one gateway."""

    def __init__(self, store: Store, keys: DeviceKeys, registry: Registry, relay: Relay, gateway: str, limits: Limits) -> None:
        self._store, self._keys, self._registry, self._relay, self._gateway = store, keys, registry, relay, gateway
        self._room = anyio.CapacityLimiter(limits.entering)

    async def enter(self, link: Link, hello: Hello) -> Entered:
        """Let a device in. Raises Unauthorized, Forbidden (``too_many_devices``) or Unavailable."""
        claims = self._keys.verify(hello.token)
        if claims.device_id not in (None, hello.device):
            raise Unauthorized("the token names another device")
        async with self._room:
            if link.session.phase is Phase.CLOSED:  # in a storm many have given up by the time that it is their turn
                raise Unavailable("the device left while it waited")
            await self._register(link, hello, claims)
            known = await self._missed(link, hello)
        link.epoch = known.epoch
        RESUMES.labels("resumed" if known.resumed else known.reason).inc()
        return Entered(
            session=f"{self._gateway}.{link.number}",
            pno=link.pno,
            expires_at=claims.expires_s * 1_000,
            epoch=known.epoch,
            seq=known.seq,
            resumed=known.resumed,
            reason=known.reason,
            items=[Frame(item) for item in known.items],
            missed=[Frame(message) for _, message in known.missed],
        )

    async def _register(self, link: Link, hello: Hello, claims: Claims) -> None:
        pno = await self._store.providers.number(claims.market, claims.provider_id)
        if pno is None:
            raise Unauthorized("no such provider")
        link.market, link.pno, link.name, link.background = claims.market, pno, hello.device, hello.background
        self._registry.add(link)
        await self._relay.follow(link.market)
        await self.link_up(link, hello.push)

    async def link_up(self, link: Link, push: PushAddress | None = None) -> None:
        """Tell the store that this device has its socket here: its provider can be asked from now on."""
        address = encode_msgpack(push) if push else None
        link.linked = True  # as far as we know: should the answer be lost, the link is taken off again all the same
        linked = await self._store.links.connect(
            link.market, link.pno, link.name, self._gateway, link.number, background=link.background, push=address
        )
        if not linked.allowed:
            link.linked = False
            raise Forbidden(f"{linked.devices} devices of this provider are connected; close one first", "too_many_devices")

    async def _missed(self, link: Link, hello: Hello) -> Resumed:
        resume = hello.resume
        return await self._store.inbox.resume(link.market, link.pno, resume.epoch if resume else None, resume.seq if resume else None)

    async def leave(self, link: Link) -> None:
        """The device has no socket here any more. Raises Unavailable: try again later."""
        if link.linked:
            await self._store.links.disconnect(link.market, link.pno, link.name, self._gateway, link.number)
            link.linked = False
