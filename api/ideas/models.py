"""Tables of ideas, their tags, status changes and valuations."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CHAR, Double, ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey


class Idea(Edited, Model):
    """An idea. `status` is that of its last status change."""

    __tablename__ = "ideas"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.users.id"))
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    status: Mapped[str]
    submitted_at: Mapped[datetime] = mapped_column(default=clock.now)
    status_changed_at: Mapped[datetime] = mapped_column(default=clock.now)
    reason: Mapped[str | None]
    latitude: Mapped[float | None] = mapped_column(Double())
    longitude: Mapped[float | None] = mapped_column(Double())
    source_ref: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


class IdeaTag(Model):
    """A tag of the author, or a category or target from an import."""

    __tablename__ = "idea_tags"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


class IdeaStatusChange(Model):
    """One step of an idea; append-only."""

    __tablename__ = "idea_status_changes"

    id: Mapped[PrimaryKey]
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"))
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None]


class IdeaValuation(Model):
    """A cost or return of an idea, expected or realised, as known on a day; append-only."""

    __tablename__ = "idea_valuations"

    id: Mapped[PrimaryKey]
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"))
    kind: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 2))
    currency: Mapped[str] = mapped_column(CHAR(3))
    valued_on: Mapped[date]
    source: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(default=clock.now)
    recorded_by: Mapped[UUID | None]
