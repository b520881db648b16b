"""Routes of comments, official answers and internal notes on ideas, and of the people who can be mentioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from api.campaigns import service as campaigns
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.errors import CampaignNotActive
from api.discussions import errors
from api.discussions.comments import Kind, delete_comment, edit_comment, write_comment
from api.discussions.moderation import hide_comment, set_official_answer, show_comment
from api.discussions.queries import as_read, count_comments, find_official_answer, list_comments
from api.discussions.schemas import (
    CommentEdit,
    CommentHide,
    CommentPage,
    CommentRead,
    CommentWrite,
    NotePage,
    OfficialAnswerWrite,
    PersonRead,
)
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.errors import NotSubmitted
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.schemas import Page
from api.kernel.texts import Line
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.discussions.models import Comment

router = new_router("", "discussions")

OnIdea = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
Commenter = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.COMMENT))]
Moderator = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MODERATE_COMMENTS))]
Manager = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))]
NoteReader = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_NOTES))]
NewestFirst = Annotated[bool, Query(description="the newest thread first; each thread begins with its first comment")]

_WRITING = (
    CampaignNotActive,
    NotSubmitted,
    errors.UnknownParent,
    errors.CommentIsHidden,
    errors.ThreadTooDeep,
    errors.UnknownMentions,
)
_EDITING = (
    CampaignNotActive, errors.CommentNotFound, errors.NotTheCommenter, errors.CommentIsHidden, errors.UnknownMentions,
)  # fmt: skip
_DELETING = (errors.CommentNotFound, errors.NotTheCommenter, errors.CommentIsOfficial)


async def _read(session: AsyncSession, access: IdeaAccess, comment: Comment) -> CommentRead:
    return (await as_read(session, [comment], access))[0]


async def _list(
    session: AsyncSession, access: IdeaAccess, kind: Kind, paging: PageQuery, *, newest_first: bool
) -> Page[CommentRead]:
    found = await list_comments(
        session,
        access.idea.id,
        kind,
        newest_first=newest_first,
        limit=paging.limit + 1,
        after=paging.after(UUID, UUID),
    )
    page = paging.page(found, key=lambda comment: (comment.root_id, comment.id))
    return Page(items=await as_read(session, page.items, access), next_cursor=page.next_cursor)


async def _write(session: AsyncSession, access: IdeaAccess, kind: Kind, body: CommentWrite) -> CommentRead:
    comment = await write_comment(
        session,
        access.idea,
        kind,
        author_id=access.campaign.caller.user_id,
        text=body.text,
        parent_id=body.parent_id,
        mention_ids=body.mention_ids,
    )
    return await _read(session, access, comment)


async def _edit(
    session: AsyncSession, access: IdeaAccess, kind: Kind, comment_id: UUID, body: CommentEdit
) -> CommentRead:
    comment = await edit_comment(
        session, access.idea, kind, comment_id, actor_id=access.campaign.caller.user_id, **body.changes
    )
    return await _read(session, access, comment)


@router.get("/ideas/{idea_id}/comments", operation_id="listComments")
async def list_all(
    session: Session,
    access: OnIdea,
    paging: PageQuery,
    newest_first: NewestFirst = False,  # noqa: FBT002 - a query parameter
) -> CommentPage:
    """The comments on the idea, thread after thread, and its official answer."""
    page = await _list(session, access, Kind.COMMENT, paging, newest_first=newest_first)
    official = await find_official_answer(session, access.idea.id)
    return CommentPage(
        items=page.items,
        next_cursor=page.next_cursor,
        official_answer=await _read(session, access, official) if official else None,
        total=await count_comments(session, access.idea.id, Kind.COMMENT),
    )


@router.post("/ideas/{idea_id}/comments", status_code=201, operation_id="writeComment")
@raises(*_WRITING)
@counts_as(RateClass.COMMENTS)
async def write(session: Session, access: Commenter, body: CommentWrite) -> CommentRead:
    """Comment on the idea, or reply to a comment. Threads have three levels."""
    return await _write(session, access, Kind.COMMENT, body)


@router.patch("/ideas/{idea_id}/comments/{comment_id}", operation_id="editComment")
@raises(*_EDITING)
@counts_as(RateClass.COMMENTS)
async def edit(session: Session, access: Commenter, comment_id: UUID, body: CommentEdit) -> CommentRead:
    """Change my comment; `edited_at` shows that it was changed."""
    return await _edit(session, access, Kind.COMMENT, comment_id, body)


@router.delete("/ideas/{idea_id}/comments/{comment_id}", status_code=204, operation_id="deleteComment")
@raises(*_DELETING)
async def delete(session: Session, access: Commenter, comment_id: UUID) -> Response:
    """Delete my comment. If it has replies, an empty place remains."""
    await delete_comment(session, access.idea, Kind.COMMENT, comment_id, actor_id=access.campaign.caller.user_id)
    return Response(status_code=204)


@router.put("/ideas/{idea_id}/comments/{comment_id}/hiding", operation_id="hideComment")
@raises(errors.CommentNotFound, errors.CommentIsOfficial)
async def hide(
    session: Session,
    access: Moderator,
    comment_id: UUID,
    body: CommentHide,
    dry_run: DryRun,  # noqa: ARG001
) -> CommentRead:
    """Hide the comment: only moderators and its author read its text and the reason."""
    comment = await hide_comment(
        session, access.idea, comment_id, reason=body.reason, actor_id=access.campaign.caller.user_id
    )
    return await _read(session, access, comment)


@router.delete("/ideas/{idea_id}/comments/{comment_id}/hiding", operation_id="showComment")
@raises(errors.CommentNotFound)
async def show(session: Session, access: Moderator, comment_id: UUID) -> CommentRead:
    """Show a hidden comment again."""
    comment = await show_comment(session, access.idea, comment_id, actor_id=access.campaign.caller.user_id)
    return await _read(session, access, comment)


@router.put("/ideas/{idea_id}/official-answer", operation_id="setOfficialAnswer")
@raises(CampaignNotActive, errors.CommentNotFound, errors.CommentIsHidden)
async def set_answer(
    session: Session,
    access: Manager,
    body: OfficialAnswerWrite,
    dry_run: DryRun,  # noqa: ARG001
) -> CommentRead:
    """Make a comment the official answer on the idea. It replaces the present one, which remains a comment."""
    await set_official_answer(session, access.idea, body.comment_id, actor_id=access.campaign.caller.user_id)
    answer = await find_official_answer(session, access.idea.id)
    assert answer is not None, "it was set in this transaction"
    return await _read(session, access, answer)


@router.delete("/ideas/{idea_id}/official-answer", status_code=204, operation_id="removeOfficialAnswer")
@raises(CampaignNotActive)
async def remove_answer(session: Session, access: Manager) -> Response:
    """Take the official answer back: it becomes a comment like the others."""
    await set_official_answer(session, access.idea, None, actor_id=access.campaign.caller.user_id)
    return Response(status_code=204)


@router.get("/ideas/{idea_id}/notes", operation_id="listNotes")
async def list_notes(
    session: Session,
    access: NoteReader,
    paging: PageQuery,
    newest_first: NewestFirst = False,  # noqa: FBT002
) -> NotePage:
    """The internal notes on the idea, thread after thread. Other people neither see nor count them."""
    page = await _list(session, access, Kind.NOTE, paging, newest_first=newest_first)
    total = await count_comments(session, access.idea.id, Kind.NOTE)
    return NotePage(items=page.items, next_cursor=page.next_cursor, total=total)


@router.post("/ideas/{idea_id}/notes", status_code=201, operation_id="writeNote")
@raises(*_WRITING)
@counts_as(RateClass.COMMENTS)
async def write_note(session: Session, access: NoteReader, body: CommentWrite) -> CommentRead:
    """Write an internal note on the idea, or reply to one. It can mention people who may read it."""
    return await _write(session, access, Kind.NOTE, body)


@router.patch("/ideas/{idea_id}/notes/{note_id}", operation_id="editNote")
@raises(*_EDITING)
@counts_as(RateClass.COMMENTS)
async def edit_note(session: Session, access: NoteReader, note_id: UUID, body: CommentEdit) -> CommentRead:
    """Change my internal note."""
    return await _edit(session, access, Kind.NOTE, note_id, body)


@router.delete("/ideas/{idea_id}/notes/{note_id}", status_code=204, operation_id="deleteNote")
@raises(*_DELETING)
async def delete_note(session: Session, access: NoteReader, note_id: UUID) -> Response:
    """Delete my internal note. If it has replies, an empty place remains."""
    await delete_comment(session, access.idea, Kind.NOTE, note_id, actor_id=access.campaign.caller.user_id)
    return Response(status_code=204)


@router.get("/campaigns/{campaign_id}/people", operation_id="findPeople")
async def find_people(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.COMMENT))],
    paging: PageQuery,
    q: Annotated[Line, Query(min_length=2, max_length=100, description="a part of the name, in any case")],
) -> Page[PersonRead]:
    """Members of the campaign by name, for mentions; without addresses."""
    found = await campaigns.find_people(
        session, access.campaign.id, q, limit=paging.limit + 1, after=paging.after(str, UUID)
    )
    page = paging.page(found, key=lambda person: (person.folded, person.id))
    return Page(items=[PersonRead.model_validate(each) for each in page.items], next_cursor=page.next_cursor)
