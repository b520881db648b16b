"""Routes that begin drafts of ideas: new ones, and those that submit an earlier idea again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.errors import CampaignNotActive, NotAMember
from api.ideas import errors, service
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.details import read_idea
from api.ideas.schemas import IdeaDetail, IdeaDraft
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")


@router.post("/campaigns/{campaign_id}/ideas/drafts", status_code=201, operation_id="draftIdea")
@raises(CampaignNotActive, errors.TooManyDrafts, errors.AnonymityRefused, errors.UnknownTag)
async def draft(
    session: Session,
    response: Response,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.SUBMIT_IDEA))],
    body: IdeaDraft,
) -> IdeaDetail:
    """Save a draft of an idea, which only I see; a title is enough. It is submitted by a change of its status."""
    idea = await service.draft_idea(session, access.campaign, author_id=access.caller.user_id, **dict(body))
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return await read_idea(session, access, idea.id)


@router.post("/ideas/{idea_id}/resubmit", status_code=201, operation_id="resubmitIdea")
@raises(errors.NotResubmittable, errors.TooManyDrafts, CampaignNotActive, NotAMember)
async def resubmit(
    session: Session,
    response: Response,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA))],
) -> IdeaDetail:
    """Begin to submit my rejected or withdrawn idea again: a new draft with its text, linked to it."""
    access.campaign.check(Permission.SUBMIT_IDEA)
    idea = await service.resubmit_idea(session, access.idea, author_id=access.campaign.caller.user_id)
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return await read_idea(session, access.campaign, idea.id)
