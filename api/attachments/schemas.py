"""Response models of attachments and covers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field, computed_field

from api.kernel.schemas import ResponseModel


class AttachmentRead(ResponseModel):
    """A picture or another file of an idea."""

    id: UUID
    idea_id: UUID
    name: str = Field(description="with the ending of its type")
    media_type: str = Field(description="found by the content; that of a picture is that of the stored one")
    size_bytes: int
    width: int | None = Field(description="pixels; null if it is no picture")
    height: int | None
    uploaded_at: datetime
    uploaded_by: UUID | None
    uploaded_by_name: str | None = None
    url: str = Field(description="link for pages: shows the content without a token, for an hour at least")
    by_author: bool = Field(default=False, description="the author of the idea attached it, who may be anonymous")

    @computed_field(description="the path of the content below the API's address")  # type: ignore[prop-decorator]
    @property
    def path(self) -> str:
        """The path of the content."""
        return f"/ideas/{self.idea_id}/attachments/{self.id}/content"


class CoverRead(ResponseModel):
    """The cover picture of a campaign."""

    id: UUID = Field(description="of each picture another one")
    campaign_id: UUID
    media_type: str
    size_bytes: int
    width: int = Field(description="pixels")
    height: int
    uploaded_at: datetime
    url: str = Field(
        description="link for pages: of a public campaign always the same; of another one, valid for an hour at least"
    )
