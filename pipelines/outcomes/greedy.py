"""The greedy rule: ideas in the order of their support, each one that the rest of the budget pays for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.outcomes.tolerance import at_most

if TYPE_CHECKING:
    from pipelines.outcomes.ballots import Ballots


@dataclass(frozen=True)
class Greedy:
    """What the greedy rule selects, in its order.

    `left` is what is left of the budget at the end, and `left_before` what was left when each idea was considered.
    """

    selected: tuple[int, ...]
    left: float
    left_before: dict[int, float]


def select_greedily(
    ballots: Ballots,
    by: Callable[[int], float],
    *,
    budget: float | None = None,
    without: Collection[int] = (),
) -> Greedy:
    """Select ideas in descending order of `by`; an idea that is too expensive is passed over.

    `budget` is by default that of the ballots; ideas in `without` are not considered, nor are those without supporters.
    """
    left = ballots.budget if budget is None else budget
    selected = []
    left_before = {}
    candidates = [idea for idea in range(ballots.ideas) if idea not in without and len(ballots.supports[idea].groups)]
    for idea in sorted(candidates, key=lambda idea: (-by(idea), idea)):
        left_before[idea] = left
        if at_most(ballots.costs[idea], left):
            selected.append(idea)
            left -= float(ballots.costs[idea])
    return Greedy(tuple(selected), max(left, 0.0), left_before)
