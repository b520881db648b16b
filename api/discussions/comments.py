"""Writes, edits and deletes comments and internal notes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.discussions import errors
from api.discussions.models import Comment
from api.events import discussion_payloads as payloads
from api.events.service import record_event
from api.ideas import service as ideas
from api.kernel import clock
from api.kernel.ids import uuid7
from api.kernel.permissions import Permission, grants

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.events.payloads import Payload
    from api.ideas.models import Idea

DEPTH_MAX = 3


class Kind(StrEnum):
    """The stored kind of a comment."""

    COMMENT = "comment"
    NOTE = "note"


_WRITTEN = {Kind.COMMENT: payloads.CommentWritten, Kind.NOTE: payloads.NoteWritten}
_EDITED = {Kind.COMMENT: payloads.CommentEdited, Kind.NOTE: payloads.NoteEdited}
_DELETED = {Kind.COMMENT: payloads.CommentDeleted, Kind.NOTE: payloads.NoteDeleted}


async def write_comment(
    session: AsyncSession,
    idea: Idea,
    kind: Kind,
    *,
    author_id: UUID,
    text: str,
    parent_id: UUID | None = None,
    mention_ids: Iterable[UUID] = (),
) -> Comment:
    """Add a comment or a note to an idea, or a reply to one. The caller checks the permission.

    Raises:
        CampaignNotActive: the campaign is a draft or archived.
        NotSubmitted: the idea is a draft.
        UnknownParent: the idea has no comment `parent_id` of this kind, or it is deleted.
        CommentIsHidden: the comment to reply to is hidden.
        ThreadTooDeep: the comment to reply to is on the third level.
        UnknownMentions: a mentioned user is no member of the campaign or, in a note, may not read notes.
    """
    campaign = await _check_campaign(session, idea.campaign_id)
    ideas.check_submitted(idea)
    comment_id = uuid7()
    parent = await _lock_parent(session, idea.id, kind, parent_id) if parent_id else None
    comment = Comment(
        id=comment_id,
        campaign_id=campaign.id,
        idea_id=idea.id,
        kind=kind,
        parent_id=parent_id,
        root_id=parent.root_id if parent else comment_id,
        depth=parent.depth + 1 if parent else 1,
        author_id=author_id,
        text=text,
        mention_ids=await _check_mentions(session, campaign.id, kind, mention_ids),
        written_at=clock.now(),
    )
    session.add(comment)
    await session.flush()
    await record_on_comment(
        session,
        comment,
        _WRITTEN[kind](comment_id=comment.id, parent_id=parent_id, mention_ids=tuple(comment.mention_ids)),
        actor_id=author_id,
    )
    return comment


async def edit_comment(
    session: AsyncSession,
    idea: Idea,
    kind: Kind,
    comment_id: UUID,
    *,
    actor_id: UUID,
    text: str | None = None,
    mention_ids: Iterable[UUID] | None = None,
) -> Comment:
    """Change the text or the mentions of one's own comment; None changes nothing. Equal values make no event.

    Raises:
        CampaignNotActive: the campaign is a draft or archived.
        CommentNotFound: the idea has no such comment of this kind.
        NotTheCommenter: the comment is of another author.
        CommentIsHidden: the comment is hidden.
        UnknownMentions: as for :func:`write_comment`; earlier mentions may stay.
    """
    await _check_campaign(session, idea.campaign_id)
    comment = await lock_comment(session, idea.id, kind, comment_id)
    _check_author(comment, actor_id)
    check_not_hidden(comment)
    earlier = set(comment.mention_ids)
    mentions = comment.mention_ids if mention_ids is None else list(dict.fromkeys(mention_ids))
    added = [each for each in mentions if each not in earlier]
    await _check_mentions(session, idea.campaign_id, kind, added)
    if text in {None, comment.text} and mentions == comment.mention_ids:
        return comment
    comment.text = comment.text if text is None else text
    comment.mention_ids = mentions
    comment.edited_at = clock.now()
    await session.flush()
    await record_on_comment(
        session, comment, _EDITED[kind](comment_id=comment.id, mention_ids=tuple(added)), actor_id=actor_id
    )
    return comment


async def delete_comment(session: AsyncSession, idea: Idea, kind: Kind, comment_id: UUID, *, actor_id: UUID) -> None:
    """Delete one's own comment. With replies, an empty place remains until the last of them is deleted.

    Raises:
        CommentNotFound: the idea has no such comment of this kind.
        NotTheCommenter: the comment is of another author.
        CommentIsOfficial: the comment is the official answer.
    """
    comment = await lock_comment(session, idea.id, kind, comment_id)
    _check_author(comment, actor_id)
    check_not_official(comment)
    # a reply locks its parent before it is written: none is added meanwhile
    if await _has_replies(session, comment.id):
        comment.text, comment.mention_ids, comment.deleted_at = "", [], clock.now()
        await session.flush()
    else:
        await session.execute(delete(Comment).where(Comment.id == comment.id))
        await _delete_empty_places(session, comment.parent_id)
    await record_on_comment(session, comment, _DELETED[kind](comment_id=comment.id), actor_id=actor_id)


async def lock_comment(session: AsyncSession, idea_id: UUID, kind: Kind, comment_id: UUID) -> Comment:
    """The comment, if it is not deleted, with its row locked.

    Raises:
        CommentNotFound: the idea has no such comment of this kind.
    """
    comment = await session.scalar(
        _of_idea(idea_id, kind, comment_id).with_for_update().execution_options(populate_existing=True)
    )
    if comment is None:
        msg = f"The idea has no {kind} with this id."
        raise errors.CommentNotFound(msg)
    return comment


async def record_on_comment(session: AsyncSession, comment: Comment, payload: Payload, *, actor_id: UUID) -> None:
    """Record an event that concerns the author of a comment."""
    await record_event(
        session,
        payload,
        actor_id=actor_id,
        campaign_id=comment.campaign_id,
        user_id=comment.author_id,
        idea_id=comment.idea_id,
    )


def check_not_hidden(comment: Comment) -> None:
    """Refuse a hidden comment.

    Raises:
        CommentIsHidden: it is hidden.
    """
    if comment.hidden_at is not None:
        msg = f"The {comment.kind} is hidden; it can be changed and answered after a manager shows it again."
        raise errors.CommentIsHidden(msg)


def check_not_official(comment: Comment) -> None:
    """Refuse the official answer.

    Raises:
        CommentIsOfficial: it is the official answer.
    """
    if comment.official_at is not None:
        msg = "The comment is the official answer on the idea; a manager takes that back first."
        raise errors.CommentIsOfficial(msg)


async def _check_campaign(session: AsyncSession, campaign_id: UUID) -> Campaign:
    campaign = await campaigns.get_campaign(session, campaign_id, lock="read")
    await campaigns.check_command(session, campaign, Command.COMMENT)
    return campaign


async def _lock_parent(session: AsyncSession, idea_id: UUID, kind: Kind, parent_id: UUID) -> Comment:
    """The comment to reply to; while it is locked, it is not deleted."""
    parent = await session.scalar(
        _of_idea(idea_id, kind, parent_id).with_for_update(read=True).execution_options(populate_existing=True)
    )
    if parent is None:
        msg = f"The idea has no {kind} with the id parent_id."
        raise errors.UnknownParent(msg, parent_id=parent_id)
    check_not_hidden(parent)
    if parent.depth == DEPTH_MAX:
        msg = f"A thread has {DEPTH_MAX} levels; reply to the {kind} above this one."
        raise errors.ThreadTooDeep(msg, depth_max=DEPTH_MAX)
    return parent


async def _check_mentions(
    session: AsyncSession, campaign_id: UUID, kind: Kind, mention_ids: Iterable[UUID]
) -> list[UUID]:
    """The mentioned people, each once."""
    mentioned = list(dict.fromkeys(mention_ids))
    if not mentioned:
        return []
    roles = await campaigns.find_roles(session, campaign_id, mentioned)
    unknown = [each for each in mentioned if not _may_read(kind, roles.get(each))]
    if unknown:
        who = "members of the campaign" if kind is Kind.COMMENT else "members of the campaign who may read its notes"
        msg = f"Only {who} can be mentioned here; {len(unknown)} of the mentioned users cannot."
        raise errors.UnknownMentions(msg, user_ids=unknown)
    return mentioned


def _may_read(kind: Kind, role: str | None) -> bool:
    needed = Permission.VIEW_CAMPAIGN if kind is Kind.COMMENT else Permission.VIEW_NOTES
    return role is not None and grants((role,), needed)


def _check_author(comment: Comment, actor_id: UUID) -> None:
    if comment.author_id != actor_id:
        msg = f"Only its author may change or delete this {comment.kind}."
        raise errors.NotTheCommenter(msg)


def _of_idea(idea_id: UUID, kind: Kind, comment_id: UUID) -> Select[Comment]:
    return select(Comment).where(
        Comment.id == comment_id, Comment.idea_id == idea_id, Comment.kind == kind, Comment.deleted_at.is_(None)
    )


async def _has_replies(session: AsyncSession, comment_id: UUID) -> bool:
    return bool(await session.scalar(select(exists().where(Comment.parent_id == comment_id))))


async def _delete_empty_places(session: AsyncSession, comment_id: UUID | None) -> None:
    """Delete a deleted comment without replies, and those above it that have no other reply."""
    while comment_id is not None:
        place = await session.scalar(
            select(Comment)
            .where(Comment.id == comment_id, Comment.deleted_at.is_not(None))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if place is None or await _has_replies(session, place.id):
            return
        await session.execute(delete(Comment).where(Comment.id == place.id))
        comment_id = place.parent_id
