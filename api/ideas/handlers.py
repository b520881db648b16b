"""Background work of ideas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.campaigns.service import PAUSE_S, for_each_to_complete
from api.ideas.service import complete_campaign
from api.kernel.background import Loop

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.kernel.db import Database

TREND_PAUSE_S = 60.0
DAYS_PER_PASS = 1000
_END_COIN_DAYS = text("SELECT app.ideas_end_coin_days(:rows_max)")


async def complete_due_campaigns(database: Database) -> int:
    """Complete each closed campaign whose `decide_by` has passed; returns how many were completed."""

    async def complete(session: AsyncSession, campaign: Campaign) -> None:
        await complete_campaign(session, campaign, actor_id=None)

    return await for_each_to_complete(database, complete)


async def end_coin_days(database: Database) -> int:
    """Leave out of the trend of ideas what is a week old; returns how many days of ideas were left out."""
    total = 0
    while True:
        async with database.session() as session:
            ended: int = await session.scalar(_END_COIN_DAYS, {"rows_max": DAYS_PER_PASS}) or 0
        total += ended
        if ended < DAYS_PER_PASS:
            return total


LOOPS = (
    Loop(name="campaigns-complete", run=complete_due_campaigns, pause_s=PAUSE_S),
    Loop(name="ideas-trend", run=end_coin_days, pause_s=TREND_PAUSE_S),
)
