"""What an export of ideas has: its formats, and its state while a job writes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.kernel.schemas import ResponseModel


class ExportFormat(StrEnum):
    """A format of the file; the value is the ending of its name."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """The media type of such a file."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExportRead(ResponseModel):
    """An export that a job writes."""

    id: UUID
    campaign_id: UUID
    format: ExportFormat
    status: Literal["running", "ready"]
    requested_at: datetime
    expires_at: datetime = Field(description="the file is deleted then")
    ideas: int | None = Field(description="number of ideas in the file; null while it is written")
    size_bytes: int | None
    download_path: str | None = Field(description="path of the file below the API's address; null while it is written")
