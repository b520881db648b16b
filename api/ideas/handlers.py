"""Background work of ideas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.campaigns.service import PAUSE_S, for_each_to_complete
from api.ideas.service import complete_campaign
from api.kernel.background import Loop

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.kernel.db import Database


async def complete_due_campaigns(database: Database) -> int:
    """Complete each closed campaign whose `decide_by` has passed; returns how many were completed."""

    async def complete(session: AsyncSession, campaign: Campaign) -> None:
        await complete_campaign(session, campaign, actor_id=None)

    return await for_each_to_complete(database, complete)


LOOPS = (Loop(name="campaigns-complete", run=complete_due_campaigns, pause_s=PAUSE_S),)
