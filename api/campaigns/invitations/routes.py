"""Routes of invitations to campaigns."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from api.auth import service as auth
from api.auth.dependencies import Myself
from api.auth.errors import LinkInvalid
from api.campaigns import errors
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.invitations import service
from api.campaigns.invitations.models import InvitationStatus
from api.campaigns.invitations.schemas import InvitationRead, Invite
from api.campaigns.invitations.service import Invitee
from api.campaigns.schemas import CampaignRead, Joining, as_read
from api.events import payloads
from api.events.service import record_event
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.texts import Line
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")

Manager = Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))]


@router.post("/campaigns/{campaign_id}/invitations", status_code=201, operation_id="inviteMembers")
@raises(errors.CampaignNotActive, errors.AlreadyMembers, errors.AttributesRefused, errors.InvitationMailsExhausted)
async def invite(
    session: Session,
    settings: ProvidedSettings,
    access: Manager,
    body: Invite,
    dry_run: DryRun,  # noqa: ARG001
) -> list[InvitationRead]:
    """Invite people by their addresses: each receives a mail with a link, in the order of the request.

    An address with an open invitation gets the new role and attributes, and no other mail. An address receives at most five mails
    of invitations to this campaign in a day. The response does not depend on
    whether an address has an account.
    """
    invitees = [Invitee(each.email, each.name, each.role, dict(each.attributes)) for each in body.invitations]
    made = await service.invite(session, settings, access.campaign, invitees, actor_id=access.caller.user_id)
    return [InvitationRead.model_validate(each) for each in made]


@router.get("/campaigns/{campaign_id}/invitations", operation_id="listInvitations")
async def list_all(
    session: Session,
    access: Manager,
    paging: PageQuery,
    status: Annotated[InvitationStatus | None, Query()] = None,
    q: Annotated[Line | None, Query(max_length=200, description="a part of the name or address, in any case")] = None,
) -> Page[InvitationRead]:
    """Invitations of the campaign, newest first. They are deleted 90 days after their end."""
    rows = await service.list_invitations(
        session, access.campaign.id, status=status, words=q, limit=paging.limit + 1, after=paging.after(UUID)
    )
    page = paging.page([InvitationRead.model_validate(row) for row in rows], key=lambda row: [row.id])
    payload = payloads.PersonalDataRead(what="invitations", filters=("q",) if q else (), rows=len(page.items))
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)
    return page


@router.post("/campaigns/{campaign_id}/invitations/{invitation_id}/resend", operation_id="resendInvitation")
@raises(errors.CampaignNotActive, errors.InvitationNotFound, errors.InvitationEnded, errors.InvitationMailsExhausted)
async def resend(session: Session, settings: ProvidedSettings, access: Manager, invitation_id: UUID) -> InvitationRead:
    """Mail a new link, which voids the earlier one, and start its time again. At most one mail a minute and five a day are sent."""
    invitation = await service.resend(session, settings, access.campaign, invitation_id, actor_id=access.caller.user_id)
    return InvitationRead.model_validate(invitation)


@router.delete("/campaigns/{campaign_id}/invitations/{invitation_id}", status_code=204, operation_id="revokeInvitation")
@raises(errors.InvitationNotFound, errors.InvitationEnded)
async def revoke(session: Session, access: Manager, invitation_id: UUID) -> None:
    """Void an invitation and its link."""
    await service.revoke(session, access.campaign, invitation_id, actor_id=access.caller.user_id)


@router.post("/invitations/{token}/accept", operation_id="acceptCampaignInvitation")
@raises(
    LinkInvalid,
    errors.InvitationForAnother,
    errors.CampaignNotActive,
    errors.RemovedFromCampaign,
    errors.InvitationOutdated,
    errors.AttributesRefused,
)
async def accept(
    session: Session,
    caller: Myself,
    token: Annotated[str, Path(min_length=1, max_length=128)],
    body: Joining | None = None,
) -> CampaignRead:
    """Become a member of the campaign by the token of a mailed link, which was sent to the confirmed address of my account.

    The body has the attributes that the campaign asks for and the invitation does not have. A person without an account opens the link in a browser and creates one there.
    """
    campaign, membership = await service.accept(
        session,
        secret=token,
        user=await auth.get_user(session, caller.user_id),
        answers=dict(body.attributes) if body else {},
    )
    return as_read(campaign, membership.role)
