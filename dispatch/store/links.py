"""Links: which device of which provider has a socket open, at which gateway. They are what makes a provider reachable (R2, R14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatch.store.calls import Calls, decode, text, wall_ms
from dispatch.store.inbox import Resumed, reading, resumed
from dispatch.store.keys import key

DEVICES = 5  # a provider
SLICE = 200  # providers unlinked in one call


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The answer to a new socket. ``allowed`` False, and ``why``: TOO_MANY (devices), UNKNOWN (provider), BLOCKED (account), REVOKED
    (token). ``generation`` grows with every socket of the provider, 0: a newer one is there, or the store is another (``epoch``).
    ``replaced``: gateway and connection it takes over from."""

    epoch: str = ""
    seq: int = 0
    generation: int = 0
    replaced: tuple[str, int] | None = None
    allowed: bool = True
    devices: int = 0
    why: str = ""


class Links:
    """The sockets of devices, as the store knows them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def connect(
        self, market: str, pno: int, device: str, gateway: str, conn: int, *,
        token_generation: int = 0, background: bool = False, push: bytes | None = None, again: tuple[str, int] | None = None,
    ) -> Linked:  # fmt: skip
        """A socket is open: its provider can be asked from now on. An older socket of the device is told to close (4503).

        ``push`` is the device's address there; empty: it has none (any more); None: nothing is known of that, and nothing changes.
        ``again``: the epoch and generation of one that was entered before; it does not come back over a newer one of its device.
        """
        epoch, generation = again or (None, None)
        reply = await self._calls.verb(
            "connect", market, p=pno, device=device, gateway=gateway, conn=conn, token_gen=token_generation,
            background=background, push=push, most=DEVICES, epoch=epoch, gen=generation,
        )  # fmt: skip
        return _linked(reply)

    async def enter(
        self, market: str, pno: int, device: str, gateway: str, conn: int, since: tuple[str | None, int | None], *,
        provider_id: str, token_generation: int, background: bool, push: bytes,
    ) -> tuple[Linked, Resumed]:  # fmt: skip
        """A socket is open, as in :meth:`connect`, and what its device must be told that last saw ``since`` (epoch, seq): one round trip.

        A number that is not the one of ``provider_id`` is nobody's (UNKNOWN).
        """
        call = self._calls.call(
            "connect", market, p=pno, id=provider_id, device=device, gateway=gateway, conn=conn, token_gen=token_generation,
            background=background, push=push, most=DEVICES,
        )  # fmt: skip
        reply, *read = await self._calls.pipeline(call, *reading(market, pno, since[1]), transaction=True)
        return _linked(decode(reply)), resumed(read, *since)

    async def disconnect(self, market: str, pno: int, device: str, gateway: str, conn: int) -> None:
        """The socket is gone. Nothing happens when another has taken its place."""
        await self._calls.verb("disconnect", market, p=pno, device=device, gateway=gateway, conn=conn)

    async def status(
        self, market: str, pno: int, available: bool | None, background: bool | None, device: str, generation: int | None = None
    ) -> None:
        """The provider switches himself on or off, or his app goes to the background; either ends a pause (R40)."""
        await self._calls.verb("status", market, p=pno, device=device, available=available, background=background, gen=generation)

    async def gateway_alive(self, gateway: str, markets: list[str]) -> None:
        """A gateway's beat, in every market of which it holds devices."""
        await self._calls.pipeline(*(("ZADD", key("gateways", m), wall_ms(), gateway) for m in markets))

    async def gateway_gone(self, gateway: str, markets: list[str], silent_ms: int | None = None) -> None:
        """All links of a gateway are gone (with ``silent_ms``: unless it was heard of since); in slices, so that nobody else waits."""
        since = None if silent_ms is None else wall_ms() - silent_ms
        for market in markets:
            left = 1
            while left:
                left = (await self._calls.verb("disconnect", market, gateway=gateway, limit=SLICE, silent_since=since)).get("left", 0)

    async def silent_gateways(self, market: str, older_than_ms: int) -> list[str]:
        """Gateways whose last beat is older than that: they died without a word."""
        found = await self._calls.command("ZRANGEBYSCORE", key("gateways", market), "-inf", wall_ms() - older_than_ms)
        return [text(name) for name in found]


def _linked(reply: Mapping[str, Any]) -> Linked:
    if reply["word"] == "STALE":
        return Linked(epoch=text(reply["epoch"]))
    if reply["word"] != "LINKED":
        return Linked(allowed=False, devices=DEVICES, why=reply["word"])
    old = reply.get("replaced")
    replaced = (text(old[0]), int(old[1])) if old else None
    return Linked(epoch=text(reply["epoch"]), seq=reply["seq"], generation=reply["gen"], replaced=replaced, devices=reply["devices"])
