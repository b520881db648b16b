"""Dependencies of routes that count against the coins' rate limits."""

from __future__ import annotations

from fastapi import Depends

from api.auth.dependencies import TokenHolder
from api.coins.container import ProvidedCoinRates


async def _bulk(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_bulk(caller.user_id)


async def _read(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_read(caller.user_id)


async def _figures(rates: ProvidedCoinRates, caller: TokenHolder) -> None:
    await rates.spend_figures(caller.user_id)


# for the `dependencies` of a route, which run before its session begins
CountBulk = Depends(_bulk)
CountRead = Depends(_read)
CountFigures = Depends(_figures)
