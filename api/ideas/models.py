"""Tables of ideas, their owners, tags, versions, status changes and valuations, and of what a campaign defines for them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CHAR, BigInteger, Computed, Double, ForeignKey, ForeignKeyConstraint, Numeric, SmallInteger
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
    reason_code: Mapped[str | None]
    edit_number: Mapped[int] = mapped_column(default=1)  # raised by each change of the text, also of a draft
    resubmitted_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.ideas.id"))
    changes_requested_at: Mapped[datetime | None]
    is_anonymous: Mapped[bool] = mapped_column(default=False)  # who sees the author: api.ideas.authors
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.ideas.id"))  # set while the status is merged


class IdeaTag(Model):
    """A tag or category of an idea, or a target from an import; `tag_id` is set if the campaign has defined it."""

    __tablename__ = "idea_tags"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tag_id", "name"], ["app.campaign_tags.id", "app.campaign_tags.name"], onupdate="CASCADE"
        ),
    )

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    tag_id: Mapped[UUID | None]


class CampaignTag(Edited, Model):
    """A tag that a campaign has defined; its level is 1 without a parent, and at most 3."""

    __tablename__ = "campaign_tags"
    __table_args__ = (
        ForeignKeyConstraint(
            ["parent_id", "campaign_id", "parent_level"],
            [f"app.campaign_tags.{name}" for name in ("id", "campaign_id", "level")],
            deferrable=True,
            initially="DEFERRED",
        ),
    )

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None]
    level: Mapped[int] = mapped_column(SmallInteger())
    parent_level: Mapped[int] = mapped_column(SmallInteger(), Computed("level - 1", persisted=True))
    name: Mapped[str]
    colour: Mapped[str | None]
    is_required: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)


class IdeaOwner(Model):
    """The person who is responsible for an idea; a member of the campaign when they were assigned."""

    __tablename__ = "idea_owners"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    assigned_at: Mapped[datetime] = mapped_column(default=clock.now)
    assigned_by: Mapped[UUID | None]


class IdeaVersion(Model):
    """A text of an idea; append-only. The text of an idea that was never edited is only in its own row."""

    __tablename__ = "idea_versions"

    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    categories: Mapped[list[str]]
    tags: Mapped[list[str]]
    created_at: Mapped[datetime]
    created_by: Mapped[UUID | None]
    reason: Mapped[str | None]
    restored_from: Mapped[int | None]


class IdeaMaterialEdit(Model):
    """A version that a manager has marked as material; append-only. `grace_until` is None if no coins were on the idea."""

    __tablename__ = "idea_material_edits"
    __table_args__ = (
        ForeignKeyConstraint(["idea_id", "version"], ["app.idea_versions.idea_id", "app.idea_versions.version"]),
    )

    idea_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str]
    marked_at: Mapped[datetime]
    marked_by: Mapped[UUID | None]
    grace_until: Mapped[datetime | None]


class RejectionReason(Model):
    """A reason for which ideas of a campaign are rejected."""

    __tablename__ = "rejection_reasons"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    position: Mapped[int]


class IdeaChangeRequest(Model):
    """A request to the author of a pending idea to change it."""

    __tablename__ = "idea_change_requests"

    id: Mapped[PrimaryKey]
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"))
    text: Mapped[str]
    requested_at: Mapped[datetime]
    requested_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]


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
    reason_code: Mapped[str | None]


class IdeaMerge(Model):
    """A merge of ideas into one. `undone_at` is set once, by its undo."""

    __tablename__ = "idea_merges"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    target_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"))
    merged_at: Mapped[datetime]
    merged_by: Mapped[UUID | None]
    reason: Mapped[str]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]
    undo_reason: Mapped[str | None]


class IdeaMergeSource(Model):
    """An idea of a merge, with what it was before: its status, coins and backers; append-only."""

    __tablename__ = "idea_merge_sources"

    merge_id: Mapped[UUID] = mapped_column(ForeignKey("app.idea_merges.id"), primary_key=True)
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id"), primary_key=True)
    from_status: Mapped[str]
    stake_coins: Mapped[int] = mapped_column(BigInteger)
    backers: Mapped[int]
    returned_coins: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None]
    reason_code: Mapped[str | None]
    status_changed_at: Mapped[datetime]


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
