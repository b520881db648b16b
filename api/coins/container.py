"""The container of the domain coins: the objects of the ledger that a process makes once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from api.auth.container import AuthContainer
from api.coins.commands.batcher import Batcher
from api.coins.commands.execution import MemberCommands
from api.coins.rates import CoinRates
from api.kernel.container import provided


@dataclass(frozen=True, kw_only=True)
class CoinsContainer(AuthContainer):
    """Adds the objects that carry out and count members' commands."""

    batcher: Batcher
    coin_rates: CoinRates
    member_commands: MemberCommands


ProvidedCoinRates = Annotated[CoinRates, Depends(provided(CoinsContainer, lambda container: container.coin_rates))]
ProvidedMemberCommands = Annotated[
    MemberCommands, Depends(provided(CoinsContainer, lambda container: container.member_commands))
]
