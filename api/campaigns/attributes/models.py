"""The table of the attributes that a campaign defines for its members."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.db import Edited, Model, PrimaryKey


class AttributeKind(StrEnum):
    """What values an attribute has: any text on one line, or one of its options."""

    TEXT = "text"
    CHOICE = "choice"


class MemberAttribute(Edited, Model):
    """An attribute of the members of a campaign. Their values are in `memberships.attributes`, under the key."""

    __tablename__ = "member_attributes"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("app.campaigns.id", ondelete="CASCADE"))
    key: Mapped[str]
    label: Mapped[str]
    kind: Mapped[str] = mapped_column(default=AttributeKind.TEXT)
    options: Mapped[list[str]] = mapped_column(default=list)
    is_required: Mapped[bool] = mapped_column(default=False)
    is_asked: Mapped[bool] = mapped_column(default=True)
    is_editable: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
