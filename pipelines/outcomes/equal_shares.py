"""The Method of Equal Shares (Peters, Pierczynski, Skowron: Proportional Participatory Budgeting with Additive Utilities, 2021).

Each member has an equal share of the budget. An idea is bought by its supporters: each pays in proportion to what the idea is
worth to them, or all that they have left. Of the ideas that their supporters can pay for, the one with the smallest price
per unit of utility is bought next, until no idea is affordable. So each part of the members decides about its part of the
money. :func:`complete` then gives all members a little more, until the budget is spent (completion "Add1U" of the paper's
authors), and spends the rest by the greedy rule.

Prices are floating-point numbers, and those that differ by less than a billionth are equal. Of ideas with equal prices the
earlier one is bought: ballots number the ideas by the order that decides ties.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.outcomes.greedy import select_greedily
from pipelines.outcomes.tolerance import RELATIVE, at_most, is_less

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.outcomes.ballots import Ballots, Utility


@dataclass(frozen=True)
class Purchase:
    """An idea that its supporters have bought.

    Attributes:
        price: what a supporter who could afford it paid for each unit of utility.
        share_max: the largest amount that a member paid.
        payers: the members who paid something.
        payers_in_full: the members who had enough left to pay their full part.
    """

    idea: int
    price: float
    share_max: float
    payers: int
    payers_in_full: int


@dataclass(frozen=True)
class EqualShares:
    """The outcome.

    Attributes:
        purchases: what was bought, in this order.
        share: what each member had at first, in the unit of the costs.
        cost: what was spent on the purchases.
        added: ideas that the greedy rule added from the rest of the budget.
        affordable: for each idea that was not bought, what its supporters had left at the end.
    """

    purchases: tuple[Purchase, ...]
    share: float
    cost: float
    affordable: dict[int, float]
    added: tuple[int, ...] = ()

    @property
    def selected(self) -> tuple[int, ...]:
        """All selected ideas, in their order."""
        return (*(purchase.idea for purchase in self.purchases), *self.added)


class Market:
    """The ballots, prepared for many runs with different shares."""

    def __init__(self, ballots: Ballots, utility: Utility) -> None:
        """`utility` says what an idea is worth to its supporters."""
        self.ballots = ballots
        self._groups = [support.groups for support in ballots.supports]
        self._sizes = [ballots.sizes[groups] for groups in self._groups]
        self._utilities = [ballots.utilities_of(idea, utility) for idea in range(ballots.ideas)]
        self._weighted = [sizes * utilities for sizes, utilities in zip(self._sizes, self._utilities, strict=True)]
        totals = [float(weighted.sum()) for weighted in self._weighted]
        # what the idea costs per unit of utility if no supporter is short of money: never more than its price
        self._least_prices = [
            float(cost) / total if total else float("inf") for cost, total in zip(ballots.costs, totals, strict=True)
        ]
        self._totals = totals

    def density(self, idea: int) -> float:
        """The utility of an idea for all its supporters, per unit of its cost."""
        return self._totals[idea] / float(self.ballots.costs[idea])

    def run(self, share: float) -> EqualShares:
        """The purchases if each member has `share` at first."""
        ballots = self.ballots
        left = np.full(len(ballots.sizes), share)
        # the least possible prices; a price only rises while money is spent, so an old price is a lower bound
        queue = [(price, idea) for idea, price in enumerate(self._least_prices) if price < float("inf")]
        heapq.heapify(queue)
        purchases: list[Purchase] = []
        while queue:
            found = self._cheapest(queue, left)
            if found is None:
                break
            price, idea = found
            purchases.append(self._buy(idea, price, left))
        bought = {purchase.idea for purchase in purchases}
        return EqualShares(
            tuple(purchases),
            share,
            float(sum(ballots.costs[purchase.idea] for purchase in purchases)),
            {
                idea: float(self._sizes[idea] @ left[self._groups[idea]])
                for idea in range(ballots.ideas)
                if idea not in bought
            },
        )

    def _cheapest(self, queue: list[tuple[float, int]], left: NDArray[np.float64]) -> tuple[float, int] | None:
        """Take the affordable idea with the smallest price from the queue; ideas that cannot be afforded are removed."""
        known: list[tuple[float, int]] = []
        best: tuple[float, int] | None = None
        while queue and (best is None or not is_less(best[0], queue[0][0])):
            _, idea = heapq.heappop(queue)
            price = self._price(idea, left)
            if price is None:
                continue
            known.append((price, idea))
            if best is None or is_less(price, best[0]) or (not is_less(best[0], price) and idea < best[1]):
                best = price, idea
        for each in known:
            if each != best:
                heapq.heappush(queue, each)
        return best

    def _price(self, idea: int, left: NDArray[np.float64]) -> float | None:
        """The price per unit of utility at which the supporters pay the cost; None if they have not enough left."""
        cost = float(self.ballots.costs[idea])
        has = left[self._groups[idea]]
        sizes, utilities, weighted = self._sizes[idea], self._utilities[idea], self._weighted[idea]
        if not at_most(cost, float(sizes @ has)):
            return None
        # those who cannot pay their part pay what they have; the others pay more, until all of them can
        limits = has / utilities
        missing, total = cost, self._totals[idea]
        is_rich = np.ones(len(has), dtype=bool)
        while True:
            price = missing / total
            is_short = is_rich & (limits < price * (1 - RELATIVE))
            if not is_short.any():
                return price
            is_rich &= ~is_short
            if not is_rich.any():  # within the tolerance, all of them pay what they have
                return float(limits.max())
            missing = cost - float(sizes[~is_rich] @ has[~is_rich])
            total = float(weighted[is_rich].sum())

    def _buy(self, idea: int, price: float, left: NDArray[np.float64]) -> Purchase:
        """Let the supporters pay."""
        groups, sizes = self._groups[idea], self._sizes[idea]
        has, wanted = left[groups], price * self._utilities[idea]
        paid = np.minimum(has, wanted)
        left[groups] = np.maximum(has - paid, 0.0)
        pays = paid > 0
        is_full = pays & (has >= wanted * (1 - RELATIVE))
        return Purchase(
            idea, price, float(paid.max()), round(float(sizes[pays].sum())), round(float(sizes[is_full].sum()))
        )


def run_equal_shares(ballots: Ballots, utility: Utility) -> EqualShares:
    """The method without completion: what remains of the budget stays unspent."""
    return Market(ballots, utility).run(ballots.budget / ballots.members)


def complete(
    ballots: Ballots, utility: Utility, *, step: float = 1.0, progress: Callable[[float], None] = lambda _: None
) -> EqualShares:
    """The method with completion: more money for each member, `step` at a time, while the purchases fit into the budget.

    The last outcome within the budget counts. What is left is spent by the greedy rule, by supporters for the utility of the
    cost, and by coins per cost for that of coins. `progress` receives the share of the budget that is spent, after each step.
    """
    market = Market(ballots, utility)
    share = ballots.budget / ballots.members
    outcome = market.run(share)
    while not _is_exhausted(ballots, outcome):
        progress(outcome.cost / ballots.budget)
        share += step
        following = market.run(share)
        if not at_most(following.cost, ballots.budget):
            break
        outcome = following
    bought = {purchase.idea for purchase in outcome.purchases}
    added = select_greedily(ballots, market.density, budget=ballots.budget - outcome.cost, without=bought)
    return EqualShares(outcome.purchases, outcome.share, outcome.cost, outcome.affordable, added.selected)


def _is_exhausted(ballots: Ballots, outcome: EqualShares) -> bool:
    """Whether the rest of the budget pays for no further idea that has supporters."""
    left = ballots.budget - outcome.cost
    return not any(
        at_most(float(ballots.costs[idea]), left) for idea in outcome.affordable if len(ballots.supports[idea].groups)
    )
