"""The access rules of a member's own coins, and the dependencies that count a request against its rate limits.

The coins domain is below campaigns and reads neither visibility nor membership. It needs neither: responses depend only
on the caller's own wallet. For a caller without a wallet, the response is the same for a hidden campaign, for one that
the caller has not joined and for one that does not exist, so it discloses nothing.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends

from api.auth.dependencies import CurrentUser, Principal, TokenHolder
from api.coins.container import ProvidedCoinRates
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import Rule, Scope, Visibility, enforces

MOVE_COINS: Final = Rule(Scope.CAMPAIGN, (Permission.MOVE_COINS,), Visibility.ALIKE)
"""The rule of coin commands, on the fast path and the routes: the ledger refuses a caller without a wallet."""


@enforces(MOVE_COINS)
async def _wallet_owner(caller: TokenHolder) -> Principal:
    return caller


@enforces(Rule(Scope.SELF, visibility=Visibility.ALIKE))
async def _own_wallet(caller: CurrentUser) -> Principal:
    return caller


WalletOwner = Annotated[Principal, Depends(_wallet_owner)]
OwnWallet = Annotated[Principal, Depends(_own_wallet)]


@counts_as(RateClass.COINS)
@raises(RateLimited)
async def _bulk(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_bulk(caller.user_id)


@counts_as(RateClass.COINS)
@raises(RateLimited)
async def _read(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_read(caller.user_id)


@counts_as(RateClass.COINS)
@raises(RateLimited)
async def _figures(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_figures(caller.user_id)


# for the `dependencies` of a route, which run before its session begins
CountBulk = Depends(_bulk)
CountRead = Depends(_read)
CountFigures = Depends(_figures)
