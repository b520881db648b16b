"""Cover pictures of campaigns. Their content is stored by :mod:`api.attachments`.

Campaigns that were copied share the stored objects: the nightly job deletes an object to which no row refers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, or_, select

from api.campaigns.lifecycle import Command
from api.campaigns.models import CampaignCover
from api.campaigns.queries import get_campaign
from api.campaigns.transitions import check_command
from api.events.attachment_payloads import CoverChanged
from api.events.service import record_event
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

_KEYS = (CampaignCover.original_key, CampaignCover.large_key, CampaignCover.small_key)
_PICTURE = ("media_type", "size_bytes", "width", "height", "sha256", "original_key", "large_key", "small_key")


async def find_cover(session: AsyncSession, campaign_id: UUID) -> CampaignCover | None:
    """The cover of a campaign, or None."""
    found: CampaignCover | None = await session.scalar(
        select(CampaignCover).where(CampaignCover.campaign_id == campaign_id)
    )
    return found


async def set_cover(
    session: AsyncSession, campaign: Campaign, picture: dict[str, Any], *, actor_id: UUID
) -> CampaignCover:
    """Give a campaign a cover, in place of an earlier one. `picture` has the columns of the stored picture.

    Raises:
        CampaignNotActive: the campaign can no longer be edited.
    """
    await _lock(session, campaign)
    await session.execute(delete(CampaignCover).where(CampaignCover.campaign_id == campaign.id))
    cover = CampaignCover(campaign_id=campaign.id, id=uuid7(), uploaded_at=clock.now(), uploaded_by=actor_id, **picture)
    session.add(cover)
    await session.flush()
    payload = CoverChanged(cover_id=cover.id, media_type=cover.media_type, size_bytes=cover.size_bytes)
    await record_event(session, payload, actor_id=actor_id, campaign_id=campaign.id)
    return cover


async def remove_cover(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> bool:
    """Remove the cover of a campaign; False if it has none.

    Raises:
        CampaignNotActive: the campaign can no longer be edited.
    """
    await _lock(session, campaign)
    removed = await session.execute(
        delete(CampaignCover).where(CampaignCover.campaign_id == campaign.id).returning(CampaignCover.id)
    )
    if removed.first() is None:
        return False
    await record_event(session, CoverChanged(), actor_id=actor_id, campaign_id=campaign.id)
    return True


async def copy_cover(session: AsyncSession, copied_id: UUID, campaign_id: UUID, *, actor_id: UUID) -> None:
    """Give a new campaign the cover of another one. The creation of the campaign is its event."""
    # locked until the copy is committed: the objects are never without a row that refers to them
    cover = await session.scalar(
        select(CampaignCover).where(CampaignCover.campaign_id == copied_id).with_for_update(read=True, key_share=True)
    )
    if cover is None:
        return
    picture = {name: getattr(cover, name) for name in _PICTURE}
    session.add(
        CampaignCover(campaign_id=campaign_id, id=uuid7(), uploaded_at=clock.now(), uploaded_by=actor_id, **picture)
    )
    await session.flush()


async def find_used_keys(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Those of the keys of stored objects to which a cover refers."""
    rows = await session.execute(select(*_KEYS).where(or_(*(column.in_(keys) for column in _KEYS))))
    return {key for row in rows for key in row if key is not None}


async def _lock(session: AsyncSession, campaign: Campaign) -> None:
    locked = await get_campaign(session, campaign.id, lock="join")
    await check_command(session, locked, Command.EDIT)
