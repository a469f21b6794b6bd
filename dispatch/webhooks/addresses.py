"""Which addresses a webhook may go to: public ones, so that no callback URL makes us speak to our own network.

A name is resolved once and the connection goes to the address that was looked at: a name that answers differently the second time
(DNS rebinding) changes nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache

import aiohttp
import anyio
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # carries an IPv4 address in its last 32 bits
METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192", "100.100.100.200")))  # clouds' own, outside 169.254.0.0/16
MOST_TRIED = 4  # addresses of one name


class BadUrl(ValueError):
    """A callback URL that is none."""


class PrivateAddress(ValueError):
    """A callback URL leads to an address that is not public."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is, or resolves to, an address that is private, loopback, link-local, multicast or a cloud's metadata service"
        )


def is_public(text: str) -> bool:
    """Whether an address (without port) is one of the public internet, whatever other address it carries inside."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(map(_routed, _layers(address)))


def _routed(address: Address) -> bool:
    local = address.is_multicast or address.is_reserved or address in METADATA
    return address.is_global and not local and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)


def _layers(address: Address) -> Iterable[Address]:
    """The address, or what it carries: IPv4 inside IPv6 by mapping, 6to4, Teredo or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    carried = (address.sixtofour, *(address.teredo or ()))
    return (address, *(one for one in carried if one is not None))


@lru_cache(maxsize=256)
def place_of(url: str) -> tuple[str, int]:
    """Host and port of a callback URL. Raises BadUrl."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as wrong:
        raise BadUrl(f"the URL cannot be read: {wrong}") from wrong
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if parsed.scheme not in ("http", "https") or not parsed.host or not 0 < port < 65_536:
        raise BadUrl("a callback URL is http or https, with a host and a port under 65536")
    return parsed.host, port


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order. Raises OSError when it has none."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as no_name:  # a label that is empty or too long
        raise OSError(f"{host} is no host name") from no_name
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def refuse_private(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises PrivateAddress when one of them is not public, OSError when it has none."""
    addresses = await resolve(host, port)
    if not all(map(is_public, addresses)):
        raise PrivateAddress(host)
    return addresses


class Resolver(AbstractResolver):
    """Addresses for the HTTP client: of a host whose addresses are all public, or of any. TLS still names the host."""

    def __init__(self, *, allow_private: bool) -> None:
        self._look = resolve if allow_private else refuse_private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The first few addresses. Raises PrivateAddress, or OSError when there is none."""
        return [_found(host, port, address) for address in (await self._look(host, port))[:MOST_TRIED]]

    async def close(self) -> None:
        """Holds nothing."""


def _found(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def public_socket(found: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for a connection to this very address, however it was found: an address in the URL is not resolved at all. Raises
    PrivateAddress."""
    family, kind, protocol, _, address = found
    if not is_public(str(address[0])):
        raise PrivateAddress(str(address[0]))
    return socket.socket(family, kind, protocol)
