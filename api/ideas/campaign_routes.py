"""The route that creates a campaign. It is part of this domain, since a copy takes over the settings for ideas."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from api.auth.dependencies import Principal, requires
from api.campaigns import errors
from api.campaigns import service as campaigns
from api.campaigns.dependencies import access_to
from api.campaigns.schemas import CampaignCreate, CampaignRead, as_read
from api.ideas.copies import copy_settings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")


@router.post("/campaigns", status_code=201, operation_id="createCampaign")
@raises(errors.SlugTaken, errors.DatesOutOfOrder, errors.CampaignNotFound, errors.NotAManager, InvalidInput)
async def create(
    session: Session,
    response: Response,
    caller: Annotated[Principal, Depends(requires(Permission.CREATE_CAMPAIGN))],
    body: CampaignCreate,
) -> CampaignRead:
    """Create a campaign as a draft, with its coin policy; I become its manager.

    With `copy_of`, omitted fields and the coin policy are those of another campaign that I manage, and its tags and reasons of
    rejection are copied. Its dates, members, ideas and coins are not.
    """
    if body.copy_of is None:
        fields = body.model_dump(exclude={"coin_policy", "copy_of", "is_follow_up"})
        campaign = await campaigns.create_campaign(session, actor_id=caller.user_id, policy=body.coin_policy, **fields)
    else:
        copied = await access_to(session, caller, body.copy_of)
        copied.check(Permission.MANAGE_CAMPAIGN)
        campaign = await campaigns.copy_campaign(session, copied.campaign, body, actor_id=caller.user_id)
        await copy_settings(session, copied.campaign.id, campaign.id, actor_id=caller.user_id)
    response.headers["Location"] = f"/api/v1/campaigns/{campaign.id}"
    return as_read(campaign, "manager")
