"""The table of requests to join campaigns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class RequestStatus(StrEnum):
    """The status of a request."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class JoinRequest(Model):
    """A request of a user to become a member of a campaign; a user has one open request in a campaign at most."""

    __tablename__ = "join_requests"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    status: Mapped[str] = mapped_column(default=RequestStatus.OPEN)
    message: Mapped[str | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    reason: Mapped[str | None]
