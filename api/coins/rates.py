"""Rate limits of coin commands and of readings, per member and per campaign.

Every command that reaches the ledger counts: a dry run costs as much as a command, and only the ledger can recognise a
replay or a refusal. Requests that do not fit their schema or have no valid token do not count. Readings have separate
limits: one for readings of one's own coins and one for readings of a whole ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.kernel.rates import Buckets, RateLimits

if TYPE_CHECKING:
    from uuid import UUID

    from settings.limits import LimitSettings


class CoinRates:
    """The limits of an application."""

    def __init__(self, limits: LimitSettings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""
        self._commands = RateLimits(
            buckets,
            "coin commands",
            member=limits.coin_commands_per_member,
            campaign=limits.coin_commands_per_campaign,
        )
        self._reads = RateLimits(buckets, "coin readings", member=limits.coin_reads_per_member)
        self._figures = RateLimits(buckets, "ledger readings", member=limits.coin_figures_per_member)

    async def spend(self, user_id: UUID, campaign_id: UUID) -> None:
        """Count a command of a member in a campaign; if one limit refuses it, the other does not count it.

        Raises:
            RateLimited: the limit of the member or the campaign is exceeded.
        """
        await self._commands.spend(member=user_id, campaign=campaign_id)

    async def spend_bulk(self, user_id: UUID) -> None:
        """Count a command of a manager for many members.

        It counts as one command of the manager and not for the campaign: a file of 10,000 grants must not prevent
        members from allocating.

        Raises:
            RateLimited: the manager's limit is exceeded.
        """
        await self._commands.spend(member=user_id)

    async def spend_read(self, user_id: UUID) -> None:
        """Count a reading of coins.

        Raises:
            RateLimited: the member's limit is exceeded.
        """
        await self._reads.spend(member=user_id)

    async def spend_figures(self, user_id: UUID) -> None:
        """Count a reading of a whole ledger.

        Raises:
            RateLimited: the member's limit is exceeded.
        """
        await self._figures.spend(member=user_id)
