"""The route of what waits for managers and moderators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.campaigns.dependencies import Access, requires_in_campaign
from api.kernel.permissions import Permission
from api.kernel.web import Session
from api.kernel.web import router as new_router
from api.todo import service
from api.todo.schemas import Todo

router = new_router("", "campaigns")


@router.get("/campaigns/{campaign_id}/todo", operation_id="getTodo")
async def todo(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.APPROVE_IDEAS))]
) -> Todo:
    """What the managers and moderators of the campaign have to do, and its coming dates."""
    return await service.find_todo(session, access.campaign)
