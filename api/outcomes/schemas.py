"""Responses of the domain outcomes."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from api.kernel.money import AmountText
from api.kernel.schemas import ResponseModel
from pipelines.outcomes.ballots import Utility


class RuleName(StrEnum):
    """A rule of decision."""

    GREEDY = "greedy"
    """The most coins first, as long as the budget lasts."""
    EQUAL_SHARES = "equal_shares"
    """The Method of Equal Shares: each member has an equal part of the budget."""


class Place(ResponseModel):
    """What a rule decides about an idea."""

    is_selected: bool
    place: int | None = Field(description="in the order in which the rule selects, from 1; null if it is not selected")
    explanation: str = Field(description="why, in English")


class IdeaOutcome(ResponseModel):
    """An idea under both rules."""

    idea_id: UUID
    title: str
    cost: AmountText
    coins: int = Field(description="on the idea now, or just before it was settled")
    supporters: int = Field(description="members who have coins on it")
    greedy: Place
    equal_shares: Place


class RuleOutcome(ResponseModel):
    """The outcome of a rule."""

    rule: RuleName
    selected: int = Field(description="number of selected ideas")
    cost: AmountText = Field(description="of the selected ideas")
    left: AmountText = Field(description="of the budget")
    represented_members: int = Field(description="members who have coins on a selected idea")


class IdeaWithoutCost(ResponseModel):
    """An idea that no rule considers, since it has no expected cost in the currency of the campaign."""

    idea_id: UUID
    title: str


class OutcomePreview(ResponseModel):
    """Two rules side by side. Nothing is decided by it."""

    budget: AmountText
    currency: str
    members: int = Field(description="people with a wallet, among whom the Method of Equal Shares divides the budget")
    voters: int = Field(description="members who have coins on an idea with a cost")
    utility: Utility = Field(
        description="what a selected idea is worth to a supporter in the Method of Equal Shares: its cost, or their coins on it"
    )
    rules: list[RuleOutcome]
    ideas: list[IdeaOutcome] = Field(description="by coins, the most first")
    without_cost: list[IdeaWithoutCost]
