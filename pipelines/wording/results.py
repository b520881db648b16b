"""The result of a campaign in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.wording.numbers import count, counted, money, percent

if TYPE_CHECKING:
    from pipelines.marts import Campaign


def result(campaign: Campaign) -> str:
    """How many ideas were accepted, what they cost together, and of what budget: the headline of an election.

    Costs are the expected ones. Empty if no idea is accepted yet, or if it is not known which are.
    """
    accepted, known = campaign.accepted_ideas, campaign.accepted_ideas_with_cost
    if not accepted:
        return ""
    noun = ("winner", "winners") if campaign.is_imported else ("accepted idea", "accepted ideas")
    number = counted(accepted, *noun)
    if campaign.accepted_cost is None or not known:
        verb = "its cost is" if accepted == 1 else "their cost is"
        return f"{number}; {verb} not known."
    cost = money(campaign.accepted_cost, campaign.currency)
    if known < accepted:
        return f"{number}; the {count(known)} with a known cost {'costs' if known == 1 else 'cost'} {cost}{_of_budget(campaign)}."
    return f"{number} {'costs' if accepted == 1 else 'cost'} {cost}{' together' if accepted > 1 else ''}{_of_budget(campaign)}."


def _of_budget(campaign: Campaign) -> str:
    if campaign.budget_amount is None or campaign.accepted_cost is None:
        return ""
    text = f", of a budget of {money(campaign.budget_amount, campaign.currency)}"
    share = f" ({percent(float(campaign.accepted_cost / campaign.budget_amount))})" if campaign.budget_amount else ""
    return f"{text}{share}"
