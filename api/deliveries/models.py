"""The table of the milestones of ideas."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.db import Edited, Model, PrimaryKey


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
