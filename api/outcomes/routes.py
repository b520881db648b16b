"""Routes of previews: of outcomes, and of a coin policy."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from api.campaigns.dependencies import Access, requires_in_campaign
from api.coins.policies import PolicyWrite
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.web import Session
from api.kernel.web import router as new_router
from api.outcomes import errors, service
from api.outcomes.policy_preview import PolicyPreview, preview_policy
from api.outcomes.schemas import OutcomePreview
from pipelines.outcomes.ballots import Utility

router = new_router("", "outcomes")


@router.get("/campaigns/{campaign_id}/outcome-preview", operation_id="previewOutcome")
@counts_as(RateClass.FIGURES)
@raises(errors.NoBudget)
async def preview(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_IDEAS))],
    utility: Annotated[
        Utility, Query(description="what a selected idea is worth to a supporter in the Method of Equal Shares")
    ] = Utility.COST,
) -> OutcomePreview:
    """What two rules would select now from the budget of the campaign: the most coins first, and equal shares.

    It decides nothing. Ideas are those that members see, with their last expected cost in the currency of the campaign.
    """
    return await service.preview(session, access.campaign, utility)


@router.post("/campaigns/{campaign_id}/coins/policies/preview", operation_id="previewCoinPolicy")
@counts_as(RateClass.FIGURES)
async def preview_coin_policy(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_COIN_POLICY))],
    body: PolicyWrite,
) -> PolicyPreview:
    """What the coins on the ideas of this campaign would have been under another coin policy, for example that of the next one.

    Nothing is changed. Coins that a limit takes are not put on other ideas, since nobody knows where their members would have put
    them; the times of movements are not part of it. Figures about 1 to 4 members are null.
    """
    return await preview_policy(session, access.campaign, body)
