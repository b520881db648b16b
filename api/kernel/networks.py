"""Network addresses of clients, as limits count them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

if TYPE_CHECKING:
    from starlette.requests import Request

IDS_KEPT = 10_000


def client_address(request: Request) -> str:
    """The client's network address; behind a trusted proxy, the address that the proxy reports."""
    return request.client.host if request.client else ""


def network_of(address: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address, because one household or host has all of it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


@lru_cache(IDS_KEPT)
def network_id(address: str) -> UUID:
    """The id of an address's network, as the key of a limit."""
    return uuid5(NAMESPACE_URL, network_of(address))
