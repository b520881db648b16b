"""What an export of ideas has: its filters, its formats, and its state while a job writes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.ideas.queries import Filters
from api.ideas.steps import Status
from api.kernel.schemas import ResponseModel
from api.kernel.texts import Line


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


class ExportFilters(BaseModel):
    """The filters of the list of ideas, in the form in which an export is stored."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = []
    mine: bool = False
    backed: bool = False
    author_id: UUID | None = None
    category: list[str] = []
    tag: list[str] = []
    q: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the filters that are used."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))

    def as_filters(self) -> Filters:
        """The filters as the list takes them."""
        return Filters(
            statuses=self.status,
            mine=self.mine,
            backed=self.backed,
            author_id=self.author_id,
            categories=self.category,
            tags=self.tag,
            words=self.q,
        )


async def read_filters(
    status: Annotated[list[Status] | None, Query(description="one or more statuses")] = None,
    mine: Annotated[bool, Query(description="only my own ideas")] = False,  # noqa: FBT002 - a query parameter
    backed: Annotated[bool, Query(description="only ideas on which I have or had coins")] = False,  # noqa: FBT002
    author_id: Annotated[UUID | None, Query(description="only ideas of this author")] = None,
    category: Annotated[list[Line] | None, Query(description="one or more categories, in any case")] = None,
    tag: Annotated[list[Line] | None, Query(description="one or more tags, in any case")] = None,
    q: Annotated[
        Line | None, Query(max_length=200, description="a part of the title or description, in any case")
    ] = None,
) -> ExportFilters:
    """The filters of a request; a dependency."""
    return ExportFilters(
        status=status or [],
        mine=mine,
        backed=backed,
        author_id=author_id,
        category=category or [],
        tag=tag or [],
        q=q,
    )


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
