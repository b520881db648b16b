"""Tables of the owners and the milestones of ideas."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey


class IdeaOwner(Model):
    """The person who is responsible for an idea; a member of the campaign when they were assigned."""

    __tablename__ = "idea_owners"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    assigned_at: Mapped[datetime] = mapped_column(default=clock.now)
    assigned_by: Mapped[UUID | None]


class IdeaMilestone(Edited, Model):
    """A milestone of the delivery of an idea. The positions of an idea's milestones are 1, 2, ... without gaps."""

    __tablename__ = "idea_milestones"
    __table_args__ = (UniqueConstraint("idea_id", "position", deferrable=True, initially="DEFERRED"),)

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"))
    position: Mapped[int]
    title: Mapped[str]
    due_on: Mapped[date]
    done_on: Mapped[date | None]
