"""The ballots of a campaign under the rules of another coin policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)
Idea = TypeVar("Idea", bound=Hashable)


class Limit(StrEnum):
    """A rule that takes coins from ballots, in the order in which the rules are applied."""

    OWN_IDEAS = "own_ideas"
    """Coins of authors on their own ideas."""
    GRANT = "coins_per_member"
    """More coins than the grant: each stake is reduced in proportion, the largest remainders are rounded up."""
    IDEA_MAX = "coins_per_member_and_idea_max"
    """More coins of a member on one idea than the maximum."""
    ALLOCATION_MIN = "coins_per_allocation_min"
    """Stakes of less than the minimum."""


@dataclass(frozen=True)
class Limits:
    """The limits of a coin policy, in whole coins; `idea_max` None is no maximum."""

    grant: int
    allocation_min: int
    idea_max: int | None
    own_ideas: bool


@dataclass
class Taken:
    """What a limit takes from the ballots."""

    members: int = 0
    coins: int = 0


@dataclass(frozen=True)
class Replay(Generic[Member, Idea]):
    """The ballots that the limits leave, and what each limit has taken."""

    ballots: dict[Member, dict[Idea, int]]
    taken: dict[Limit, Taken] = field(default_factory=lambda: {limit: Taken() for limit in Limit})

    def totals(self) -> dict[Idea, tuple[int, int]]:
        """Coins and backers of each idea that has any."""
        return totals_of(self.ballots)


def totals_of(ballots: Mapping[Member, Mapping[Idea, int]]) -> dict[Idea, tuple[int, int]]:
    """Coins and backers of each idea with coins."""
    totals: defaultdict[Idea, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for ballot in ballots.values():
        for idea, coins in ballot.items():
            had = totals[idea]
            totals[idea] = had[0] + coins, had[1] + 1
    return dict(totals)


def replay(
    ballots: Mapping[Member, Mapping[Idea, int]], authors: Mapping[Idea, Member | None], limits: Limits
) -> Replay[Member, Idea]:
    """Apply the limits to each ballot. Coins that a limit takes are not put elsewhere, since nobody knows where.

    Ballots have positive coins. `authors` has the ideas whose author is known.
    """
    result: Replay[Member, Idea] = Replay({})
    for member, ballot in ballots.items():
        left = {idea: coins for idea, coins in ballot.items() if limits.own_ideas or authors.get(idea, None) != member}
        left = _note(result, Limit.OWN_IDEAS, ballot, left)
        left = _note(result, Limit.GRANT, left, _scale(left, limits.grant))
        if limits.idea_max is not None:
            most = limits.idea_max
            left = _note(result, Limit.IDEA_MAX, left, {idea: min(coins, most) for idea, coins in left.items()})
        enough = {idea: coins for idea, coins in left.items() if coins >= limits.allocation_min}
        left = _note(result, Limit.ALLOCATION_MIN, left, enough)
        if left:
            result.ballots[member] = left
    return result


def _note(
    result: Replay[Member, Idea], limit: Limit, before: Mapping[Idea, int], after: dict[Idea, int]
) -> dict[Idea, int]:
    lost = sum(before.values()) - sum(after.values())
    assert lost >= 0, "a limit adds no coins"
    if lost:
        result.taken[limit].members += 1
        result.taken[limit].coins += lost
    return after


def _scale(ballot: dict[Idea, int], grant: int) -> dict[Idea, int]:
    """The ballot of a smaller grant: in proportion, by the method of the largest remainder (Hamilton)."""
    spent = sum(ballot.values())
    if spent <= grant:
        return ballot
    scaled = {idea: coins * grant // spent for idea, coins in ballot.items()}
    by_remainder = sorted(ballot, key=lambda idea: -(ballot[idea] * grant % spent))
    for idea in by_remainder[: grant - sum(scaled.values())]:
        scaled[idea] += 1
    return {idea: coins for idea, coins in scaled.items() if coins}
