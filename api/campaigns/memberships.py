"""Memberships in campaigns: joining, adding and leaving."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from api.campaigns import errors
from api.campaigns.attributes.changes import set_attributes
from api.campaigns.attributes.values import get_defined
from api.campaigns.lifecycle import RUNNING, Command
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import find_last_membership, find_membership, get_campaign
from api.campaigns.roles import check_other_manager, set_member_role
from api.campaigns.transitions import check_command
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event, record_events
from api.kernel import clock
from api.kernel.permissions import TAKING_PART

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


async def join_campaign(
    session: AsyncSession,
    campaign: Campaign,
    *,
    user_id: UUID,
    actor_id: UUID | None = None,
    is_invited: bool = False,
    role: str = "member",
    attributes: Mapping[str, Any] | None = None,
    answers: Mapping[str, str] | None = None,
    may_lack_values: bool = False,
) -> Membership:
    """Make the user a member with a wallet. A former member gets the old wallet again and no second grant.

    An observer gets no wallet, and that of a former member stays frozen.

    Nothing changes if the user is a member. `actor_id` is the manager who adds the user; None if the user joins, by
    themselves or because a manager has invited them. `attributes` are set by a manager; None: those of the former membership
    that the campaign allows now. `answers` are those of the user who joins. With `may_lack_values` required ones can be missing.

    Raises:
        AttributesRefused: an attribute is not allowed, or a required one is missing.
        JoiningClosed: the user joins, but the join policy is not `open`.
        RemovedFromCampaign: the user joins, but a manager has removed them.
        CampaignNotActive: the campaign has ended, or is a draft, to which only managers can add members.
    """
    campaign = await get_campaign(session, campaign.id, lock="join")
    is_self = actor_id is None and not is_invited
    await check_command(session, campaign, Command.JOIN if is_self else Command.ADD_MEMBER)
    if is_self and campaign.join_policy != "open":
        msg = (
            "Members join this campaign by a request, which a manager approves."
            if campaign.join_policy == "by_request"
            else "Only managers can add members to this campaign; ask one of them."
        )
        raise errors.JoiningClosed(msg)
    present = await find_membership(session, campaign.id, user_id)
    if present is not None:
        return present
    before = await find_last_membership(session, campaign.id, user_id)
    if is_self and before is not None and before.was_removed:
        raise errors.RemovedFromCampaign(errors.REMOVED)
    if is_self and before is not None and before.role == "observer":
        role = before.role  # only a manager can make an observer a member
    defined = await get_defined(session, campaign.id)
    if attributes is None:
        attributes = defined.fitting(before.attributes if before else {})
    if actor_id is not None:
        values = dict(attributes)
        defined.check(values, is_complete=not may_lack_values)
    else:
        values = defined.with_answers(attributes, answers or {})
    (membership,) = await admit(session, campaign, [Newcomer(user_id, role, values)], actor_id=actor_id or user_id)
    return membership


@dataclass(frozen=True)
class Newcomer:
    """A user who is to become a member."""

    user_id: UUID
    role: str
    attributes: dict[str, Any]


async def admit(
    session: AsyncSession, campaign: Campaign, newcomers: Sequence[Newcomer], *, actor_id: UUID | None
) -> list[Membership]:
    """Make users members, by the same statements for one and for many. The caller has locked and checked the campaign.

    None of them is a member. In an active campaign those who take part get their wallet.
    """
    if not newcomers:
        return []
    memberships = [
        Membership(
            campaign_id=campaign.id,
            user_id=each.user_id,
            role=each.role,
            joined_at=clock.now(),
            attributes=each.attributes,
            created_by=actor_id,
            updated_by=actor_id,
        )
        for each in newcomers
    ]
    session.add_all(memberships)
    await session.flush()
    user_ids = [each.user_id for each in newcomers]
    had = await coins.find_wallets(session, campaign.id, user_ids)
    if campaign.status in RUNNING:
        granted = [each.user_id for each in newcomers if each.role in TAKING_PART]
        await coins.grant_coins(session, campaign.id, granted, actor_id=actor_id)
    has = await coins.find_wallets(session, campaign.id, user_ids)
    await record_events(
        session,
        [(each.user_id, _joined(each.role, had.get(each.user_id), has.get(each.user_id))) for each in newcomers],
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return memberships


def _joined(role: str, had: coins.Wallet | None, has: coins.Wallet | None) -> payloads.MemberJoined:
    return payloads.MemberJoined(
        role=role, granted_coins=has.wallet_coins if has and not had else 0, before=_state(had), after=_state(has)
    )


async def add_member(
    session: AsyncSession,
    campaign: Campaign,
    *,
    user_id: UUID,
    actor_id: UUID,
    role: str | None = None,
    attributes: dict[str, Any] | None = None,
    may_lack_values: bool = False,
) -> tuple[Membership, bool]:
    """Add a user, or change the role and the attributes of a member; returns the membership and whether it is new.

    None is the role `member` and the former attributes of a new member, and changes nothing for a present one.

    Raises:
        AttributesRefused: an attribute is not allowed, or a required one is missing.
        CampaignNotActive: the campaign has ended.
        LastManager: the campaign would have no manager.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    present = await find_membership(session, campaign.id, user_id)
    if present is None:
        made = await join_campaign(
            session, campaign, user_id=user_id, actor_id=actor_id, role=role or "member", attributes=attributes,
            may_lack_values=may_lack_values,
        )  # fmt: skip
        return made, True
    await check_command(session, campaign, Command.ADD_MEMBER)
    if role is not None:
        await set_member_role(session, campaign, user_id=user_id, role=role, actor_id=actor_id)
    if attributes is not None:
        defined = await get_defined(session, campaign.id)
        defined.check(attributes, before=present.attributes, is_complete=True)
        await set_attributes(session, campaign, present, attributes, actor_id=actor_id)
    return present, False


async def leave_campaign(session: AsyncSession, campaign: Campaign, *, user_id: UUID) -> None:
    """End the user's own membership: the wallet is frozen, stakes remain on their ideas.

    Raises:
        NotAMember: the user is not a member.
        LastManager: the campaign would have no manager.
    """
    campaign, membership = await _lock_leaving(
        session, campaign, user_id, "You are not a member of this campaign.",
        "You are the campaign's only manager; make another member a manager first.",
    )  # fmt: skip
    had = await _end(session, campaign, membership, actor_id=user_id)
    await coins.freeze_wallets(session, campaign.id, [user_id])
    await record_event(
        session,
        payloads.MemberLeft(before=_state(had), after=_state(replace(had, is_frozen=True) if had else None)),
        actor_id=user_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )


async def remove_member(session: AsyncSession, campaign: Campaign, *, user_id: UUID, actor_id: UUID) -> None:
    """End the membership of another user: their stakes on open ideas return to the wallet, which is frozen.

    Only a manager can add the user again; the user then gets the wallet back. Managers who remove themselves leave.

    Raises:
        NotAMember: the user is not a member.
        LastManager: the campaign would have no manager.
    """
    if user_id == actor_id:
        await leave_campaign(session, campaign, user_id=user_id)
        return
    campaign, membership = await _lock_leaving(
        session, campaign, user_id, "This user is not a member of the campaign.",
        "This is the campaign's only manager; make another member a manager first.",
    )  # fmt: skip
    membership.was_removed = True
    had = await _end(session, campaign, membership, actor_id=actor_id)
    await coins.return_stakes(session, campaign.id, user_id, actor_id=actor_id)
    await coins.freeze_wallets(session, campaign.id, [user_id])
    has = await coins.find_wallet(session, campaign.id, user_id)
    await record_event(
        session,
        payloads.MemberRemoved(before=_state(had), after=_state(has)),
        actor_id=actor_id,
        campaign_id=campaign.id,
        user_id=user_id,
    )


async def return_stakes_of_removed(
    session: AsyncSession, campaign_id: UUID, idea_id: UUID, *, actor_id: UUID | None
) -> list[int]:
    """Return the coins that removed members have on an idea which the transaction has reopened; returns those of each.

    The coins had expired when these members were removed, so they did not return then.
    """
    later = aliased(Membership)
    is_later = later.left_at.is_(None) | (later.left_at > Membership.left_at)
    removed = await session.scalars(
        select(Membership.user_id).where(
            Membership.campaign_id == campaign_id,
            Membership.was_removed,
            ~exists(
                select(later.id).where(later.campaign_id == campaign_id, later.user_id == Membership.user_id, is_later)
            ),
        )
    )
    returned = [
        await coins.return_stakes(session, campaign_id, user_id, actor_id=actor_id, idea_id=idea_id)
        for user_id in await coins.list_staked(session, idea_id, removed.all())
    ]
    return [amount for amount in returned if amount]


async def _lock_leaving(
    session: AsyncSession, campaign: Campaign, user_id: UUID, not_a_member: str, last_manager: str
) -> tuple[Campaign, Membership]:
    """The locked campaign and the membership that is to end; the texts are those of the refusals."""
    campaign = await get_campaign(session, campaign.id, lock="change")
    membership = await find_membership(session, campaign.id, user_id)
    if membership is None:
        raise errors.NotAMember(not_a_member)
    if membership.role == "manager" and campaign.status != "archived":
        await check_other_manager(session, campaign, user_id=user_id, refusal=last_manager)
    return campaign, membership


async def _end(
    session: AsyncSession, campaign: Campaign, membership: Membership, *, actor_id: UUID
) -> coins.Wallet | None:
    """End the membership; returns the wallet as it is now."""
    membership.left_at = clock.now()
    membership.updated_by = actor_id
    await session.flush()
    return await coins.find_wallet(session, campaign.id, membership.user_id)


def _state(wallet: coins.Wallet | None) -> payloads.WalletState | None:
    return payloads.WalletState(wallet_coins=wallet.wallet_coins, is_frozen=wallet.is_frozen) if wallet else None
