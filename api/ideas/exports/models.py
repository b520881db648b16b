"""The table of exports of ideas that a job writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class IdeaExport(Model):
    """A file of ideas for one person, which a job writes; key, ideas and size are set when it is finished."""

    __tablename__ = "idea_exports"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    requested_by: Mapped[UUID]
    format: Mapped[str]
    query: Mapped[str]
    rights: Mapped[dict[str, Any]]
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    key: Mapped[str | None]
    ideas: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger())
