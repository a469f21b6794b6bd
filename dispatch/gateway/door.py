"""Who comes from where: how many links an address has, and how often it knocks. What is over the caps is refused (429), or only counted.

An address is an IPv4 address or the /64 network of an IPv6 address. Behind a proxy it is the last one in ``X-Forwarded-For`` that is no
proxy of ours: what stands further left is the client's own word.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from dispatch.gateway.limits import Bucket, Limits
from dispatch.gateway.metrics import OVER
from dispatch.settings import Settings

Network = IPv4Network | IPv6Network
KNOCKING: Final = 10_000  # addresses of which it is known how often they knock


class Door:
    """Counts by address. An address without links is forgotten, but for how often it knocked lately."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self.limits = limits
        self._most, self._per_minute = settings.address_links, settings.address_upgrades
        self._trusted: Sequence[Network] = [ip_network(proxy) for proxy in settings.trusted_proxies]
        self._spare_loopback = settings.dev
        self._links: dict[str, int] = {}
        self._knocks: dict[str, Bucket] = {}

    def party(self, host: object) -> str | None:
        """The address to count for a host; None: nobody's, or one that is spared."""
        address = _address(str(host))
        if address is None or (self._spare_loopback and address.is_loopback):
            return None
        return str(address) if address.version == 4 else str(ip_network((int(address) >> 64 << 64, 64)))

    def is_proxy(self, host: object) -> bool:
        """Whether it is one of our proxies, who speak for others."""
        address = _address(str(host))
        return address is not None and any(address in network for network in self._trusted)

    def behind(self, forwarded: Sequence[str]) -> str | None:
        """The address for which a proxy speaks, from its ``X-Forwarded-For`` headers."""
        hosts = [host.strip() for header in forwarded for host in header.split(",")]
        return next((self.party(host) for host in reversed(hosts) if not self.is_proxy(host)), None)

    def enter(self, party: str | None) -> None:
        """A connection of this address is there."""
        if party is not None:
            self._links[party] = self._links.get(party, 0) + 1

    def leave(self, party: str | None) -> None:
        """It is gone."""
        if party is not None and (left := self._links.pop(party, 1) - 1):
            self._links[party] = left

    def crowded(self, party: str | None) -> bool:
        """Whether so many connections of this address are there that it is not even worth an answer."""
        return self.limits.enforced and bool(self._most) and self._links.get(party or "", 0) > 2 * self._most

    def refusal(self, party: str | None, now: int) -> str:
        """Why it may not come in now, or nothing."""
        if party is None:
            return ""
        over = "links" if self._most and self._links.get(party, 0) > self._most else "upgrades" if self._knock(party, now) else ""
        if over:
            OVER.labels(over).inc()
        return f"too many {over} of this address; try again in a while" if over and self.limits.enforced else ""

    def _knock(self, party: str, now: int) -> int:
        if not self._per_minute:
            return 0
        if party not in self._knocks:
            if len(self._knocks) >= KNOCKING:
                del self._knocks[next(iter(self._knocks))]
            self._knocks[party] = Bucket(self._per_minute, self._per_minute / 60, now)
        return self._knocks[party].take(now)


@lru_cache(maxsize=KNOCKING)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, an IPv4 address within IPv6 as itself; None: it is none."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def forwarded(request: Request) -> list[str]:
    """What proxies say of where a request came from."""
    return request.headers.get_all("X-Forwarded-For")


def host_of(connection: ServerConnection) -> object:
    """Where a connection comes from."""
    peer = connection.transport.get_extra_info("peername")
    return peer[0] if isinstance(peer, tuple) else None
