"""Tables of comments, internal notes and followers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, SmallInteger, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class Comment(Model):
    """A comment or an internal note on an idea. `root_id` is the first comment of its thread, which has the depth 1.

    The author is a user; that of a note can also be a service account.
    """

    __tablename__ = "comments"
    __table_args__ = (
        # a reply is on the idea, of the kind, and in the thread of its parent
        ForeignKeyConstraint(
            ["parent_id", "idea_id", "kind", "root_id"],
            [f"app.comments.{name}" for name in ("id", "idea_id", "kind", "root_id")],
        ),
    )

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"))
    kind: Mapped[str]
    parent_id: Mapped[UUID | None]
    root_id: Mapped[UUID]
    depth: Mapped[int] = mapped_column(SmallInteger())
    author_id: Mapped[UUID]
    text: Mapped[str]
    mention_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list)
    written_at: Mapped[datetime] = mapped_column(default=clock.now)
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]
    hidden_by: Mapped[UUID | None]
    hidden_reason: Mapped[str | None]
    official_at: Mapped[datetime | None]
    official_by: Mapped[UUID | None]


class IdeaFollower(Model):
    """A person who follows an idea."""

    __tablename__ = "idea_followers"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), primary_key=True)
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    followed_at: Mapped[datetime] = mapped_column(default=clock.now)
