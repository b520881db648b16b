"""Campaigns and their members."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from api.campaigns import errors
from api.campaigns.dates import Dates
from api.campaigns.due import PAUSE_S, for_each_to_complete
from api.campaigns.lifecycle import CampaignStatus, Command
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import (
    NOT_FOUND,
    find_campaign_by_slug,
    find_membership,
    get_campaign,
    list_campaigns,
    list_managed_campaign_ids,
    list_members,
)
from api.campaigns.transitions import (
    activate_campaign,
    archive_campaign,
    change_dates,
    check_command,
    check_dates,
    mark_completed,
    set_coin_policy,
)
from api.coins import service as coins
from api.coins.schemas import PolicyWrite
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.ids import uuid7
from api.kernel.slugs import SLUG_LENGTH_MAX, slug_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = [
    "NOT_FOUND",
    "PAUSE_S",
    "activate_campaign",
    "archive_campaign",
    "change_dates",
    "check_command",
    "find_campaign_by_slug",
    "find_membership",
    "for_each_to_complete",
    "get_campaign",
    "list_campaigns",
    "list_managed_campaign_ids",
    "list_members",
    "mark_completed",
    "set_coin_policy",
]


async def create_campaign(
    session: AsyncSession,
    *,
    actor_id: UUID,
    title: str,
    slug: str | None = None,
    description: str = "",
    is_mediated: bool = False,
    visibility: str = "open",
    join_policy: str = "open",
    budget_amount: Decimal | None = None,
    currency: str | None = None,
    eligible_people: int | None = None,
    starts_at: datetime | None = None,
    submissions_close_at: datetime | None = None,
    ends_at: datetime | None = None,
    decide_by: datetime | None = None,
    policy: PolicyWrite | None = None,
    attributes: dict[str, Any] | None = None,
) -> Campaign:
    """Create a draft campaign with its ledger. The actor becomes its manager; `attributes` belong to that membership.

    Raises:
        SlugTaken: a slug was given and another campaign has it.
        DatesOutOfOrder: the dates contradict each other or the coin policy.
    """
    policy = policy or PolicyWrite()
    dates = Dates(starts_at=starts_at, submissions_close_at=submissions_close_at, ends_at=ends_at, decide_by=decide_by)
    check_dates(dates, policy)
    campaign = Campaign(
        id=uuid7(),
        slug=slug or await _free_slug(session, title),
        title=title,
        description=description,
        is_mediated=is_mediated,
        visibility=visibility,
        join_policy=join_policy,
        budget_amount=budget_amount,
        currency=currency,
        eligible_people=eligible_people,
        starts_at=starts_at,
        submissions_close_at=submissions_close_at,
        ends_at=ends_at,
        decide_by=decide_by,
        created_by=actor_id,
        updated_by=actor_id,
    )
    session.add(campaign)
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        if "uq_campaigns_slug" not in str(error.orig):
            raise
        msg = f"Another campaign has the slug {campaign.slug!r}."
        raise errors.SlugTaken(msg, taken=campaign.slug) from error
    await coins.open_ledger(session, campaign.id, policy, actor_id=actor_id)
    await coins.set_window(session, campaign.id, opens_at=starts_at, closes_at=ends_at)
    session.add(
        Membership(
            campaign_id=campaign.id,
            user_id=actor_id,
            role="manager",
            attributes=attributes or {},
            created_by=actor_id,
            updated_by=actor_id,
        )
    )
    await session.flush()
    await record_event(
        session,
        payloads.CampaignCreated(
            slug_given=slug is not None,
            after=payloads.CampaignState(status=campaign.status, coin_policy=policy.model_dump(mode="json")),
        ),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    await record_event(
        session, payloads.MemberJoined(role="manager"), actor_id=actor_id, campaign_id=campaign.id, user_id=actor_id
    )
    return campaign


async def _free_slug(session: AsyncSession, title: str) -> str:
    slug = slug_of(title, SLUG_LENGTH_MAX - len("-abcdef")) or "campaign"
    slug = slug if len(slug) >= 3 else f"{slug}-campaign"
    taken = set(await session.scalars(select(Campaign.slug).where(Campaign.slug.startswith(slug, autoescape=True))))
    return slug if slug not in taken else f"{slug}-{uuid7().hex[-6:]}"


async def join_campaign(
    session: AsyncSession,
    campaign: Campaign,
    *,
    user_id: UUID,
    actor_id: UUID | None = None,
    role: str = "member",
    attributes: dict[str, Any] | None = None,
) -> Membership:
    """Make the user a member with a wallet. A former member gets the old wallet again and no second grant.

    Nothing changes if the user is a member. `actor_id` is the manager who adds the user; None if the user joins.

    Raises:
        JoiningClosed: the user joins, but only managers can add members to this campaign.
        CampaignNotActive: the campaign has ended, or is a draft, to which only managers can add members.
    """
    campaign = await get_campaign(session, campaign.id, lock="join")
    is_self = actor_id is None
    await check_command(session, campaign, Command.JOIN if is_self else Command.ADD_MEMBER)
    if is_self and campaign.join_policy != "open":
        msg = "Only managers can add members to this campaign; ask one of them."
        raise errors.JoiningClosed(msg)
    present = await find_membership(session, campaign.id, user_id)
    if present is not None:
        return present
    before = await session.scalar(
        select(Membership)
        .where(Membership.campaign_id == campaign.id, Membership.user_id == user_id)
        .order_by(Membership.left_at.desc())
        .limit(1)
    )
    actor = actor_id or user_id
    membership = Membership(
        campaign_id=campaign.id,
        user_id=user_id,
        role=role,
        joined_at=clock.now(),
        attributes=attributes if attributes is not None else (before.attributes if before else {}),
        created_by=actor,
        updated_by=actor,
    )
    session.add(membership)
    await session.flush()
    had = await coins.find_wallet(session, campaign.id, user_id)
    if campaign.status == CampaignStatus.ACTIVE:
        await coins.grant_coins(session, campaign.id, [user_id], actor_id=actor)
    has = await coins.find_wallet(session, campaign.id, user_id)
    await record_event(
        session,
        payloads.MemberJoined(
            role=role,
            granted_coins=has.wallet_coins if has and not had else 0,
            before=_state(had),
            after=_state(has),
        ),
        actor_id=actor,
        campaign_id=campaign.id,
        user_id=user_id,
    )
    return membership


async def leave_campaign(
    session: AsyncSession, campaign: Campaign, *, user_id: UUID, actor_id: UUID | None = None
) -> None:
    """End the user's membership: the wallet is frozen, stakes remain on their ideas.

    Raises:
        NotAMember: the user is not a member.
        LastManager: the campaign would have no manager.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    membership = await find_membership(session, campaign.id, user_id)
    if membership is None:
        msg = "You are not a member of this campaign."
        raise errors.NotAMember(msg)
    if membership.role == "manager" and campaign.status != "archived":
        others = await session.scalar(
            select(Membership.id)
            .where(
                Membership.campaign_id == campaign.id,
                Membership.role == "manager",
                Membership.left_at.is_(None),
                Membership.user_id != user_id,
            )
            .limit(1)
        )
        if others is None:
            msg = "You are the campaign's only manager; make another member a manager first."
            raise errors.LastManager(msg)
    membership.left_at = clock.now()
    membership.updated_by = actor_id or user_id
    await session.flush()
    had = await coins.find_wallet(session, campaign.id, user_id)
    await coins.freeze_wallet(session, campaign.id, user_id)
    await record_event(
        session,
        payloads.MemberLeft(before=_state(had), after=_state(replace(had, is_frozen=True) if had else None)),
        actor_id=actor_id or user_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )


def _state(wallet: coins.Wallet | None) -> payloads.WalletState | None:
    return payloads.WalletState(wallet_coins=wallet.wallet_coins, is_frozen=wallet.is_frozen) if wallet else None


async def set_member_role(
    session: AsyncSession, campaign: Campaign, *, user_id: UUID, role: str, actor_id: UUID
) -> Membership:
    """Make a member a manager, or a manager a member again.

    Raises:
        NotAMember: the user is not a member.
        LastManager: the campaign would have no manager.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    managers = list(
        await session.scalars(
            select(Membership.user_id).where(
                Membership.campaign_id == campaign.id, Membership.role == "manager", Membership.left_at.is_(None)
            )
        )
    )
    membership = await find_membership(session, campaign.id, user_id)
    if membership is None:
        msg = "This user is not a member of the campaign."
        raise errors.NotAMember(msg)
    if role == "member" and managers == [user_id]:
        msg = "This is the campaign's only manager; make another member a manager first."
        raise errors.LastManager(msg)
    if membership.role != role:
        before, membership.role = membership.role, role
        membership.updated_by = actor_id
        await session.flush()
        await record_event(
            session,
            payloads.MemberRoleChanged(before=payloads.RoleState(role=before), after=payloads.RoleState(role=role)),
            actor_id=actor_id,
            campaign_id=campaign.id,
            user_id=user_id,
        )
    return membership
