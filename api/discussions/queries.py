"""Pages of comments, and what a reader sees of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, tuple_

from api.auth import service as auth
from api.discussions.comments import Kind
from api.discussions.models import Comment
from api.discussions.schemas import CommentRead, MentionRead
from api.ideas.authors import mark_author
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.dependencies import IdeaAccess


async def list_comments(
    session: AsyncSession,
    idea_id: UUID,
    kind: Kind,
    *,
    newest_first: bool,
    limit: int,
    after: tuple[UUID, UUID] | None,
) -> list[Comment]:
    """Comments of an idea, thread after thread, each thread from its first comment on.

    `after` is the thread and the id of the last comment of the previous page.
    """
    thread = Comment.root_id.desc() if newest_first else Comment.root_id
    query = (
        select(Comment)
        .where(Comment.idea_id == idea_id, Comment.kind == kind)
        .order_by(thread, Comment.id)
        .limit(limit)
    )
    if after:
        root_id, comment_id = after
        if newest_first:
            in_thread = and_(Comment.root_id == root_id, Comment.id > comment_id)
            query = query.where(or_(Comment.root_id < root_id, in_thread))
        else:  # a range of the index
            query = query.where(tuple_(Comment.root_id, Comment.id) > tuple_(root_id, comment_id))
    return list(await session.scalars(query))


async def find_official_answer(session: AsyncSession, idea_id: UUID) -> Comment | None:
    """The official answer on an idea, or None."""
    found: Comment | None = await session.scalar(
        select(Comment).where(Comment.idea_id == idea_id, Comment.official_at.is_not(None))
    )
    return found


async def list_official_answers(session: AsyncSession, campaign_id: UUID, *, limit: int) -> list[Comment]:
    """The official answers of a campaign that readers of the ideas see, newest first."""
    query = (
        select(Comment)
        .where(
            Comment.campaign_id == campaign_id,
            Comment.official_at.is_not(None),
            Comment.hidden_at.is_(None),
            Comment.deleted_at.is_(None),
        )
        .order_by(Comment.official_at.desc(), Comment.id)
        .limit(limit)
    )
    return list(await session.scalars(query))


async def count_comments(session: AsyncSession, idea_id: UUID, kind: Kind) -> int:
    """The number of comments that are neither deleted nor hidden."""
    query = select(func.count()).where(
        Comment.idea_id == idea_id, Comment.kind == kind, Comment.deleted_at.is_(None), Comment.hidden_at.is_(None)
    )
    return await session.scalar(query) or 0


async def as_read(session: AsyncSession, comments: Sequence[Comment], access: IdeaAccess) -> list[CommentRead]:
    """What the reader sees of each comment, with the names of its author and of the people that it mentions.

    A moderator reads hidden texts. The author of an anonymous idea is shown to others as its author only.
    """
    is_moderator = access.may(Permission.MODERATE_COMMENTS)
    seen = [_as_read(comment, access.campaign.caller.user_id, is_moderator=is_moderator) for comment in comments]
    mark_author(access, seen, author_id="by_author")
    await auth.add_names(session, seen, author_id="author_name")
    await auth.add_names(session, [each for comment in seen for each in comment.mentions], id="display_name")
    return seen


def _as_read(comment: Comment, user_id: UUID, *, is_moderator: bool) -> CommentRead:
    is_deleted, is_hidden = comment.deleted_at is not None, comment.hidden_at is not None
    is_readable = not is_deleted and (not is_hidden or is_moderator or user_id == comment.author_id)
    return CommentRead(
        id=comment.id,
        idea_id=comment.idea_id,
        parent_id=comment.parent_id,
        root_id=comment.root_id,
        depth=comment.depth,
        author_id=None if is_deleted else comment.author_id,
        text=comment.text if is_readable else None,
        mentions=[MentionRead(id=each) for each in comment.mention_ids] if is_readable else [],
        written_at=comment.written_at,
        edited_at=comment.edited_at,
        is_deleted=is_deleted,
        is_hidden=is_hidden,
        hidden_reason=comment.hidden_reason if is_readable else None,
        is_official=comment.official_at is not None,
    )
