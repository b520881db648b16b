"""Rate limits of registrations and of mails to people who are not logged in.

An account gets coins in every open campaign, so accounts must not be free to create.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from api.kernel.networks import network_id
from api.kernel.rates import Buckets, RateLimits

if TYPE_CHECKING:
    from settings.limits import LimitSettings

_INSTALLATION = UUID(int=0)


class MailRates:
    """The limit of mails that people ask for without a log-in."""

    def __init__(self, limits: LimitSettings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""
        self._limits = RateLimits(buckets, "account_mails", address=limits.account_mails_per_address)

    async def spend(self, address: str) -> None:
        """Count a request from a network address; of IPv6 the /64 counts.

        Raises:
            RateLimited: the address's limit was exceeded.
        """
        await self._limits.spend(address=network_id(address))


class RegistrationRates:
    """The limits of an application."""

    def __init__(self, limits: LimitSettings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""
        self._limits = RateLimits(
            buckets,
            "registrations",
            address=limits.registrations_per_address,
            installation=limits.registrations_per_installation,
        )

    async def spend(self, address: str) -> None:
        """Count a registration from a network address; of IPv6 the /64 counts.

        Raises:
            RateLimited: the address's limit or the installation's was exceeded.
        """
        await self._limits.spend(address=network_id(address), installation=_INSTALLATION)
