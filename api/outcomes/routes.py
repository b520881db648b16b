"""The route of the preview of outcomes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from api.campaigns.dependencies import Access, requires_in_campaign
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.web import Session
from api.kernel.web import router as new_router
from api.outcomes import errors, service
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
