"""Tables of attachments and of their stored objects."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class Attachment(Model):
    """A picture or another file of an idea. Width and height are those of a picture, in pixels."""

    __tablename__ = "attachments"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id"))
    idea_id: Mapped[UUID] = mapped_column(ForeignKey("app.ideas.id", ondelete="CASCADE"))
    name: Mapped[str]
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[bytes]
    uploaded_at: Mapped[datetime] = mapped_column(default=clock.now)
    uploaded_by: Mapped[UUID | None]


class AttachmentObject(Model):
    """A stored object of an attachment: the original, or a smaller size of a picture."""

    __tablename__ = "attachment_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    attachment_id: Mapped[UUID] = mapped_column(ForeignKey("app.attachments.id", ondelete="CASCADE"))
    variant: Mapped[str]
