"""The stakes of a campaign as arrays: who supports which idea with how many coins, and what the ideas cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Coins: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]


class Utility(StrEnum):
    """How much an idea that is selected is worth to a supporter."""

    COST = "cost"
    """What it costs: a supporter is represented by the money that is spent on what they support."""
    COINS = "coins"
    """The coins that the supporter has put on it."""


@dataclass(frozen=True)
class Support:
    """The supporters of one idea: groups of members with equal ballots, and the coins of each member of the group."""

    groups: Indices
    coins: Coins


@dataclass(frozen=True)
class Ballots:
    """The ballots of one decision.

    Ideas are numbered by the order in which ties are decided: of two equal ones the earlier is selected.

    Attributes:
        costs: what each idea costs, positive, in units of money.
        budget: what may be spent, in the same unit.
        members: the number of members among whom the budget is shared, also those who have put no coins.
        sizes: the members of each group; members of a group have put the same coins on the same ideas.
        supports: the supporters of each idea.
    """

    costs: NDArray[np.float64]
    budget: float
    members: int
    sizes: NDArray[np.float64]
    supports: tuple[Support, ...]

    @property
    def ideas(self) -> int:
        """The number of ideas."""
        return len(self.costs)

    def coins_of(self, idea: int) -> float:
        """The coins on an idea."""
        support = self.supports[idea]
        return float(self.sizes[support.groups] @ support.coins)

    def supporters_of(self, idea: int) -> int:
        """The members who have put coins on an idea."""
        return round(float(self.sizes[self.supports[idea].groups].sum()))

    def utilities_of(self, idea: int, utility: Utility) -> NDArray[np.float64]:
        """What the idea is worth to a member of each group that supports it."""
        support = self.supports[idea]
        if utility is Utility.COINS:
            return support.coins
        return np.full(len(support.groups), self.costs[idea])


def make_ballots(
    costs: Sequence[Decimal | float], budget: Decimal | float, stakes: Sequence[Mapping[int, float]], *, members: int
) -> Ballots:
    """Ballots from the stakes of each member: coins by the number of the idea.

    Raises:
        ValueError: a cost or the budget is not positive, coins are negative, an idea has no cost, or there are more ballots
            than members.
    """
    if any(cost <= 0 for cost in costs):
        msg = "each idea must have a positive cost"
        raise ValueError(msg)
    if budget <= 0:
        msg = "the budget must be positive"
        raise ValueError(msg)
    if len(stakes) > members:
        msg = f"{len(stakes)} ballots are more than the {members} members"
        raise ValueError(msg)
    sizes: dict[tuple[tuple[int, float], ...], int] = {}
    for ballot in stakes:
        if any(coins < 0 for coins in ballot.values()) or any(not 0 <= idea < len(costs) for idea in ballot):
            msg = "a ballot has negative coins, or coins on an idea that has no cost"
            raise ValueError(msg)
        given = tuple(sorted((idea, float(coins)) for idea, coins in ballot.items() if coins > 0))
        if given:
            sizes[given] = sizes.get(given, 0) + 1
    supporters: list[list[tuple[int, float]]] = [[] for _ in costs]
    for group, given in enumerate(sizes):
        for idea, coins in given:
            supporters[idea].append((group, coins))
    return Ballots(
        costs=np.array([float(cost) for cost in costs]),
        budget=float(budget),
        members=members,
        sizes=np.array(list(sizes.values()), dtype=np.float64),
        supports=tuple(
            Support(
                np.array([group for group, _ in each], dtype=np.int64),
                np.array([coins for _, coins in each], dtype=np.float64),
            )
            for each in supporters
        ),
    )
