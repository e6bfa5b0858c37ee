"""Which addresses URLs of callers may lead to, so that none can reach what only this server can reach.

A host is resolved once and every one of its addresses is checked; whoever connects does so to a checked address, so
that a name server which changes its mind gains nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore

from .names import Names, SystemNames

Address = IPv4Address | IPv6Address

# https://www.iana.org/assignments/iana-ipv4-special-registry/ and iana-ipv6-special-registry
IPV4_NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4"),
)
IPV6_PUBLIC = ip_network("2000::/3")  # nothing else is assigned to the public, and of this not
IPV6_NOT_PUBLIC = ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # among them the tunnels Teredo and 6to4
NOT_PUBLIC = tuple(ip_network(network) for network in (*IPV4_NOT_PUBLIC, *IPV6_NOT_PUBLIC))
NAT64 = ip_network("64:ff9b::/96")  # how an IPv6-only network spells the addresses of IPv4
ISATAP = {0x00005EFE, 0x02005EFE}  # third quarter of an address that hides one of IPv4 in the fourth


class HostUnknownError(Exception):
    """The host has no address."""


class AddressRefusedError(Exception):
    """The host has an address that may not be reached."""


class Reach:
    """`allow` names networks (CIDR) that may be reached although they are not public; `names` looks hosts up."""

    def __init__(self, allow: Sequence[str] = (), names: Names | None = None) -> None:
        self._names = names or SystemNames()
        self._allow = tuple(ip_network(network) for network in allow)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all checked; or `HostUnknownError`, `AddressRefusedError`, `TimeoutError`."""
        try:
            addresses = await self._names(host, port)
        except TimeoutError:
            raise  # not found out, which is no answer
        except (OSError, UnicodeError) as error:
            raise HostUnknownError(f"{host}: {error!r}") from error
        for text in addresses:
            if not self.allows(ip_address(text)):
                raise AddressRefusedError(f"{host} is {text}")
        return addresses

    def allows(self, address: Address) -> bool:
        """Whether an address may be reached."""
        return all(self._named(inner) or _public(inner) for inner in _unwrapped(address))

    def _named(self, address: Address) -> bool:
        return any(address in network for network in self._allow)


class Guarded(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses alone."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that answers."""
        problem: Exception = httpcore.ConnectError("the host has no address")
        for address in await self._reach.addresses(host, port):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _unwrapped(address: Address) -> Iterator[Address]:
    """Every address that packets to this one may end at: itself, or the one of IPv4 that hides in it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    translated = address.ipv4_mapped is not None or address in NAT64
    if not translated:
        yield address
    if translated or int(address) >> 32 & 0xFFFFFFFF in ISATAP:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in IPV6_PUBLIC:
        return False
    return not any(address in network for network in NOT_PUBLIC)
