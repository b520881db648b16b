"""Background work of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.campaigns.due import PAUSE_S, for_each_ended
from api.campaigns.invitations.mailing import DELETE_OLD, SEND
from api.campaigns.join_requests.mailing import ORDER_NOTICES, SEND_DECISION, SEND_NOTICE
from api.campaigns.transitions import close_campaign
from api.kernel.background import Loop

if TYPE_CHECKING:
    from api.kernel.db import Database


async def close_due_campaigns(database: Database) -> int:
    """Close each active campaign whose end has passed; returns how many it closed."""
    return await for_each_ended(database, close_campaign)


JOBS = (SEND, DELETE_OLD, SEND_NOTICE, SEND_DECISION, ORDER_NOTICES)
LOOPS = (Loop(name="campaigns-close", run=close_due_campaigns, pause_s=PAUSE_S),)
