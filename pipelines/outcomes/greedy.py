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
    """What the greedy rule selects, in its order, and what is left of the budget."""

    selected: tuple[int, ...]
    left: float


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
    candidates = [idea for idea in range(ballots.ideas) if idea not in without and len(ballots.supports[idea].groups)]
    for idea in sorted(candidates, key=lambda idea: (-by(idea), idea)):
        if at_most(ballots.costs[idea], left):
            selected.append(idea)
            left -= float(ballots.costs[idea])
    return Greedy(tuple(selected), max(left, 0.0))
