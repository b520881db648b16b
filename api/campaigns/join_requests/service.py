"""Requests to join a campaign whose join policy is `by_request`: a manager approves or refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from api.auth import service as auth
from api.campaigns import errors
from api.campaigns.attributes.values import get_defined
from api.campaigns.join_requests.mailing import SEND_DECISION, order_notices
from api.campaigns.join_requests.models import JoinRequest, RequestStatus
from api.campaigns.lifecycle import Command
from api.campaigns.memberships import add_member
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import find_last_membership, find_membership, get_campaign
from api.campaigns.transitions import check_command
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.jobs import defer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def request_to_join(
    session: AsyncSession,
    campaign: Campaign,
    *,
    user_id: UUID,
    message: str | None,
    answers: Mapping[str, str] | None = None,
) -> JoinRequest:
    """Ask the managers to add the user. Also for a user whom a manager has removed. `answers` are the user's attributes.

    The managers receive a mail, at most one an hour.

    Raises:
        AttributesRefused: an answer is not allowed, or a required one is missing.
        RequestsClosed: the campaign's join policy is another one.
        CampaignNotActive: the campaign has ended, or is a draft.
        AlreadyMembers: the user is a member.
        RequestOpen: the user has an open request.
    """
    campaign = await get_campaign(session, campaign.id, lock="join")  # two requests of a user wait for each other
    if campaign.join_policy != "by_request":
        msg = f"This campaign takes no requests to join; its join policy is {campaign.join_policy}."
        raise errors.RequestsClosed(msg, join_policy=campaign.join_policy)
    await check_command(session, campaign, Command.JOIN)
    if await find_membership(session, campaign.id, user_id) is not None:
        msg = "You are a member of this campaign."
        raise errors.AlreadyMembers(msg)
    if await _find_open(session, campaign.id, user_id) is not None:
        msg = "You have an open request in this campaign; a manager will decide about it."
        raise errors.RequestOpen(msg)
    before = await find_last_membership(session, campaign.id, user_id)
    defined = await get_defined(session, campaign.id)
    defined.with_answers(before.attributes if before else {}, answers or {})
    request = JoinRequest(campaign_id=campaign.id, user_id=user_id, message=message, attributes=dict(answers or {}))
    session.add(request)
    await session.flush()
    await order_notices(session, campaign.id)
    await record_event(
        session,
        payloads.JoinRequested(join_request_id=request.id),
        actor_id=user_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )
    return request


async def approve(
    session: AsyncSession, campaign: Campaign, request_id: UUID, *, actor_id: UUID
) -> tuple[JoinRequest, Membership]:
    """Make the user of a request a member; one who has become a member meanwhile stays one.

    The user gets the stated attributes that the campaign still allows; what it requires since then can be missing.

    Raises:
        RequestNotFound: the campaign has no request with this id.
        RequestDecided: it was approved, refused or withdrawn.
        CampaignNotActive: the campaign has ended.
        UnknownUser: the account of the user is not active any more.
    """
    campaign, request = await _lock(session, campaign, request_id)
    user = await auth.get_user(session, request.user_id)
    if not user.is_active:
        msg = "The account of this person is not active any more; refuse the request."
        raise errors.UnknownUser(msg)
    membership = await find_membership(session, campaign.id, request.user_id)
    if membership is None:
        before = await find_last_membership(session, campaign.id, request.user_id)
        defined = await get_defined(session, campaign.id)
        membership, _ = await add_member(
            session,
            campaign,
            user_id=request.user_id,
            actor_id=actor_id,
            attributes=defined.fitting((before.attributes if before else {}) | request.attributes),
            may_lack_values=True,
        )
    await check_command(session, campaign, Command.ADD_MEMBER)
    _decide(request, RequestStatus.APPROVED, actor_id, None)
    await session.flush()
    await defer(session, SEND_DECISION, request_id=request.id)
    await record_event(
        session,
        payloads.JoinRequestApproved(join_request_id=request.id),
        actor_id=actor_id,
        campaign_id=campaign.id,
        user_id=request.user_id,
    )
    return request, membership


async def refuse(
    session: AsyncSession, campaign: Campaign, request_id: UUID, *, actor_id: UUID, reason: str
) -> JoinRequest:
    """Refuse a request, for a reason that its user can read. The user can ask again.

    Raises:
        RequestNotFound: the campaign has no request with this id.
        RequestDecided: it was approved, refused or withdrawn.
    """
    campaign, request = await _lock(session, campaign, request_id)
    _decide(request, RequestStatus.REFUSED, actor_id, reason)
    await session.flush()
    await defer(session, SEND_DECISION, request_id=request.id)
    await record_event(
        session,
        payloads.JoinRequestRefused(join_request_id=request.id),
        actor_id=actor_id,
        campaign_id=campaign.id,
        user_id=request.user_id,
    )
    return request


async def withdraw(session: AsyncSession, campaign: Campaign, request_id: UUID, *, user_id: UUID) -> JoinRequest:
    """Withdraw an open request of the user, who can ask again.

    Raises:
        RequestNotFound: the user has no request with this id in the campaign.
        RequestDecided: it was approved, refused or withdrawn.
    """
    campaign, request = await _lock(session, campaign, request_id, user_id=user_id)
    _decide(request, RequestStatus.WITHDRAWN, user_id, None)
    await session.flush()
    await record_event(
        session,
        payloads.JoinRequestWithdrawn(join_request_id=request.id),
        actor_id=user_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )
    return request


async def list_requests(
    session: AsyncSession,
    campaign_id: UUID,
    *,
    status: RequestStatus | None = None,
    user_id: UUID | None = None,
    limit: int,
    after: tuple[UUID] | None,
) -> list[tuple[JoinRequest, str, str | None]]:
    """Requests of the campaign, or of one user, newest first, with the name and address of the person."""
    people = auth.PEOPLE.c
    query = (
        select(JoinRequest, people.display_name, people.email)
        .join(auth.PEOPLE, people.id == JoinRequest.user_id)
        .where(JoinRequest.campaign_id == campaign_id)
        .order_by(JoinRequest.id.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(JoinRequest.status == status)
    if user_id is not None:
        query = query.where(JoinRequest.user_id == user_id)
    if after is not None:
        query = query.where(JoinRequest.id < after[0])
    return [(row.JoinRequest, row.display_name, row.email) for row in await session.execute(query)]


async def _find_open(session: AsyncSession, campaign_id: UUID, user_id: UUID) -> JoinRequest | None:
    found: JoinRequest | None = await session.scalar(
        select(JoinRequest).where(
            JoinRequest.campaign_id == campaign_id,
            JoinRequest.user_id == user_id,
            JoinRequest.status == RequestStatus.OPEN,
        )
    )
    return found


async def _lock(
    session: AsyncSession, campaign: Campaign, request_id: UUID, *, user_id: UUID | None = None
) -> tuple[Campaign, JoinRequest]:
    """The locked campaign, and the request, which is open; with `user_id` only one of this user."""
    campaign = await get_campaign(session, campaign.id, lock="change")
    request = await session.get(JoinRequest, request_id, with_for_update=True, populate_existing=True)
    if request is None or request.campaign_id != campaign.id or user_id not in {None, request.user_id}:
        msg = "The campaign has no request with this id."
        raise errors.RequestNotFound(msg)
    if request.status != RequestStatus.OPEN:
        msg = f"The request is {request.status}; only an open one can be decided."
        raise errors.RequestDecided(msg, request_status=request.status)
    return campaign, request


def _decide(request: JoinRequest, status: RequestStatus, actor_id: UUID, reason: str | None) -> None:
    request.status, request.reason = status, reason
    request.decided_at, request.decided_by = clock.now(), actor_id
