"""The table of invitations to campaigns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, and_, case
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey


class InvitationStatus(StrEnum):
    """The status of an invitation at a moment."""

    OPEN = "open"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


class Invitation(Edited, Model):
    """An invitation of an address to a campaign; one that is neither accepted nor revoked is the only one of its address.

    The secret of the link is created when the mail is sent, and only its hash is stored.
    """

    __tablename__ = "campaign_invitations"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    email: Mapped[str]
    name: Mapped[str | None]
    role: Mapped[str] = mapped_column(default="member")
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    invited_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    secret_hash: Mapped[bytes | None]
    sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("app.users.id"))
    revoked_at: Mapped[datetime | None]

    @hybrid_property
    def status(self) -> InvitationStatus:
        """The status now."""
        if self.accepted_at is not None:
            return InvitationStatus.ACCEPTED
        if self.revoked_at is not None:
            return InvitationStatus.REVOKED
        return InvitationStatus.EXPIRED if self.expires_at <= clock.now() else InvitationStatus.OPEN

    @status.inplace.expression
    @classmethod
    def _status(cls) -> Any:
        return case(
            (cls.accepted_at.is_not(None), InvitationStatus.ACCEPTED.value),
            (cls.revoked_at.is_not(None), InvitationStatus.REVOKED.value),
            (cls.expires_at <= clock.now(), InvitationStatus.EXPIRED.value),
            else_=InvitationStatus.OPEN.value,
        )

    @classmethod
    def is_pending(cls) -> Any:
        """The condition that an invitation is open or expired."""
        return and_(cls.accepted_at.is_(None), cls.revoked_at.is_(None))
