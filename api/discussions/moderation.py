"""What managers do with comments: hide them, show them again, and mark one as the official answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.discussions.comments import Kind, check_not_hidden, check_not_official, lock_comment, record_on_comment
from api.discussions.models import Comment
from api.events import discussion_payloads as payloads
from api.events.service import record_event
from api.ideas import service as ideas
from api.kernel import clock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea


async def hide_comment(session: AsyncSession, idea: Idea, comment_id: UUID, *, reason: str, actor_id: UUID) -> Comment:
    """Hide a comment: its text remains readable for moderators and its author. A hidden one gets the new reason.

    Raises:
        CommentNotFound: the idea has no such comment.
        CommentIsOfficial: the comment is the official answer.
    """
    comment = await lock_comment(session, idea.id, Kind.COMMENT, comment_id)
    check_not_official(comment)
    if comment.hidden_reason == reason:
        return comment
    comment.hidden_at, comment.hidden_by, comment.hidden_reason = clock.now(), actor_id, reason
    await session.flush()
    await record_on_comment(session, comment, payloads.CommentHidden(comment_id=comment.id), actor_id=actor_id)
    return comment


async def show_comment(session: AsyncSession, idea: Idea, comment_id: UUID, *, actor_id: UUID) -> Comment:
    """Show a hidden comment again; nothing changes if it is not hidden.

    Raises:
        CommentNotFound: the idea has no such comment.
    """
    comment = await lock_comment(session, idea.id, Kind.COMMENT, comment_id)
    if comment.hidden_at is None:
        return comment
    comment.hidden_at = comment.hidden_by = comment.hidden_reason = None
    await session.flush()
    await record_on_comment(session, comment, payloads.CommentShown(comment_id=comment.id), actor_id=actor_id)
    return comment


async def set_official_answer(session: AsyncSession, idea: Idea, comment_id: UUID | None, *, actor_id: UUID) -> None:
    """Make a comment the official answer on an idea, in place of the present one; None takes the present one back.

    Raises:
        CampaignNotActive: the campaign is a draft or archived.
        CommentNotFound: the idea has no such comment.
        CommentIsHidden: the comment is hidden.
    """
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    await campaigns.check_command(session, campaign, Command.COMMENT)
    await ideas.get_idea(session, idea.id, lock=True)  # one answer at a time
    present = await session.scalar(
        select(Comment)
        .where(Comment.idea_id == idea.id, Comment.official_at.is_not(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    chosen = await lock_comment(session, idea.id, Kind.COMMENT, comment_id) if comment_id else None
    if (present.id if present else None) == comment_id:
        return
    if present is not None:
        present.official_at = present.official_by = None
        await session.flush()
    if chosen is not None:
        check_not_hidden(chosen)
        chosen.official_at, chosen.official_by = clock.now(), actor_id
        await session.flush()
    await record_event(
        session,
        payloads.OfficialAnswerChanged(comment_id=comment_id, earlier_comment_id=present.id if present else None),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=chosen.author_id if chosen else None,
        idea_id=idea.id,
    )
