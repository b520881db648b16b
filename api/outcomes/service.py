"""A preview of outcomes: the stakes of a campaign under two rules of decision."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins import service as coins
from api.ideas.steps import PUBLIC
from api.kernel.money import format_amount
from api.outcomes.errors import NoBudget
from api.outcomes.explanations import explain_equal_shares, explain_greedy
from api.outcomes.schemas import IdeaOutcome, IdeaWithoutCost, OutcomePreview, RuleName, RuleOutcome
from pipelines.outcomes.ballots import Ballots, Utility, make_ballots
from pipelines.outcomes.equal_shares import EqualShares, complete
from pipelines.outcomes.greedy import Greedy, select_greedily

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

# the earlier one of two ideas with equal support is selected
_IDEAS = text(
    """
    SELECT i.id, i.title, v.amount AS cost
    FROM app.ideas AS i
    LEFT JOIN LATERAL (
        SELECT v.amount FROM app.idea_valuations AS v
        WHERE v.idea_id = i.id AND v.kind = 'expected_cost' AND v.currency = :currency
        ORDER BY v.valued_on DESC, v.recorded_at DESC LIMIT 1
    ) AS v ON true
    WHERE i.campaign_id = :campaign_id AND i.status = ANY (:statuses)
    ORDER BY i.submitted_at, i.id
    """
)


@dataclass(frozen=True)
class _Idea:
    id: UUID
    title: str
    cost: Decimal


@dataclass(frozen=True)
class _Outcomes:
    """The ballots, and what each rule selects."""

    ballots: Ballots
    greedy: Greedy
    equal_shares: EqualShares


async def preview(session: AsyncSession, campaign: Campaign, utility: Utility) -> OutcomePreview:
    """Both rules, for the coins on ideas now.

    The connection is returned before the rules are computed, which can take seconds in a large campaign.

    Raises:
        NoBudget: the campaign has no budget.
    """
    budget, currency = campaign.budget_amount, campaign.currency
    if not budget or currency is None:
        msg = "The campaign has no budget, so no rule can say what it pays for; set budget_amount and currency."
        raise NoBudget(msg)
    rows = await session.execute(_IDEAS, {"campaign_id": campaign.id, "currency": currency, "statuses": sorted(PUBLIC)})
    found = rows.all()
    ideas = [_Idea(row.id, row.title, row.cost) for row in found if row.cost]
    number_of = {idea.id: number for number, idea in enumerate(ideas)}
    stakes: dict[UUID, dict[int, int]] = defaultdict(dict)
    for stake in await coins.list_stakes(session, campaign.id):
        if stake.idea_id in number_of:
            stakes[stake.user_id][number_of[stake.idea_id]] = stake.coins
    members = await coins.count_wallets(session, campaign.id)
    await session.close()  # returns its connection
    outcomes = await asyncio.to_thread(_compute, ideas, budget, list(stakes.values()), members, utility)
    places_greedy = explain_greedy(outcomes.ballots, outcomes.greedy, currency)
    places_equal = explain_equal_shares(outcomes.ballots, outcomes.equal_shares, utility, currency)
    listed = [
        IdeaOutcome(
            idea_id=idea.id,
            title=idea.title,
            cost=format_amount(idea.cost, currency),
            coins=round(outcomes.ballots.coins_of(number)),
            supporters=outcomes.ballots.supporters_of(number),
            greedy=places_greedy[number],
            equal_shares=places_equal[number],
        )
        for number, idea in enumerate(ideas)
    ]
    return OutcomePreview(
        budget=format_amount(budget, currency),
        currency=currency,
        members=members,
        voters=len(stakes),
        utility=utility,
        rules=[
            _rule(RuleName.GREEDY, outcomes.greedy.selected, ideas, stakes, budget, currency),
            _rule(RuleName.EQUAL_SHARES, outcomes.equal_shares.selected, ideas, stakes, budget, currency),
        ],
        ideas=sorted(listed, key=lambda idea: -idea.coins),
        without_cost=[IdeaWithoutCost(idea_id=row.id, title=row.title) for row in found if not row.cost],
    )


def _compute(
    ideas: Sequence[_Idea], budget: Decimal, stakes: Sequence[Mapping[int, int]], members: int, utility: Utility
) -> _Outcomes:
    ballots = make_ballots([idea.cost for idea in ideas], budget, stakes, members=max(members, len(stakes), 1))
    return _Outcomes(ballots, select_greedily(ballots, ballots.coins_of), complete(ballots, utility))


def _rule(
    rule: RuleName,
    selected: Sequence[int],
    ideas: Sequence[_Idea],
    stakes: Mapping[UUID, Mapping[int, int]],
    budget: Decimal,
    currency: str,
) -> RuleOutcome:
    chosen = set(selected)
    cost = sum((ideas[number].cost for number in chosen), Decimal())
    return RuleOutcome(
        rule=rule,
        selected=len(chosen),
        cost=format_amount(cost, currency),
        left=format_amount(budget - cost, currency),
        represented_members=sum(not chosen.isdisjoint(ballot) for ballot in stakes.values()),
    )
