"""How much of the ledger one member, and one campaign, may ask for.

Every command that reaches the ledger counts: a dry run costs as much as the real one, and a replay or a refusal is only
known to be one once the ledger has been asked. What does not fit its schema, or comes without a valid token, counts
nothing. Reading is counted apart, and reading a whole ledger apart from reading one's own coins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Request

from api.auth.dependencies import TokenHolder
from api.kernel.rates import Buckets, RateLimits

if TYPE_CHECKING:
    from settings import Settings


class CoinRates:
    """The limits of an application, at `app.state.coin_rates`."""

    def __init__(self, settings: Settings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""
        self._commands = RateLimits(
            buckets,
            "coin commands",
            member=settings.coin_commands_per_member,
            campaign=settings.coin_commands_per_campaign,
        )
        self._reads = RateLimits(buckets, "coin readings", member=settings.coin_reads_per_member)
        self._figures = RateLimits(buckets, "ledger readings", member=settings.coin_figures_per_member)

    async def spend(self, user_id: UUID, campaign_id: UUID) -> None:
        """Count a command of a member in a campaign; whichever limit refuses, the other counts nothing.

        Raises:
            RateLimited: the member's limit or the campaign's is met.
        """
        await self._commands.spend(member=user_id, campaign=campaign_id)

    async def spend_bulk(self, user_id: UUID) -> None:
        """Count a command of a manager for many members.

        It is one of the manager's commands and none of a campaign's: a roster of 10,000 grants is not to keep members
        from allocating.

        Raises:
            RateLimited: the manager's limit is met.
        """
        await self._commands.spend(member=user_id)

    async def spend_read(self, user_id: UUID) -> None:
        """Count a reading of coins.

        Raises:
            RateLimited: the member's limit is met.
        """
        await self._reads.spend(member=user_id)

    async def spend_figures(self, user_id: UUID) -> None:
        """Count a reading of a whole ledger.

        Raises:
            RateLimited: the member's limit is met.
        """
        await self._figures.spend(member=user_id)


async def _rates(request: Request) -> CoinRates:
    rates: CoinRates = request.app.state.coin_rates
    return rates


_Rates = Annotated[CoinRates, Depends(_rates)]


async def _bulk(rates: _Rates, caller: TokenHolder) -> None:
    await rates.spend_bulk(caller.user_id)


async def _read(rates: _Rates, caller: TokenHolder) -> None:
    await rates.spend_read(caller.user_id)


async def _figures(rates: _Rates, caller: TokenHolder) -> None:
    await rates.spend_figures(caller.user_id)


# for the `dependencies` of a route, which are asked before its session begins
CountBulk = Depends(_bulk)
CountRead = Depends(_read)
CountFigures = Depends(_figures)
