"""Followers of ideas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from api.discussions.models import IdeaFollower
from api.discussions.schemas import FollowedIdea, FollowingRead
from api.events import discussion_payloads as payloads
from api.events.service import record_event
from api.ideas.steps import PUBLIC
from api.kernel import clock
from api.kernel.permissions import Permission, roles_with

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea

# the same visibility as in `access_to` of campaigns and in `requires_on_idea` of ideas
_FOLLOWED = text(
    """
    SELECT f.idea_id, i.campaign_id, i.title, i.status, f.followed_at
    FROM app.idea_followers AS f
    JOIN app.ideas AS i ON i.id = f.idea_id
    JOIN app.campaigns AS c ON c.id = i.campaign_id
    LEFT JOIN app.memberships AS m ON m.campaign_id = c.id AND m.user_id = f.user_id AND m.left_at IS NULL
    WHERE f.user_id = :user_id
        AND (:sees_campaigns OR m.id IS NOT NULL OR (c.visibility = 'open' AND c.status <> 'draft'))
        AND (
            :sees_ideas OR i.status = ANY (:public)
            OR (:has_scope AND (i.author_id = f.user_id OR m.role = ANY (:seeing)))
            OR EXISTS (
                SELECT FROM app.coin_accounts AS a
                WHERE a.idea_id = i.id AND a.user_id = f.user_id AND a.kind = 'stake'
            )
        )
        AND (
            CAST(:after_at AS timestamptz) IS NULL
            OR (f.followed_at, f.idea_id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))
        )
    ORDER BY f.followed_at DESC, f.idea_id DESC
    LIMIT :limit
    """
)


async def follow_idea(session: AsyncSession, idea: Idea, *, user_id: UUID) -> None:
    """Make a person a follower of an idea; nothing changes for a follower."""
    added = await session.execute(
        insert(IdeaFollower)
        .values(user_id=user_id, idea_id=idea.id, followed_at=clock.now())
        .on_conflict_do_nothing()
        .returning(IdeaFollower.idea_id)
    )
    if added.first() is not None:
        await _record(session, idea, payloads.IdeaFollowed(), user_id)


async def unfollow_idea(session: AsyncSession, idea: Idea, *, user_id: UUID) -> None:
    """End a person's following of an idea; nothing changes for others."""
    removed = await session.execute(
        delete(IdeaFollower)
        .where(IdeaFollower.user_id == user_id, IdeaFollower.idea_id == idea.id)
        .returning(IdeaFollower.idea_id)
    )
    if removed.first() is not None:
        await _record(session, idea, payloads.IdeaUnfollowed(), user_id)


async def get_following(session: AsyncSession, idea_id: UUID, *, user_id: UUID) -> FollowingRead:
    """The number of followers of an idea, and whether the person is one of them."""
    mine = func.coalesce(func.bool_or(IdeaFollower.user_id == user_id), False)
    found = await session.execute(select(func.count(), mine).where(IdeaFollower.idea_id == idea_id))
    followers, i_follow = found.one()
    return FollowingRead(followers=followers, i_follow=i_follow)


async def list_followed(
    session: AsyncSession,
    *,
    user_id: UUID,
    sees_campaigns: bool,
    sees_ideas: bool,
    has_scope: bool = True,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> list[FollowedIdea]:
    """The ideas that a person follows and may see now, the last followed first.

    `sees_campaigns` and `sees_ideas`: the person may see all campaigns, and all ideas, by a role in the installation.
    Without `has_scope`, an API token shows no ideas that are visible by the permission `view_all_ideas` only.
    """
    rows = await session.execute(
        _FOLLOWED,
        {
            "user_id": user_id,
            "sees_campaigns": sees_campaigns,
            "sees_ideas": sees_ideas,
            "has_scope": has_scope,
            "public": sorted(PUBLIC),
            "seeing": [str(role) for role in roles_with(Permission.VIEW_ALL_IDEAS)],
            "after_at": after[0] if after else None,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    )
    return [FollowedIdea.model_validate(row) for row in rows]


async def _record(
    session: AsyncSession, idea: Idea, payload: payloads.IdeaFollowed | payloads.IdeaUnfollowed, user_id: UUID
) -> None:
    await record_event(
        session, payload, actor_id=user_id, campaign_id=idea.campaign_id, user_id=user_id, idea_id=idea.id
    )
