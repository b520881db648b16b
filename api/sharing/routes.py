"""Routes of links to ideas, and of the feed of a campaign."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Response
from pydantic import Field

from api.campaigns.dependencies import PublicCampaign, is_public
from api.ideas import service as ideas
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.errors import NotSubmitted
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.schemas import ResponseModel
from api.kernel.web import Session
from api.kernel.web import router as new_router
from api.sharing import errors, service
from api.sharing.cards import OpenGraph, has_picture, make_card, page_url
from api.sharing.feeds import FEED_TYPE, read_feed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.sharing.models import Permalink
    from settings import Settings

router = new_router("", "sharing")

PATH = "/ideas/{idea_id}/share"
Reader = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]


class ShareRead(ResponseModel):
    """The link to an idea, and what other programs show of it."""

    url: str
    created_at: datetime
    is_public: bool = Field(description="whether its page shows the idea without a log-in")
    open_graph: OpenGraph


@router.post(
    PATH,
    status_code=201,
    operation_id="shareIdea",
    responses={200: {"description": "It had a link already", "model": ShareRead}},
)
@raises(NotSubmitted, errors.SharingRevoked)
async def share(session: Session, settings: ProvidedSettings, response: Response, access: Reader) -> ShareRead:
    """Get the short link to the idea; the first request makes it. It shows the idea to who may see it, and grants no access."""
    link, is_new = await service.share_idea(
        session,
        access.idea,
        actor_id=access.campaign.caller.user_id,
        is_manager=access.may(Permission.MANAGE_IDEAS),
    )
    if not is_new:
        response.status_code = HTTPStatus.OK
    return await _read(session, settings, access, link)


@router.get(PATH, operation_id="getIdeaShare")
@raises(errors.NotShared)
async def get(session: Session, settings: ProvidedSettings, access: Reader) -> ShareRead:
    """The short link to the idea, with its Open Graph data."""
    return await _read(session, settings, access, await service.get_link(session, access.idea.id))


@router.delete(PATH, status_code=204, operation_id="revokeIdeaShare")
@raises(errors.NotShared)
async def revoke(
    session: Session, access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))]
) -> Response:
    """Revoke the link to the idea: it works no longer, and only a manager can make a new one."""
    await service.revoke_link(session, access.idea, actor_id=access.campaign.caller.user_id)
    return Response(status_code=204)


@router.get(
    "/campaigns/{campaign_id}/feed.atom",
    operation_id="getCampaignFeed",
    response_class=Response,
    responses={200: {"description": "The feed", "content": {FEED_TYPE: {}}}},
)
@counts_as(RateClass.FIGURES)
async def feed(session: Session, settings: ProvidedSettings, campaign: PublicCampaign) -> Response:
    """The campaign as an Atom feed (RFC 4287): its newest ideas, decisions and official answers, without a log-in.

    It has what a reader without a log-in sees, also for who is logged in. Of a hidden campaign, members get it with a token.
    """
    return Response(await read_feed(session, settings, campaign), media_type=FEED_TYPE)


async def _read(session: AsyncSession, settings: Settings, access: IdeaAccess, link: Permalink) -> ShareRead:
    campaign = access.campaign.campaign
    idea = await ideas.find_readable(session, campaign.id, access.idea.id, access.campaign)
    assert idea is not None, "the caller may see the idea"
    shown = await ideas.find_readable(session, campaign.id, access.idea.id, None) if is_public(campaign) else None
    has_public_picture = shown is not None and await has_picture(session, campaign.id, access.idea.id)
    return ShareRead(
        url=page_url(settings, link.token),
        created_at=link.created_at,
        is_public=shown is not None,
        open_graph=make_card(settings, campaign, idea, link.token, has_public_picture=has_public_picture),
    )
