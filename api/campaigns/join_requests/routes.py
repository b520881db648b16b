"""Routes of requests to join a campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field

from api.campaigns import errors
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.join_requests import service
from api.campaigns.join_requests.models import RequestStatus
from api.campaigns.schemas import Attributes, MembershipRead
from api.events import payloads
from api.events.service import record_event
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Page, ResponseModel, Schema, Stored
from api.kernel.texts import Prose
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")

Manager = Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))]
Visitor = Annotated[Access, Depends(requires_in_campaign(Permission.JOIN_CAMPAIGN))]
TEXT_LENGTH_MAX = 1000


class JoinRequestWrite(Schema):
    """A request to join, with an optional text for the managers."""

    message: Annotated[Prose, Field(max_length=TEXT_LENGTH_MAX)] | None = None
    attributes: Attributes = Field({}, description="values of the attributes that the campaign asks for, by key")


class Refusal(Schema):
    """The reason of a refusal, which the person can read."""

    reason: Annotated[Prose, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


class JoinRequestRead(ResponseModel):
    """A request to join a campaign."""

    id: UUID
    user_id: UUID
    status: Stored[RequestStatus]
    message: str | None
    attributes: dict[str, str]
    requested_at: datetime
    decided_at: datetime | None
    reason: str | None = Field(description="of a refusal")


class PersonalRequestRead(JoinRequestRead):
    """A request as managers see it."""

    display_name: str
    email: str | None


@router.post("/campaigns/{campaign_id}/join-requests", status_code=201, operation_id="requestToJoin")
@raises(
    errors.RequestsClosed,
    errors.CampaignNotActive,
    errors.AlreadyMembers,
    errors.RequestOpen,
    errors.AttributesRefused,
)
async def create(session: Session, access: Visitor, body: JoinRequestWrite) -> JoinRequestRead:
    """Ask to become a member of a campaign whose join policy is by_request; a manager decides.

    The managers receive a mail, at most one an hour. The body has the attributes that the campaign asks for.
    """
    request = await service.request_to_join(
        session,
        access.campaign,
        user_id=access.caller.user_id,
        message=body.message or None,
        answers=dict(body.attributes),
    )
    return JoinRequestRead.model_validate(request)


@router.get("/campaigns/{campaign_id}/join-requests/mine", operation_id="listMyJoinRequests")
async def list_mine(session: Session, access: Visitor, paging: PageQuery) -> Page[JoinRequestRead]:
    """My own requests in this campaign, newest first."""
    rows = await service.list_requests(
        session,
        access.campaign.id,
        user_id=access.caller.user_id,
        limit=paging.limit + 1,
        after=paging.after(UUID),
    )
    return paging.page([JoinRequestRead.model_validate(row) for row, _, _ in rows], key=lambda row: [row.id])


@router.get("/campaigns/{campaign_id}/join-requests", operation_id="listJoinRequests")
async def list_all(
    session: Session, access: Manager, paging: PageQuery, status: Annotated[RequestStatus | None, Query()] = None
) -> Page[PersonalRequestRead]:
    """Requests to join, newest first, with name and address; for managers."""
    rows = await service.list_requests(
        session, access.campaign.id, status=status, limit=paging.limit + 1, after=paging.after(UUID)
    )
    requests = [
        PersonalRequestRead.model_validate({**vars(row), "display_name": name, "email": email})
        for row, name, email in rows
    ]
    page = paging.page(requests, key=lambda row: [row.id])
    payload = payloads.PersonalDataRead(what="join_requests", rows=len(page.items))
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)
    return page


@router.post("/campaigns/{campaign_id}/join-requests/{request_id}/approve", operation_id="approveJoinRequest")
@raises(errors.RequestNotFound, errors.RequestDecided, errors.CampaignNotActive, errors.UnknownUser)
async def approve(session: Session, access: Manager, request_id: UUID) -> MembershipRead:
    """Make the person a member."""
    _, membership = await service.approve(session, access.campaign, request_id, actor_id=access.caller.user_id)
    return MembershipRead.model_validate(membership)


@router.post("/campaigns/{campaign_id}/join-requests/{request_id}/refuse", operation_id="refuseJoinRequest")
@raises(errors.RequestNotFound, errors.RequestDecided)
async def refuse(session: Session, access: Manager, request_id: UUID, body: Refusal) -> JoinRequestRead:
    """Refuse the request, with a reason that the person can read. They can ask again."""
    request = await service.refuse(
        session, access.campaign, request_id, actor_id=access.caller.user_id, reason=body.reason
    )
    return JoinRequestRead.model_validate(request)


@router.post("/campaigns/{campaign_id}/join-requests/{request_id}/withdraw", operation_id="withdrawJoinRequest")
@raises(errors.RequestNotFound, errors.RequestDecided)
async def withdraw(session: Session, access: Visitor, request_id: UUID) -> JoinRequestRead:
    """Withdraw my open request. I can ask again."""
    request = await service.withdraw(session, access.campaign, request_id, user_id=access.caller.user_id)
    return JoinRequestRead.model_validate(request)
