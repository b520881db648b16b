"""Tables of campaigns, their cover pictures, and memberships."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CHAR, ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey


class Campaign(Edited, Model):
    """A call for ideas with a budget. Its statuses are in :mod:`api.campaigns.lifecycle`."""

    __tablename__ = "campaigns"

    id: Mapped[PrimaryKey]
    slug: Mapped[str]
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(default="suggestions")
    goal: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="draft")
    origin: Mapped[str] = mapped_column(default="native")
    visibility: Mapped[str] = mapped_column(default="open")
    join_policy: Mapped[str] = mapped_column(default="open")
    is_mediated: Mapped[bool] = mapped_column(default=False)
    anonymous_ideas: Mapped[bool] = mapped_column(default=False)
    budget_amount: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    currency: Mapped[str | None] = mapped_column(CHAR(3))
    running_cost_amount: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    eligible_people: Mapped[int | None]
    copied_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.campaigns.id", ondelete="SET NULL"))
    follows_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.campaigns.id", ondelete="SET NULL"))
    time_zone: Mapped[str] = mapped_column(default="UTC")
    locale: Mapped[str] = mapped_column(default="en")
    starts_at: Mapped[datetime | None]
    submissions_close_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    decide_by: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    source: Mapped[dict[str, Any]] = mapped_column(default=dict)
    version: Mapped[int] = mapped_column(default=1)  # raised by every change of the row


class CampaignCover(Model):
    """The cover picture of a campaign, with the keys of its stored sizes; a picture that is not wide has fewer."""

    __tablename__ = "campaign_covers"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[bytes]
    original_key: Mapped[str]
    large_key: Mapped[str | None]
    small_key: Mapped[str | None]
    uploaded_at: Mapped[datetime] = mapped_column(default=clock.now)
    uploaded_by: Mapped[UUID | None]


class Membership(Edited, Model):
    """A user's membership in a campaign. A user who leaves and joins again has two memberships but one wallet.

    `was_removed` of an ended membership: a manager ended it, and only a manager can add the user again.
    """

    __tablename__ = "memberships"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    role: Mapped[str] = mapped_column(default="member")
    joined_at: Mapped[datetime] = mapped_column(default=clock.now)
    left_at: Mapped[datetime | None]
    was_removed: Mapped[bool] = mapped_column(default=False)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
