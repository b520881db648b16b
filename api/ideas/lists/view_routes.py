"""Routes of saved views of lists of ideas."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import Field

from api.auth import service as auth
from api.campaigns.dependencies import Access, requires_in_campaign
from api.ideas.lists import errors, views
from api.ideas.lists.grammar import QUERY_LENGTH_MAX, InvalidFilter
from api.ideas.lists.models import IdeaView
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Edit, ResponseModel, Schema, required
from api.kernel.texts import Line
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")

_Name = Annotated[Line, Field(min_length=1, max_length=80)]
_Query = Annotated[
    Line, Field(max_length=QUERY_LENGTH_MAX, description="filter and order, as q of the filtered list reads them")
]
_IsShared = Annotated[bool, Field(description="everyone who sees the campaign sees the view; only managers share")]


class ViewWrite(Schema):
    """A new view."""

    name: _Name
    query: _Query
    is_shared: _IsShared = False


class ViewEdit(Edit):
    """The fields of a view to change."""

    name: _Name = required()
    query: _Query = required()
    is_shared: _IsShared = required()


class ViewRead(ResponseModel):
    """A saved view."""

    id: UUID
    name: str
    query: str
    is_shared: bool
    owner_id: UUID = Field(description="who saved it")
    owner_name: str | None = None
    problem: str | None = Field(
        None, description="in the list: why the query cannot be read, or what it refers to in vain"
    )
    created_at: datetime
    updated_at: datetime


_Viewer = Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
_Saver = Annotated[Access, Depends(requires_in_campaign(Permission.FOLLOW_IDEAS))]


@router.get("/campaigns/{campaign_id}/idea-views", operation_id="listIdeaViews")
async def list_views(session: Session, access: _Viewer) -> list[ViewRead]:
    """My views of the campaign's ideas and the shared ones, each kind by name."""
    found = [
        ViewRead.model_validate(view).model_copy(update={"problem": problem})
        for view, problem in await views.list_views(session, access)
    ]
    await auth.add_names(session, found, owner_id="owner_name")
    return found


@router.post("/campaigns/{campaign_id}/idea-views", status_code=201, operation_id="createIdeaView")
@raises(InvalidFilter, errors.SharingNotAllowed, errors.ViewNameTaken, errors.TooManyViews)
async def create_view(session: Session, response: Response, access: _Saver, body: ViewWrite) -> ViewRead:
    """Save a filter and an order of the campaign's ideas under a name. `GET .../ideas/filter?view=` uses it."""
    view = await views.create_view(session, access, **body.model_dump())
    response.headers["Location"] = f"/api/v1/campaigns/{access.campaign.id}/idea-views"
    return await _read(session, view)


@router.patch("/campaigns/{campaign_id}/idea-views/{view_id}", operation_id="editIdeaView")
@raises(errors.ViewNotFound, InvalidFilter, errors.SharingNotAllowed, errors.ViewNameTaken, errors.TooManyViews)
async def edit_view(session: Session, access: _Saver, view_id: UUID, body: ViewEdit) -> ViewRead:
    """Change my view or, as a manager, a shared one. A view that is no longer shared belongs to the person who saved it."""
    return await _read(session, await views.edit_view(session, access, view_id, body.changes))


@router.delete("/campaigns/{campaign_id}/idea-views/{view_id}", status_code=204, operation_id="deleteIdeaView")
@raises(errors.ViewNotFound, errors.SharingNotAllowed)
async def delete_view(session: Session, access: _Saver, view_id: UUID) -> None:
    """Delete my view or, as a manager, a shared one."""
    await views.delete_view(session, access, view_id)


async def _read(session: Session, view: IdeaView) -> ViewRead:
    found = ViewRead.model_validate(view)
    await auth.add_names(session, [found], owner_id="owner_name")
    return found
