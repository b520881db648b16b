"""Routes of followers of ideas."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from api.campaigns.dependencies import CampaignReader
from api.discussions.followers import follow_idea, get_following, list_followed, unfollow_idea
from api.discussions.schemas import FollowedIdea, FollowingRead
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.kernel.permissions import Permission, Relation
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "discussions")

Follower = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.FOLLOW_IDEAS))]


@router.get("/ideas/{idea_id}/following", operation_id="getFollowing")
async def get(
    session: Session, access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
) -> FollowingRead:
    """The number of followers of the idea, and whether I follow it."""
    return await get_following(session, access.idea.id, user_id=access.campaign.caller.user_id)


@router.put("/ideas/{idea_id}/following", operation_id="followIdea")
async def follow(session: Session, access: Follower) -> FollowingRead:
    """Follow the idea."""
    user_id = access.campaign.caller.user_id
    await follow_idea(session, access.idea, user_id=user_id)
    return await get_following(session, access.idea.id, user_id=user_id)


@router.delete("/ideas/{idea_id}/following", operation_id="unfollowIdea")
async def unfollow(session: Session, access: Follower) -> FollowingRead:
    """Stop following the idea."""
    user_id = access.campaign.caller.user_id
    await unfollow_idea(session, access.idea, user_id=user_id)
    return await get_following(session, access.idea.id, user_id=user_id)


@router.get("/users/me/following", operation_id="listFollowedIdeas")
async def list_mine(session: Session, caller: CampaignReader, paging: PageQuery) -> Page[FollowedIdea]:
    """The ideas that I follow and may see, the last followed first."""
    found = await list_followed(
        session,
        user_id=caller.user_id,
        sees_campaigns=caller.may(Permission.VIEW_CAMPAIGN),
        sees_ideas=caller.may(Permission.VIEW_ALL_IDEAS),
        has_scope=caller.may(Permission.VIEW_ALL_IDEAS, (Relation.AUTHOR,)),
        limit=paging.limit + 1,
        after=paging.after(datetime.fromisoformat, UUID),
    )
    return paging.page(found, key=lambda each: (each.followed_at.isoformat(), each.idea_id))
