"""Processing of campaigns whose dates have passed, each in its own transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select

from api.campaigns.lifecycle import RUNNING, CampaignStatus
from api.campaigns.models import Campaign
from api.coins import service as coins

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

log = structlog.get_logger(__name__)

Act = Callable[["AsyncSession", Campaign], Awaitable[object]]

# between two searches of a worker; a campaign that a command has locked is found again by the next search
PAUSE_S = 5.0

# by the database's clock, as for commands; at the moment ends_at itself the campaign is still open
_ENDED = (Campaign.status.in_(RUNNING), Campaign.ends_at < func.now())
# a campaign whose ideas are in a grace time is found again after it
_TO_DECIDE = (
    Campaign.status == CampaignStatus.CLOSED,
    Campaign.decide_by <= func.now(),
    ~coins.has_running_grace(Campaign.id),
)


async def for_each_ended(database: Database, act: Act) -> int:
    """Call `act` with each active campaign whose end has passed; returns how often it succeeded."""
    return await _for_each(database, _ENDED, act)


async def for_each_to_complete(database: Database, act: Act) -> int:
    """Call `act` with each closed campaign whose `decide_by` and grace times have passed; returns how often it succeeded."""
    return await _for_each(database, _TO_DECIDE, act)


async def _for_each(database: Database, due: tuple[ColumnElement[bool], ...], act: Act) -> int:
    """Call `act` with a session and a locked campaign, in one transaction per campaign.

    Several workers may run it: a campaign that another worker has locked is skipped, and one that it has finished is no
    longer due. An error affects only its campaign; it is logged, and the next run retries the campaign.
    """
    async with database.session() as session:
        campaign_ids = list(await session.scalars(select(Campaign.id).where(*due).order_by(Campaign.id)))
    done = 0
    for campaign_id in campaign_ids:
        try:
            async with database.session() as session:
                campaign = await session.scalar(
                    select(Campaign).where(Campaign.id == campaign_id, *due).with_for_update(skip_locked=True)
                )
                if campaign is not None:
                    await act(session, campaign)
            done += campaign is not None
        except Exception:
            log.exception("processing a campaign whose date has passed failed", campaign_id=campaign_id)
    return done
