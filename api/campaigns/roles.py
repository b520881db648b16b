"""Changes of a member's role, with their effect on the wallet.

A wallet belongs to the roles that take part. The wallet of a member who becomes an observer is frozen, and the stakes remain
on their ideas. An observer who becomes a member gets the old wallet again, or while the ledger is open a new one with the
coins of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select

from api.campaigns import errors
from api.campaigns.lifecycle import RUNNING, CampaignStatus
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import find_membership, get_campaign
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_events
from api.kernel.permissions import TAKING_PART

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class RoleChange:
    """The role of a member before and after a change."""

    user_id: UUID
    before: str
    after: str

    @property
    def begins_taking_part(self) -> bool:
        """Whether only the new role has a wallet."""
        return self.before not in TAKING_PART and self.after in TAKING_PART

    @property
    def ends_taking_part(self) -> bool:
        """Whether only the former role has a wallet."""
        return self.before in TAKING_PART and self.after not in TAKING_PART


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
    await follow_roles(session, campaign, [RoleChange(user_id, before, role)], actor_id=actor_id)
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


async def follow_roles(
    session: AsyncSession, campaign: Campaign, changes: Sequence[RoleChange], *, actor_id: UUID | None
) -> None:
    """Freeze, unfreeze or open wallets after stored changes of roles, and record them, by the same statements for many.

    The caller has locked the campaign by `change`. Each user is there once.
    """
    if not changes:
        return
    user_ids = [each.user_id for each in changes]
    had = await coins.find_wallets(session, campaign.id, user_ids)
    await coins.freeze_wallets(session, campaign.id, [each.user_id for each in changes if each.ends_taking_part])
    if campaign.status in _GRANTED:
        granted = [each.user_id for each in changes if each.begins_taking_part]
        await coins.grant_coins(session, campaign.id, granted, actor_id=actor_id)
    has = await coins.find_wallets(session, campaign.id, user_ids)
    await record_events(
        session,
        [(each.user_id, _changed(each, had.get(each.user_id), has.get(each.user_id))) for each in changes],
        actor_id=actor_id,
        campaign_id=campaign.id,
    )


def _changed(change: RoleChange, had: coins.Wallet | None, has: coins.Wallet | None) -> payloads.MemberRoleChanged:
    is_changed = had != has
    return payloads.MemberRoleChanged(
        granted_coins=has.wallet_coins if has and not had else None,
        before=_state(change.before, had if is_changed else None),
        after=_state(change.after, has if is_changed else None),
    )


def _state(role: str, wallet: coins.Wallet | None) -> payloads.RoleState:
    if wallet is None:
        return payloads.RoleState(role=role)
    return payloads.RoleState(role=role, wallet_coins=wallet.wallet_coins, is_frozen=wallet.is_frozen)
