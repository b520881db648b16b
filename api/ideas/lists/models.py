"""Tables of lists of ideas."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class IdeaFigures(Model):
    """What lists are ordered and filtered by; kept by triggers (`api/ideas/sql/figures.sql`)."""

    __tablename__ = "idea_figures"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    campaign_id: Mapped[UUID]
    coins: Mapped[int] = mapped_column(BigInteger())
    backers: Mapped[int]
    trend_coins: Mapped[int] = mapped_column(BigInteger())
    comments: Mapped[int]
    next_due_on: Mapped[date]


class IdeaCoinDay(Model):
    """How the coins of an idea changed on one of the last days, in UTC."""

    __tablename__ = "idea_coin_days"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    counted_on: Mapped[date] = mapped_column(primary_key=True)
    coins: Mapped[int] = mapped_column(BigInteger())


class IdeaView(Model):
    """A saved view: a query with a name, of one member or of the campaign."""

    __tablename__ = "idea_views"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    name: Mapped[str]
    query: Mapped[str]
    is_shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
