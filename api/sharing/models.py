"""The table of links to ideas."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class Permalink(Model):
    """A short link to an idea. The kind `share` grants no access of its own, so its token is stored as it is."""

    __tablename__ = "permalinks"

    id: Mapped[PrimaryKey]
    kind: Mapped[str]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
