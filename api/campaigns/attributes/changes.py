"""Changes of the attributes of a member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.campaigns import errors
from api.campaigns.attributes.values import get_defined
from api.campaigns.queries import find_membership, get_campaign
from api.events import payloads
from api.events.service import record_event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign, Membership


async def edit_attributes(
    session: AsyncSession, campaign: Campaign, changes: Mapping[str, str | None], *, user_id: UUID, actor_id: UUID
) -> Membership:
    """Change attributes of a member by their keys; None removes one. A member changes only those that members may edit.

    Raises:
        NotAMember: the user is not a member.
        AttributesRefused: a value is not allowed, a required one would be removed, or only managers change it.
    """
    # the definitions do not change meanwhile; changes of the same membership wait for its row
    campaign = await get_campaign(session, campaign.id, lock="read")
    membership = await find_membership(session, campaign.id, user_id, lock=True)
    if membership is None:
        msg = "This user is not a member of the campaign."
        raise errors.NotAMember(msg)
    defined = await get_defined(session, campaign.id)
    change = defined.with_own_changes if user_id == actor_id and membership.role != "manager" else defined.with_changes
    await set_attributes(session, campaign, membership, change(membership.attributes, changes), actor_id=actor_id)
    return membership


async def set_attributes(
    session: AsyncSession,
    campaign: Campaign,
    membership: Membership,
    attributes: dict[str, Any],
    *,
    actor_id: UUID | None,
) -> bool:
    """Replace the attributes of a member by checked ones; returns whether they differ. The caller has locked the campaign."""
    names = {name for name, _ in attributes.items() ^ membership.attributes.items()}
    if not names:
        return False
    membership.attributes = attributes
    membership.updated_by = actor_id
    await session.flush()
    await record_event(
        session,
        payloads.MemberAttributesChanged(names=tuple(sorted(names))),
        actor_id=actor_id,
        campaign_id=campaign.id,
        user_id=membership.user_id,
    )
    return True
