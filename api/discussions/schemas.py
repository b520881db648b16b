"""Request and response models of comments, notes and followers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.ideas.steps import Status
from api.kernel.schemas import Edit, Id, Page, ResponseModel, Schema, Stored, required
from api.kernel.texts import Prose

Text = Annotated[Prose, Field(min_length=1, max_length=5_000, description="as it is written; readers get it unchanged")]
Mentions = Annotated[list[Id], Field(max_length=20, description="ids of the mentioned people, from findPeople")]
HidingReason = Annotated[Prose, Field(min_length=3, max_length=2_000)]


class CommentWrite(Schema):
    """A new comment, or a reply to the comment `parent_id`."""

    text: Text
    parent_id: Id | None = None
    mention_ids: Mentions = Field(default_factory=list)


class CommentEdit(Edit):
    """What to change of a comment. Omitted fields are not changed."""

    text: Text = required()
    mention_ids: Mentions = required()


class CommentHide(Schema):
    """Why the comment is hidden: its author reads the reason."""

    reason: HidingReason


class OfficialAnswerWrite(Schema):
    """The comment to make the official answer."""

    comment_id: Id


class MentionRead(ResponseModel):
    """A mentioned person."""

    id: UUID
    display_name: str | None = None


class CommentRead(ResponseModel):
    """A comment as the caller sees it."""

    id: UUID
    idea_id: UUID
    parent_id: UUID | None = Field(description="the comment to which it replies")
    root_id: UUID = Field(description="the first comment of its thread")
    depth: int = Field(description="1 for the first comment of a thread, at most 3")
    author_id: UUID | None = Field(
        description="null after it is deleted, and of a comment of the author of an anonymous idea"
    )
    author_name: str | None = None
    by_author: bool = Field(default=False, description="the author of the idea wrote it, who may be anonymous")
    text: str | None = Field(description="null if it is deleted, or hidden and the caller may not read it")
    mentions: list[MentionRead]
    written_at: datetime
    edited_at: datetime | None
    is_deleted: bool = Field(description="deleted by its author; it remains because of its replies")
    is_hidden: bool
    hidden_reason: str | None = Field(description="for managers and the author")
    is_official: bool = Field(description="the official answer on the idea")


class CommentPage(Page[CommentRead]):
    """A page of comments, thread after thread."""

    official_answer: CommentRead | None = Field(description="also on its place in the list")
    total: int = Field(description="number of comments on the idea that are neither deleted nor hidden")


class NotePage(Page[CommentRead]):
    """A page of internal notes, thread after thread."""

    total: int = Field(description="number of notes on the idea that are not deleted")


class PersonRead(ResponseModel):
    """A member of the campaign who can be mentioned."""

    id: UUID
    display_name: str
    role: str


class FollowingRead(ResponseModel):
    """The followers of an idea."""

    followers: int
    i_follow: bool


class FollowedIdea(ResponseModel):
    """An idea that the caller follows."""

    idea_id: UUID
    campaign_id: UUID
    title: str
    status: Stored[Status]
    followed_at: datetime
