"""The rate limit of log-ins by providers: each causes calls to the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.kernel.networks import network_id
from api.kernel.rates import Buckets, RateLimits

if TYPE_CHECKING:
    from settings.sso import SsoSettings


class SignOnRates:
    """The limit of an application."""

    def __init__(self, settings: SsoSettings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""
        self._limits = RateLimits(buckets, "log-ins by providers", address=settings.log_ins_per_address)

    async def spend(self, address: str) -> None:
        """Count the start or the end of a log-in from a network address; of IPv6 the /64 counts.

        Raises:
            RateLimited: the address's limit was exceeded.
        """
        await self._limits.spend(address=network_id(address))
