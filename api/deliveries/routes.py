"""Routes of the delivery of ideas: owners, milestones and what is overdue."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Query

from api.auth import service as auth
from api.campaigns.dependencies import Access, requires_in_campaign
from api.deliveries import errors, service
from api.deliveries.schemas import (
    CampaignMilestone,
    DeliveryRead,
    MilestoneCompletion,
    MilestoneEdit,
    MilestoneWrite,
    OwnerWrite,
)
from api.ideas import service as ideas
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.errors import NotSubmitted, OwnerNotAMember
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

router = new_router("", "deliveries")

Manager = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))]
_Reader = requires_on_idea(Permission.VIEW_CAMPAIGN)


@raises(errors.NotTheOwner)
@enforces(Rule(Scope.CAMPAIGN, (Permission.MANAGE_IDEAS, Permission.COMMENT), Visibility.NOT_FOUND))
async def _completer(session: Session, access: Annotated[IdeaAccess, Depends(_Reader)]) -> IdeaAccess:
    """The owner of the idea, while they may write on ideas of the campaign, or a manager."""
    if access.may(Permission.MANAGE_IDEAS):
        return access
    is_owner = await ideas.find_owner(session, access.idea.id) == access.campaign.caller.user_id
    if not is_owner or not access.may(Permission.COMMENT):
        msg = "Only the owner of the idea, while a member of the campaign, and its managers complete its milestones."
        raise errors.NotTheOwner(msg)
    return access


Completer = Annotated[IdeaAccess, Depends(_completer)]


async def _read(session: AsyncSession, access: IdeaAccess) -> DeliveryRead:
    delivery = await service.get_delivery(session, access.idea, access.campaign.campaign)
    await auth.add_names(session, [delivery], owner_id="owner_name")
    return delivery


@router.get("/ideas/{idea_id}/delivery", operation_id="getDelivery")
async def get(
    session: Session, access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
) -> DeliveryRead:
    """The owner, the milestones and the progress of the idea."""
    return await _read(session, access)


@router.put("/ideas/{idea_id}/owner", operation_id="setIdeaOwner")
@raises(NotSubmitted, OwnerNotAMember)
async def set_owner(session: Session, access: Manager, body: OwnerWrite) -> DeliveryRead:
    """Make a member responsible for the idea, in place of the present owner."""
    await ideas.set_owner(session, access.idea, body.user_id, actor_id=access.campaign.caller.user_id)
    return await _read(session, access)


@router.delete("/ideas/{idea_id}/owner", operation_id="removeIdeaOwner")
@raises(NotSubmitted)
async def remove_owner(session: Session, access: Manager) -> DeliveryRead:
    """Remove the owner of the idea."""
    await ideas.set_owner(session, access.idea, None, actor_id=access.campaign.caller.user_id)
    return await _read(session, access)


@router.post("/ideas/{idea_id}/milestones", status_code=201, operation_id="addMilestone")
@raises(errors.IdeaNotInDelivery, errors.TooManyMilestones)
async def add(session: Session, access: Manager, body: MilestoneWrite) -> DeliveryRead:
    """Add a milestone to an idea that is accepted or in progress."""
    await service.add_milestone(session, access.idea, actor_id=access.campaign.caller.user_id, **body.model_dump())
    return await _read(session, access)


@router.patch("/ideas/{idea_id}/milestones/{milestone_id}", operation_id="editMilestone")
@raises(errors.IdeaNotInDelivery, errors.MilestoneNotFound, errors.DoneInTheFuture)
async def edit(session: Session, access: Manager, milestone_id: UUID, body: MilestoneEdit) -> DeliveryRead:
    """Change a milestone, or complete it by `done_on`."""
    await service.edit_milestone(
        session, access.idea, milestone_id, body.changes, actor_id=access.campaign.caller.user_id
    )
    return await _read(session, access)


@router.put("/ideas/{idea_id}/milestones/{milestone_id}/completion", operation_id="completeMilestone")
@raises(errors.IdeaNotInDelivery, errors.MilestoneNotFound, errors.DoneInTheFuture)
async def complete(session: Session, access: Completer, milestone_id: UUID, body: MilestoneCompletion) -> DeliveryRead:
    """Complete a milestone, or take that back: the owner of the idea while they take part in the campaign, and managers."""
    await service.edit_milestone(
        session, access.idea, milestone_id, body.model_dump(), actor_id=access.campaign.caller.user_id
    )
    return await _read(session, access)


@router.delete("/ideas/{idea_id}/milestones/{milestone_id}", operation_id="deleteMilestone")
@raises(errors.IdeaNotInDelivery, errors.MilestoneNotFound)
async def delete(session: Session, access: Manager, milestone_id: UUID) -> DeliveryRead:
    """Delete a milestone."""
    await service.delete_milestone(session, access.idea, milestone_id, actor_id=access.campaign.caller.user_id)
    return await _read(session, access)


@router.get("/campaigns/{campaign_id}/milestones", operation_id="listOpenMilestones")
async def list_open(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_IDEAS))],
    paging: PageQuery,
    overdue: Annotated[bool, Query(description="only those whose due day has passed")] = False,  # noqa: FBT002
) -> Page[CampaignMilestone]:
    """Milestones of the campaign that are not done, of ideas in delivery, by due day."""
    found = await service.list_open_milestones(
        session,
        access.campaign,
        only_overdue=overdue,
        limit=paging.limit + 1,
        after=paging.after(date.fromisoformat, UUID),
    )
    page = paging.page(found, key=lambda milestone: (milestone.due_on, milestone.id))
    await auth.add_names(session, page.items, owner_id="owner_name")
    return page
