"""Connects to checked addresses only: a name of another server is resolved once, and each of its addresses is checked.

A host that somebody else controls can resolve to an address in this network, or to a public one at first and to a private
one a moment later (DNS rebinding). So the connection goes to the addresses that were checked. TLS and the header Host
still use the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import httpcore2

from api.kernel.outgoing_errors import CallFailed, Reason
from settings.outgoing import OutgoingSettings

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as texts; raises OSError if it has none."""

# for protocols; ipaddress counts parts of the first one as global, depending on its version
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_WITH_IPV4 = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are the IPv4 address that is reached
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that the system knows for a host.

    Raises:
        OSError: there are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: not private, loopback, link-local, multicast or reserved."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _WITH_IPV4:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local or any(address in network for network in _TUNNELS):
            return False
    elif any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for HTTP to checked addresses."""

    def __init__(self, settings: OutgoingSettings, resolve_host: Resolve = resolve) -> None:
        """`resolve_host` resolves names."""
        self._settings = settings
        self._resolve = resolve_host
        self._connections = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address of the host that accepts one.

        Raises:
            CallFailed: the host has no address, or one that is not allowed.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: no address accepts a connection.
        """
        addresses = await self._checked(host, port)
        for address in addresses[:-1]:
            try:
                return await self._connections.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._connections.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore requires."""
        await self._connections.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise CallFailed(host, Reason.NOT_RESOLVED) from error
        if not addresses:
            raise CallFailed(host, Reason.NOT_RESOLVED)
        if self._settings.allows_private(host, port):
            return addresses
        # one private address is enough to refuse the host: the order of the addresses is not ours
        for address in addresses:
            if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                raise CallFailed(host, Reason.ADDRESS_REFUSED)
        return addresses
