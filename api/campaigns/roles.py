"""Changes of a member's role, with their effect on the wallet.

A wallet belongs to the roles that take part. The wallet of a member who becomes an observer is frozen, and the stakes remain
on their ideas. An observer who becomes a member gets the old wallet again, or while the ledger is open a new one with the
coins of the policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.campaigns import errors
from api.campaigns.lifecycle import RUNNING, CampaignStatus
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import find_membership, get_campaign
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.kernel.permissions import TAKING_PART

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

# the ledger is open, and the members have their coins
_GRANTED = RUNNING | {CampaignStatus.CLOSED}


async def set_member_role(
    session: AsyncSession, campaign: Campaign, *, user_id: UUID, role: str, actor_id: UUID | None
) -> Membership:
    """Change the role of a member.

    Raises:
        NotAMember: the user is not a member.
        LastManager: the campaign would have no manager.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    membership = await find_membership(session, campaign.id, user_id)
    if membership is None:
        msg = "This user is not a member of the campaign."
        raise errors.NotAMember(msg)
    if membership.role == role:
        return membership
    if membership.role == "manager":
        msg = "This is the campaign's only manager; make another member a manager first."
        await check_other_manager(session, campaign, user_id=user_id, refusal=msg)
    before, membership.role = membership.role, role
    membership.updated_by = actor_id
    await session.flush()
    had = await coins.find_wallet(session, campaign.id, user_id)
    has = await _set_wallet(session, campaign, had, before, membership, actor_id)
    is_changed = had != has
    await record_event(
        session,
        payloads.MemberRoleChanged(
            granted_coins=has.wallet_coins if has and not had else None,
            before=_state(before, had if is_changed else None),
            after=_state(role, has if is_changed else None),
        ),
        actor_id=actor_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )
    return membership


async def check_other_manager(session: AsyncSession, campaign: Campaign, *, user_id: UUID, refusal: str) -> None:
    """Check that the campaign, which the caller has locked, has a manager other than the user.

    Raises:
        LastManager: it has none.
    """
    other = await session.scalar(
        select(Membership.id)
        .where(
            Membership.campaign_id == campaign.id,
            Membership.role == "manager",
            Membership.left_at.is_(None),
            Membership.user_id != user_id,
        )
        .limit(1)
    )
    if other is None:
        raise errors.LastManager(refusal)


async def _set_wallet(
    session: AsyncSession,
    campaign: Campaign,
    had: coins.Wallet | None,
    before: str,
    membership: Membership,
    actor_id: UUID | None,
) -> coins.Wallet | None:
    """Freeze, unfreeze or open the wallet, as the change of the role needs it; returns the wallet after it."""
    took_part, takes_part = before in TAKING_PART, membership.role in TAKING_PART
    if took_part and not takes_part and had is not None:
        await coins.freeze_wallet(session, campaign.id, membership.user_id)
        return replace(had, is_frozen=True)
    if takes_part and not took_part and campaign.status in _GRANTED:
        await coins.grant_coins(session, campaign.id, [membership.user_id], actor_id=actor_id)
        return await coins.find_wallet(session, campaign.id, membership.user_id)
    return had


def _state(role: str, wallet: coins.Wallet | None) -> payloads.RoleState:
    if wallet is None:
        return payloads.RoleState(role=role)
    return payloads.RoleState(role=role, wallet_coins=wallet.wallet_coins, is_frozen=wallet.is_frozen)
