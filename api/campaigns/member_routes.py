"""Routes of the members of a campaign."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from api.auth import service as auth
from api.campaigns import errors, service
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.member_lists.listing import KEY_PARSERS, FiltersQuery, SortQuery, list_members
from api.campaigns.schemas import (
    Joining,
    MemberAdd,
    MemberRead,
    MembershipRead,
    Role,
)
from api.events import payloads
from api.events.service import record_event
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")


@router.post("/campaigns/{campaign_id}/join", operation_id="joinCampaign")
@raises(errors.JoiningClosed, errors.RemovedFromCampaign, errors.CampaignNotActive, errors.AttributesRefused)
async def join(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.JOIN_CAMPAIGN))],
    body: Joining | None = None,
) -> MembershipRead:
    """Become a member with a wallet; a former member gets the old wallet again.

    The body has the attributes that the campaign asks for (`GET .../member-attributes`).
    """
    answers = dict(body.attributes) if body else {}
    membership = await service.join_campaign(session, access.campaign, user_id=access.caller.user_id, answers=answers)
    return MembershipRead.model_validate(membership)


@router.post("/campaigns/{campaign_id}/leave", status_code=204, operation_id="leaveCampaign")
@raises(errors.NotAMember, errors.LastManager)
async def leave(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.LEAVE_CAMPAIGN))]
) -> None:
    """Leave the campaign: my wallet is frozen, my stakes remain on their ideas."""
    await service.leave_campaign(session, access.campaign, user_id=access.caller.user_id)


@router.get("/campaigns/{campaign_id}/members", operation_id="listMembers")
@raises(InvalidInput)
async def members(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    paging: PageQuery,
    filters: FiltersQuery,
    sort: SortQuery = "joined",
) -> Page[MemberRead]:
    """Members with name and address; for managers."""
    rows = await list_members(
        session, access.campaign.id, filters, sort=sort, limit=paging.limit + 1, after=paging.after(*KEY_PARSERS[sort])
    )
    page = paging.page(rows, key=lambda row: row.key)
    members = [
        MemberRead.model_validate({**vars(row.membership), "display_name": row.display_name, "email": row.email})
        for row in page.items
    ]
    payload = payloads.PersonalDataRead(what="members", filters=filters.names(), rows=len(members))
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)
    return Page(items=members, next_cursor=page.next_cursor)


@router.post(
    "/campaigns/{campaign_id}/members",
    status_code=201,
    operation_id="addMember",
    responses={200: {"description": "The user was a member already", "model": MembershipRead}},
)
@raises(errors.UnknownUser, errors.CampaignNotActive, errors.LastManager, errors.AttributesRefused)
async def add_member(
    session: Session,
    response: Response,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    body: MemberAdd,
) -> MembershipRead:
    """Add a user by the e-mail address of their account: 201.

    If the user is a member already, the response is 200: the given role and attributes replace those of the member, and
    omitted ones are not changed. The same request again changes nothing.
    """
    user = await auth.find_confirmed_user(session, body.email)
    if user is None:
        msg = "There is no active account with this address, or it is not confirmed; the user has to register first."
        raise errors.UnknownUser(msg)
    given = body.model_fields_set
    membership, is_new = await service.add_member(
        session,
        access.campaign,
        user_id=user.id,
        actor_id=access.caller.user_id,
        role=body.role if "role" in given else None,
        attributes=dict(body.attributes) if "attributes" in given else None,
    )
    if not is_new:
        response.status_code = HTTPStatus.OK
    return MembershipRead.model_validate(membership)


@router.put("/campaigns/{campaign_id}/members/{user_id}/role", operation_id="setMemberRole")
@raises(errors.NotAMember, errors.LastManager)
async def set_role(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    user_id: UUID,
    role: Annotated[Role, Query()],
) -> MembershipRead:
    """Change the role of a member.

    A member who becomes an observer keeps their stakes, and their wallet is frozen. An observer who becomes a member gets the
    old wallet again, or in a running campaign one with the coins of the policy.
    """
    membership = await service.set_member_role(
        session, access.campaign, user_id=user_id, role=role, actor_id=access.caller.user_id
    )
    return MembershipRead.model_validate(membership)


@router.delete("/campaigns/{campaign_id}/members/{user_id}", status_code=204, operation_id="removeMember")
@raises(errors.NotAMember, errors.LastManager)
async def remove_member(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    user_id: UUID,
    dry_run: DryRun,  # noqa: ARG001
) -> None:
    """Remove a member: their coins on open ideas return to their wallet, which is frozen.

    Only a manager can add the person again, who then gets the wallet back. Managers leave by `POST .../leave`.
    """
    await service.remove_member(session, access.campaign, user_id=user_id, actor_id=access.caller.user_id)
