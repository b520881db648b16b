"""Invitations to campaigns: an address, a role, and a mailed link by which its owner becomes a member.

No response depends on whether an address has an account, except that of its owner who has opened the link.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from api.auth import service as auth
from api.auth.errors import LinkInvalid
from api.campaigns import errors
from api.campaigns.attributes.values import get_defined
from api.campaigns.invitations.mail_limits import order_mails
from api.campaigns.invitations.mailing import SEND, lifetime
from api.campaigns.invitations.models import Invitation, InvitationStatus
from api.campaigns.lifecycle import Command
from api.campaigns.memberships import join_campaign
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import find_last_ends, find_last_membership, find_membership, get_campaign
from api.campaigns.transitions import check_command
from api.events import payloads
from api.events.service import record_event, record_events
from api.kernel import clock
from api.kernel.jobs import defer, defer_each
from api.kernel.stored_secrets import hash_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User
    from api.campaigns.attributes.values import DefinedAttributes, Question
    from settings import Settings

# An address receives at most one mail of an invitation in this time.
PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class Invitee:
    """Whom to invite, and what they become."""

    email: str
    name: str | None = None
    role: str = "member"
    attributes: dict[str, str] = field(default_factory=dict)


async def invite(
    session: AsyncSession,
    settings: Settings,
    campaign: Campaign,
    invitees: Sequence[Invitee],
    *,
    actor_id: UUID | None,
) -> list[Invitation]:
    """Invite addresses, each given once in any case; their mails are sent by jobs.

    An address with a pending invitation gets the new role and attributes; it receives another mail only if the invitation has
    expired.

    Raises:
        CampaignNotActive: the campaign has ended.
        AlreadyMembers: members of the campaign have some of the addresses.
        AttributesRefused: the campaign does not allow attributes of an invitation. Required ones can be missing.
        InvitationMailsExhausted: some of the addresses have received the largest number of mails.
    """
    if not invitees:
        return []
    # other commands that invite or add members wait for this lock
    campaign = await get_campaign(session, campaign.id, lock="join")
    await check_command(session, campaign, Command.ADD_MEMBER)
    addresses = [invitee.email.lower() for invitee in invitees]
    assert len(set(addresses)) == len(addresses), "an address is given twice"
    if taken := await _find_members(session, campaign.id, addresses):
        msg = f"{len(taken)} of the addresses are those of members of this campaign."
        raise errors.AlreadyMembers(msg, emails=sorted(taken))
    _check_attributes(await get_defined(session, campaign.id), invitees)
    lowered = func.lower(Invitation.email)
    pending = {
        each.email.lower(): each
        for each in await session.scalars(
            select(Invitation)
            .where(Invitation.campaign_id == campaign.id, lowered.in_(addresses), Invitation.is_pending())
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    left = await find_last_ends(session, campaign.id, addresses)
    expires_at = clock.now() + lifetime(settings)
    made: list[Invitation] = []
    mailed: list[Invitation] = []
    for invitee in invitees:
        invitation = pending.get(invitee.email.lower())
        if invitation is None:
            invitation = Invitation(
                campaign_id=campaign.id, email=invitee.email, expires_at=expires_at, created_by=actor_id
            )
            session.add(invitation)
            mailed.append(invitation)
        elif invitation.status is InvitationStatus.EXPIRED or _is_outdated(invitation, left):
            _renew(invitation, expires_at)
            mailed.append(invitation)
        invitation.name, invitation.role, invitation.attributes = invitee.name, invitee.role, invitee.attributes
        invitation.updated_by = actor_id
        made.append(invitation)
    await order_mails(session, campaign.id, [invitation.email for invitation in mailed])
    await session.flush()
    mailed_ids = [invitation.id for invitation in mailed]
    await defer_each(session, SEND, "invitation_id", mailed_ids)
    is_mailed = set(mailed_ids).__contains__
    await record_events(
        session,
        [
            (None, payloads.MemberInvited(invitation_id=each.id, role=each.role, is_mailed=is_mailed(each.id)))
            for each in made
        ],
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return made


async def resend(
    session: AsyncSession, settings: Settings, campaign: Campaign, invitation_id: UUID, *, actor_id: UUID
) -> Invitation:
    """Mail a new link, which voids the earlier one. An address receives at most one mail a minute.

    Raises:
        InvitationMailsExhausted: the address has received the largest number of mails.
        CampaignNotActive: the campaign has ended.
        InvitationNotFound: the campaign has no invitation with this id.
        InvitationEnded: it was accepted or revoked.
    """
    campaign = await get_campaign(session, campaign.id, lock="join")
    await check_command(session, campaign, Command.ADD_MEMBER)
    invitation = await _lock_pending(session, campaign.id, invitation_id)
    if invitation.sent_at is not None and invitation.sent_at > clock.now() - PAUSE:
        return invitation
    await order_mails(session, campaign.id, [invitation.email])
    _renew(invitation, clock.now() + lifetime(settings))
    invitation.updated_by = actor_id
    await session.flush()
    await defer(session, SEND, invitation_id=invitation.id)
    await record_event(
        session,
        payloads.MemberInvited(invitation_id=invitation.id, role=invitation.role, is_mailed=True),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return invitation


async def revoke(session: AsyncSession, campaign: Campaign, invitation_id: UUID, *, actor_id: UUID) -> None:
    """Void an invitation and its link.

    Raises:
        InvitationNotFound: the campaign has no invitation with this id.
        InvitationEnded: it was accepted or revoked.
    """
    await get_campaign(session, campaign.id, lock="join")
    invitation = await _lock_pending(session, campaign.id, invitation_id)
    invitation.revoked_at, invitation.secret_hash = clock.now(), None
    invitation.updated_by = actor_id
    await session.flush()
    await record_event(
        session,
        payloads.InvitationRevoked(invitation_id=invitation.id),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )


async def find_by_secret(session: AsyncSession, secret: str) -> tuple[Invitation, Campaign]:
    """The open invitation whose link has this secret, and its campaign.

    Raises:
        LinkInvalid: there is none, or it has expired, was accepted or revoked, or a newer mail was sent.
    """
    found = select(Invitation, Campaign).join(Campaign, Campaign.id == Invitation.campaign_id)
    row = (await session.execute(found.where(Invitation.secret_hash == hash_secret(secret)))).one_or_none()
    if row is None or row.Invitation.status is not InvitationStatus.OPEN:
        raise LinkInvalid
    return row.Invitation, row.Campaign


async def list_questions(session: AsyncSession, invitation: Invitation, user: User | None) -> list[Question]:
    """The attributes that the invited person is asked for; none of a member, who stays one as they are."""
    values = invitation.attributes
    if user is not None:
        if await find_membership(session, invitation.campaign_id, user.id) is not None:
            return []
        last = await find_last_membership(session, invitation.campaign_id, user.id)
        values = values or (last.attributes if last else {})
    return (await get_defined(session, invitation.campaign_id)).questions(values)


async def accept(
    session: AsyncSession, *, secret: str, user: User, answers: Mapping[str, str] | None = None
) -> tuple[Campaign, Membership]:
    """Make the user, whose confirmed address was invited, a member. A member stays one with the present role.

    `answers` are the attributes that the user states.

    Raises:
        AttributesRefused: one of them is not allowed, or a required one is missing.
        LinkInvalid: see :func:`find_by_secret`.
        InvitationForAnother: it is for another address than the user's, or the user has not confirmed theirs.
        CampaignNotActive: the campaign has ended.
        RemovedFromCampaign: a manager has removed the user after the invitation.
    """
    _, campaign = await find_by_secret(session, secret)
    campaign = await get_campaign(session, campaign.id, lock="join")
    lock = (
        select(Invitation)
        .where(Invitation.secret_hash == hash_secret(secret))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    invitation = await session.scalar(lock)
    if invitation is None or invitation.status is not InvitationStatus.OPEN:
        raise LinkInvalid
    if not user.is_active or user.email_verified_at is None or (user.email or "").lower() != invitation.email.lower():
        msg = "This invitation is for another address than that of your account, or yours is not confirmed."
        raise errors.InvitationForAnother(msg)
    last = await find_last_membership(session, campaign.id, user.id)
    if last is not None and last.left_at is not None and last.left_at >= invitation.invited_at:
        if last.was_removed:
            raise errors.RemovedFromCampaign(errors.REMOVED)
        msg = "You were a member of the campaign after this invitation was sent; ask a manager for another one."
        raise errors.InvitationOutdated(msg)
    membership = await join_campaign(
        session,
        campaign,
        user_id=user.id,
        is_invited=True,
        role=invitation.role,
        attributes=invitation.attributes or None,
        answers=answers,
    )
    invitation.accepted_at, invitation.accepted_by, invitation.secret_hash = clock.now(), user.id, None
    invitation.updated_by = user.id
    await session.flush()
    await record_event(
        session,
        payloads.InvitationAccepted(invitation_id=invitation.id),
        actor_id=user.id,
        campaign_id=campaign.id,
        user_id=user.id,
    )
    return campaign, membership


async def list_invitations(
    session: AsyncSession,
    campaign_id: UUID,
    *,
    status: InvitationStatus | None = None,
    words: str | None = None,
    limit: int,
    after: tuple[UUID] | None,
) -> list[Invitation]:
    """Invitations of the campaign, newest first; `words` are a part of the name or address, in any case."""
    query = select(Invitation).where(Invitation.campaign_id == campaign_id)
    if status is not None:
        query = query.where(Invitation.status == status.value)
    if words:
        query = query.where(
            Invitation.email.icontains(words, autoescape=True) | Invitation.name.icontains(words, autoescape=True)
        )
    if after is not None:
        query = query.where(Invitation.id < after[0])
    return list(await session.scalars(query.order_by(Invitation.id.desc()).limit(limit)))


def _check_attributes(defined: DefinedAttributes, invitees: Sequence[Invitee]) -> None:
    """Check the attributes of each invitation; the first refusal names its address."""
    for invitee in invitees:
        try:
            defined.check(invitee.attributes)
        except errors.AttributesRefused as error:
            msg = f"{invitee.email}: {error.detail}"
            raise errors.AttributesRefused(msg, email=invitee.email, **error.extensions) from error


async def _find_members(session: AsyncSession, campaign_id: UUID, addresses: Sequence[str]) -> set[str]:
    """Those of the addresses, in lower case, that current members have. Members are known to managers."""
    people = auth.PEOPLE.c
    lowered: Any = func.lower(people.email)
    return set(
        await session.scalars(
            select(lowered)
            .join(Membership, Membership.user_id == people.id)
            .where(Membership.campaign_id == campaign_id, Membership.left_at.is_(None), lowered.in_(addresses))
        )
    )


async def _lock_pending(session: AsyncSession, campaign_id: UUID, invitation_id: UUID) -> Invitation:
    invitation = await session.get(Invitation, invitation_id, with_for_update=True, populate_existing=True)
    if invitation is None or invitation.campaign_id != campaign_id:
        msg = "The campaign has no invitation with this id."
        raise errors.InvitationNotFound(msg)
    if invitation.status not in {InvitationStatus.OPEN, InvitationStatus.EXPIRED}:
        msg = f"The invitation is {invitation.status}; only an open or expired one can be sent again or revoked."
        raise errors.InvitationEnded(msg, invitation_status=invitation.status)
    return invitation


def _is_outdated(invitation: Invitation, left: Mapping[str, datetime]) -> bool:
    """Whether the invited person was a member after it was sent, so that it no longer admits them."""
    ended = left.get(invitation.email.lower())
    return ended is not None and ended >= invitation.invited_at


def _renew(invitation: Invitation, expires_at: Any) -> None:
    invitation.expires_at, invitation.invited_at = expires_at, clock.now()
    invitation.sent_at, invitation.secret_hash = None, None
