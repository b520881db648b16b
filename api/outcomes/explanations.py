"""Why a rule selects an idea, or does not, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.outcomes.schemas import Place
from pipelines.outcomes.ballots import Utility
from pipelines.wording import counted, money

if TYPE_CHECKING:
    from pipelines.outcomes.ballots import Ballots
    from pipelines.outcomes.equal_shares import EqualShares, Purchase
    from pipelines.outcomes.greedy import Greedy

_NO_SUPPORTERS = Place(is_selected=False, place=None, explanation="No member has coins on it.")


def explain_greedy(ballots: Ballots, outcome: Greedy, currency: str) -> list[Place]:
    """The place of each idea under the greedy rule."""
    place_of = {idea: place for place, idea in enumerate(outcome.selected, 1)}
    places = []
    for idea in range(ballots.ideas):
        if idea not in outcome.left_before:
            places.append(_NO_SUPPORTERS)
            continue
        cost, left = money(ballots.costs[idea], currency), money(outcome.left_before[idea], currency)
        is_selected = idea in place_of
        fact = "were left of the budget" if is_selected else "were left of the budget after ideas with more coins"
        places.append(
            Place(is_selected=is_selected, place=place_of.get(idea), explanation=f"It costs {cost}, and {left} {fact}.")
        )
    return places


def explain_equal_shares(ballots: Ballots, outcome: EqualShares, utility: Utility, currency: str) -> list[Place]:
    """The place of each idea under the Method of Equal Shares."""
    place_of = {idea: place for place, idea in enumerate(outcome.selected, 1)}
    purchase_of = {purchase.idea: purchase for purchase in outcome.purchases}
    places = []
    for idea in range(ballots.ideas):
        if not len(ballots.supports[idea].groups):
            places.append(_NO_SUPPORTERS)
        elif idea in purchase_of:
            text = _of_purchase(purchase_of[idea], utility, currency)
            places.append(Place(is_selected=True, place=place_of[idea], explanation=text))
        elif idea in place_of:
            text = "Its supporters could not pay for it alone; the rest of the budget pays for it, by the greedy rule."
            places.append(Place(is_selected=True, place=place_of[idea], explanation=text))
        else:
            cost, left = money(ballots.costs[idea], currency), money(outcome.affordable[idea], currency)
            text = f"It costs {cost}, and its supporters have {left} left of their shares."
            places.append(Place(is_selected=False, place=None, explanation=text))
    return places


def _of_purchase(purchase: Purchase, utility: Utility, currency: str) -> str:
    supporters = counted(purchase.payers_in_full, "supporter", "supporters")
    if utility is Utility.COST:
        text = f"{supporters} could each pay {money(purchase.share_max, currency)}"
    else:
        text = f"{supporters} could pay {money(purchase.price, currency)} for each of their coins"
    short = purchase.payers - purchase.payers_in_full
    return f"{text}; {counted(short, 'other', 'others')} paid what they had left." if short else f"{text}."
