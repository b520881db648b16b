"""What a campaign that is made from another one takes over of its settings for ideas: tags and reasons of rejection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from api.ideas.models import CampaignTag, RejectionReason
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def copy_settings(session: AsyncSession, copied_id: UUID, campaign_id: UUID, *, actor_id: UUID) -> None:
    """Give a new campaign the tags and the reasons of another one. The creation of the campaign is their event."""
    tags = (
        await session.scalars(
            select(CampaignTag).where(CampaignTag.campaign_id == copied_id).order_by(CampaignTag.level, CampaignTag.id)
        )
    ).all()
    ids = {tag.id: uuid7() for tag in tags}
    session.add_all(
        CampaignTag(
            id=ids[tag.id],
            campaign_id=campaign_id,
            parent_id=ids[tag.parent_id] if tag.parent_id else None,
            level=tag.level,
            name=tag.name,
            colour=tag.colour,
            is_required=tag.is_required,
            position=tag.position,
            created_by=actor_id,
            updated_by=actor_id,
        )
        for tag in tags
    )
    reasons = await session.scalars(select(RejectionReason).where(RejectionReason.campaign_id == copied_id))
    session.add_all(
        RejectionReason(campaign_id=campaign_id, code=each.code, label=each.label, position=each.position)
        for each in reasons
    )
    await session.flush()
